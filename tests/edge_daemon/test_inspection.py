import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import pytest

from edge_daemon.clock import ManualClock
from edge_daemon.conveyor import Conveyor
from edge_daemon.core.alarm_panel import AlarmPanel
from edge_daemon.core.drop_policy import DropPolicy
from edge_daemon.core.messages import AlarmState, CoverageEvent, DefectEvent, DurableBody
from edge_daemon.core.wire import Part
from edge_daemon.errors import EngineError, FrameError, RejectReason, StoreError
from edge_daemon.inference.known_answer import KnownAnswerTest
from edge_daemon.ingest.backlog import Backlog
from edge_daemon.inspection import Complaints, InspectionWorker, Totals
from edge_daemon.network import KnownAnswerSchedule
from edge_daemon.outcomes import Facts, Message
from edge_daemon.telemetry.metrics import Metrics
from tests.conftest import wait_until
from tests.edge_daemon.marked_steel import (
    BREAKS,
    BRIGHT,
    SOUND,
    MarkFinder,
    inspector,
    message,
    preparer,
    steel,
    untimed,
)

HEIGHT = 256
SECOND_NS = 1_000_000_000


@dataclass
class Bench:
    """A worker with all that it needs, to be started by the test."""

    clock: ManualClock = field(default_factory=lambda: ManualClock(10**18, 10**12))
    segmenter: MarkFinder = field(default_factory=lambda: MarkFinder(max_batch=1))
    booked: list[Facts] = field(default_factory=list)
    beats: list[None] = field(default_factory=list)
    metrics: Metrics = field(default_factory=Metrics)
    totals: Totals = field(default_factory=Totals)
    known_answer_every_ns: int = 3600 * SECOND_NS
    known_factor: float = 1.0
    on_book: Callable[[], None] = lambda: None

    def __post_init__(self) -> None:
        self.backlog = Backlog(
            DropPolicy.DEADLINE, frames=100, max_bytes=2**30, max_age_s=5.0, clock=self.clock
        )

    def book(self, facts: Facts) -> None:
        self.booked.append(facts)
        self.on_book()

    @contextmanager
    def worker(self) -> Iterator[InspectionWorker]:
        conveyor = Conveyor(
            self.backlog,
            preparer(),
            self.segmenter,
            stage=untimed,
            clock=self.clock,
            known_answer=self.schedule(),
        )
        worker = InspectionWorker(
            inspector(),
            conveyor,
            backlog=self.backlog,
            book=self.book,
            panel=AlarmPanel((), silent_after_ns=30 * SECOND_NS, started_ns=0),
            metrics=self.metrics,
            totals=self.totals,
            clock=self.clock,
            beat=lambda: self.beats.append(None),
        )
        with worker, conveyor:
            yield worker
            self.backlog.close()
            if worker.has_ended:
                conveyor.abandon()

    def schedule(self) -> KnownAnswerSchedule:
        strip = np.full((1, 1, 256, 1600), SOUND, np.uint8)
        strip[..., :64, :64] = BRIGHT
        expected = self.segmenter.segment([strip[0, 0]]).fetch(slice(1)) * self.known_factor
        self.segmenter.batches.clear()
        test = KnownAnswerTest(strip, expected, tolerance=0.1)
        return KnownAnswerSchedule(test, every_ns=self.known_answer_every_ns)

    def send(self, seq: int, mark: int = SOUND, *, age_s: float = 0.0) -> None:
        image = steel()
        image[8:40, 8:40] = mark
        self.send_parts(message(image, seq=seq).parts, age_s=age_s)

    def send_parts(self, parts: Sequence[Part], *, age_s: float = 0.0) -> None:
        arrived_ns = self.clock.monotonic_ns() - int(age_s * SECOND_NS)
        assert self.backlog.offer(Message(parts, self.clock.now_ns(), arrived_ns))

    def count(self, name: str, **labels: str) -> float | None:
        return self.metrics.registry.get_sample_value(f"edge_daemon_{name}_total", labels)

    @property
    def bodies(self) -> list[DurableBody]:
        return [a.body for facts in list(self.booked) for a in facts.announcements]

    @property
    def missed(self) -> dict[str, int]:
        lines: dict[str, int] = {}
        for facts in list(self.booked):
            for reason, count in facts.news.lines_not_inspected.items():
                lines[reason.value] = lines.get(reason.value, 0) + count
        return lines


def ringing(bodies: Sequence[DurableBody]) -> set[str]:
    return {body.name for body in bodies if isinstance(body, AlarmState) and body.active}


