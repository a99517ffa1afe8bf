"""The frames around defects, kept by a daemon that runs and looked at again by `replay`."""

import json
from pathlib import Path

import pytest

from tests.conftest import wait_until
from tests.edge_daemon.conftest import DaemonProcess, edge_daemon, messages_of, read_json_lines

pytestmark = pytest.mark.timeout(300)  # for a busy computer


def test_a_defect_leaves_a_recording_that_says_the_same_when_it_is_replayed(
    tmp_path: Path, recording: Path
) -> None:
    folder = tmp_path / "evidence"
    keys = ["[evidence]", f'directory = "{folder}"', "after_s = 0.2", "leave_free_mib = 0"]
    messages = messages_of(recording)
    with DaemonProcess(tmp_path, *keys) as daemon, daemon.camera() as camera:
        for parts in messages:
            camera.send_multipart(parts)
        daemon.await_frames(len(messages))
        assert daemon.stop() == 0
    lines = [line.partition(" ") for line in daemon.out.read_text().splitlines()]
    told = [json.loads(text) for topic, _, text in lines if topic == "event/defect"]
    kept = sorted(folder.glob("*.mcap"))
    wait_until(lambda: bool(kept))
    names = " ".join(path.name for path in kept)
    assert told
    assert any(defect["defect_id"] in names for defect in told)
    done = edge_daemon("replay", *kept, "--jsonl", tmp_path / "again.jsonl")
    assert done.returncode == 0, done.stderr
    again = read_json_lines((tmp_path / "again.jsonl").read_text())
    assert "defective" in {line["verdict"] for line in again}
    sent = {json.loads(parts[1])["seq"] for parts in messages}
    assert {line["seq"] for line in again} <= sent
