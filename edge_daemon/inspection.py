"""The thread that settles: takes frames from the network, hands facts to the courier."""

import logging
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self

from edge_daemon.clock import Clock
from edge_daemon.conveyor import Asked, Conveyor, Ended, Seen
from edge_daemon.core.alarm_panel import AlarmPanel
from edge_daemon.core.envelope import Announcement
from edge_daemon.core.wire import parse_camera_id
from edge_daemon.documents import alarms as alarm_documents
from edge_daemon.errors import FrameError
from edge_daemon.evidence.keeper import EvidenceKeeper
from edge_daemon.ingest.backlog import Backlog
from edge_daemon.outcomes import Facts, Message, Outcome
from edge_daemon.pipeline import Inspector
from edge_daemon.telemetry.metrics import MAX_CAMERAS, CameraNames, Metrics

_LOG = logging.getLogger(__name__)
_WAIT_S = 0.2
_JOIN_S = 15.0
_QUIET_FOR_NS = 2_000_000_000
_OBSERVE_EVERY_NS = 500_000_000
_COMPLAIN_EVERY_NS = 1_000_000_000


class Booking(Protocol):
    """Takes facts to be made durable and told."""

    def __call__(self, facts: Facts, /) -> None:
        """Hand over; may block while the disk is slow, and beats the heart meanwhile."""
        ...


class Complaints:
    """Logs refused frames, at most once a second per reason and camera.

    Args:
        most_cameras: how many are told apart; a stranger may come up with any number of names.
    """

    def __init__(self, most_cameras: int = MAX_CAMERAS) -> None:
        self._cameras = CameraNames((), most_cameras)
        self._last_ns: dict[tuple[str, str], int] = {}
        self._swallowed: Counter[tuple[str, str]] = Counter()

    def complain(self, camera: str, error: FrameError, *, monotonic_ns: int) -> None:
        """Log it now, or count it for the next line."""
        key = (self._cameras.label(camera), error.reason.value)
        last_ns = self._last_ns.get(key)
        if last_ns is not None and monotonic_ns - last_ns < _COMPLAIN_EVERY_NS:
            self._swallowed[key] += 1
            return
        self._last_ns[key] = monotonic_ns
        more = self._swallowed.pop(key, 0)
        also = f" (and {more} more of the kind)" if more else ""
        _LOG.warning("camera %s: frame refused: %s%s", camera, error, also)


@dataclass(slots=True)
class Totals:
    """Counters since the start, for the health topic; written by the inspector's thread alone."""

    frames_received: int = 0
    frames_rejected: int = 0
    lines_inspected: int = 0
    lines_not_inspected: int = 0
    cameras: int = 0