def test_a_frame_is_inspected_booked_and_counted() -> None:
    bench = Bench()
    bench.send(0, BRIGHT)
    bench.send(1)
    with bench.worker() as worker:
        wait_until(lambda: bench.totals.frames_received == 2)
    assert worker.failure is None
    (defect,) = [body for body in bench.bodies if isinstance(body, DefectEvent)]
    assert (defect.camera, defect.class_name, defect.first_line) == ("top", "scratch", 8)
    assert ["camera/top" in facts.state for facts in bench.booked if facts.camera] == [True] * 2
    assert bench.count("frames_received", camera="top") == 2
    assert bench.count("lines_inspected", camera="top") == 2 * HEIGHT
    assert bench.count("defects", **{"camera": "top", "class": "scratch"}) == 1
    assert bench.totals == Totals(2, 0, 2 * HEIGHT, 0, cameras=1)


def test_announcements_carry_the_moment_in_which_their_frame_arrived() -> None:
    bench = Bench()
    bench.send(0, BRIGHT, age_s=2.0)
    with bench.worker():
        wait_until(lambda: any(isinstance(body, DefectEvent) for body in bench.bodies))
    announced = [a for facts in bench.booked for a in facts.announcements]
    arrived_ns = bench.clock.monotonic_ns() - 2 * SECOND_NS
    assert {a.arrived_monotonic_ns for a in announced if isinstance(a.body, DefectEvent)} == {
        arrived_ns
    }


def test_a_frame_that_has_waited_too_long_is_booked_and_not_inspected() -> None:
    bench = Bench()
    bench.send(0, BRIGHT, age_s=5.001)
    bench.send(1, BRIGHT, age_s=5.0)
    with bench.worker():
        wait_until(lambda: bench.totals.frames_received == 2)
        assert bench.segmenter.batches == [1]
    assert bench.missed == {"stale": HEIGHT}
    assert bench.count("frames_rejected", camera="top", reason="stale") == 1
    assert bench.count("lines_not_inspected", camera="top", reason="stale") == HEIGHT
    (told,) = [body for body in bench.bodies if isinstance(body, CoverageEvent)]
    assert (told.from_line, told.to_line, told.reason) == (0, HEIGHT, "stale")


def test_an_engine_fault_is_booked_before_the_failure_shows_and_nothing_is_inspected_after() -> (
    None
):
    bench = Bench()
    failed_when_booked: list[bool] = []
    with bench.worker() as worker:
        bench.on_book = lambda: failed_when_booked.append(worker.failure is not None)
        bench.send(0)
        bench.send(1, BREAKS)
        bench.send(2)
        wait_until(lambda: worker.has_ended)
    assert failed_when_booked
    assert isinstance(worker.failure, EngineError)
    assert bench.missed == {"engine_fault": HEIGHT}
    (told,) = [body for body in bench.bodies if isinstance(body, CoverageEvent)]
    assert (told.from_line, told.to_line, told.reason) == (HEIGHT, 2 * HEIGHT, "engine_fault")
    assert not any(failed_when_booked)
    assert bench.totals.lines_inspected == HEIGHT
    assert bench.segmenter.batches == [1, 1]


def test_two_cameras_that_send_under_one_id_ring() -> None:
    bench = Bench()
    with bench.worker() as worker:
        for seq in range(30):
            for stream in ("this", "that"):
                bench.clock.advance(SECOND_NS)
                stamped_ns = bench.clock.now_ns()
                bench.send_parts(message(steel(), seq=seq, stream=stream, t_ns=stamped_ns).parts)
            sent = 2 * (seq + 1)
            wait_until(lambda: bench.totals.frames_received == sent)  # noqa: B023 - called here
        wait_until(lambda: "camera-doubled" in ringing(bench.bodies))
        assert worker.failure is None
    assert bench.count("streams_resumed", camera="top") == 58
    assert bench.count("lines_inspected", camera="top") == 60 * HEIGHT


def test_what_waits_when_it_is_told_to_stop_is_still_inspected() -> None:
    bench = Bench()
    for seq in range(20):
        bench.send(seq)
    with bench.worker() as worker:
        pass
    assert worker.has_ended
    assert bench.totals.lines_inspected == 20 * HEIGHT


def test_it_says_that_it_lives_while_nothing_comes() -> None:
    bench = Bench()
    with bench.worker():
        wait_until(lambda: len(bench.beats) > 2)


def test_a_store_that_is_gone_ends_it() -> None:
    def refuse() -> None:
        raise StoreError("the courier has stopped")

    bench = Bench(on_book=refuse)
    bench.send(0)
    with bench.worker() as worker:
        wait_until(lambda: worker.has_ended)
    assert isinstance(worker.failure, StoreError)


