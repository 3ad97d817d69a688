"""The process of a conversion: `python -m actorllm.actors.builder.convert JOB`.

Files of strangers are read here, never in the daemon. It ends when its standard input is closed, so
it does not outlive who started it.
"""

import logging
import os
import sys
from pathlib import Path

from actorllm.actors.builder.attached import attach
from actorllm.actors.builder.convert.assemble import Plan, open_source, plan_model, plan_projector
from actorllm.actors.builder.convert.errors import ConvertError
from actorllm.actors.builder.convert.job import Job, Said, job_from, said_text
from actorllm.actors.builder.convert.lora import BaseModel, plan_adapter
from actorllm.actors.builder.convert.stored import write

__all__ = ["main"]


def main(text: str) -> int:
    """Do a job; returns the exit status."""
    attach()
    logging.disable()  # the gguf package's remarks; standard error is for what went wrong
    try:
        _convert(job_from(text))
    except ConvertError as e:
        sys.stderr.write(f"{e}\n")
        return 1
    except MemoryError:
        sys.stderr.write("not enough memory for the largest tensor\n")
        return 1
    except OSError as e:
        sys.stderr.write(f"{e.strerror or 'a file cannot be read or written'}\n")
        return 1
    return 0


def _convert(job: Job) -> None:
    plans = _plans(job)
    notices = tuple(notice for plan, _ in plans for notice in plan.notices)
    sys.stdout.write(said_text(Said(sum(plan.size for plan, _ in plans), notices)) + "\n")
    sys.stdout.flush()
    for plan, target in plans:
        write(plan.gguf, target)


def _plans(job: Job) -> list[tuple[Plan, str]]:
    folder = Path(job.folder)
    if job.base is not None:
        return [(plan_adapter(folder, BaseModel(**job.base)), job.target)]
    source = open_source(folder)
    model, projector = plan_model(source, job.kind), plan_projector(source, job.kind)
    plans = [(model, job.target)]
    return plans if projector is None else [*plans, (projector, job.projector)]


if __name__ == "__main__":
    status = main(sys.argv[1])
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)
