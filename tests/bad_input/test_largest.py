"""The largest frames that the contract allows, from files of a few megabytes: `make test-slow`."""

import zlib
from collections.abc import Iterator

import pytest

from edge_daemon.core.wire import MAX_SIDE_PX
from tests.bad_input.cases import BAD, good
from tests.bad_input.pictures import hand_made_png
from tests.bad_input.watched_daemon import WatchedDaemon, booked_rows
from tests.edge_daemon.conftest import Scrape

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
MOST_RSS_MIB = 2560
"""Three bytes for each of 16384 x 16384 pixels while they are unpacked; then cut and answered."""


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WatchedDaemon]:
    with WatchedDaemon(tmp_path_factory.mktemp("largest")) as daemon:
        yield daemon


def striped(channel_bytes: int) -> bytes:
    """Rows of steel that is not all of one grey, packed to a thousandth."""
    packer = zlib.compressobj(1)
    rows = [b"\0" + bytes([100 + k % 50]) * (MAX_SIDE_PX * channel_bytes) for k in range(50)]
    packed = [packer.compress(rows[k % 50]) for k in range(MAX_SIDE_PX)]
    return b"".join((*packed, packer.flush()))


def settled(daemon: WatchedDaemon, stream: str, payload: bytes) -> Scrape:
    before = int(daemon.scrape().total("frames_received_total"))
    side = {"width": MAX_SIDE_PX, "height": MAX_SIDE_PX}
    with daemon.camera() as camera:
        camera.send_multipart(list(good(stream, 0, codec="png", payload=payload, **side)))
        camera.send_multipart(list(good(stream, 1, first_line=MAX_SIDE_PX)))
        daemon.await_frames(before + 2)
    return daemon.scrape()


def test_a_file_that_unpacks_to_two_gigabytes_is_refused(daemon: WatchedDaemon) -> None:
    before = daemon.most_rss_mib
    payload = hand_made_png(MAX_SIDE_PX, MAX_SIDE_PX, striped(8), depth=16, colour_type=6)
    scrape = settled(daemon, "deep", payload)
    assert scrape.total("frames_rejected_total", camera=BAD, reason="decode") == 1
    assert daemon.most_rss_mib < before + 256


def test_the_largest_colour_frame_is_booked_within_the_bound(daemon: WatchedDaemon) -> None:
    before = daemon.scrape()
    payload = hand_made_png(MAX_SIDE_PX, MAX_SIDE_PX, striped(3), colour_type=2)
    after = settled(daemon, "large", payload)
    name = "lines_inspected_total"
    inspected = after.total(name, camera=BAD) - before.total(name, camera=BAD)
    missed = booked_rows(after, BAD) - booked_rows(before, BAD)
    assert inspected + missed.total() >= MAX_SIDE_PX
    assert daemon.most_rss_mib < MOST_RSS_MIB
    assert daemon.get("/livez")[0] == 200
