import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from mcap.reader import make_reader

from edge_daemon.errors import RecordingError
from edge_daemon.recordings.recording import count_frames, read_recording, read_truth
from edge_daemon.recordings.writing import RecordingWriter
from tests.conftest import wait_until

ENDLESS = """
import sys
from itertools import count
from pathlib import Path
from edge_daemon.recordings.writing import RecordingWriter

with RecordingWriter(Path(sys.argv[1])) as writer:
    for n in count():
        writer.write([b"top-1", str(n).encode(), bytes(200_000)], n)
"""


@settings(
    deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.lists(
        st.tuples(
            st.lists(st.binary(max_size=32), max_size=5), st.integers(min_value=0, max_value=2**63)
        ),
        max_size=6,
    )
)
def test_any_messages_come_back_bit_for_bit(
    tmp_path: Path, messages: list[tuple[list[bytes], int]]
) -> None:
    path = tmp_path / "x.mcap"
    with RecordingWriter(path, overwrite=True) as writer:
        for parts, received_ns in messages:
            writer.write(parts, received_ns)
    assert [(m.parts, m.received_ns) for m in read_recording(path)] == messages
    assert count_frames(path) == len(messages)


def test_a_recording_gets_its_name_only_when_it_is_finished(tmp_path: Path) -> None:
    path = tmp_path / "line.mcap"
    with RecordingWriter(path) as writer:
        writer.write([b"top-1"], 1)
        assert not path.exists()
        assert writer.part_path.name == "line.mcap.part"
    assert path.exists()
    assert not writer.part_path.exists()


def test_an_error_leaves_the_part_and_no_recording(tmp_path: Path) -> None:
    path = tmp_path / "line.mcap"

    def record_and_fail() -> None:
        with RecordingWriter(path) as writer:
            writer.write([b"top-1"], 1)
            writer.sync()
            raise KeyError

    with pytest.raises(KeyError):
        record_and_fail()
    assert not path.exists()
    with pytest.raises(RecordingError, match="1 frames could be read"):
        list(read_recording(tmp_path / "line.mcap.part"))


def test_a_killed_writer_leaves_all_but_the_open_chunk(tmp_path: Path) -> None:
    part = tmp_path / "line.mcap.part"
    command = [sys.executable, "-c", ENDLESS, str(tmp_path / "line.mcap")]
    with subprocess.Popen(command) as process:
        wait_until(lambda: part.exists() and part.stat().st_size > 20_000_000)
        process.send_signal(signal.SIGKILL)
    read: list[bytes] = []
    with pytest.raises(RecordingError, match="could be read"):
        read.extend(message.parts[1] for message in read_recording(part))
    assert read == [str(n).encode() for n in range(len(read))]
    assert len(read) * 200_000 > part.stat().st_size - 6_000_000


def test_what_is_there_is_not_overwritten_unasked(tmp_path: Path) -> None:
    for name in ("a.mcap", "b.mcap.part"):
        (tmp_path / name).write_bytes(b"precious")
    for name in ("a.mcap", "b.mcap"):
        with pytest.raises(RecordingError, match="there already"), RecordingWriter(tmp_path / name):
            pass
    with RecordingWriter(tmp_path / "b.mcap", overwrite=True):
        pass
    assert (tmp_path / "a.mcap").read_bytes() == b"precious"
    assert count_frames(tmp_path / "b.mcap") == 0


def test_the_disk_has_everything_at_least_every_second(tmp_path: Path) -> None:
    now = [0.0]
    with RecordingWriter(tmp_path / "x.mcap", clock=lambda: now[0]) as writer:
        writer.write([b"top-1", b"first"], 1)
        now[0] = 0.9
        writer.sync_when_due()
        assert b"first" not in writer.part_path.read_bytes()
        now[0] = 1.0
        writer.sync_when_due()
        assert b"first" in writer.part_path.read_bytes()
        now[0] = 2.0
        writer.write([b"top-1", b"second"], 2)
        assert b"second" in writer.part_path.read_bytes()


def test_chunks_stay_near_four_mebibytes(tmp_path: Path) -> None:
    path = tmp_path / "x.mcap"
    with RecordingWriter(path, sync_every_s=None) as writer:
        for n in range(30):
            writer.write([b"top-1", b"{}", bytes(400_000)], n)
    with path.open("rb") as file:
        summary = make_reader(file).get_summary()
    assert summary is not None
    sizes = [index.uncompressed_size for index in summary.chunk_indexes]
    assert len(sizes) == 3
    assert all(size < 5_000_000 for size in sizes)
    assert {index.compression for index in summary.chunk_indexes} == {""}


def test_cameras_have_channels_of_their_own_and_wrong_ids_share_one(tmp_path: Path) -> None:
    path = tmp_path / "x.mcap"
    with RecordingWriter(path) as writer:
        for parts in ([b"a"], [b"b"], [b"a", b"x"], [b"no/id"], [b"\xff"], []):
            writer.write(parts, 1)
    with path.open("rb") as file:
        topics = [channel.topic for _, channel, _ in make_reader(file).iter_messages()]
    assert sorted(topics) == ["frames"] * 3 + ["frames/a"] * 2 + ["frames/b"]


def test_a_flood_of_camera_ids_does_not_make_a_flood_of_channels(tmp_path: Path) -> None:
    path = tmp_path / "x.mcap"
    with RecordingWriter(path) as writer:
        for n in range(400):
            writer.write([str(n).encode()], n)
    assert count_frames(path) == 400
    with path.open("rb") as file:
        summary = make_reader(file).get_summary()
    assert summary is not None
    assert len(summary.channels) <= 257


def test_a_message_over_the_limit_is_refused_and_the_rest_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "x.mcap"
    with RecordingWriter(path) as writer:
        with pytest.raises(RecordingError, match="is the most"):
            writer.write([bytes(2**20)] * 128, 1)
        writer.write([b"top-1"], 2)
    assert [m.parts for m in read_recording(path)] == [[b"top-1"]]


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with (
        pytest.raises(RecordingError, match="nowhere"),
        RecordingWriter(tmp_path / "nowhere" / "x"),
    ):
        pass


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_full_disk_is_a_recording_error_that_says_so(tmp_path: Path) -> None:
    part = tmp_path / "x.mcap.part"
    part.symlink_to("/dev/full")

    def fill_it() -> None:
        with RecordingWriter(tmp_path / "x.mcap", overwrite=True) as writer:
            writer.write([b"top-1"], 1)
            writer.sync()

    with pytest.raises(RecordingError, match=os.strerror(errno.ENOSPC)):
        fill_it()


def test_the_same_messages_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        with RecordingWriter(tmp_path / name, sync_every_s=None) as writer:
            for n in range(20):
                writer.write([b"top-1", b"{}", bytes([n]) * 300_000], n)
            writer.write_truth({"b": 1, "a": [n]})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert list(read_truth(tmp_path / "a")) == [{"a": [19], "b": 1}]
