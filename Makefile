# Every chore has its entry here. `make test` is what CI runs.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

.PHONY: test lint types units format bench clean

test: lint types units ## everything that must be green

lint: $(VENV)/.ready ## style
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.ready ## mypy, strict
	PATH="$(abspath $(BIN)):$$PATH" .ci/typecheck

units: $(VENV)/.ready ## all tests
	$(BIN)/python -m pytest

format: $(VENV)/.ready ## rewrite the code in the project's style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.ready ## speed and footprint, with the machine they were measured on
	$(BIN)/python -m tests.bench.footprint
	$(BIN)/python -m tests.bench.throughput
	$(BIN)/python -m tests.bench.table

$(VENV)/.ready: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	@echo "installing; llama.cpp is compiled the first time, which takes about four minutes"
	$(BIN)/python -m pip install --quiet --editable '.[test]'
	touch $@

clean: ## remove what the chores made
	rm -rf $(VENV) .types build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
