import json
from pathlib import Path

import pytest

from edge_daemon.cli.recovering import recover_and_print
from edge_daemon.recordings.writing import RecordingWriter


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    path = tmp_path / "line.mcap"
    with RecordingWriter(path) as writer:
        for n in range(3):
            writer.write([b"top-1", b"%d" % n], 10**18 + n * 500_000_000)
            writer.sync()
    path.write_bytes(
        path.read_bytes()[: path.read_bytes().index(b"\x05\0\0\0top-1\1\0\0\0002") + 3]
    )
    return path


def test_frames_their_time_and_the_damage_are_told(
    broken: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recover_and_print(broken, None, overwrite=False, as_json=False)
    saved, damaged = capsys.readouterr().out.splitlines()
    out = broken.with_name("line.recovered.mcap")
    assert saved == (
        f"{out}: 2 frames from 2001-09-09T01:46:40.000000Z to 2001-09-09T01:46:40.500000Z (0.500 s)"
    )
    assert damaged.startswith("damaged, bytes ")
    assert "lacks its last" in damaged


def test_scripts_get_the_same_as_json(broken: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recover_and_print(broken, broken.with_name("out.mcap"), overwrite=False, as_json=True)
    said = json.loads(capsys.readouterr().out)
    assert said["frames"] == 2
    assert said["damaged_places"] == len(said["damaged"]) == 1
    assert said["damaged"][0]["to_byte"] == broken.stat().st_size


def test_a_sound_recording_is_said_to_be_sound(
    broken: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recover_and_print(broken, None, overwrite=False, as_json=False)
    capsys.readouterr()
    sound = broken.with_name("line.recovered.mcap")
    recover_and_print(sound, broken.with_name("x.mcap"), overwrite=False, as_json=False)
    assert capsys.readouterr().out.endswith("nothing is wrong with line.recovered.mcap\n")
