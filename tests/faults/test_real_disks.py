"""Real file systems that fill up, turn read-only and fail, below the state of the real daemon.

Mounting wants root; elsewhere these tests are skipped. The long forms:
`pytest -s -m slow tests/faults/test_real_disks.py`.
"""

import signal
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from edge_daemon.errors import EXIT_FAILED
from tests.conftest import wait_until
from tests.edge_daemon.conftest import needs_mosquitto
from tests.faults.disks import (
    FailingDisk,
    Filler,
    immutable,
    shut_down,
    small_disk,
    turn_read_only,
)
from tests.faults.troubled_line import endure, judge, look_at_outbox, recover, working_line
from tests.soak.schedule import Fault

pytestmark = [pytest.mark.broker, pytest.mark.timeout(600), needs_mosquitto]
JOURNALLED: tuple[str, ...] = ()
NO_JOURNAL = ("-O", "^has_journal")


@pytest.mark.parametrize(
    ("disk_mib", "seconds", "broker_is_away"),
    [
        (16, 2.0, False),
        (4, 2.0, True),
        # So long that no more bookings can wait, and inspection has to stand still.
        pytest.param(16, 50.0, False, marks=pytest.mark.slow),
        pytest.param(16, 50.0, True, marks=pytest.mark.slow),
    ],
)
def test_a_disk_that_is_full_for_a_while_costs_no_alert_and_no_row(
    disk_mib: int, seconds: float, tmp_path: Path, *, broker_is_away: bool
) -> None:
    with small_disk(tmp_path / "state", disk_mib) as disk, working_line(tmp_path) as it:
        filler = Filler(disk)
        if broker_is_away:
            it.inject(Fault.BLACK_HOLE)
        filler.fill()
        said = endure(it, seconds, meanwhile=filler.fill)
        assert "full" in said[-1]
        filler.let_go()
        took_s = recover(it)
        judge(it, f"{disk_mib} MiB full for {seconds:g} s, ready again after {took_s:.1f} s")


def test_on_a_full_disk_no_new_configuration_is_taken(tmp_path: Path) -> None:
    with small_disk(tmp_path / "state", 16) as disk, working_line(tmp_path) as it:
        filler = Filler(disk)
        filler.fill()
        endure(it, 1.0, meanwhile=filler.fill)
        it.daemon.hang_up()
        wait_until(lambda: it.daemon.scrape().total("config_reload_success") == 0)
        filler.let_go()
        recover(it)
        it.daemon.hang_up()
        # A frame in the hands of the run that leaves would be one that nobody misses yet.
        wait_until(lambda: it.daemon.log.read_text().count("inspecting with") > 1, within_s=60)
        judge(it, "reload on a full disk")


def test_told_to_stop_on_a_full_disk_it_says_that_it_could_not_book_all(tmp_path: Path) -> None:
    with small_disk(tmp_path / "state", 16) as disk, working_line(tmp_path) as it:
        filler = Filler(disk)
        filler.fill()
        endure(it, 2.0, meanwhile=filler.fill)
        assert it.daemon.stop() == EXIT_FAILED
        assert "booked nowhere" in it.daemon.log.read_text()
        filler.let_go()
        it.daemon.start()
        it.daemon.await_ready()
        judge(it, "stopped on a full disk")


@pytest.mark.parametrize("seconds", [2.0, pytest.param(50.0, marks=pytest.mark.slow)])
def test_files_that_may_not_be_written_for_a_while_cost_no_alert_and_no_row(
    seconds: float, tmp_path: Path
) -> None:
    disk = FailingDisk(tmp_path)
    with disk.made(), disk.attached(tmp_path / "state"), working_line(tmp_path) as it:
        with immutable(*it.daemon.state.glob("outbox.sqlite3*")):
            endure(it, seconds)
        took_s = recover(it)
        judge(it, f"not writable for {seconds:g} s, ready again after {took_s:.1f} s")


@pytest.mark.parametrize("seconds", [2.0, pytest.param(50.0, marks=pytest.mark.slow)])
def test_a_device_that_refuses_writes_for_a_while_costs_no_alert_and_no_row(
    seconds: float, tmp_path: Path
) -> None:
    disk = FailingDisk(tmp_path, *NO_JOURNAL)
    with (
        disk.made(),
        disk.attached(tmp_path / "state", "errors=continue"),
        working_line(tmp_path) as it,
    ):
        disk.refuse_writes()
        said = endure(it, seconds)
        assert "I/O error" in said[-1]
        disk.take_writes()
        took_s = recover(it)
        judge(it, f"writes refused for {seconds:g} s, ready again after {took_s:.1f} s")


def refuse_writes(disk: FailingDisk, _state: Path) -> None:
    disk.refuse_writes()


def find_a_fault(_disk: FailingDisk, state: Path) -> None:
    turn_read_only(state)


def cut_off(_disk: FailingDisk, state: Path) -> None:
    shut_down(state)


@pytest.mark.parametrize(
    ("fail", "end"),
    [
        (cut_off, signal.SIGTERM),
        pytest.param(cut_off, signal.SIGKILL, marks=pytest.mark.slow),
        pytest.param(find_a_fault, signal.SIGTERM, marks=pytest.mark.slow),
        pytest.param(find_a_fault, signal.SIGKILL, marks=pytest.mark.slow),
        pytest.param(refuse_writes, signal.SIGTERM, marks=pytest.mark.slow),
        pytest.param(refuse_writes, signal.SIGKILL, marks=pytest.mark.slow),
    ],
)
def test_a_file_system_that_fails_for_good_costs_nothing_once_it_is_repaired(
    fail: Callable[[FailingDisk, Path], None], end: signal.Signals, tmp_path: Path
) -> None:
    disk, state = FailingDisk(tmp_path, *JOURNALLED), tmp_path / "state"
    with disk.made(), ExitStack() as mounts:
        mounts.enter_context(disk.attached(state, "errors=remount-ro"))
        with working_line(tmp_path) as it:
            it.inject(Fault.BLACK_HOLE)
            it.inject(Fault.LOST)
            wait_until(lambda: it.daemon.look().total("outbox_depth") > 0)
            before = look_at_outbox(it, tmp_path)
            assert before.waiting
            fail(disk, state)
            said = endure(it, 2.0)
            assert it.daemon.stop(end) == (EXIT_FAILED if end is signal.SIGTERM else -end)
            mounts.close()
            disk.repair()
            mounts.enter_context(disk.attached(state))
            it.daemon.start()
            it.clear_up()
            it.daemon.await_ready()
            judge(it, f"{fail.__name__}, {end.name}: {said[-1].strip()}", before=before)
