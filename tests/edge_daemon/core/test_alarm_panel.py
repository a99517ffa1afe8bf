"""What rings in the control room, and when it stops; time is passed in."""

from edge_daemon.core.alarm_panel import AlarmPanel
from edge_daemon.core.messages import (
    AlarmState,
    CoverageEvent,
    DefectEvent,
    DurableBody,
    NotInspectedReason,
    Severity,
)

SECOND_NS = 1_000_000_000
NAMES = {"not-inspected", "critical-defect", "camera-silent", "state-lost"}
MISSED = CoverageEvent(
    camera="top", stream="s", reason=NotInspectedReason.STALE, from_line=0, to_line=256, lines=256
)


def defect(severity: Severity) -> DefectEvent:
    return DefectEvent(
        defect_id="4f",
        open=False,
        camera="top",
        stream="s",
        class_id=4,
        class_name="patch",
        severity=severity,
        score=0.9,
        first_line=0,
        last_line=9,
        left_px=0,
        width_px=5,
        area_px=50,
        captured_at="1970-01-01T00:00:00.000000Z",
        bundle="marks 1",
    )


class Room:
    """A panel and a clock; remembers what was told of each alarm."""

    def __init__(self, *cameras: str, state_lost: str | None = None) -> None:
        self.second = 0.0
        self.panel = AlarmPanel(
            cameras, silent_after_ns=30 * SECOND_NS, started_ns=0, state_lost=state_lost
        )

    @property
    def monotonic_ns(self) -> int:
        return int(self.second * SECOND_NS)

    def note(self, *bodies: DurableBody) -> None:
        self.panel.note_facts(bodies, monotonic_ns=self.monotonic_ns)

    def frame(self, camera: str) -> None:
        self.panel.note_frame(camera, monotonic_ns=self.monotonic_ns)

    def look(self) -> dict[str, AlarmState]:
        """What is told now."""
        told = self.panel.observe(now_ns=10**18, monotonic_ns=self.monotonic_ns)
        return {state.name: state for state in told}

    def wait(self, seconds: float) -> dict[str, AlarmState]:
        """Look twice a second for so long; what was told last of each alarm."""
        told: dict[str, AlarmState] = {}
        for _ in range(int(seconds * 2)):
            self.second += 0.5
            told |= self.look()
        return told


def test_a_quiet_station_clears_what_an_earlier_run_may_have_left() -> None:
    room = Room()
    assert room.look() == {}
    told = room.wait(11)
    assert told.keys() == NAMES
    assert not any(state.active for state in told.values())


def test_rows_that_nobody_looked_at_ring_at_once() -> None:
    room = Room()
    room.note(MISSED)
    told = room.look()
    assert told.keys() == {"not-inspected"}
    state = told["not-inspected"]
    assert (state.active, state.count) == (True, 1)
    assert state.text == "top: 256 rows not inspected (stale)"


def test_a_critical_defect_rings_at_once_and_others_do_not() -> None:
    room = Room()
    room.note(defect(Severity.MINOR), defect(Severity.MAJOR))
    assert room.look() == {}
    room.note(defect(Severity.CRITICAL))
    told = room.look()
    assert told.keys() == {"critical-defect"}
    assert told["critical-defect"].text == "top: patch, defect 4f"


def test_an_alarm_clears_when_its_cause_has_been_gone_for_ten_seconds() -> None:
    room = Room()
    room.note(MISSED)
    room.look()
    assert "not-inspected" not in room.wait(10.5)
    told = room.wait(1)
    assert (told["not-inspected"].active, told["not-inspected"].count) == (False, 1)


def test_an_alarm_stays_while_its_cause_comes_again() -> None:
    room = Room()
    room.note(MISSED)
    room.look()
    for _ in range(6):
        room.note(MISSED)
        assert "not-inspected" not in room.wait(5)


def test_an_alarm_that_comes_back_is_counted() -> None:
    room = Room()
    room.note(MISSED)
    room.wait(13)
    room.note(MISSED)
    told = room.wait(13)
    assert told["not-inspected"].count == 2


def test_a_configured_camera_that_never_sends_rings() -> None:
    room = Room("bottom", "top")
    room.second = 20
    room.frame("top")
    room.second = 30
    assert "camera-silent" not in room.look()
    room.second = 30.5
    told = room.look()["camera-silent"]
    assert (told.active, told.text) == (True, "no frames from bottom")


def test_a_camera_that_falls_silent_rings_until_it_sends_again() -> None:
    room = Room()
    room.frame("top")
    told = room.wait(31)["camera-silent"]
    assert (told.active, told.text) == (True, "no frames from top")
    room.frame("top")
    assert not room.wait(11)["camera-silent"].active


def test_many_silent_cameras_still_fit_into_a_message() -> None:
    room = Room(*(f"{number:0>64}" for number in range(64)))
    room.second = 60
    assert len(room.look()["camera-silent"].text) == 500


def test_books_that_could_not_be_read_ring_until_the_next_start() -> None:
    room = Room(state_lost="outbox.sqlite3.unreadable")
    told = room.look()["state-lost"]
    assert (told.active, told.text) == (True, "unreadable, put aside as outbox.sqlite3.unreadable")
    assert "state-lost" not in room.wait(60)
