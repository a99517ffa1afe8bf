"""The build's own process, `python -m edge_daemon.plans`.

standard input   one line, a Job as JSON; then it stays open as long as the parent lives and wants
                 the plan: at its end the process leaves and takes its half-built plan along
standard output  lines of JSON, each a Line: stages, then what was built, or why it wasn't
standard error   what the libraries say, and tracebacks
"""

import hashlib
import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from edge_daemon.errors import EXIT_FAILED, EdgeDaemonError
from edge_daemon.inference.bundle import Bundle, load_bundle
from edge_daemon.inference.manifest import Sha256
from edge_daemon.plans.faults import NoPlanError
from edge_daemon.plans.fingerprint import Builder, PlanKey
from edge_daemon.plans.layers import BuiltPlan, PlanContents

STDIN, STDOUT, STDERR = 0, 1, 2
NICENESS = 10
"""Inspection goes on beside a build, and comes first."""


class Job(BaseModel):
    """What to build.

    Attributes:
        bundle: folder.
        key: which plan.
        out: file to write it to, not there yet.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    bundle: Path
    key: PlanKey
    out: Path


class Built(BaseModel):
    """What was written to the job's file.

    Attributes:
        sha256: of it.
        size: in bytes.
        contents: what is inside.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    sha256: Sha256
    size: int
    contents: PlanContents


class Line(BaseModel):
    """What the process says: how far it is, or how it ended.

    Attributes:
        stage: what it does.
        share: of the build that is done.
        built: the last line of a build that came out well.
        failed: the last line of one that didn't: why.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    stage: str = ""
    share: Annotated[float, Field(ge=0, le=1)] = 0.0
    built: Built | None = None
    failed: str | None = None


def main() -> int:
    """Do the job that standard input brings; returns the exit code."""
    say = _take_standard_output()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's Ctrl-C goes to the parent, too
    os.nice(NICENESS)
    job = Job.model_validate_json(_read_line())
    threading.Thread(target=_leave_with_the_parent, args=(job.out,), daemon=True).start()
    try:
        built = build(job, say)
    except EdgeDaemonError as error:
        say(Line(failed=str(error)))
        return EXIT_FAILED
    say(Line(stage="done", share=1.0, built=built))
    return 0


def build(job: Job, say: Callable[[Line], None]) -> Built:
    """Build a plan and write it to the job's file.

    Raises:
        EdgeDaemonError: it can't be built.
    """
    say(Line(stage="loading"))
    bundle = load_bundle(job.bundle)
    if bundle.fingerprint != job.key.bundle:
        raise NoPlanError(f"{job.bundle} was changed meanwhile; start again")
    plan = _builder_of(job.key)(
        bundle, job.key, lambda share: say(Line(stage="building", share=share))
    )
    say(Line(stage="writing", share=1.0))
    with job.out.open("xb") as file:
        file.write(plan.content)
        file.flush()
        os.fsync(file.fileno())
    digest = hashlib.sha256(plan.content).hexdigest()
    return Built(sha256=digest, size=len(plan.content), contents=plan.contents)


def _builder_of(
    key: PlanKey,
) -> Callable[[Bundle, PlanKey, Callable[[float], None]], BuiltPlan]:
    match key.builder:  # each takes libraries that the other does without
        case Builder.ONNX:
            from edge_daemon.plans.onnx_builder import build_from_onnx  # noqa: PLC0415 - see above

            return build_from_onnx
        case Builder.TORCH:
            from edge_daemon.plans.torch_builder import build_from_torch  # noqa: PLC0415 - see above

            return build_from_torch


def _take_standard_output() -> Callable[[Line], None]:
    """Keep standard output for our lines; what libraries print goes to standard error."""
    out = os.fdopen(os.dup(STDOUT), "w", encoding="utf-8")
    os.dup2(STDERR, STDOUT)

    def say(line: Line) -> None:
        out.write(line.model_dump_json(exclude_defaults=True) + "\n")
        out.flush()

    return say


def _read_line() -> bytes:
    got = b""
    while not got.endswith(b"\n"):
        more = os.read(STDIN, 65536)
        if not more:
            sys.exit(EXIT_FAILED)
        got += more
    return got


def _leave_with_the_parent(partial: Path) -> None:
    """Wait for the end of standard input: nobody waits for the plan any more."""
    while os.read(STDIN, 1):
        pass
    partial.unlink(missing_ok=True)
    os._exit(EXIT_FAILED)
