"""Plans built in a process of their own: whole, once, and with nothing left behind otherwise."""

import json
import os
import signal
import subprocess
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from edge_daemon.inference.bundle import Bundle, load_bundle
from edge_daemon.plans.building import Progress, build_plan, find_plan, remaining_s
from edge_daemon.plans.cache import read_record
from edge_daemon.plans.faults import (
    BuildStoppedError,
    NoPlanError,
    PlanFault,
    PlanRejectedError,
)
from edge_daemon.plans.fingerprint import Flavour
from edge_daemon.plans.resolving import PlanRequest
from tests.conftest import PATIENCE_S, wait_until
from tests.edge_daemon.plans.conftest import (
    ZOO,
    Children,
    children_of,
    compile_command,
    needs_rtx,
    tossing_network,
    write_bundle,
)

pytestmark = needs_rtx


def request_in(cache: Path, *, force: bool = False) -> PlanRequest:
    return PlanRequest(flavour=Flavour.TENSORRT_RTX, cache=cache, force=force)


def build(bundle: Bundle, cache: Path, *, force: bool = False) -> Path:
    return build_plan(bundle, request_in(cache, force=force), stop=threading.Event())


def left_in(cache: Path) -> set[str]:
    return {one.suffix for one in cache.iterdir()} - {".lock"}


@pytest.mark.parametrize(("name", "convolutions"), [("steel-nano", 54), ("steel-small", 52)])
def test_shipped_bundles_become_plans_with_float16_convolutions(
    name: str, convolutions: int, tmp_path: Path, our_children: Children
) -> None:
    bundle = load_bundle(ZOO / name)
    told: list[Progress] = []
    path = build_plan(bundle, request_in(tmp_path), report=told.append, stop=threading.Event())
    record = read_record(path)
    assert record.contents.layers["CONVOLUTION"] == {"HALF": convolutions}
    tensors = {one.name: (one.dtype, one.shape) for one in record.contents.tensors}
    assert tensors == {
        "strip": ("UINT8", (-1, 1, 256, 1600)),
        "probability": ("HALF", (-1, 4, 64, 400)),
        "counts": ("INT32", (-1, 4)),
        "valid": ("INT32", (-1,)),
    }
    assert [(one.least, one.best, one.most) for one in record.key.batches] == [(1, 1, 1), (1, 8, 8)]
    assert "building" in {one.stage for one in told}
    assert our_children() == []


def test_a_plan_that_is_there_is_not_built_again(tiny: Bundle, tmp_path: Path) -> None:
    path = build(tiny, tmp_path)
    before = path.stat()
    told: list[Progress] = []
    again = build_plan(tiny, request_in(tmp_path), report=told.append, stop=threading.Event())
    assert (again, told) == (path, [])
    assert path.stat().st_mtime_ns == before.st_mtime_ns
    assert find_plan(tiny, request_in(tmp_path)) == path
    assert build(tiny, tmp_path, force=True).stat().st_mtime_ns != before.st_mtime_ns


def test_a_folder_that_can_not_be_used_is_an_error_with_the_remedy(
    tiny: Bundle, tmp_path: Path
) -> None:
    (tmp_path / "builds.lock").mkdir()
    with pytest.raises(NoPlanError, match=r"builds\.lock: Is a directory; .*--cache"):
        build(tiny, tmp_path)


def test_a_good_plan_stays_when_building_it_anew_fails(tiny: Bundle, tmp_path: Path) -> None:
    path = build(tiny, tmp_path)
    stop = threading.Event()
    stop.set()
    request = replace(request_in(tmp_path), force=True)
    with pytest.raises(BuildStoppedError):
        build_plan(tiny, request, stop=stop)
    assert find_plan(tiny, request_in(tmp_path)) == path