class InspectionWorker:
    """Owns the inspector and its thread.

    Args:
        inspector: settles frames.
        conveyor: brings them from the network.
        backlog: what waits for the network.
        book: makes facts durable and tells them.
        panel: the alarms.
        metrics: where it counts, for Prometheus.
        totals: where it counts, for the health topic.
        clock: for ages and latencies.
        beat: called at every turn.
        evidence: keeps the frames around defects; never waits.
        troubles: what other parts complain of, by name of its alarm.
    """

    def __init__(
        self,
        inspector: Inspector,
        conveyor: Conveyor,
        *,
        backlog: Backlog,
        book: Booking,
        panel: AlarmPanel,
        metrics: Metrics,
        totals: Totals,
        clock: Clock,
        beat: Callable[[], None],
        evidence: EvidenceKeeper | None = None,
        troubles: Callable[[], Mapping[str, str | None]] = dict,
    ) -> None:
        self._inspector = inspector
        self._conveyor = conveyor
        self._backlog = backlog
        self._book = book
        self._panel = panel
        self._metrics = metrics
        self._totals = totals
        self._clock = clock
        self._beat = beat
        self._evidence = evidence
        self._troubles = troubles
        self._complaints = Complaints()
        self._thread = threading.Thread(target=self._work, name="inspector", daemon=True)
        self._observed_ns = 0
        self.failure: BaseException | None = None

    def __enter__(self) -> Self:
        """Start inspecting."""
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Wait until what still comes is settled; the conveyor has been told that no more will."""
        self._thread.join(_JOIN_S)

    @property
    def has_ended(self) -> bool:
        """Whether the thread is gone, for good or for bad."""
        return not self._thread.is_alive()

    def _work(self) -> None:
        try:
            self._tell_all(self._inspector.start(now_ns=self._clock.now_ns()))
            while self._turn():
                self._beat()
            self._tell_all(self._inspector.stop())
        except Exception as failure:  # noqa: BLE001 - a thread's outermost frame: main reports it
            self.failure = failure

    def _turn(self) -> bool:
        """One frame, or a short wait for one; False when no more will come."""
        carried = self._conveyor.take(_WAIT_S)
        if isinstance(carried, Seen):
            self._settle(carried)
        elif isinstance(carried, Asked):
            self._note_known_answer(carried)
        elif isinstance(carried, Ended) and carried.failure is not None:
            raise carried.failure
        self._metrics.queue_depth.labels("frames").set(self._backlog.depth)
        self._observe()
        return not isinstance(carried, Ended)

    def _settle(self, seen: Seen) -> None:
        message = seen.prepared.message
        outcome = self._inspector.settle(seen.prepared, seen.answer)
        if self._evidence is not None:
            self._evidence.note(message, outcome.record)
        arrived_ns = message.arrived_monotonic_ns or 0
        if outcome.rejected is None:
            latency_ns = self._clock.monotonic_ns() - arrived_ns
            self._metrics.frame_latency_seconds.observe(latency_ns / 1e9)
        self._count(outcome, message)
        self._tell(outcome.facts)
        if outcome.fault is not None:  # told now: after the restart it would be one of its gaps
            self._tell_all(self._inspector.tick(self._clock.now_ns(), quiet_for_ns=0))
            raise outcome.fault

    def _note_known_answer(self, asked: Asked) -> None:
        """Believe what the network has said so far, or book it as not inspected and leave.

        Raises:
            EngineError: it didn't give the known answer.
        """
        if asked.fault is not None:
            self._tell_all(self._inspector.distrust())
            raise asked.fault
        self._inspector.confirm()
        self._metrics.known_answer_timestamp_seconds.set(self._clock.now_ns() / 1e9)

    def _count(self, outcome: Outcome, message: Message) -> None:
        camera = outcome.record.camera or _sender(message)
        metrics, now_ns = self._metrics, self._clock.monotonic_ns()
        metrics.frames_received.labels(camera).inc()
        self._totals.frames_received += 1
        self._totals.frames_rejected += outcome.rejected is not None
        self._totals.cameras = len(self._inspector.cameras)
        if outcome.rejected is not None:
            metrics.frames_rejected.labels(camera, outcome.rejected.reason.value).inc()
            self._complaints.complain(camera, outcome.rejected, monotonic_ns=now_ns)
        if outcome.unfit is not None:
            metrics.image_quality.labels(camera, outcome.unfit.value).inc()
            self._panel.note_picture(camera, outcome.unfit, monotonic_ns=now_ns)
        elif outcome.image is not None:
            self._panel.note_picture(camera, None, monotonic_ns=now_ns)
        if (
            outcome.rejected is None or outcome.unfit is not None
        ):  # a camera that sends nothing but rubbish is as good as silent
            metrics.last_frame_timestamp_seconds.labels(camera).set(message.received_ns / 1e9)
            self._panel.note_frame(camera, monotonic_ns=now_ns)

    def _tell(self, facts: Facts) -> None:
        metrics, news = self._metrics, facts.news
        self._totals.lines_inspected += news.lines_inspected
        self._totals.lines_not_inspected += news.lines_not_inspected.total()
        if facts.camera is not None:
            metrics.frames_lost.labels(facts.camera).inc(news.frames_lost)
            metrics.streams_resumed.labels(facts.camera).inc(news.streams_resumed)
            metrics.lines_inspected.labels(facts.camera).inc(news.lines_inspected)
            for reason, lines in news.lines_not_inspected.items():
                metrics.lines_not_inspected.labels(facts.camera, reason.value).inc(lines)
            for defect_class in news.defects:
                metrics.defects.labels(facts.camera, defect_class.name).inc()
        bodies = [announcement.body for announcement in facts.announcements]
        monotonic_ns = self._clock.monotonic_ns()
        self._panel.note_facts(bodies, monotonic_ns=monotonic_ns)
        if facts.camera is not None and news.streams_resumed:
            self._panel.note_resumed(facts.camera, monotonic_ns=monotonic_ns)
        if self._evidence is not None:
            self._evidence.note_facts(bodies)
        if facts.announcements or facts.state:
            self._book(facts)

    def _observe(self) -> None:
        """Tell of stretches that nobody ends, and of alarms."""
        now_ns, monotonic_ns = self._clock.now_ns(), self._clock.monotonic_ns()
        if monotonic_ns - self._observed_ns < _OBSERVE_EVERY_NS:
            return
        self._observed_ns = monotonic_ns
        busy = self._backlog.cameras | self._conveyor.cameras
        self._tell_all(self._inspector.tick(now_ns, quiet_for_ns=_QUIET_FOR_NS, busy=busy))
        self._panel.note_troubles(self._troubles())
        alarms, changed = self._panel.observe(now_ns=now_ns, monotonic_ns=monotonic_ns)
        if alarms or changed:
            told = tuple(Announcement(alarm) for alarm in alarms)
            self._book(Facts(told, alarm_documents(changed)))

    def _tell_all(self, facts: Iterable[Facts]) -> None:
        for each in facts:
            self._tell(each)


def _sender(message: Message) -> str:
    """Who sent a message that is refused before anything but its first part could be trusted."""
    try:
        return parse_camera_id(message.parts[0])
    except FrameError:
        return "unknown"
