"""A build's process that dies, hangs or talks nonsense is an error with its last words."""

import sys
import threading
import time
from pathlib import Path

import pytest

from edge_daemon.plans.child import Built, Job, Line
from edge_daemon.plans.faults import BuildStoppedError, NoPlanError
from edge_daemon.plans.fingerprint import PlanKey
from edge_daemon.plans.layers import PlanContents
from edge_daemon.plans.process import start_build
from tests.conftest import PATIENCE_S
from tests.edge_daemon.plans.conftest import Children


@pytest.fixture
def job(key: PlanKey, tmp_path: Path) -> Job:
    return Job(bundle=tmp_path / "bundle", key=key, out=tmp_path / "plan")


def result_of(
    job: Job, script: str, *, stop: threading.Event | None = None, limit_s: float = PATIENCE_S
) -> Built:
    ends_s = time.monotonic() + limit_s
    with start_build(job, (sys.executable, "-c", script)) as process:
        while process.is_talking:
            process.listen(stop or threading.Event(), left_s=ends_s - time.monotonic())
        return process.result()


def test_a_result_comes_back(job: Job) -> None:
    written = Built(sha256="a" * 64, size=3, contents=PlanContents(tensors=(), layers={}))
    line = Line(built=written).model_dump_json()
    assert result_of(job, f"print({line!r})") == written


def test_the_job_arrives_as_it_was_given(job: Job) -> None:
    script = "import sys; print('{\"failed\": \"got ' + str(len(sys.stdin.readline())) + '\"}')"
    length = len(job.model_dump_json()) + 1
    with pytest.raises(NoPlanError, match=f"got {length}"):
        result_of(job, script)


def test_a_reason_for_failing_is_passed_on_word_for_word(job: Job) -> None:
    with pytest.raises(NoPlanError, match=r"^no way to convert Smelt$"):
        result_of(job, 'print(\'{"failed": "no way to convert Smelt"}\'); raise SystemExit(1)')


def test_a_traceback_is_among_the_last_words(job: Job) -> None:
    with pytest.raises(NoPlanError, match=r"ended with 1 and without a result(.|\n)*out of ideas"):
        result_of(job, "raise RuntimeError('out of ideas')")


def test_a_killed_build_is_told_from_one_that_failed(job: Job) -> None:
    with pytest.raises(NoPlanError, match="killed, perhaps for want of memory"):
        result_of(job, "import os; os.kill(os.getpid(), 9)")


def test_a_crash_names_its_signal(job: Job) -> None:
    with pytest.raises(NoPlanError, match="died of SIGABRT"):
        result_of(job, "import os; os.abort()")


def test_a_good_end_without_a_result_is_an_error(job: Job) -> None:
    with pytest.raises(NoPlanError, match="without a result"):
        result_of(job, 'print(\'{"stage": "done"}\')')


def test_nonsense_on_standard_output_is_an_error(job: Job) -> None:
    with pytest.raises(NoPlanError, match="the build said b'hello'"):
        result_of(job, "print('hello')")


def test_a_build_that_hangs_is_ended_with_its_last_words(job: Job, our_children: Children) -> None:
    script = (
        "import sys, time; print('timing tactics', file=sys.stderr, flush=True); time.sleep(99)"
    )
    with pytest.raises(NoPlanError, match=r"took too long(.|\n)*timing tactics"):
        result_of(job, script, limit_s=1.5)
    assert our_children() == []


def test_a_build_that_ignores_sigterm_is_killed(job: Job, our_children: Children) -> None:
    deaf = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
        "print('{}', flush=True); time.sleep(99)"
    )
    with start_build(job, (sys.executable, "-c", deaf), grace_s=0.5) as process:
        while process.listen(threading.Event(), left_s=PATIENCE_S) is None:
            pass
    assert our_children() == []


def test_told_to_stop_it_ends_its_process(job: Job, our_children: Children) -> None:
    stop = threading.Event()
    stop.set()
    with pytest.raises(BuildStoppedError):
        result_of(job, "import time; time.sleep(99)", stop=stop)
    assert our_children() == []
