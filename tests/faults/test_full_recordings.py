"""Recordings and evidence on a real disk that gets full: what was synced stays readable.

Mounting wants root; elsewhere these tests are skipped.
"""

import http
import json
import shutil
import subprocess
import sys
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import cycle
from pathlib import Path

import pytest
import zmq

from edge_daemon.errors import EXIT_FAILED, RecordingError
from edge_daemon.recordings.recovery import recover
from tests.conftest import free_port, wait_until
from tests.edge_daemon.conftest import START_S, messages_of, needs_mosquitto
from tests.faults.disks import Filler, small_disk
from tests.faults.troubled_line import judge, rows_inspected, working_line
from tests.soak.line import Line

pytestmark = [pytest.mark.broker, pytest.mark.timeout(300), needs_mosquitto]
RETRIED_WITHIN_S = 60.0


@contextmanager
def recorder(address: str, out: Path) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "edge_daemon", "record", "--bind", address, "--out", str(out)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def readable(recording: Path, folder: Path) -> list[list[bytes]]:
    """The messages that `recover` finds in a copy of a recording; none where it finds none."""
    copy, found = folder / "copy.mcap", folder / "found.mcap"
    shutil.copyfile(recording, copy)
    found.unlink(missing_ok=True)
    with suppress(RecordingError):
        recover(copy, found)
    return messages_of(found) if found.exists() else []


def send_until_it_leaves(
    process: subprocess.Popen[str], socket: zmq.Socket[bytes], frames: Sequence[list[bytes]]
) -> list[list[bytes]]:
    """Send round and round; return what was sent."""
    sent = []
    for parts in cycle(frames):
        if process.poll() is not None:
            break
        if socket.poll(100, zmq.POLLOUT):
            socket.send_multipart(parts)
            sent.append(parts)
    return sent


@pytest.mark.parametrize(
    "filled_by_others", [True, False], ids=["others fill the disk", "the recording fills the disk"]
)
def test_a_recording_keeps_what_was_synced_before_the_disk_was_full(
    recording: Path, tmp_path: Path, *, filled_by_others: bool
) -> None:
    frames = messages_of(recording)
    address, out = f"tcp://127.0.0.1:{free_port()}", tmp_path / "disk" / "line.mcap"
    part = out.with_name("line.mcap.part")
    with (
        small_disk(tmp_path / "disk", 16) as disk,
        recorder(address, out) as process,
        zmq.Context() as context,
        context.socket(zmq.PUSH) as socket,
    ):
        socket.setsockopt(zmq.LINGER, 0)
        socket.connect(address)
        for parts in frames:
            socket.send_multipart(parts)
        wait_until(part.exists, within_s=START_S)
        wait_until(lambda: len(readable(part, tmp_path)) == len(frames))
        if filled_by_others:
            Filler(disk).fill()
        sent = [*frames, *send_until_it_leaves(process, socket, frames)]
        errors = process.communicate()[1]
        kept = readable(part, tmp_path)
    print(f"{len(frames)} frames synced, {len(kept)} of {len(sent)} kept: {errors.strip()}")  # noqa: T201 - figures for docs/reliability.md: pytest -s
    assert process.returncode == EXIT_FAILED
    assert "can't be written: No space left on device" in errors
    assert len(kept) >= len(frames)
    assert kept == sent[: len(kept)]


def await_evidence(it: Line) -> None:
    """Return when more of it was written."""
    before = it.daemon.look().total("evidence_frames_total")
    wait_until(
        lambda: it.daemon.look().total("evidence_frames_total") > before, within_s=RETRIED_WITHIN_S
    )


@pytest.mark.parametrize(
    "is_freed", [False, pytest.param(True, marks=pytest.mark.slow)], ids=["stays full", "freed"]
)
def test_evidence_that_can_not_be_written_holds_up_nobody(
    tmp_path: Path, *, is_freed: bool
) -> None:
    folder = tmp_path / "evidence"
    keys = ["[evidence]", f'directory = "{folder}"', "after_s = 0.2", "leave_free_mib = 0"]
    keys.append("max_mib = 16")
    with small_disk(folder, 32) as disk, working_line(tmp_path, *keys) as it:
        await_evidence(it)
        filler = Filler(disk)
        filler.fill()
        wait_until(lambda: refill(filler) and it.daemon.look().total("evidence_working") == 0)
        before = rows_inspected(it)
        wait_until(lambda: refill(filler) and rows_inspected(it) > before + 2000)
        assert it.daemon.get("/readyz")[0] == http.HTTPStatus.OK
        assert it.daemon.look().total("lines_not_inspected_total") == 0
        filler.let_go()
        if is_freed:
            await_evidence(it)
            wait_until(lambda: alarms_of_evidence(it) == [True, False], within_s=60)
        judge(it, "evidence on a full disk")
        kept = [m for file in sorted(folder.glob("*.mcap*")) for m in readable(file, tmp_path)]
    assert kept or not is_freed
    for _, header, picture in kept:
        assert zlib.crc32(picture) == json.loads(header)["crc32"]


def alarms_of_evidence(it: Line) -> list[bool]:
    return [m["active"] for m in it.plant.durable() if m.get("name") == "evidence"]


def refill(filler: Filler) -> bool:
    filler.fill()
    return True
