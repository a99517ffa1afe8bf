import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge_daemon.core.wire import FrameHeader, parse
from edge_daemon.errors import RejectReason, SourceError
from edge_daemon.recordings.sources import SourceFrame, open_replay
from edge_daemon.recordings.writing import RecordingWriter


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three readable images, an empty one between them, and a text."""
    folder = tmp_path / "strips"
    folder.mkdir()
    rng = np.random.default_rng(2)
    for name in ("c.png", "a.jpg", "d.bmp"):
        image = rng.integers(0, 256, (32, 64), dtype=np.uint8)
        (folder / name).write_bytes(cv2.imencode(name[1:], image)[1].tobytes())
    (folder / "b.png").touch()
    (folder / "train.csv").write_text("ImageId\n")
    return folder


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    path = tmp_path / "line.mcap"
    with RecordingWriter(path) as writer:
        for n in range(3):
            writer.write([b"top-1", str(n).encode(), b"x"], 500 + n)
            writer.sync()
    return path


def headers(frames: list[SourceFrame]) -> list[FrameHeader]:
    return [parse(frame.parts).header for frame in frames if frame.parts is not None]


def test_a_folder_comes_in_name_order_with_times_from_the_order(folder: Path) -> None:
    frames = list(open_replay([folder]))
    assert [frame.source for frame in frames] == ["a.jpg", "b.png", "c.png", "d.bmp"]
    assert [frame.received_ns for frame in frames] == [0, 10**9, 2 * 10**9, 3 * 10**9]
    assert [h.t_ns for h in headers(frames)] == [0, 2 * 10**9, 3 * 10**9]
    assert {frame.parts[0] for frame in frames if frame.parts} == {b"replay"}


def test_an_unreadable_image_is_a_frame_with_an_error_and_the_others_come(folder: Path) -> None:
    frames = list(open_replay([folder]))
    assert [frame.parts is None for frame in frames] == [False, True, False, False]
    error = frames[1].error
    assert error is not None
    assert error.reason is RejectReason.UNREADABLE


def test_photographs_are_streams_of_their_own_that_no_neighbour_changes(folder: Path) -> None:
    before = headers(list(open_replay([folder])))
    assert len({h.stream for h in before}) == 3
    assert {(h.seq, h.first_line) for h in before} == {(0, 0)}
    (folder / "a.jpg").unlink()
    after = headers(list(open_replay([folder])))
    assert [h.stream for h in after] == [h.stream for h in before[1:]]


def test_the_same_image_under_another_name_is_another_stream(folder: Path) -> None:
    (folder / "e.png").write_bytes((folder / "c.png").read_bytes())
    streams = {h.stream for h in headers(list(open_replay([folder])))}
    assert len(streams) == 4


def test_the_same_folder_twice_is_no_duplicate(folder: Path) -> None:
    for continuous in (False, True):
        frames = headers(list(open_replay([folder, folder], continuous=continuous)))
        assert len({(h.stream, h.seq) for h in frames}) == 6


def test_a_continuous_folder_is_one_stream_with_rising_rows(folder: Path) -> None:
    frames = headers(list(open_replay([folder], continuous=True)))
    assert len({h.stream for h in frames}) == 1
    assert [h.seq for h in frames] == [0, 2, 3]
    assert [h.first_line for h in frames] == [0, 64, 96]


@pytest.mark.parametrize("continuous", [False, True])
def test_the_same_input_gives_the_same_bytes(
    folder: Path, recording: Path, tmp_path: Path, *, continuous: bool
) -> None:
    moved = folder.rename(tmp_path / "moved")
    once = [f.parts for f in open_replay([moved, recording], continuous=continuous)]
    for path in moved.iterdir():
        os.utime(path, (1, 1))
    folder = moved.rename(tmp_path / "again")
    assert [f.parts for f in open_replay([folder, recording], continuous=continuous)] == once


def test_a_recording_gives_its_exact_parts_under_its_file_name(recording: Path) -> None:
    frames = list(open_replay([recording]))
    assert [f.parts for f in frames] == [[b"top-1", str(n).encode(), b"x"] for n in range(3)]
    assert [(f.source, f.received_ns) for f in frames] == [("line.mcap", 500 + n) for n in range(3)]


def test_a_cut_recording_ends_in_an_unreadable_frame_and_the_next_source_comes(
    recording: Path, folder: Path
) -> None:
    whole = recording.read_bytes()
    recording.write_bytes(whole[: whole.rindex(b"2\1\0\0\0x")])
    frames = list(open_replay([recording, folder / "c.png"]))
    assert [f.parts is None for f in frames] == [False, False, True, False]
    error = frames[2].error
    assert error is not None
    assert "2 frames could be read" in error.detail
    assert frames[2].received_ns == 501
    assert frames[3].source == "c.png"


def test_a_part_file_that_a_crash_left_is_read_as_a_recording(recording: Path) -> None:
    part = recording.rename(recording.with_name("line.mcap.part"))
    assert len(list(open_replay([part]))) == 3


def test_the_count_is_known_unless_a_recording_was_cut(recording: Path, folder: Path) -> None:
    assert open_replay([folder, recording, folder / "a.jpg"]).count() == 8
    recording.write_bytes(recording.read_bytes()[:-10])
    assert open_replay([folder, recording]).count() is None


def test_a_named_file_that_is_no_image_is_unreadable_and_not_ignored(folder: Path) -> None:
    (frame,) = open_replay([folder / "train.csv"])
    assert frame.source == "train.csv"
    assert frame.error is not None


def test_a_source_that_is_not_there_is_refused_before_anything_is_read(folder: Path) -> None:
    with pytest.raises(SourceError, match="doesn't exist"):
        open_replay([folder, folder / "nowhere.mcap"])


def test_a_dangling_link_is_unreadable_and_not_missing(tmp_path: Path) -> None:
    (tmp_path / "x.mcap").symlink_to("nowhere")
    (frame,) = open_replay([tmp_path / "x.mcap"])
    assert frame.error is not None


def test_a_file_that_vanishes_after_it_was_listed_is_unreadable(folder: Path) -> None:
    source = open_replay([folder])
    (folder / "c.png").unlink()
    assert [frame.error is None for frame in source] == [True, False, False, True]


@pytest.mark.parametrize("camera", ["", "a/b", "x" * 65, "\udcff"])
def test_images_cannot_be_given_a_camera_id_that_is_none(folder: Path, camera: str) -> None:
    with pytest.raises(SourceError, match="camera id"):
        open_replay([folder], camera=camera)
