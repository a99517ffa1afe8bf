import subprocess
import sys
from pathlib import Path

import pytest

from edge_daemon.clock import SystemClock
from edge_daemon.errors import StoreError
from edge_daemon.storage.glance import glance
from edge_daemon.storage.outbox import Outbox
from tests.edge_daemon.bodies import stretch

WORKING = """
import sys
from pathlib import Path
from edge_daemon.clock import SystemClock
from edge_daemon.storage.outbox import Outbox
from tests.edge_daemon.bodies import stretch
with Outbox(Path(sys.argv[1]), SystemClock()) as outbox:
    for line in sys.stdin:
        print(outbox.commit([stretch()], {})[0].seq, flush=True)
"""


def files(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def test_a_running_daemon_is_seen_and_goes_on_undisturbed(tmp_path: Path) -> None:
    path = tmp_path / "o.db"
    with subprocess.Popen(
        [sys.executable, "-c", WORKING, path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for seq in (1, 2, 3):
            print(file=process.stdin, flush=True)
            assert int(process.stdout.readline()) == seq
            before = files(tmp_path)
            seen = glance(path)
            assert seen is not None
            assert seen.in_use
            assert files(tmp_path) == before
    assert process.returncode == 0


def test_an_outbox_at_rest_is_looked_through_and_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "o.db"
    with Outbox(path, SystemClock()) as outbox:
        outbox.commit([stretch()] * 3, {})
    before = files(tmp_path)
    seen = glance(path)
    assert files(tmp_path) == before
    assert seen is not None
    assert (seen.in_use, seen.last_seq) == (False, 3)


def test_one_that_will_be_put_aside_is_told_before(tmp_path: Path) -> None:
    path = tmp_path / "o.db"
    path.write_bytes(b"no database" * 1000)
    with pytest.raises(StoreError, match="put it aside"):
        glance(path)


def test_where_there_is_none_there_is_nothing_to_see(tmp_path: Path) -> None:
    assert glance(tmp_path / "o.db") is None
