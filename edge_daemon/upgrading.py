"""Gets a plan for this GPU while the daemon inspects without one, and puts it on trial."""

import logging
import threading
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Final, Protocol, Self

from edge_daemon.backends import REAL_WAYS, Ways
from edge_daemon.engine import Engine
from edge_daemon.errors import EdgeDaemonError
from edge_daemon.inference.answers import thresholds_of
from edge_daemon.inference.bundle import Bundle
from edge_daemon.inference.switching import SwitchingSegmenter, TrialResult
from edge_daemon.plans.building import Progress, build_plan
from edge_daemon.plans.resolving import PlanRequest

_LOG = logging.getLogger(__name__)
_JOIN_S: Final = 10.0


class Build(Protocol):
    """Finds or builds a plan; `edge_daemon.plans.building.build_plan` is the real one."""

    def __call__(
        self,
        bundle: Bundle,
        request: PlanRequest,
        /,
        *,
        report: Callable[[Progress], None],
        stop: threading.Event,
    ) -> Path:
        """Return its file."""
        ...


class Upgrade:
    """Owns the thread that builds or fetches a plan beside a running inspection.

    Args:
        engine: runs without a plan.
        request: which plan is wanted.
        note: told in words what runs now and what comes, for /readyz; from any thread.
        switched: told the runtime of the plan that has taken over; on the network's thread.
        build: finds or builds the plan.
        ways: how to load it.
    """

    def __init__(
        self,
        engine: Engine,
        request: PlanRequest,
        *,
        note: Callable[[str], None],
        switched: Callable[[str], None],
        build: Build = build_plan,
        ways: Ways = REAL_WAYS,
    ) -> None:
        self._engine = engine
        self._request = request
        self._note = note
        self._switched = switched
        self._build = build
        self._ways = ways
        self._runs = f"{engine.backend.runtime} on {engine.backend.device}"
        self._plan = ""
        self._exits = ExitStack()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, name="upgrade", daemon=True)
        self._segmenter = SwitchingSegmenter(
            engine.segmenter,
            test=engine.known_answer,
            thresholds=thresholds_of(engine.bundle),
            told=self._end_trial,
        )

    def __enter__(self) -> Self:
        """Begin to build."""
        self._note(f"{self._runs}; a plan is being sought")
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Give a build up, and free what the plan holds: by now nobody looks any more."""
        self._stop.set()
        self._thread.join(_JOIN_S)
        self._exits.close()

    @property
    def engine(self) -> Engine:
        """The engine with a segmenter that the plan can take over."""
        return replace(self._engine, segmenter=self._segmenter)

    def _work(self) -> None:
        bundle = self._engine.bundle
        try:
            path = self._build(bundle, self._request, report=self._tell_progress, stop=self._stop)
            candidate, self._plan = self._ways.open_plan(bundle, path, self._exits)
        except EdgeDaemonError as trouble:
            self._note(f"{self._runs}; there is no plan for the GPU: {trouble}")
            _LOG.warning("inspecting goes on with %s; no plan: %s", self._runs, trouble)
            return
        self._note(f"{self._runs}; a plan of {self._plan} is on trial beside it")
        self._segmenter.offer(candidate)

    def _tell_progress(self, progress: Progress) -> None:
        left = "" if progress.remaining_s is None else f", about {progress.remaining_s:.0f} s left"
        self._note(
            f"{self._runs}; a plan is being built: {progress.stage}, {progress.share:.0%}{left}"
        )

    def _end_trial(self, result: TrialResult) -> None:
        if result.taken:
            self._note(f"plan of {self._plan}: {result.detail} from {self._runs}")
            _LOG.info("the plan of %s has taken over: %s", self._plan, result.detail)
            self._switched(self._plan)
        else:
            self._note(f"{self._runs}; the plan was turned away: {result.detail}")
            _LOG.error("the plan was turned away: %s", result.detail)
