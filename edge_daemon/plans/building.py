"""Builds a plan in a process of its own, watches it, and puts the result into the cache.

A build takes seconds to minutes, more than a gigabyte of memory that stays mapped afterwards, and
libraries that may crash: none of this belongs into the process that inspects.
"""

import logging
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from edge_daemon.inference.bundle import Bundle
from edge_daemon.plans.cache import PlanCache, PlanRecord, cache_folder
from edge_daemon.plans.child import Built, Job, Line
from edge_daemon.plans.faults import NoPlanError, PlanFault, PlanRejectedError
from edge_daemon.plans.fingerprint import PlanKey
from edge_daemon.plans.process import start_build
from edge_daemon.plans.resolving import PlanRequest, resolve

LIMIT_S = 3600.0
"""Patience with a build; a small Jetson takes ten minutes for a large network."""
MEANINGFUL_SHARE = 0.05
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a build is.

    Attributes:
        stage: what it does.
        share: done, 0..1; a hint, for a builder's steps take different times.
        elapsed_s: seconds since it began.
        remaining_s: estimate of seconds to go, from earlier builds like it or else from the share;
            None while nothing can be said.
    """

    stage: str
    share: float
    elapsed_s: float
    remaining_s: float | None


def plan_cache(request: PlanRequest) -> PlanCache:
    """The cache that a request means."""
    return PlanCache(request.cache or cache_folder(os.environ))


def find_plan(bundle: Bundle, request: PlanRequest) -> Path:
    """The plan that a request means, if it is there and may be run. Nothing is built.

    Raises:
        PlanRejectedError: there is none that may be run; its `fault` says why.
        NoTensorRtError: nothing here could run it.
    """
    try:
        return plan_cache(request).find(resolve(bundle, request))
    except OSError as error:
        raise _unusable(error) from error


def build_plan(
    bundle: Bundle,
    request: PlanRequest,
    *,
    report: Callable[[Progress], None] = lambda _: None,
    stop: threading.Event,
    limit_s: float = LIMIT_S,
) -> Path:
    """Find or build a plan; blocks until it is there. For a thread beside a running inspection.

    A plan that is there but may not be run is removed, with a warning that says why; a good one
    that is to be built anew stays until the new one is there.

    Args:
        bundle: the network.
        request: which plan is wanted.
        report: told how far it is, a few times per second, in the calling thread.
        stop: gives the build up; its process is ended.
        limit_s: a build that takes longer hangs, and is ended.

    Raises:
        NoTensorRtError: nothing here can build it.
        BuildStoppedError: told to stop.
        NoPlanError: it can't be built, or the builder died; the message holds its last words.
    """
    key = resolve(bundle, request)
    cache = plan_cache(request)

    def wait() -> None:
        report(Progress("waiting for another build", 0.0, 0.0, None))

    try:
        with cache.building(stop, wait):
            return _build(bundle, request, key, report=report, stop=stop, limit_s=limit_s)
    except OSError as error:
        raise _unusable(error) from error


def _unusable(error: OSError) -> NoPlanError:
    return NoPlanError(
        f"{error.filename or 'the folder of plans'}: {error.strerror}; make room, or name a folder "
        "that this user may write to with --cache or $CACHE_DIRECTORY"
    )


def _build(
    bundle: Bundle,
    request: PlanRequest,
    key: PlanKey,
    *,
    report: Callable[[Progress], None],
    stop: threading.Event,
    limit_s: float,
) -> Path:
    cache = plan_cache(request)
    if not request.force:
        try:
            return cache.find(key)
        except PlanRejectedError as rejected:
            level = logging.INFO if rejected.fault is PlanFault.MISSING else logging.WARNING
            _log.log(level, "%s; building it anew", rejected)
            cache.discard(key)
    clock = _Stopwatch(cache.expected_s(key))
    job = Job(bundle=bundle.directory, key=key, out=cache.partial(key))
    try:
        built = _run(job, clock, report=report, stop=stop, limit_s=limit_s)
        return cache.commit(job.out, _record(key, built, clock.elapsed_s()))
    finally:
        job.out.unlink(missing_ok=True)


def _run(
    job: Job,
    clock: "_Stopwatch",
    *,
    report: Callable[[Progress], None],
    stop: threading.Event,
    limit_s: float,
) -> Built:
    line = Line(stage="starting")
    with start_build(job) as process:
        while process.is_talking:
            report(clock.progress(line))
            line = process.listen(stop, left_s=limit_s - clock.elapsed_s()) or line
        return process.result()


def _record(key: PlanKey, built: Built, built_s: float) -> PlanRecord:
    return PlanRecord(
        key=key,
        sha256=built.sha256,
        size=built.size,
        built_s=round(built_s, 2),
        contents=built.contents,
    )


class _Stopwatch:
    """Time since a build began, and a guess at what is left."""

    def __init__(self, expected_s: float | None) -> None:
        self._expected_s = expected_s
        self._began_s = time.monotonic()

    def elapsed_s(self) -> float:
        return time.monotonic() - self._began_s

    def progress(self, line: Line) -> Progress:
        elapsed_s = self.elapsed_s()
        return Progress(
            line.stage, line.share, elapsed_s, remaining_s(elapsed_s, line.share, self._expected_s)
        )


def remaining_s(elapsed_s: float, share: float, expected_s: float | None) -> float | None:
    """Seconds that a build will still take.

    Args:
        elapsed_s: seconds that it took so far.
        share: done, 0..1.
        expected_s: what such builds took before, if there were any; counts until it is passed.
    """
    if expected_s is not None and elapsed_s < expected_s:
        return expected_s - elapsed_s
    if share < MEANINGFUL_SHARE:
        return None
    return elapsed_s * (1.0 - share) / share