def test_a_known_answer_that_is_wrong_ends_it_and_takes_back_what_was_called_clean() -> None:
    bench = Bench(known_answer_every_ns=60 * SECOND_NS, known_factor=0.5)
    with bench.worker() as worker:
        bench.send(0)
        wait_until(lambda: bench.totals.frames_received == 1)
        assert not worker.has_ended
        bench.clock.advance(60 * SECOND_NS)
        wait_until(lambda: worker.has_ended)
    assert isinstance(worker.failure, EngineError)
    assert "known answer" in str(worker.failure)
    assert [b.reason for b in bench.bodies if isinstance(b, CoverageEvent)] == ["engine_fault"]


def test_a_known_answer_that_is_right_is_dated() -> None:
    bench = Bench(known_answer_every_ns=60 * SECOND_NS)
    name = "edge_daemon_known_answer_timestamp_seconds"
    with bench.worker() as worker:
        wait_until(lambda: len(bench.beats) > 0)
        bench.clock.advance(60 * SECOND_NS)
        wait_until(lambda: bench.metrics.registry.get_sample_value(name) == 10**9 + 60)
    assert worker.failure is None


def test_a_stretch_that_nobody_looked_at_is_told_though_no_frame_ends_it() -> None:
    bench = Bench()
    with bench.worker():
        bench.send(0, age_s=6.0)
        wait_until(lambda: bench.totals.frames_received == 1)
        assert bench.bodies == []
        bench.clock.advance(2 * SECOND_NS)
        wait_until(lambda: any(isinstance(body, CoverageEvent) for body in bench.bodies))
        bench.clock.advance(SECOND_NS // 2)
        wait_until(lambda: any(isinstance(body, AlarmState) for body in bench.bodies))
    (alarm,) = [b for b in bench.bodies if isinstance(b, AlarmState) and b.active]
    assert alarm.name == "not-inspected"
    assert alarm.text == f"top: {HEIGHT} rows not inspected (stale)"


@pytest.mark.parametrize(
    ("parts", "camera", "reason"),
    [
        ([b"cam"], "cam", "parts"),
        ([b"no such id!", b"{}", b""], "unknown", "camera_id"),
        ([b"cam", b"{", b""], "cam", "header_json"),
        ([b"cam", b'{"v": 2}', b""], "cam", "version"),
        ([b"cam", b'{"v": 1}', b""], "cam", "header_field"),
    ],
)
def test_a_frame_that_breaks_the_contract_is_counted_for_its_camera_by_reason(
    caplog: pytest.LogCaptureFixture, parts: list[bytes], camera: str, reason: str
) -> None:
    bench = Bench()
    with bench.worker() as worker:
        bench.send_parts(parts)
        wait_until(lambda: bench.totals.frames_rejected == 1)
        bench.send(0)
        wait_until(lambda: bench.totals.lines_inspected == HEIGHT)
    assert worker.failure is None
    assert bench.count("frames_rejected", camera=camera, reason=reason) == 1
    assert f"camera {camera}: frame refused: {reason}: " in caplog.text


def complain(complaints: Complaints, camera: str, at_s: float, *, stale: bool = False) -> None:
    reason = RejectReason.STALE if stale else RejectReason.CRC32
    complaints.complain(camera, FrameError(reason, "x"), monotonic_ns=int(at_s * SECOND_NS))


def test_complaints_come_once_a_second_and_say_how_many_were_swallowed(
    caplog: pytest.LogCaptureFixture,
) -> None:
    complaints = Complaints()
    for at_s in (1.0, 1.5, 1.9, 2.0, 2.5, 3.6):
        complain(complaints, "cam", at_s)
    assert [record.getMessage() for record in caplog.records] == [
        "camera cam: frame refused: crc32: x",
        "camera cam: frame refused: crc32: x (and 2 more of the kind)",
        "camera cam: frame refused: crc32: x (and 1 more of the kind)",
    ]


def test_complaints_about_other_cameras_and_other_reasons_are_not_swallowed(
    caplog: pytest.LogCaptureFixture,
) -> None:
    complaints = Complaints()
    complain(complaints, "a", 1.0)
    complain(complaints, "b", 1.0)
    complain(complaints, "a", 1.0, stale=True)
    assert len(caplog.records) == 3


def test_complaints_about_ever_new_names_are_swallowed_too(
    caplog: pytest.LogCaptureFixture,
) -> None:
    complaints = Complaints(most_cameras=3)
    for number in range(100):
        complain(complaints, f"stranger-{number}", 1.0)
    assert len(caplog.records) == 4


def test_no_thread_is_left_behind() -> None:
    with Bench().worker():
        assert "inspector" in {thread.name for thread in threading.enumerate()}
    assert "inspector" not in {thread.name for thread in threading.enumerate()}
