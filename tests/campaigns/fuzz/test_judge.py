"""What the campaign says of a run of schemathesis."""

import json

import pytest

from tests.campaigns.fuzz.__main__ import judge

REPORT = {
    "schemathesis_version": "4",
    "seed": 1,
    "complete": True,
    "operations": {"total": 2, "tested": 2},
    "test_cases": {"generated": 9, "with_failures": 0},
    "errors": [],
}


@pytest.mark.parametrize(
    ("ended", "written", "said"),
    [
        (-9, "", "schemathesis did not finish: it was killed by SIGKILL"),
        (2, json.dumps(REPORT), "schemathesis did not finish: it returned 2"),
        (0, None, "schemathesis left no report"),
        (0, "", "schemathesis left no report"),
        (0, json.dumps(REPORT | {"operations": {"total": 2, "tested": 1}}), "not all of it"),
        (0, json.dumps(REPORT | {"complete": False}), "not all of it"),
        (1, json.dumps(REPORT | {"operations": None}), "0 of 0 operations"),
        (0, json.dumps(REPORT | {"test_cases": {"generated": 0, "with_failures": 0}}), "0 cases"),
        (1, json.dumps(REPORT | {"test_cases": {"generated": 9, "with_failures": 2}}), "2 failed"),
        (1, json.dumps(REPORT | {"errors": [{"count": 3}]}), "3 errors"),
    ],
)
def test_a_run_that_was_not_whole_or_not_clean_fails_and_says_why(ended, written, said, tmp_path):
    report = tmp_path / "report.json"
    if written is not None:
        report.write_text(written)
    clean, told = judge(ended, report)
    assert (clean, said in told) == (False, True)


def test_a_clean_run_is_told_in_one_line(tmp_path):
    report = tmp_path / "report.json"
    report.write_text(json.dumps(REPORT))
    assert judge(0, report) == (
        True,
        "schemathesis 4, seed 1: 2 of 2 operations, 9 cases, 0 failed, 0 errors",
    )
