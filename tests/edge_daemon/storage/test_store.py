"""Disks that are full, taken away or read-only: told, survived, and recovered from."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_daemon.clock import ManualClock, SystemClock
from edge_daemon.core.envelope import Announcement
from edge_daemon.core.messages import CoverageEvent
from edge_daemon.delivery.courier import Booking
from edge_daemon.errors import StoreError
from edge_daemon.storage.outbox import Outbox
from tests.conftest import wait_until
from tests.edge_daemon.bodies import stretch
from tests.edge_daemon.delivery.conftest import Station, Watcher
from tests.faults.fake_broker import FakeBroker

YEAR_NS = 365 * 86400 * 10**9


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Mount a disk of 12 MiB, where that is allowed."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=12m", "none", folder],  # noqa: S607 - wherever it is
        check=False,
        capture_output=True,
    )
    if mounted.returncode:
        pytest.skip(f"no disk can be mounted here: {mounted.stderr.decode().strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)  # noqa: S607 - wherever it is


def fill(folder: Path) -> Path:
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            return filler


def large(line: int) -> Announcement:
    return Announcement(
        CoverageEvent(
            camera="a", stream="s" * 4000, reason="lost", from_line=line, to_line=line + 1, lines=1
        )
    )


def test_on_a_full_disk_bookings_wait_confirming_works_and_all_goes_on_when_there_is_room(
    small_disk: Path, fake_broker: FakeBroker
) -> None:
    station = Station(small_disk / "state" / "outbox.sqlite3", Watcher())
    confirm = fake_broker.answer
    fake_broker.answer = lambda p: confirm(p) if "/status" in p.topic else b""
    with station.courier(fake_broker.port) as courier:
        courier.submit(Booking(tuple(large(line) for line in range(100))))
        assert courier.flush(20)
        filler = fill(small_disk)
        for line in range(100, 120):
            courier.submit(Booking((large(line),)))
        wait_until(lambda: courier.degraded is not None)
        assert "full" in str(courier.degraded)
        fake_broker.answer = confirm
        wait_until(lambda: set(fake_broker.seqs()) == set(range(1, 101)), within_s=30)
        assert courier.degraded is not None
        filler.unlink()
        wait_until(lambda: courier.degraded is None, within_s=30)
        wait_until(lambda: station.watcher.depth == 0, within_s=30)
    assert list(dict.fromkeys(fake_broker.seqs())) == list(range(1, 121))
    assert station.path.with_name("outbox.sqlite3-reserve").stat().st_size >= 1 << 20


def test_a_state_folder_that_is_deleted_is_written_again_with_all_that_was_in_it(
    fake_broker: FakeBroker, tmp_path: Path
) -> None:
    station = Station(tmp_path / "state" / "outbox.sqlite3", Watcher())
    confirm = fake_broker.answer
    fake_broker.answer = lambda p: confirm(p) if "/status" in p.topic else b""
    with station.courier(fake_broker.port) as courier:
        courier.submit(Booking(tuple(stretch(line) for line in range(30)), {"mark": "1"}))
        assert courier.flush(20)
        shutil.rmtree(station.path.parent)
        courier.submit(Booking((stretch(30),), {"mark": "2"}))
        assert courier.flush(20)
        assert courier.degraded is None
        courier.omit_farewell()
        courier.close(drain_s=0.0)
    fake_broker.answer = confirm
    with station.courier(fake_broker.port) as courier:
        assert courier.recovery is None
        assert courier.initial_state == {"mark": "2"}
        wait_until(lambda: station.watcher.depth == 0)
    assert set(fake_broker.seqs()) == set(range(1, 32))


READ_ONLY = """
import sys
from pathlib import Path
from edge_daemon.clock import SystemClock
from edge_daemon.storage.outbox import Outbox
from edge_daemon.errors import StoreError
try:
    with Outbox(Path(sys.argv[1]), SystemClock()):
        print("opened")
except StoreError as error:
    print(error)
"""


def test_a_folder_that_may_only_be_read_is_refused_with_the_remedy(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    with Outbox(folder / "o.db", SystemClock()) as outbox:
        outbox.commit([stretch()], {})
    above = [place for place in tmp_path.parents if "pytest" in str(place)]
    for place in (*above, tmp_path, folder):
        place.chmod(0o755)
    (folder / "o.db").chmod(0o644)
    nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    done = subprocess.run(
        [*nobody, sys.executable, "-c", READ_ONLY, folder / "o.db"],
        check=False,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        pytest.skip(f"can't become another user here: {done.stderr.strip()[-200:]}")
    assert "writable" in done.stdout
    with Outbox(folder / "o.db", SystemClock()) as outbox:
        assert (outbox.recovery, outbox.depth) == (None, 1)


def test_a_file_that_is_damaged_while_it_is_open_is_saved_without_a_restart(
    tmp_path: Path,
) -> None:
    path = tmp_path / "o.db"
    with Outbox(path, SystemClock()) as outbox:
        # More than SQLite holds in memory.
        outbox.commit([stretch()] * 9000, {"mark": "x"})
    with Outbox(path, SystemClock()) as outbox:
        with path.open("r+b") as file:
            file.seek(100 * 4096)
            file.write(bytes(5 * 4096))
        with pytest.raises(StoreError):
            outbox.pending(after_seq=0, limit=10_000)
        found = [m.seq for m in outbox.pending(after_seq=0, limit=10_000)]
        assert outbox.recovery is not None
        assert outbox.recovery.seq_is_known
        assert len(found) >= 8900
        assert outbox.last_seq == 9001
        assert outbox.state() == {"mark": "x"}
        assert outbox.commit([stretch()], {})[0].seq == 9002


@pytest.mark.parametrize("jump_ns", [-YEAR_NS * 60, -YEAR_NS * 10, -3600 * 10**9, YEAR_NS * 10])
def test_however_the_clock_jumps_numbers_go_on_and_ids_stay_apart(
    tmp_path: Path, jump_ns: int
) -> None:
    clock = ManualClock(now_ns=50 * YEAR_NS)
    with Outbox(tmp_path / "o.db", clock) as outbox:
        before = outbox.commit([stretch()] * 50, {})
        clock.set_now(clock.now_ns() + jump_ns)
        after = outbox.commit([stretch()] * 50, {})
        messages = outbox.pending(after_seq=0, limit=1000)
    assert messages == before + after
    assert [message.seq for message in messages] == list(range(1, 101))
    assert len({message.payload[:50] for message in messages}) == 100
    with Outbox(tmp_path / "o.db", clock) as outbox:
        assert outbox.depth == 100
