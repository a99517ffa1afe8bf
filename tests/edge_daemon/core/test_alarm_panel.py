"""What rings in the control room, and when it stops; time is passed in."""

from collections.abc import Sequence

from edge_daemon.core.alarm_panel import AlarmPanel
from edge_daemon.core.messages import AlarmState, CoverageEvent, DefectEvent, DurableBody
from edge_daemon.core.picture_quality import PictureFault
from edge_daemon.core.reasons import NotInspectedReason, Severity
from tests.edge_daemon.bodies import defect_event

SECOND_NS = 1_000_000_000
NAMES = {
    "not-inspected",
    "critical-defect",
    "camera-doubled",
    "camera-silent",
    "evidence",
    "image-quality",
    "state-lost",
}
MISSED = CoverageEvent(
    camera="top", stream="s", reason=NotInspectedReason.STALE, from_line=0, to_line=256, lines=256
)


def defect(severity: Severity) -> DefectEvent:
    return defect_event(defect_id="4f", class_id=4, class_name="patch", severity=severity)


class Room:
    """A panel and a clock; remembers what was told of each alarm."""

    def __init__(self, *cameras: str, saved: Sequence[AlarmState] = ()) -> None:
        self.second = 0.0
        self.panel = AlarmPanel(
            cameras,
            silent_after_ns=30 * SECOND_NS,
            started_ns=0,
            saved=saved,
        )

    @property
    def monotonic_ns(self) -> int:
        return int(self.second * SECOND_NS)

    def note(self, *bodies: DurableBody) -> None:
        self.panel.note_facts(bodies, monotonic_ns=self.monotonic_ns)

    def frame(self, camera: str) -> None:
        self.panel.note_frame(camera, monotonic_ns=self.monotonic_ns)

    def picture(self, camera: str, unfit: PictureFault | None) -> None:
        self.panel.note_picture(camera, unfit, monotonic_ns=self.monotonic_ns)

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


def test_two_cameras_with_one_id_ring_until_one_of_them_is_gone() -> None:
    room = Room()
    told: list[AlarmState] = []
    for _ in range(60):
        room.panel.note_resumed("top", monotonic_ns=room.monotonic_ns)
        told += room.wait(1).values()
    (doubled,) = [state for state in told if state.name == "camera-doubled"]
    assert doubled.active
    assert doubled.text.startswith("top: two streams")
    assert "camera-doubled" not in room.wait(38)
    assert not room.wait(3)["camera-doubled"].active


def test_a_late_frame_of_a_camera_that_was_started_anew_does_not_ring() -> None:
    room = Room()
    room.wait(11)
    room.panel.note_resumed("top", monotonic_ns=room.monotonic_ns)
    assert "camera-doubled" not in room.wait(100)


def test_many_silent_cameras_still_fit_into_a_message() -> None:
    room = Room(*(f"{number:0>64}" for number in range(64)))
    room.second = 60
    assert len(room.look()["camera-silent"].text) == 500


def test_books_that_could_not_be_read_ring_until_the_next_start() -> None:
    room = Room()
    room.panel.note_troubles({"state-lost": "damaged, put aside", "evidence": None})
    told = room.look()["state-lost"]
    assert (told.active, told.text) == (True, "damaged, put aside")
    assert "state-lost" not in room.wait(60)


def test_evidence_that_cannot_be_kept_rings_until_it_can() -> None:
    room = Room()
    room.panel.note_troubles({"evidence": "disk full"})
    assert room.wait(10)["evidence"].text == "disk full"
    room.panel.note_troubles({"evidence": None})
    assert not room.wait(30)["evidence"].active


def test_pictures_that_stay_bad_ring_with_camera_and_kind_until_they_are_good() -> None:
    room = Room()
    room.wait(20)
    room.picture("top", PictureFault.FROZEN)
    room.picture("bottom", PictureFault.BLACK)
    assert "image-quality" not in room.wait(1)
    told = room.wait(2)["image-quality"]
    assert (told.active, told.text) == (True, "top: frozen; bottom: black")
    room.picture("top", None)
    room.picture("bottom", None)
    assert "image-quality" not in room.wait(8)
    assert not room.wait(4)["image-quality"].active


def test_one_bad_picture_among_good_ones_does_not_ring() -> None:
    room = Room()
    room.wait(20)
    room.picture("top", PictureFault.WHITE)
    room.wait(1)
    room.picture("top", None)
    assert "image-quality" not in room.wait(20)


def test_a_camera_that_is_gone_is_silent_and_no_longer_bad() -> None:
    room = Room()
    room.picture("top", PictureFault.BLACK)
    assert room.wait(5)["image-quality"].active
    assert not room.wait(80)["image-quality"].active


def test_an_alarm_goes_on_after_a_restart_with_its_count() -> None:
    room = Room()
    room.note(MISSED)
    before = room.look()["not-inspected"]
    assert (before.active, before.count) == (True, 1)
    room = Room(saved=[before])
    assert room.look()["not-inspected"] == before
    cleared = room.wait(15)["not-inspected"]
    assert (cleared.active, cleared.count) == (False, 1)
    room.note(MISSED)
    assert room.wait(8)["not-inspected"].count == 2
