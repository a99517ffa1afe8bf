"""Every bad input over real sockets at one running daemon, with a good camera beside it."""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
import zmq

from tests.bad_input.cases import BAD, GOOD, ROWS, good, header, picture
from tests.bad_input.corpus import KINDS, corpus
from tests.bad_input.watched_daemon import MAX_PAYLOAD_MIB, WatchedDaemon, booked_rows, refusals
from tests.conftest import wait_until

pytestmark = pytest.mark.timeout(120)
CASES = corpus()
MOST_RSS_MIB = 640
"""Whatever comes in, with payloads of 32 MiB at most and 64 MiB of them in the queue."""


@dataclass
class Line:
    """A running daemon and its two cameras' sockets."""

    daemon: WatchedDaemon
    bad: "zmq.Socket[bytes]"
    good: "zmq.Socket[bytes]"
    good_frames: int = 0

    def send_good(self) -> None:
        pixels = picture(10_000 + self.good_frames).tobytes()
        self.good.send_multipart([GOOD.encode(), header("good", self.good_frames), pixels])
        self.good_frames += 1


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Line]:
    with (
        WatchedDaemon(tmp_path_factory.mktemp("bad")) as daemon,
        daemon.camera() as bad,
        daemon.camera() as beside,
    ):
        line = Line(daemon, bad, beside)
        bad.send_multipart(list(good("before", 0)))
        line.send_good()
        daemon.await_frames(2)
        yield line


@pytest.mark.parametrize("kind", KINDS)
def test_bad_input_costs_one_counter_and_the_next_frame_is_inspected(kind: str, line: Line) -> None:
    cases, before = CASES[kind], line.daemon.scrape()
    received = before.total("frames_received_total")
    for case in cases:
        for parts in case.messages:
            line.bad.send_multipart(list(parts))
        line.send_good()
    sent = sum(len(case.messages) for case in cases) + len(cases)
    line.daemon.await_frames(int(received) + sent)
    line.send_good()  # a frame is counted before its rows are: with the next one they all are
    line.daemon.await_frames(int(received) + sent + 1)
    after = line.daemon.scrape()
    expected = sum((case.refused for case in cases), Counter())
    cameras = {camera for camera, _ in expected}
    assert refusals(after, cameras) - refusals(before, cameras) == expected
    total = "frames_rejected_total"
    assert after.total(total) - before.total(total) == expected.total()
    booked = booked_rows(after, BAD) - booked_rows(before, BAD)
    assert booked == sum((case.booked for case in cases), Counter())
    name = "lines_inspected_total"
    inspected = after.total(name, camera=BAD) - before.total(name, camera=BAD)
    assert inspected == sum(case.inspected for case in cases)


def test_the_other_camera_was_never_touched(line: Line) -> None:
    line.send_good()
    wait_until(
        lambda: (
            line.daemon.scrape().total("lines_inspected_total", camera=GOOD)
            == line.good_frames * ROWS
        )
    )
    scrape = line.daemon.scrape()
    assert scrape.total("frames_rejected_total", camera=GOOD) == 0
    assert scrape.total("lines_not_inspected_total", camera=GOOD) == 0
    assert scrape.total("frames_lost_total", camera=GOOD) == 0


def test_a_part_that_is_too_long_costs_a_connection_and_no_memory(line: Line) -> None:
    name, daemon = "too long", line.daemon
    long = bytes((2 * MAX_PAYLOAD_MIB + 1) * 2**20)
    with daemon.camera() as other:
        other.send_multipart([BAD.encode(), header(name, 0), long])
        received = daemon.scrape().total("frames_received_total")
        line.bad.send_multipart(list(good(name, 1)))
        daemon.await_frames(int(received) + 1)
    assert daemon.scrape().total("frames_received_total") == received + 1


def test_memory_stayed_within_its_bound(line: Line) -> None:
    assert line.daemon.most_rss_mib < MOST_RSS_MIB


def test_the_log_is_short_and_has_no_traceback(line: Line) -> None:
    log = line.daemon.log.read_text()
    assert "Traceback" not in log
    assert "CRITICAL" not in log
    refused = [text for text in log.splitlines() if "frame refused" in text]
    assert 0 < len(refused) < 200
    assert max(map(len, refused)) < 600


def test_it_is_alive_and_ready_after_all_of_it(line: Line) -> None:
    assert line.daemon.get("/livez")[0] == 200
    assert json.loads(line.daemon.get("/readyz")[1])["ready"] is True
    assert line.daemon.stop() == 0
