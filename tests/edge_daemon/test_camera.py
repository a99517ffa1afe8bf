import json
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import zmq

from edge_daemon.camera import PlaySettings, PlaySummary, play
from edge_daemon.clock import SystemClock
from edge_daemon.core.pixels import decode
from edge_daemon.core.wire import parse
from edge_daemon.errors import EndpointError, SourceError
from edge_daemon.ingest.doorkeeper import Doorkeeper
from edge_daemon.ingest.endpoint import PullSocket, bind_pull
from edge_daemon.ingest.keys import Login, make_pair
from edge_daemon.recordings.writing import RecordingWriter
from tests.edge_daemon.ingest.doors import Plant

UNPACED = PlaySettings(speed=None, wait=True)
PLAYER = """
import sys
from pathlib import Path
from edge_daemon.camera import PlaySettings, play
from edge_daemon.clock import SystemClock
from edge_daemon.signals import stop_on_signals

with stop_on_signals() as stop:
    settings = PlaySettings(fps=50, loop=True)
    print(play([Path(sys.argv[1])], sys.argv[2], settings=settings, stop=stop, clock=SystemClock()))
"""


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as pool:
        yield pool


@pytest.fixture
def address(tmp_path: Path) -> str:
    return f"ipc://{tmp_path}/frames"


@pytest.fixture
def daemon(address: str) -> Iterator[PullSocket]:
    with bind_pull(address, max_part_bytes=2**20) as socket:
        yield socket


@pytest.fixture
def stop() -> threading.Event:
    return threading.Event()


def message(n: int, *, stream: str = "s1") -> list[bytes]:
    header = {"v": 1, "stream": stream, "seq": n, "t_ns": n, "width": 2, "height": 1}
    packed = json.dumps(header | {"format": "Mono8", "codec": "raw"}).encode()
    return [b"top-1", packed, bytes([n, 0])]


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    path = tmp_path / "line.mcap"
    with RecordingWriter(path) as writer:
        for n in range(6):
            writer.write(message(n), n * 1_000_000)
            writer.sync()
    return path


@pytest.fixture
def images(tmp_path: Path) -> Path:
    folder = tmp_path / "images"
    folder.mkdir()
    for n in range(3):
        cv2.imwrite(str(folder / f"{n}.png"), np.full((8, 16), n, np.uint8))
    (folder / "1b.png").write_bytes(b"broken")
    return folder


def start(
    pool: ThreadPoolExecutor,
    path: Path,
    address: str,
    stop: threading.Event,
    settings: PlaySettings = UNPACED,
) -> Future[PlaySummary]:
    return pool.submit(play, [path], address, settings=settings, stop=stop, clock=SystemClock())


def receive(daemon: PullSocket, count: int) -> list[list[bytes]]:
    messages: list[list[bytes]] = []
    for _ in range(count):
        assert daemon.poll(20_000), f"{len(messages)} of {count} messages came"
        messages.append(daemon.recv_multipart())
    return messages


def test_a_daemon_receives_a_recordings_exact_parts_in_order(
    pool: ThreadPoolExecutor,
    daemon: PullSocket,
    recording: Path,
    address: str,
    stop: threading.Event,
) -> None:
    done = start(pool, recording, address, stop)
    assert receive(daemon, 6) == [message(n) for n in range(6)]
    assert done.result(20) == PlaySummary(sent=6)


def test_another_camera_id_replaces_the_first_part_only(
    pool: ThreadPoolExecutor,
    daemon: PullSocket,
    recording: Path,
    address: str,
    stop: threading.Event,
) -> None:
    done = start(
        pool, recording, address, stop, PlaySettings(camera="other", speed=None, wait=True)
    )
    assert receive(daemon, 6) == [[b"other", *message(n)[1:]] for n in range(6)]
    done.result(20)


def test_images_are_one_cameras_stream_and_an_unreadable_one_is_a_gap_in_it(
    pool: ThreadPoolExecutor,
    daemon: PullSocket,
    images: Path,
    address: str,
    stop: threading.Event,
) -> None:
    done = start(pool, images, address, stop)
    frames = [parse(parts) for parts in receive(daemon, 3)]
    assert done.result(20) == PlaySummary(sent=3, unreadable=1)
    assert {f.camera for f in frames} == {"camera-1"}
    assert len({f.header.stream for f in frames}) == 1
    assert [f.header.seq for f in frames] == [0, 1, 3]
    assert [f.header.first_line for f in frames] == [0, 8, 24]
    assert [int(decode(f)[0, 0]) for f in frames] == [0, 1, 2]
    times = [f.header.t_ns for f in frames]
    assert times == sorted(times)
    assert times[0] > 1_700_000_000_000_000_000


