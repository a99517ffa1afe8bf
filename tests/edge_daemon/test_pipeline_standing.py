"""The strip stops, or the daemon does: what is open is told, not forgotten."""

from edge_daemon.core.messages import DefectEvent
from edge_daemon.outcomes import Facts
from tests.edge_daemon import marked_steel as steel

SECOND_NS = 1_000_000_000


def defects(facts: list[Facts]) -> list[DefectEvent]:
    bodies = [announcement.body for each in facts for announcement in each.announcements]
    return [body for body in bodies if isinstance(body, DefectEvent)]


def test_a_strip_that_stands_on_a_defect_is_told_of_it_once_and_of_its_end_at_a_stop() -> None:
    inspector = steel.inspector()
    image = steel.steel(64)
    image[20:, 16:32] = steel.BRIGHT
    outcome = inspector.inspect(steel.message(image, camera="top", received_ns=SECOND_NS))
    assert defects([outcome.facts]) == []
    assert defects(inspector.tick(2 * SECOND_NS, quiet_for_ns=2 * SECOND_NS)) == []
    (told,) = defects(inspector.tick(4 * SECOND_NS, quiet_for_ns=2 * SECOND_NS))
    assert (told.open, told.first_line, told.last_line) == (True, 20, 63)
    assert defects(inspector.tick(9 * SECOND_NS, quiet_for_ns=2 * SECOND_NS)) == []
    (ended,) = defects(inspector.stop())
    assert (ended.open, ended.defect_id) == (False, told.defect_id)


def test_after_a_stop_nothing_is_booked_anew() -> None:
    inspector = steel.inspector()
    image = steel.steel(64)
    image[20:, 16:32] = steel.BRIGHT
    facts = [inspector.inspect(steel.message(image, camera="top", received_ns=0)).facts]
    facts += inspector.stop()
    assert [event.open for event in defects(facts)] == [False]
    again = steel.inspector(steel.documents(facts)).start()
    assert [body for each in again for body in each.announcements] == []


def test_a_stranger_that_fell_silent_makes_room_for_a_camera() -> None:
    inspector = steel.inspector()
    for number in range(64):
        stranger = steel.message(steel.steel(8), camera=f"stray-{number}", received_ns=number)
        assert inspector.inspect(stranger).rejected is None
    early = steel.message(steel.steel(8), camera="top", received_ns=SECOND_NS)
    refused = inspector.inspect(early).rejected
    assert refused is not None
    assert "[[camera]]" in refused.detail
    late = steel.message(steel.steel(8), camera="top", received_ns=100 * SECOND_NS)
    outcome = inspector.inspect(late)
    assert outcome.rejected is None
    assert "stray-0" not in inspector.cameras
    assert outcome.facts.state["camera/stray-0"] is not None  # it may come back
    later = steel.message(steel.steel(8), camera="top", received_ns=101 * SECOND_NS, seq=1)
    assert "camera/stray-0" not in inspector.inspect(later).facts.state