def test_a_truncated_plan_is_replaced(tiny: Bundle, tmp_path: Path) -> None:
    path = build(tiny, tmp_path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(PlanRejectedError) as caught:
        find_plan(tiny, request_in(tmp_path))
    assert caught.value.fault is PlanFault.TRUNCATED
    assert build(tiny, tmp_path) == path
    assert find_plan(tiny, request_in(tmp_path)) == path


def test_a_bad_plan_is_gone_even_if_nothing_better_can_be_built(
    tiny: Bundle, tmp_path: Path
) -> None:
    path = build(tiny, tmp_path)
    path.write_bytes(b"not a plan")
    with pytest.raises(NoPlanError, match="took too long"):
        build_plan(tiny, request_in(tmp_path), stop=threading.Event(), limit_s=0.0)
    assert left_in(tmp_path) == set()


def test_an_operator_that_cannot_be_built_is_named_through_both_processes(tmp_path: Path) -> None:
    bundle = write_bundle(tmp_path / "bundle", tossing_network())
    with pytest.raises(NoPlanError, match=r"no way to convert Bernoulli: .* refuses toss"):
        build(bundle, tmp_path / "plans")
    assert left_in(tmp_path / "plans") == set()


def test_two_processes_that_want_the_same_plan_build_it_once(tiny: Bundle, tmp_path: Path) -> None:
    command = compile_command(tiny, tmp_path)
    both = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(2)]
    said = [json.loads(one.communicate(timeout=2 * PATIENCE_S)[0]) for one in both]
    assert [one.returncode for one in both] == [0, 0]
    assert said[0] == said[1]  # a second build would have other bytes, and take another time
    assert left_in(tmp_path) == {".plan", ".json"}


def test_a_build_that_is_killed_leaves_nothing_and_can_be_begun_again(
    tiny: Bundle, tmp_path: Path, our_children: Children
) -> None:
    def kill(progress: Progress) -> None:
        if progress.stage == "loading":
            for child in our_children():
                os.kill(child, signal.SIGKILL)

    with pytest.raises(NoPlanError, match="killed, perhaps for want of memory"):
        build_plan(tiny, request_in(tmp_path), report=kill, stop=threading.Event())
    assert left_in(tmp_path) == set()
    assert build(tiny, tmp_path).is_file()


def test_told_to_stop_in_mid_build_it_leaves_nothing(
    tiny: Bundle, tmp_path: Path, our_children: Children
) -> None:
    stop = threading.Event()
    with pytest.raises(BuildStoppedError):
        build_plan(tiny, request_in(tmp_path), report=lambda _: stop.set(), stop=stop)
    assert left_in(tmp_path) == set()
    assert our_children() == []


def builds_of(parent: int) -> list[int]:
    """Children that build; looking for a GPU may start others for a moment."""
    return [child for child in children_of(parent) if b"edge_daemon.plans" in command_of(child)]


def command_of(process: int) -> bytes:
    try:
        return Path(f"/proc/{process}/cmdline").read_bytes()
    except OSError:  # gone meanwhile
        return b""


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_the_build_ends_with_its_parent(how: signal.Signals, tmp_path: Path) -> None:
    bundle = load_bundle(ZOO / "steel-small")  # a second or two to hit
    with subprocess.Popen(compile_command(bundle, tmp_path), stderr=subprocess.PIPE) as parent:
        wait_until(lambda: bool(builds_of(parent.pid)))
        (child,) = builds_of(parent.pid)
        parent.send_signal(how)
        said = parent.communicate(timeout=PATIENCE_S)[1].decode()
    wait_until(lambda: not Path(f"/proc/{child}").exists())
    assert parent.returncode != 0
    assert how is signal.SIGKILL or "the build was given up" in said
    assert left_in(tmp_path) == set()


def test_what_is_left_is_told_from_earlier_builds_or_else_from_the_share() -> None:
    assert remaining_s(10.0, 0.0, 30.0) == 20.0
    assert remaining_s(10.0, 0.5, 30.0) == 20.0
    assert remaining_s(40.0, 0.8, 30.0) == pytest.approx(10.0)
    assert remaining_s(10.0, 0.25, None) == 30.0
    assert remaining_s(10.0, 0.01, None) is None
