"""A plan that is built beside a running inspection and takes over. Builders are stand-ins."""

import threading
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import numpy as np

from edge_daemon.backends import Backend, Ways
from edge_daemon.engine import Engine, load_engine
from edge_daemon.inference.bundle import Bundle
from edge_daemon.inference.known_answer import KnownAnswerTest
from edge_daemon.inference.segmenter import Segmenter
from edge_daemon.inference.switching import TRIAL_STRIPS
from edge_daemon.plans.building import Progress
from edge_daemon.plans.faults import BuildStoppedError, NoPlanError
from edge_daemon.plans.resolving import PlanRequest
from edge_daemon.upgrading import Build, Upgrade
from tests.conftest import wait_until
from tests.edge_daemon.marked_steel import BRIGHT, SOUND, MarkFinder

KNOWN = np.full((256, 1600), BRIGHT, np.uint8)
CLEAN = np.full((256, 1600), SOUND, np.uint8)
Report = Callable[[Progress], None]


def engine() -> Engine:
    """Marks instead of a network, under the shipped bundle's name."""
    old = MarkFinder(max_batch=1)
    expected = MarkFinder().segment([KNOWN]).fetch(slice(1))
    shipped = load_engine(None, device="cpu", threads=1)
    manifest = shipped.bundle.manifest
    two_classes = manifest.model_copy(update={"classes": manifest.classes[:2]})
    return replace(
        shipped,
        bundle=replace(shipped.bundle, manifest=two_classes),
        segmenter=old,
        known_answer=KnownAnswerTest(KNOWN[None, None], expected, tolerance=0.1),
        backend=Backend(old, "onnxruntime", missing_plan="not built yet"),
    )


def upgrade(build: Build, notes: list[str], switched: list[str]) -> Upgrade:
    def opened(_bundle: Bundle, plan: Path, _exits: ExitStack) -> tuple[Segmenter, str]:
        return MarkFinder(max_batch=8), plan.stem

    return Upgrade(
        engine(),
        PlanRequest(),
        note=notes.append,
        switched=switched.append,
        build=build,
        ways=Ways(open_plan=opened),
    )


def test_a_plan_is_built_tried_and_takes_over_and_each_step_is_told() -> None:
    def build(
        _bundle: Bundle, _request: PlanRequest, *, report: Report, stop: threading.Event
    ) -> Path:
        assert not stop.is_set()
        report(Progress("building", 0.4, 10.0, 15.0))
        return Path("tensorrt.plan")

    notes: list[str] = []
    switched: list[str] = []
    with upgrade(build, notes, switched) as upgrading:
        segmenter = upgrading.engine.segmenter
        wait_until(lambda: "on trial" in notes[-1])
        assert segmenter.max_batch == 1
        for _ in range(TRIAL_STRIPS):
            segmenter.segment([CLEAN])
        assert segmenter.max_batch == 8
    assert notes == [
        "onnxruntime on CPU; a plan is being sought",
        "onnxruntime on CPU; a plan is being built: building, 40%, about 15 s left",
        "onnxruntime on CPU; a plan of tensorrt is on trial beside it",
        "plan of tensorrt: 0.0000% of the cells of 64 strips differ from onnxruntime on CPU",
    ]
    assert switched == ["tensorrt"]


def test_what_can_not_be_built_is_told_and_inspection_goes_on() -> None:
    def build(
        _bundle: Bundle, _request: PlanRequest, *, report: Report, stop: threading.Event
    ) -> Path:
        raise NoPlanError(f"operator Roll has no converter {report is None} {stop.is_set()}")

    notes: list[str] = []
    with upgrade(build, notes, []) as upgrading:
        wait_until(lambda: "there is no plan" in notes[-1])
        assert "operator Roll has no converter" in notes[-1]
        assert not upgrading.engine.segmenter.segment([CLEAN]).counts.any()


def test_a_build_is_given_up_when_the_daemon_stops() -> None:
    def build(
        _bundle: Bundle, _request: PlanRequest, *, report: Report, stop: threading.Event
    ) -> Path:
        report(Progress("building", 0.0, 0.0, None))
        stop.wait()
        raise BuildStoppedError("told to stop")

    notes: list[str] = []
    with upgrade(build, notes, []):
        wait_until(lambda: "being built" in notes[-1])
    assert "upgrade" not in {thread.name for thread in threading.enumerate()}
