"""The build's own process: what it says, and when it leaves."""

import json
import subprocess
import sys
from pathlib import Path

from edge_daemon.engine import shipped_bundle
from edge_daemon.inference.bundle import Bundle
from edge_daemon.plans.child import Job, Line
from edge_daemon.plans.fingerprint import GpuIdentity, PlanKey
from edge_daemon.plans.resolving import PlanRequest, resolve
from tests.conftest import PATIENCE_S
from tests.edge_daemon.plans.conftest import needs_rtx

COMMAND = [sys.executable, "-m", "edge_daemon.plans"]


def job_for(bundle: Bundle, out: Path) -> Job:
    return Job(
        bundle=bundle.directory, key=resolve(bundle, PlanRequest(), gpu=GpuIdentity()), out=out
    )


def run(job: Job) -> tuple[int, list[Line], str]:
    with subprocess.Popen(
        COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdin.write(job.model_dump_json().encode() + b"\n")
        process.stdin.flush()
        lines = [Line.model_validate_json(text) for text in process.stdout]
        return process.wait(PATIENCE_S), lines, process.stderr.read().decode()


@needs_rtx
def test_it_tells_stages_and_at_last_what_it_wrote(tiny: Bundle, tmp_path: Path) -> None:
    code, lines, _ = run(job_for(tiny, tmp_path / "plan"))
    assert code == 0
    stages = list(dict.fromkeys(line.stage for line in lines))
    assert stages == ["loading", "building", "writing", "done"]
    built = lines[-1].built
    assert built is not None
    assert built.size == (tmp_path / "plan").stat().st_size


@needs_rtx
def test_a_bundle_that_changed_meanwhile_is_not_built(tiny: Bundle, tmp_path: Path) -> None:
    job = job_for(tiny, tmp_path / "plan")
    changed = job.key.model_copy(update={"bundle": "c" * 64})
    code, lines, _ = run(job.model_copy(update={"key": changed}))
    assert code == 1
    assert "changed meanwhile" in str(lines[-1].failed)
    assert not (tmp_path / "plan").exists()


@needs_rtx
def test_a_file_that_is_there_is_never_written_over(tiny: Bundle, tmp_path: Path) -> None:
    (tmp_path / "plan").write_bytes(b"somebody else's")
    code, _, said = run(job_for(tiny, tmp_path / "plan"))
    assert code == 1
    assert "FileExistsError" in said
    assert (tmp_path / "plan").read_bytes() == b"somebody else's"


def test_it_leaves_when_nobody_waits_any_more(key: PlanKey, tmp_path: Path) -> None:
    """A build takes seconds; it is left as soon as it has begun."""
    out = tmp_path / "plan"
    out.write_bytes(b"half a plan")
    job = Job(bundle=shipped_bundle(), key=key, out=out)
    with subprocess.Popen(COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(job.model_dump_json().encode() + b"\n")
        process.stdin.flush()
        assert json.loads(process.stdout.readline()) == {"stage": "loading"}
        process.stdin.close()
        assert process.wait(PATIENCE_S) == 1
    assert not out.exists()
