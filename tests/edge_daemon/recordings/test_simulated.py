import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge_daemon.core.pixels import decode
from edge_daemon.core.rle import decode as decode_runs
from edge_daemon.core.wire import Codec, parse
from edge_daemon.errors import SourceError
from edge_daemon.recordings.recording import (
    count_frames,
    read_metadata,
    read_recording,
    read_truth,
)
from edge_daemon.recordings.simulated import (
    SimulatedSummary,
    SimulationSettings,
    count_simulated,
    write_simulated,
)
from edge_daemon.simulation.line import SyntheticLine

LINE = SyntheticLine(seed=5, coils=2, coil_length_mm=500, defects_per_m=12, height=128, width=320)


@pytest.mark.parametrize("codec", [Codec.PNG, Codec.RAW])
def test_the_recorded_frames_are_the_lines_own(tmp_path: Path, codec: Codec) -> None:
    path = tmp_path / "line.mcap"
    write_simulated(path, SimulationSettings(line=LINE, codec=codec))
    drawn = list(LINE.frames())
    frames = [parse(message.parts) for message in read_recording(path)]
    assert len(frames) == len(drawn) == count_frames(path)
    for seq, (frame, true) in enumerate(zip(frames, drawn, strict=True)):
        assert np.array_equal(decode(frame), true.image)
        assert (frame.camera, frame.header.coil) == ("top-1", true.coil)
        assert (frame.header.seq, frame.header.first_line) == (seq, true.first_line)
        assert frame.header.encoder_mm == true.position_mm
        assert frame.header.crc32 is not None


def test_the_truth_beside_the_frames_is_what_was_drawn(tmp_path: Path) -> None:
    path = tmp_path / "line.mcap"
    summary = write_simulated(path, SimulationSettings(line=LINE))
    drawn = list(LINE.frames())
    truths = list(read_truth(path))
    masks = {t["seq"]: t["masks"] for t in truths if t["kind"] == "frame"}
    assert set(masks) == {seq for seq, frame in enumerate(drawn) if frame.mask.any()}
    for seq, by_class in masks.items():
        mask = np.zeros_like(drawn[seq].mask)
        for class_id, runs in by_class.items():
            mask[decode_runs(runs, height=128, width=320)] = int(class_id)
        assert np.array_equal(mask, drawn[seq].mask)
    coils = [t for t in truths if t["kind"] == "coil"]
    assert [c["coil"] for c in coils] == ["C1001", "C1002"]
    assert [c["rows"] for c in coils] == [LINE.rows_per_coil] * 2
    defects = sum(len(c["defects"]) for c in coils)
    assert summary == SimulatedSummary(len(drawn), 2, defects)
    assert defects == sum(len(frame.finished) for frame in drawn) > 0


def test_a_seed_gives_the_same_bytes_and_another_seed_others(tmp_path: Path) -> None:
    other = SyntheticLine(seed=6, coil_length_mm=200, height=128, width=320)
    same = SyntheticLine(seed=6, coil_length_mm=200, height=128, width=320)
    third = SyntheticLine(seed=7, coil_length_mm=200, height=128, width=320)
    paths = [tmp_path / name for name in ("a", "b", "c")]
    for path, line in zip(paths, (other, same, third), strict=True):
        write_simulated(path, SimulationSettings(line=line))
    contents = [path.read_bytes() for path in paths]
    assert contents[0] == contents[1]
    assert contents[0] != contents[2]
    streams = [json.loads(next(read_recording(path)).parts[1])["stream"] for path in paths]
    assert streams[0] == streams[1] != streams[2]


def test_frames_pass_at_the_speed_of_the_strip(tmp_path: Path) -> None:
    path = tmp_path / "line.mcap"
    write_simulated(path, SimulationSettings(line=LINE, speed_m_per_s=1.0, codec=Codec.RAW))
    times = [parse(m.parts).header.t_ns for m in read_recording(path)]
    assert set(np.diff(times).tolist()) == {64_000_000}
    assert all(m.received_ns > t for m, t in zip(read_recording(path), times, strict=True))


def test_jpeg_is_lossy_but_of_the_same_picture(tmp_path: Path) -> None:
    path = tmp_path / "line.mcap"
    write_simulated(path, SimulationSettings(line=LINE, codec=Codec.JPEG))
    first = decode(parse(next(read_recording(path)).parts))
    drawn = next(LINE.frames()).image
    assert float(np.mean(cv2.absdiff(first, drawn))) < 5


def test_settings_are_kept_with_the_recording_and_progress_is_told(tmp_path: Path) -> None:
    path = tmp_path / "line.mcap"
    settings = SimulationSettings(line=LINE, codec=Codec.RAW)
    seen: list[int] = []
    write_simulated(path, settings, progress=lambda summary: seen.append(summary.frames))
    assert seen == list(range(1, count_simulated(settings) + 1))
    kept = json.loads(read_metadata(path)["simulation"]["settings"])
    assert kept["line"]["seed"] == 5


@pytest.mark.parametrize(
    "settings",
    [
        SimulationSettings(line=SyntheticLine(coils=0)),
        SimulationSettings(line=SyntheticLine(coil_length_mm=-1)),
        SimulationSettings(line=SyntheticLine(mm_per_px_along=0)),
        SimulationSettings(speed_m_per_s=0),
        SimulationSettings(speed_m_per_s=float("nan")),
        SimulationSettings(jpeg_quality=0),
        SimulationSettings(camera="no id"),
    ],
)
def test_a_setting_out_of_range_is_refused_before_a_file_is_made(
    tmp_path: Path, settings: SimulationSettings
) -> None:
    with pytest.raises(SourceError):
        write_simulated(tmp_path / "x.mcap", settings)
    assert list(tmp_path.iterdir()) == []