def test_two_starts_are_two_streams(
    pool: ThreadPoolExecutor,
    daemon: PullSocket,
    images: Path,
    address: str,
    stop: threading.Event,
) -> None:
    streams = set()
    for _ in range(2):
        done = start(pool, images, address, stop)
        streams.add(parse(receive(daemon, 3)[0]).header.stream)
        done.result(20)
    assert len(streams) == 2


@pytest.mark.parametrize("source", ["images", "line.mcap"])
def test_every_turn_of_a_loop_is_a_new_stream_with_the_same_frames(
    *,
    pool: ThreadPoolExecutor,
    daemon: PullSocket,
    recording: Path,
    images: Path,
    address: str,
    stop: threading.Event,
    source: str,
) -> None:
    path = {"images": images, "line.mcap": recording}[source]
    per_turn = {"images": 3, "line.mcap": 6}[source]
    settings = PlaySettings(speed=None, wait=True, loop=True)
    done = start(pool, path, address, stop, settings)
    frames = [parse(parts) for parts in receive(daemon, 3 * per_turn)]
    stop.set()
    done.result(20)
    turns = [frames[n : n + per_turn] for n in range(0, len(frames), per_turn)]
    assert len({frame.header.stream for frame in frames}) == 3
    assert all(len({frame.header.stream for frame in turn}) == 1 for turn in turns)
    assert [[f.header.seq for f in turn] for turn in turns[1:]] == [
        [f.header.seq for f in turns[0]]
    ] * 2
    assert [[bytes(f.payload) for f in turn] for turn in turns[1:]] == [
        [bytes(f.payload) for f in turns[0]]
    ] * 2


def test_a_loop_keeps_the_streams_of_a_turn_apart_and_broken_headers_broken(
    *,
    pool: ThreadPoolExecutor,
    daemon: PullSocket,
    tmp_path: Path,
    address: str,
    stop: threading.Event,
) -> None:
    path = tmp_path / "x.mcap"
    sent = [message(0, stream="a"), message(0, stream="b"), [b"top-1"], [b"x", b"{nope", b""]]
    sent += [[b"y", b"[1]", b""], [b"z", b'{"stream":7}', b""]]
    with RecordingWriter(path) as writer:
        for parts in sent:
            writer.write(parts, 1)
    done = start(pool, path, address, stop, PlaySettings(speed=None, wait=True, loop=True))
    received = receive(daemon, 2 * len(sent))
    stop.set()
    done.result(20)
    assert received[: len(sent)] == sent
    again = received[len(sent) :]
    streams = [json.loads(parts[1])["stream"] for parts in again[:2]]
    assert [stream[:2] for stream in streams] == ["a-", "b-"]
    assert again[2:] == sent[2:]


@pytest.mark.usefixtures("daemon")
def test_what_the_daemon_does_not_take_is_dropped_and_counted(
    tmp_path: Path, address: str, stop: threading.Event
) -> None:
    path = tmp_path / "x.mcap"
    with RecordingWriter(path) as writer:
        for n in range(100):
            writer.write([b"top-1", str(n).encode(), bytes(500_000)], n)
    seen: list[PlaySummary] = []
    summary = play(
        [path],
        address,
        settings=PlaySettings(speed=None),
        stop=stop,
        clock=SystemClock(),
        progress=seen.append,
    )
    assert summary.dropped > 0
    assert summary.sent + summary.dropped == 100
    assert seen[-1] == summary
    assert len(seen) == 100


def test_nobody_there_is_told_with_the_address(
    recording: Path, address: str, stop: threading.Event
) -> None:
    settings = PlaySettings(patience_s=0.2)
    with pytest.raises(EndpointError, match="no daemon took a frame at ipc://"):
        play([recording], address, settings=settings, stop=stop, clock=SystemClock())


def test_a_daemon_that_comes_later_gets_everything(
    pool: ThreadPoolExecutor, recording: Path, address: str, stop: threading.Event
) -> None:
    done = start(pool, recording, address, stop)
    assert not done.done()
    with bind_pull(address, max_part_bytes=2**20) as daemon:
        assert receive(daemon, 6) == [message(n) for n in range(6)]
    assert done.result(20).sent == 6


@pytest.mark.usefixtures("daemon")
def test_frames_come_at_the_rate_that_was_asked_for(
    recording: Path, address: str, stop: threading.Event
) -> None:
    clock = SystemClock()
    times: list[int] = []
    play(
        [recording],
        address,
        settings=PlaySettings(fps=100),
        stop=stop,
        clock=clock,
        progress=lambda _: times.append(clock.monotonic_ns()),
    )
    assert times[-1] - times[0] >= 49_000_000


