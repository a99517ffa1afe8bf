"""A network that hangs, or begins to lie: found out, booked, left behind."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import wait_until
from tests.edge_daemon.conftest import DaemonProcess
from tests.edge_daemon.failing_network import HANGS, LIES
from tests.edge_daemon.marked_steel import message

pytestmark = pytest.mark.timeout(300)  # for a busy computer
ROWS = 256


def steel(*, first: int) -> np.ndarray[tuple[int, int], np.dtype[np.uint8]]:
    image = np.random.default_rng(first).integers(100, 140, (ROWS, 1600), np.uint8)
    image[0, 0] = first
    return image


@pytest.mark.parametrize(("sign", "said"), [(HANGS, "hasn't answered"), (LIES, "known answer")])
def test_it_is_left_with_70_and_what_it_looked_at_since_its_known_answer_is_told(
    sign: int, said: str, tmp_path: Path
) -> None:
    daemon = DaemonProcess(tmp_path)
    usual = daemon.command
    daemon.command = [sys.executable, "-m", "tests.edge_daemon.failing_network"]
    daemon.command += [str(daemon.config)]
    with daemon, daemon.camera() as camera:
        camera.send_multipart(message(steel(first=1), seq=0, t_ns=0).parts)
        daemon.await_frames(1)
        camera.send_multipart(message(steel(first=sign), seq=1, t_ns=1).parts)
        assert daemon.await_end() == 70
        assert said in daemon.log.read_text()
    daemon.command = usual
    with daemon, daemon.camera() as camera:
        camera.send_multipart(message(steel(first=2), seq=2, t_ns=2).parts)
        daemon.await_frames(1)
        wait_until(lambda: daemon.scrape().total("lines_inspected_total") == ROWS)
        assert daemon.stop() == 0
    lines = [line.partition(" ") for line in daemon.out.read_text().splitlines()]
    told = [json.loads(text) for topic, _, text in lines if topic == "event/coverage"]
    rows = [row for one in told for row in range(one["from_line"], one["to_line"])]
    assert sorted(rows) == list(range(2 * ROWS))
    assert {one["reason"] for one in told} <= {"engine_fault", "daemon_restart"}
