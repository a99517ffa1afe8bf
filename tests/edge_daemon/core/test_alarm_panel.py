"""What rings in the control room, and when it stops; time is passed in."""

from edge_daemon.core.messages import AlarmState, CoverageEvent, DefectEvent
from edge_daemon.core.picture_quality import PictureFault
from edge_daemon.core.reasons import NotInspectedReason, Severity
from tests.edge_daemon.bodies import defect_event
from tests.edge_daemon.control_room import Room

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
    assert (told.active, told.text) == (True, "bottom: no frames")


def test_a_camera_that_falls_silent_rings_until_it_sends_again() -> None:
    room = Room()
    room.frame("top")
    told = room.wait(31)["camera-silent"]
    assert (told.active, told.text) == (True, "top: no frames")
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


def test_a_camera_that_dies_while_another_is_silent_rings_again() -> None:
    room = Room("bot-1", "bot-2", "top")
    assert room.wait(40, "bot-1", "top")["camera-silent"].text == "bot-2: no frames"
    told = room.wait(40, "top")["camera-silent"]
    assert (told.active, told.count) == (True, 2)
    assert told.text == "bot-1: no frames; bot-2: no frames"


def test_a_camera_that_sends_again_while_another_is_silent_is_told_of() -> None:
    room = Room("bot-1", "bot-2", "top")
    room.wait(40, "top")
    told = room.wait(40, "top", "bot-1")["camera-silent"]
    assert (told.active, told.count, told.text) == (True, 1, "bot-2: no frames")


def test_a_stray_frame_of_a_stranger_does_not_hide_a_camera_that_dies() -> None:
    room = Room()
    room.frame("typo")
    assert room.wait(40, "real")["camera-silent"].count == 1
    told = room.wait(40)["camera-silent"]
    assert (told.count, told.text) == (2, "real: no frames; typo: no frames")


def test_a_second_camera_with_bad_pictures_rings_again() -> None:
    room = Room()
    room.wait(20)
    room.picture("p1", PictureFault.BLACK)
    assert room.wait(15)["image-quality"].count == 1
    room.picture("p2", PictureFault.BLACK)
    told = room.wait(15)["image-quality"]
    assert (told.active, told.count, told.text) == (True, 2, "p2: black; p1: black")


def test_a_second_pair_of_cameras_with_one_id_rings_again() -> None:
    room = Room()
    told: list[AlarmState] = []
    for second in range(180):
        for camera in ("a",) if second < 60 else ("a", "b"):
            room.panel.note_resumed(camera, monotonic_ns=room.monotonic_ns)
        told += [state for name, state in room.wait(1).items() if name == "camera-doubled"]
    assert [(state.count, state.text[:2]) for state in told if state.active] == [
        (1, "a:"),
        (2, "b:"),
    ]


def test_more_of_the_same_does_not_ring_again() -> None:
    room = Room()
    room.note(MISSED)
    room.look()
    for camera in ("bottom", "top"):
        room.note(MISSED.model_copy(update={"camera": camera}))
        assert "not-inspected" not in room.wait(8)


def test_an_alarm_goes_on_after_a_restart_with_its_count() -> None:
    room = Room()
    room.note(MISSED)
    before = room.look()["not-inspected"]
    assert (before.active, before.count) == (True, 1)
    room = room.restarted()
    assert room.look()["not-inspected"] == before
    cleared = room.wait(15)["not-inspected"]
    assert (cleared.active, cleared.count) == (False, 1)
    room.note(MISSED)
    assert room.wait(8)["not-inspected"].count == 2