def test_a_pause_in_the_recording_is_kept_and_scaled_and_can_be_broken_off(
    pool: ThreadPoolExecutor,
    daemon: PullSocket,
    tmp_path: Path,
    address: str,
    stop: threading.Event,
) -> None:
    path = tmp_path / "x.mcap"
    with RecordingWriter(path) as writer:
        writer.write(message(0), 1)
        writer.write(message(1), 2**63)
    done = start(pool, path, address, stop, PlaySettings(speed=1000.0))
    assert receive(daemon, 1) == [message(0)]
    assert not daemon.poll(200)
    stop.set()
    assert done.result(20) == PlaySummary(sent=1)


def test_a_cut_recording_is_played_as_far_as_it_goes(
    pool: ThreadPoolExecutor,
    daemon: PullSocket,
    recording: Path,
    address: str,
    stop: threading.Event,
) -> None:
    whole = recording.read_bytes()
    recording.write_bytes(whole[: whole.rindex(message(5)[1])])
    done = start(pool, recording, address, stop)
    assert receive(daemon, 5) == [message(n) for n in range(5)]
    assert done.result(20) == PlaySummary(sent=5, unreadable=1)


@pytest.mark.usefixtures("daemon")
def test_a_loop_over_nothing_readable_ends(
    tmp_path: Path, address: str, stop: threading.Event
) -> None:
    (tmp_path / "x.png").touch()
    with pytest.raises(SourceError, match="nothing to play"):
        play(
            [tmp_path / "x.png"],
            address,
            settings=PlaySettings(loop=True, speed=None),
            stop=stop,
            clock=SystemClock(),
        )


@pytest.mark.parametrize(
    "settings",
    [
        PlaySettings(fps=0),
        PlaySettings(fps=float("nan")),
        PlaySettings(speed=-1),
        PlaySettings(speed=float("inf")),
        PlaySettings(camera="no id"),
    ],
)
def test_a_setting_that_makes_no_sense_is_refused(
    recording: Path, address: str, stop: threading.Event, settings: PlaySettings
) -> None:
    with pytest.raises(SourceError):
        play([recording], address, settings=settings, stop=stop, clock=SystemClock())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_a_player_that_loops_with_its_last_frames_out(
    daemon: PullSocket, images: Path, address: str, number: signal.Signals
) -> None:
    command = [sys.executable, "-c", PLAYER, str(images), address]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        receive(daemon, 5)
        process.send_signal(number)
        received = 5
        while process.poll() is None or daemon.poll(0):
            if daemon.poll(50):
                daemon.recv_multipart()
                received += 1
        assert process.stdout is not None
        printed = process.stdout.read()
    assert process.returncode == 0
    assert f"sent={received}, dropped=0" in printed


def test_with_its_keys_a_camera_gets_in_at_a_door_that_asks_for_them(recording: Path) -> None:
    plant = Plant()
    with (
        Doorkeeper(plant.keyring) as door,
        bind_pull("tcp://127.0.0.1:*", max_part_bytes=2**20, door=door) as daemon,
    ):
        settings = replace(UNPACED, login=plant.login(plant.top))
        summary = play(
            [recording],
            daemon.getsockopt_string(zmq.LAST_ENDPOINT),
            settings=settings,
            stop=threading.Event(),
            clock=SystemClock(),
        )
        assert summary == PlaySummary(sent=6)
        for n in range(6):
            parts = daemon.recv_multipart(copy=False)
            assert [part.bytes for part in parts] == message(n)
            assert door.sender_of(parts[0], daemon) == "top"


def test_a_camera_that_is_not_let_in_says_which_key_it_has(recording: Path) -> None:
    plant, stranger = Plant(), make_pair()
    with (
        Doorkeeper(plant.keyring) as door,
        bind_pull("tcp://127.0.0.1:*", max_part_bytes=2**20, door=door) as daemon,
    ):
        address = daemon.getsockopt_string(zmq.LAST_ENDPOINT)

        def refusal(login: Login | None) -> str:
            settings = PlaySettings(patience_s=0.2, login=login)
            with pytest.raises(EndpointError) as caught:
                play(
                    [recording],
                    address,
                    settings=settings,
                    stop=threading.Event(),
                    clock=SystemClock(),
                )
            return str(caught.value)

        assert f"public_key = {stranger.public!r}" in refusal(plant.login(stranger))
        assert stranger.secret not in refusal(plant.login(stranger))
        assert "--secret-key" in refusal(None)
