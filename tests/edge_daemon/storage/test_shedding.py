import json
from collections import Counter
from pathlib import Path

from edge_daemon.clock import ManualClock
from edge_daemon.core.envelope import Announcement, iso_utc
from edge_daemon.core.messages import AlarmState, CoilEvent
from edge_daemon.core.reasons import Severity
from edge_daemon.errors import StoreError
from edge_daemon.storage.outbox import Outbox
from edge_daemon.storage.shedding import Room
from tests.edge_daemon.bodies import defect_event, stretch

ALARM = Announcement(AlarmState(name="blind", active=True, since=iso_utc(0), count=1, text=""))
BEGUN = Announcement(CoilEvent(state="begun", coil="C1", begun_at=iso_utc(0)))


def defect(severity: str) -> Announcement:
    return Announcement(defect_event(severity=Severity(severity)))


MIXED = (BEGUN, defect("minor"), defect("major"), ALARM, defect("critical"), stretch())


def filled(outbox: Outbox, announcements: tuple[Announcement, ...]) -> None:
    """Commit until the outbox is full."""
    while True:
        try:
            outbox.commit(announcements, {})
        except StoreError:
            return


def shed(outbox: Outbox) -> Room:
    """Make room until some was made; None of the looks before may be the last."""
    while True:
        room = outbox.make_room()
        assert room.try_again
        if room.told:
            return room


def kind(payload: bytes) -> str:
    message = json.loads(payload)
    return str(message.get("severity", message["schema"].split("/")[1]))


def kinds(outbox: Outbox) -> list[str]:
    return [kind(m.payload) for m in outbox.pending(after_seq=0, limit=100_000)]


def test_the_lightest_go_first_critical_defects_and_coverage_last_and_the_account_never(
    tmp_path: Path,
) -> None:
    clock = ManualClock(now_ns=10**18)
    gone: list[str] = []
    with Outbox(tmp_path / "o.db", clock, max_bytes=1 << 19) as outbox:
        filled(outbox, MIXED)
        while not {"critical", "coverage"} <= set(gone):
            before = Counter(kinds(outbox))
            shed(outbox)
            gone += [kind for kind in before - Counter(kinds(outbox)) if kind not in gone]
            filled(outbox, (defect("critical"), stretch()))
        assert set(kinds(outbox)) == {"critical", "coverage", "loss"}
    assert gone[:4] == ["coil", "minor", "major", "alarm"]


def test_the_account_tells_which_numbers_are_gone_and_from_when(tmp_path: Path) -> None:
    clock = ManualClock(now_ns=10**18)
    with Outbox(tmp_path / "o.db", clock, max_bytes=1 << 20) as outbox:
        filled(outbox, (stretch(),) * 50)
        last = outbox.last_seq
        clock.advance(10**9)
        room = shed(outbox)
        left = [m.seq for m in outbox.pending(after_seq=0, limit=100_000)]
        count = outbox.shed
    [told] = room.told
    account = json.loads(told.payload)
    assert told.seq == last + 1
    assert account["reason"] == "outbox_full"
    assert account["exact"] is True
    assert (account["first_seq"], account["last_seq"], account["count"]) == (1, count, count)
    assert left == list(range(count + 1, last + 2))
    assert account["first_at"] == account["last_at"] == iso_utc(10**18)
    assert (tmp_path / "o.db").stat().st_size <= 1 << 20


def test_what_was_confirmed_goes_before_anything_that_waits(tmp_path: Path) -> None:
    with Outbox(tmp_path / "o.db", ManualClock(), max_bytes=1 << 20) as outbox:
        filled(outbox, (stretch(),) * 50)
        outbox.settle(range(1, 301), confirmed_ns=1)
        depth = outbox.depth
        filled(outbox, (stretch(),) * 50)
        room = outbox.make_room()
        assert (room.try_again, list(room.told)) == (True, [])
        assert outbox.shed == 0
        assert outbox.depth >= depth
        assert len(outbox.commit([stretch()] * 50, {})) == 50


def test_a_full_outbox_can_be_drained(tmp_path: Path) -> None:
    with Outbox(tmp_path / "o.db", ManualClock(), max_bytes=1 << 20) as outbox:
        filled(outbox, (stretch(),) * 9)
        while outbox.depth:
            seqs = [m.seq for m in outbox.pending(after_seq=0, limit=20)]
            outbox.settle(seqs, confirmed_ns=1)
        filled(outbox, (stretch(),) * 9)
        assert outbox.make_room().try_again
        assert outbox.shed == 0
        assert len(outbox.commit([stretch()] * 50, {})) == 50


def test_dead_messages_are_not_kept_longer_than_those_that_wait(tmp_path: Path) -> None:
    with Outbox(tmp_path / "o.db", ManualClock(), max_bytes=1 << 20) as outbox:
        filled(outbox, (defect("minor"),) * 9)
        outbox.bury(1, "no")
        shed(outbox)
        assert outbox.dead == 0
        assert outbox.depth == outbox.last_seq - outbox.shed
