from dataclasses import replace

from edge_daemon.errors import FrameError, RejectReason
from edge_daemon.evidence.frames import FrameRing, keep
from tests.edge_daemon.evidence.steel import SECOND_NS, kept, shot


def test_large_parts_are_not_copied_and_small_ones_do_not_hold_the_buffer_around_them() -> None:
    large, buffer = bytes(100_000), bytes(8192)
    message, record = shot(0)
    parts = [memoryview(buffer)[:3], memoryview(buffer)[3:50], memoryview(large)]
    frame = keep(replace(message, parts=parts), record)
    assert frame is not None
    camera, header, payload = frame.parts
    assert type(camera) is type(header) is bytes
    assert isinstance(payload, memoryview)
    assert payload.obj is large
    assert 100_000 < frame.size < 110_000


def test_there_is_nothing_to_see_in_a_message_without_pixels_or_camera() -> None:
    message, record = shot(0)
    stale = FrameError(RejectReason.STALE, "waited")
    assert keep(replace(message, left_out=stale), record) is None
    assert keep(message, replace(record, camera=None)) is None


def test_a_ring_forgets_what_is_too_old_of_whatever_camera() -> None:
    ring = FrameRing(SECOND_NS)
    for n in range(30):
        ring.add(kept(n, camera=f"camera-{n % 3}"))
    frames = [frame for n in range(3) for frame in ring.take(f"camera-{n}")]
    assert sorted(frame.at_ns * 10 // SECOND_NS for frame in frames) == list(range(19, 30))
    assert ring.size == 0


def test_frames_that_were_taken_are_gone_and_the_others_stay() -> None:
    ring = FrameRing(SECOND_NS)
    for n in range(4):
        ring.add(kept(n, camera="ab"[n % 2]))
    assert len(ring.take("a")) == 2
    assert ring.take("a") == []
    assert len(ring.take("b")) == 2
    assert ring.size == 0
    assert not ring.drop_oldest()
