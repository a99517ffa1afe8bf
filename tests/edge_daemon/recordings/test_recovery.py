from pathlib import Path

import pytest
from mcap.reader import make_reader

from edge_daemon.errors import RecordingError
from edge_daemon.recordings.recording import (
    count_frames,
    read_metadata,
    read_recording,
    read_truth,
)
from edge_daemon.recordings.recovery import recover, recovered_path
from edge_daemon.recordings.writing import RecordingWriter

MESSAGES = [[b"top-1", b'{"seq":%d}' % n, bytes([n]) * 3000] for n in range(12)]


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """Three chunks of four messages, with truth behind each."""
    path = tmp_path / "line.mcap"
    with RecordingWriter(path) as writer:
        writer.write_metadata("made", {"by": "a test"})
        for n, parts in enumerate(MESSAGES):
            writer.write(parts, 10**18 + n)
            if n % 4 == 3:
                writer.write_truth({"after": n})
                writer.sync()
    return path


def test_a_recording_that_was_cut_off_becomes_one_that_others_read(
    recording: Path, tmp_path: Path
) -> None:
    whole = recording.read_bytes()
    recording.write_bytes(whole[: whole.index(MESSAGES[10][2]) + 2999])
    out = tmp_path / "again.mcap"
    recovery = recover(recording, out)
    assert recovery.frames == 10
    assert (recovery.first_ns, recovery.last_ns) == (10**18, 10**18 + 9)
    assert [message.parts for message in read_recording(out)] == MESSAGES[:10]
    assert list(read_truth(out)) == [{"after": 3}, {"after": 7}]
    assert read_metadata(out) == {"made": {"by": "a test"}}
    assert count_frames(out) == 10
    with out.open("rb") as file:
        assert len(list(make_reader(file, validate_crcs=True).iter_messages())) == 12


def test_what_was_damaged_is_told_with_its_place_and_the_original_stays_as_it_was(
    recording: Path, tmp_path: Path
) -> None:
    damaged = bytearray(recording.read_bytes())
    place = damaged.index(MESSAGES[5][2])
    damaged[place] ^= 1
    recording.write_bytes(damaged)
    recovery = recover(recording, tmp_path / "again.mcap")
    assert recovery.frames == 11
    (loss,) = recovery.losses.stretches
    assert loss.from_byte < place < loss.to_byte
    assert "checksum" in loss.why
    assert recording.read_bytes() == damaged
    assert {path.name for path in tmp_path.iterdir()} == {"line.mcap", "again.mcap"}


def test_recovering_twice_gives_the_same_bytes(recording: Path, tmp_path: Path) -> None:
    recording.write_bytes(recording.read_bytes()[:-2000])
    for name in ("a.mcap", "b.mcap"):
        recover(recording, tmp_path / name)
    assert (tmp_path / "a.mcap").read_bytes() == (tmp_path / "b.mcap").read_bytes()


def test_what_a_killed_recorder_left_gets_the_name_that_it_was_to_have(recording: Path) -> None:
    part = recording.rename(recording.with_name("line.mcap.part"))
    recover(part, recording)
    assert [message.parts for message in read_recording(recording)] == MESSAGES
    assert part.exists()


def test_a_file_without_a_whole_frame_leaves_nothing_behind(tmp_path: Path) -> None:
    path, out = tmp_path / "x.mcap.part", tmp_path / "x.mcap"
    with RecordingWriter(tmp_path / "empty.mcap") as writer:
        writer.write_metadata("made", {"by": "a test"})
    (tmp_path / "empty.mcap").rename(path)
    out.write_bytes(b"precious")
    with pytest.raises(RecordingError, match="no frame in it is whole"):
        recover(path, out, overwrite=True)
    assert out.read_bytes() == b"precious"
    assert {each.name for each in tmp_path.iterdir()} == {"x.mcap.part", "x.mcap"}


def test_a_damaged_beginning_does_not_keep_the_rest_from_being_saved(
    recording: Path, tmp_path: Path
) -> None:
    damaged = bytearray(recording.read_bytes())
    damaged[0:3] = b"\0\0\0"
    recording.write_bytes(damaged)
    with pytest.raises(RecordingError, match="doesn't begin as MCAP does"):
        next(read_recording(recording))
    recovery = recover(recording, tmp_path / "again.mcap")
    assert recovery.frames == len(MESSAGES)
    assert recovery.losses.count == 1


def test_a_recording_is_not_written_over_itself_nor_over_another_unasked(
    recording: Path, tmp_path: Path
) -> None:
    before = recording.read_bytes()
    link = tmp_path / "link.mcap"
    link.hardlink_to(recording)
    for out in (recording, link):
        with pytest.raises(RecordingError, match="itself would be written over"):
            recover(recording, out, overwrite=True)
    recovering = tmp_path / "new.mcap.recovering"
    recovering.hardlink_to(recording)
    with pytest.raises(RecordingError, match="itself would be written over"):
        recover(recovering, tmp_path / "new.mcap", overwrite=True)
    (tmp_path / "other.mcap").write_bytes(b"precious")
    with pytest.raises(RecordingError, match="there already"):
        recover(recording, tmp_path / "other.mcap")
    assert recording.read_bytes() == before
    assert (tmp_path / "other.mcap").read_bytes() == b"precious"


@pytest.mark.parametrize("name", ["line.mcap", "line.mcap.part", "line"])
def test_the_new_file_has_a_name_of_its_own(name: str) -> None:
    assert recovered_path(Path("/x") / name) == Path("/x/line.recovered.mcap")
