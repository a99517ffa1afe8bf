import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest
import zmq

from edge_daemon.clock import SystemClock
from edge_daemon.errors import EndpointError, RecordingError
from edge_daemon.ingest.endpoint import bind_pull, connect_push
from edge_daemon.recorder import RecordSummary, record
from edge_daemon.recordings.parts import MAX_MESSAGE_BYTES
from edge_daemon.recordings.recording import read_recording
from tests.conftest import free_port
from tests.edge_daemon.ingest.doors import Plant

ODD = [
    [b"top-1", b"{}", bytes(400_000)],
    [b""],
    [b"", b"", b""],
    [b"\xff\x00", b"not json", b"x", b"more", b""],
    [b"top-1", b'{"seq":2}', b"end"],
]


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as pool:
        yield pool


@pytest.fixture
def address(tmp_path: Path) -> str:
    return f"ipc://{tmp_path}/frames"


def start(
    pool: ThreadPoolExecutor,
    address: str,
    out: Path,
    stop: threading.Event,
    *,
    max_frames: int | None = None,
) -> Future[RecordSummary]:
    return pool.submit(record, address, out, stop=stop, clock=SystemClock(), max_frames=max_frames)


def send(address: str, messages: list[list[bytes]]) -> None:
    with connect_push(address, linger_ms=5000) as socket:
        for parts in messages:
            assert socket.poll(5000, zmq.POLLOUT)
            socket.send_multipart(parts)


def test_what_a_camera_sent_is_kept_part_by_part_and_byte_by_byte(
    pool: ThreadPoolExecutor, address: str, tmp_path: Path
) -> None:
    out = tmp_path / "line.mcap"
    done = start(pool, address, out, threading.Event(), max_frames=len(ODD))
    send(address, ODD)
    expected = RecordSummary(frames=len(ODD), payload_bytes=sum(len(p) for m in ODD for p in m))
    assert done.result(20) == expected
    messages = list(read_recording(out))
    assert [m.parts for m in messages] == ODD
    times = [m.received_ns for m in messages]
    assert times == sorted(times)


def test_the_flag_ends_the_recording_and_the_file_is_finished(
    pool: ThreadPoolExecutor, address: str, tmp_path: Path
) -> None:
    stop, seen = threading.Event(), threading.Event()
    done = pool.submit(
        record,
        address,
        tmp_path / "line.mcap",
        stop=stop,
        clock=SystemClock(),
        progress=lambda summary: seen.set() if summary.frames == len(ODD) else None,
    )
    send(address, ODD)
    assert seen.wait(20)
    stop.set()
    assert done.result(20).frames == len(ODD)
    assert [m.parts for m in read_recording(tmp_path / "line.mcap")] == ODD


def test_seconds_run_out_even_if_nobody_sends(address: str, tmp_path: Path) -> None:
    out = tmp_path / "line.mcap"
    stop = threading.Event()
    summary = record(address, out, stop=stop, clock=SystemClock(), max_seconds=0.05)
    assert summary == RecordSummary()
    assert list(read_recording(out)) == []


def test_many_parts_that_are_too_large_together_are_refused_and_counted(
    pool: ThreadPoolExecutor, address: str, tmp_path: Path
) -> None:
    stop, seen = threading.Event(), threading.Event()
    done = pool.submit(
        record,
        address,
        tmp_path / "line.mcap",
        stop=stop,
        clock=SystemClock(),
        progress=lambda summary: seen.set() if summary.frames else None,
    )
    send(address, [[bytes(MAX_MESSAGE_BYTES // 4)] * 4, [b"small"]])
    assert seen.wait(30)
    stop.set()
    assert done.result(20).refused == 1
    assert [m.parts for m in read_recording(tmp_path / "line.mcap")] == [[b"small"]]


def test_a_taken_address_is_refused_before_a_file_is_made(tmp_path: Path) -> None:
    with bind_pull("tcp://127.0.0.1:*", max_part_bytes=9) as socket:
        taken = socket.getsockopt_string(zmq.LAST_ENDPOINT)
        with pytest.raises(EndpointError):
            record(taken, tmp_path / "x.mcap", stop=threading.Event(), clock=SystemClock())
    assert list(tmp_path.iterdir()) == []


def test_an_earlier_recording_is_not_overwritten_unasked(address: str, tmp_path: Path) -> None:
    out = tmp_path / "x.mcap"
    out.write_bytes(b"precious")
    stop = threading.Event()
    stop.set()
    with pytest.raises(RecordingError, match="there already"):
        record(address, out, stop=stop, clock=SystemClock())
    assert out.read_bytes() == b"precious"
    record(address, out, stop=stop, clock=SystemClock(), overwrite=True)
    assert list(read_recording(out)) == []


def test_with_the_daemons_keys_only_its_cameras_are_recorded(
    pool: ThreadPoolExecutor, tmp_path: Path
) -> None:
    plant, out = Plant(), tmp_path / "line.mcap"
    address = f"tcp://127.0.0.1:{free_port()}"
    done = pool.submit(
        record,
        address,
        out,
        stop=threading.Event(),
        clock=SystemClock(),
        max_frames=1,
        keyring=plant.keyring,
    )
    with (
        connect_push(address, linger_ms=0) as stranger,
        connect_push(address, linger_ms=5000, login=plant.login(plant.top)) as top,
    ):
        assert top.poll(20_000, zmq.POLLOUT)
        assert not stranger.poll(200, zmq.POLLOUT)
        top.send_multipart([b"side", *ODD[0][1:]])
        top.send_multipart([b"top", *ODD[0][1:]])
        summary = done.result(20)
        assert (summary.frames, summary.refused) == (1, 1)
    assert [m.parts for m in read_recording(out)] == [[b"top", *ODD[0][1:]]]
