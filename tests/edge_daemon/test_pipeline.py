"""The way of a frame, from the message to the verdict, with a network that sees painted marks."""

from typing import TypeVar

import cv2
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from edge_daemon.core.messages import CoilEvent, CoverageEvent, DefectEvent, DurableBody
from edge_daemon.core.picture_quality import PictureRules
from edge_daemon.core.pixels import GreyImage
from edge_daemon.core.placement import Scale
from edge_daemon.core.reasons import NotInspectedReason
from edge_daemon.core.records import Verdict
from edge_daemon.core.wire import Codec
from edge_daemon.errors import RejectReason
from edge_daemon.outcomes import Facts, Message, Outcome
from edge_daemon.pipeline import MOST_CAMERAS
from tests.edge_daemon.marked_steel import (
    ANSWERS_NAN,
    BREAKS,
    BRIGHT,
    DARK,
    PATCH,
    SOUND,
    LineInspector,
    MarkFinder,
    documents,
    inspector,
    mask_of,
    message,
    steel,
    unreadable,
)

SECOND_NS = 1_000_000_000
SCALE = Scale(mm_per_px_along=20.0, mm_per_px_across=1.0)
ROUND_CORNERS_PX = 24
"""Bilinear cells round the corners of a rectangle: a few pixels each."""
B = TypeVar("B", bound=DurableBody)


def scratched(first: int = 40, end: int = 120, *, height: int = 256, width: int = 64) -> GreyImage:
    """Steel with a scratch, 16 columns wide."""
    image = steel(height, width)
    image[first:end, 16:32] = BRIGHT
    return image


def told(facts: Facts | list[Facts], kind: type[B]) -> list[B]:
    """What was told of one kind."""
    every = [facts] if isinstance(facts, Facts) else facts
    bodies = [announcement.body for each in every for announcement in each.announcements]
    return [body for body in bodies if isinstance(body, kind)]


def inspect_strip(
    line: LineInspector, *images: GreyImage, coil: str | None = None
) -> list[Outcome]:
    """Send images that follow each other on the strip, all of one height."""
    return [
        line.inspect(message(image, seq=seq, t_ns=seq * SECOND_NS, coil=coil))
        for seq, image in enumerate(images)
    ]


def test_sound_steel_is_clean() -> None:
    image = steel()
    outcome = inspector().inspect(message(image, coil="C1", encoder_mm=12.5))
    record = outcome.record
    assert (record.verdict, record.reason, record.defects) == (Verdict.CLEAN, None, ())
    assert (record.camera, record.stream, record.seq, record.coil) == ("top", "first", 0, "C1")
    assert record.position_mm == 12.5
    assert outcome.facts.news.lines_inspected == 256
    assert np.array_equal(outcome.image if outcome.image is not None else 0, image)
    assert not mask_of(outcome).any()


def test_a_mark_is_a_defect_of_its_class_where_it_lies() -> None:
    image = scratched()
    image[200:220, 40:60] = DARK
    outcome = inspector().inspect(message(image))
    assert outcome.record.verdict is Verdict.DEFECTIVE
    parts = {part.class_name: part for part in outcome.record.defects}
    assert parts.keys() == {"scratch", "patch"}
    assert parts["scratch"].bbox_xywh == (16, 40, 16, 80)
    assert parts["patch"].bbox_xywh == (40, 200, 20, 20)
    assert mask_of(outcome).shape == image.shape
    for part, value in ((parts["scratch"], BRIGHT), (parts["patch"], DARK)):
        painted = mask_of(outcome) == part.class_id
        assert np.count_nonzero(painted != (image == value)) <= ROUND_CORNERS_PX
        assert part.area_px == np.count_nonzero(painted)


def test_a_mark_below_the_minimum_area_is_no_defect() -> None:
    image = steel()
    image[100:104, 20:24] = BRIGHT
    outcome = inspector().inspect(message(image))
    assert outcome.record.verdict is Verdict.CLEAN
    assert not mask_of(outcome).any()


@pytest.mark.parametrize("poison", [BREAKS, ANSWERS_NAN])
def test_a_network_that_fails_never_calls_steel_clean(poison: int) -> None:
    outcome = inspector().inspect(message(steel(value=poison)))
    assert outcome.fault is not None
    record = outcome.record
    assert (record.verdict, record.reason, record.defects) == (
        Verdict.NOT_INSPECTED,
        "engine_fault",
        (),
    )
    assert (outcome.image, outcome.paint_mask(), outcome.rejected) == (None, None, None)
    assert outcome.facts.news.lines_inspected == 0
    assert outcome.facts.news.lines_not_inspected == {NotInspectedReason.ENGINE_FAULT: 256}


def test_one_nan_among_good_answers_is_a_failure() -> None:
    image = steel(256, 1600)
    image[100, 800] = ANSWERS_NAN
    assert inspector().inspect(message(image)).fault is not None


@pytest.mark.parametrize(
    ("payload", "codec", "reason"),
    [
        (b"too short", "raw", RejectReason.PAYLOAD_SIZE),
        (b"no image", "jpeg", RejectReason.DECODE),
        (b"no image", "png", RejectReason.DECODE),
    ],
)
def test_a_frame_that_can_not_be_unpacked_is_booked(
    payload: bytes, codec: str, reason: RejectReason
) -> None:
    line = inspector()
    line.inspect(message(steel()))
    outcome = line.inspect(message(steel(), seq=1, payload=payload, codec=Codec(codec)))
    assert (outcome.record.verdict, outcome.record.reason) == (
        Verdict.NOT_INSPECTED,
        "decode_error",
    )
    assert outcome.rejected is not None
    assert outcome.rejected.reason is reason
    (stretch,) = told(line.close(0), CoverageEvent)
    assert (stretch.from_line, stretch.to_line, stretch.reason) == (256, 512, "decode_error")


def test_a_frame_that_waited_too_long_is_booked_and_not_looked_at() -> None:
    network = MarkFinder()
    outcome = inspector(network=network).inspect(message(scratched()), left_out=RejectReason.STALE)
    assert (outcome.record.verdict, outcome.record.reason) == (Verdict.NOT_INSPECTED, "stale")
    assert outcome.facts.news.lines_not_inspected == {NotInspectedReason.STALE: 256}
    assert network.batches == []


def test_a_wrong_header_that_says_its_rows_is_booked() -> None:
    camera, header, payload = message(steel()).parts
    wrong = bytes(header).replace(b'"Mono8"', b'"Mono10"')
    outcome = inspector().inspect(Message([camera, wrong, payload], 0))
    assert (outcome.record.verdict, outcome.record.reason) == (Verdict.NOT_INSPECTED, "rejected")
    assert outcome.facts.news.lines_not_inspected == {NotInspectedReason.REJECTED: 256}
    assert outcome.rejected is not None
    assert outcome.rejected.reason is RejectReason.HEADER_FIELD


@pytest.mark.parametrize("parts", [[], [b"top"], [b"top", b"{}", b""], [b"", b"", b""]])
def test_a_message_that_says_no_rows_is_refused_and_books_nothing(parts: list[bytes]) -> None:
    outcome = inspector().inspect(Message(parts, 0))
    assert outcome.rejected is not None
    assert outcome.record.verdict is Verdict.NOT_INSPECTED
    assert outcome.record.reason == outcome.rejected.reason.value
    assert outcome.facts == Facts()


def test_a_frame_that_comes_twice_is_refused_and_books_nothing() -> None:
    line = inspector()
    line.inspect(message(scratched()))
    outcome = line.inspect(message(scratched()))
    assert outcome.rejected is not None
    assert (outcome.record.reason, outcome.record.camera) == ("duplicate", "top")
    assert outcome.facts == Facts()


def test_a_camera_that_is_not_configured_is_refused_where_only_known_ones_may_send() -> None:
    line = inspector(scales={"top": SCALE}, only_known=True)
    assert line.inspect(message(steel())).rejected is None
    outcome = line.inspect(message(steel(), camera="stranger"))
    assert outcome.rejected is not None
    assert outcome.rejected.reason is RejectReason.UNKNOWN_CAMERA
    assert "[[camera]]" in str(outcome.rejected)
    assert line.cameras == ("top",)


def test_strangers_can_not_fill_the_memory() -> None:
    line = inspector()
    image = steel(1, 1)
    for number in range(MOST_CAMERAS):
        assert line.inspect(message(image, camera=f"cam-{number}")).rejected is None
    outcome = line.inspect(message(image, camera="one-more"))
    assert outcome.rejected is not None
    assert outcome.rejected.reason is RejectReason.UNKNOWN_CAMERA
    assert line.inspect(message(image, camera="cam-0", seq=1)).rejected is None


def test_what_a_source_could_not_read_was_not_inspected() -> None:
    broken = unreadable()
    outcome = inspector().inspect(broken)
    assert (outcome.record.verdict, outcome.record.reason) == (Verdict.NOT_INSPECTED, "unreadable")
    assert (outcome.record.camera, outcome.facts) == (None, Facts())
    assert outcome.rejected is broken.left_out


def test_the_same_messages_give_the_same_outcomes() -> None:
    images = [scratched(200, 256), scratched(0, 256), steel(value=BREAKS), scratched(0, 90)]
    first = inspect_strip(inspector(), *images, coil="C1")
    second = inspect_strip(inspector(), *images, coil="C1")
    assert [o.record for o in first] == [o.record for o in second]
    assert [o.facts.announcements for o in first] == [o.facts.announcements for o in second]
    for one, other in zip(first, second, strict=True):
        masks = one.paint_mask(), other.paint_mask()
        assert masks[0] is masks[1] or np.array_equal(*masks)  # type: ignore[arg-type]  # both are there


def test_cameras_do_not_disturb_each_other() -> None:
    both, alone = inspector(), inspector()
    for seq, image in enumerate((scratched(200, 256), scratched(0, 50), steel())):
        mine = message(image, seq=seq)
        other = message(steel(value=BREAKS if seq == 1 else DARK), camera="bottom", seq=seq)
        both.inspect(other)
        expected, outcome = alone.inspect(mine), both.inspect(mine)
        assert outcome.record == expected.record
        assert outcome.facts.announcements == expected.facts.announcements
    assert both.cameras == ("bottom", "top")


def test_a_large_frame_shows_no_seam() -> None:
    image = steel(700, 3300)
    image[100:600, 1560:1760] = BRIGHT
    image[300:320, 20:3280] = DARK
    network = MarkFinder()
    outcome = inspector(network=network).inspect(message(image))
    assert network.batches == [8, 1]
    parts = outcome.record.defects
    assert sorted(part.class_name for part in parts) == ["patch", "scratch", "scratch"]
    scratches = [part for part in parts if part.class_name == "scratch"]
    assert sorted(part.bbox_xywh[1] for part in scratches) == [100, 320]
    assert sum(part.area_px for part in scratches) == pytest.approx(
        200 * 480, abs=2 * ROUND_CORNERS_PX
    )
    (patch,) = [part for part in parts if part.class_name == "patch"]
    assert patch.area_px == pytest.approx(20 * 3260, abs=ROUND_CORNERS_PX)


@pytest.mark.parametrize("shape", [(1, 1600), (2, 64), (5, 3000), (256, 1), (17, 17)])
def test_a_small_frame_is_inspected_whole(shape: tuple[int, int]) -> None:
    outcome = inspector().inspect(message(np.full(shape, DARK, np.uint8)))
    if shape[0] * shape[1] >= PATCH.min_area_px:
        assert (mask_of(outcome) == PATCH.id).all()
        assert [part.bbox_xywh for part in outcome.record.defects] == [(0, 0, shape[1], shape[0])]
    else:
        assert outcome.record.verdict is Verdict.CLEAN


def test_a_defect_over_frames_has_one_id_in_all_records() -> None:
    line = inspector()
    outcomes = inspect_strip(
        line, scratched(200, 256), scratched(0, 256), scratched(0, 40), steel()
    )
    ids = [[part.id for part in outcome.record.defects] for outcome in outcomes]
    assert ids[0] == ids[1] == ids[2]
    (event,) = told([outcome.facts for outcome in outcomes], DefectEvent)
    assert [event.defect_id] == ids[0]
    assert (event.first_line, event.last_line) == (200, 551)


def test_a_frame_that_overlaps_the_one_before_is_not_told_twice() -> None:
    line = inspector(scales={"top": Scale(0.5, 0.5)})
    line.inspect(message(scratched(156, 256)))
    image = scratched(0, 140)
    outcome = line.inspect(message(image, seq=1, first_line=156, t_ns=SECOND_NS))
    (part,) = outcome.record.defects
    assert (outcome.record.position_mm, part.position_mm) == (78.0, 128.0)
    assert part.bbox_xywh[1] == 100
    assert mask_of(outcome).shape == image.shape
    assert not mask_of(outcome)[:100].any()
    assert (
        part.area_px
        == np.count_nonzero(mask_of(outcome))
        == pytest.approx(16 * 40, abs=ROUND_CORNERS_PX)
    )
    (event,) = told(outcome.facts, DefectEvent)
    assert (event.first_line, event.last_line) == (156, 295)


def test_compressed_frames_are_inspected_like_raw_ones() -> None:
    image = scratched()
    done, packed = cv2.imencode(".png", image)
    assert done
    raw = inspector().inspect(message(image))
    png = inspector().inspect(message(image, payload=packed.tobytes(), codec=Codec.PNG))
    assert raw.record == png.record


def test_a_payload_that_can_not_be_written_to_is_inspected() -> None:
    one = message(scratched(width=1600))
    locked = Message([memoryview(bytes(part)) for part in one.parts], one.received_ns)
    assert inspector().inspect(locked).record == inspector().inspect(one).record


def long_scratch(line: LineInspector, frames: int = 3) -> list[Facts]:
    """Send a scratch so long that it is told as open: 256 rows of 20 mm are more than 2 m."""
    return [o.facts for o in inspect_strip(line, *[scratched(0, 256)] * frames, coil="C1")]


def test_a_long_defect_is_told_open_at_once_and_closed_at_its_end() -> None:
    line = inspector(scales={"top": SCALE})
    facts = long_scratch(line)
    assert [[d.open for d in told(each, DefectEvent)] for each in facts] == [[True], [], []]
    closed = told(line.close(0), DefectEvent)
    assert [(d.open, d.last_line) for d in closed] == [(False, 767)]
    assert closed[0].defect_id == told(facts, DefectEvent)[0].defect_id


def test_after_a_restart_what_was_told_as_open_is_closed_once() -> None:
    facts = long_scratch(inspector(scales={"top": SCALE}))
    (opened,) = told(facts, DefectEvent)
    saved = documents(facts)
    again = inspector(saved, scales={"top": SCALE})
    start = again.start()
    assert told(start, DefectEvent) == [opened.model_copy(update={"open": False})]
    once_more = inspector(documents([*facts, *start]), scales={"top": SCALE})
    assert told(once_more.start(), DefectEvent) == []
    (coil,) = told(once_more.close(0), CoilEvent)
    assert (coil.defects, coil.defects_major) == (1, 1)


def test_a_defect_that_ended_is_not_closed_again_after_a_restart() -> None:
    line = inspector(scales={"top": SCALE})
    facts = long_scratch(line)
    ending = line.inspect(message(steel(), seq=3, t_ns=3 * SECOND_NS, coil="C1")).facts
    assert [d.open for d in told(ending, DefectEvent)] == [False]
    assert told(inspector(documents([*facts, ending])).start(), DefectEvent) == []


def test_after_a_restart_rows_with_an_untold_defect_are_not_inspected() -> None:
    facts = [o.facts for o in inspect_strip(inspector(), steel(), scratched(100, 256), coil="C1")]
    again = inspector(documents(facts))
    start = again.start()
    assert sum(each.news.lines_not_inspected.total() for each in start) == 156
    outcome = again.inspect(message(steel(), seq=2, t_ns=2 * SECOND_NS, coil="C1"))
    (stretch,) = told([*start, outcome.facts], CoverageEvent)
    assert (stretch.from_line, stretch.to_line, stretch.reason) == (356, 512, "daemon_restart")
    (coil,) = told(again.close(0), CoilEvent)
    assert (coil.lines_inspected, coil.lines_not_inspected) == (356 + 256, 156)
    assert not coil.complete


def test_a_restart_leaves_no_open_coil_complete() -> None:
    facts = [o.facts for o in inspect_strip(inspector(), steel(), coil="C1")]
    again = inspector(documents(facts))
    again.start()
    again.inspect(message(steel(), seq=1, t_ns=SECOND_NS, coil="C1"))
    (coil,) = told(again.close(0), CoilEvent)
    assert (coil.lines_inspected, coil.lines_not_inspected, coil.complete) == (512, 0, False)


@pytest.mark.parametrize("facts_kept", [0, 1, 2, 3])
def test_a_crash_while_starting_takes_rows_back_once(facts_kept: int) -> None:
    """Each of the facts of a start has to be right by itself."""
    line = inspector()
    facts = [
        line.inspect(message(scratched(100, 256), camera=camera, coil="C1")).facts
        for camera in ("bottom", "top")
    ]
    start = inspector(documents(facts)).start()
    assert len(start) == 3
    kept = [*facts, *start[:facts_kept]]
    again = inspector(documents(kept))
    kept += again.start()
    ends = again.close(0)
    stretches = told([*kept, *ends], CoverageEvent)
    (coil,) = told(ends, CoilEvent)
    assert coil.lines_inspected == 2 * 100
    assert coil.lines_not_inspected == 2 * 156
    assert sorted((s.camera, s.from_line, s.to_line) for s in stretches) == [
        ("bottom", 100, 256),
        ("top", 100, 256),
    ]


def test_damaged_documents_do_not_stop_the_daemon() -> None:
    saved = {"camera/top": "{", "coil/C1": "[]", "open/4f": "null", "alien": "?"}
    line = inspector(saved)
    line.start()
    assert line.inspect(message(steel())).record.verdict is Verdict.CLEAN


def test_an_engine_that_lost_its_mind_takes_back_what_it_called_clean() -> None:
    line = inspector()
    facts = [line.inspect(message(steel(), coil="C1")).facts]
    line.confirm()
    facts.append(line.inspect(message(scratched(200, 256), seq=1, coil="C1")).facts)
    facts += line.distrust()
    (stretch,) = told(facts, CoverageEvent)
    assert (stretch.from_line, stretch.to_line, stretch.reason) == (256, 512, "engine_fault")
    again = inspector(documents(facts))
    assert told(again.start(), CoverageEvent) == []
    (coil,) = told(again.close(0), CoilEvent)
    assert (coil.lines_inspected, coil.lines_not_inspected) == (256, 256)


def test_a_stretch_is_told_though_the_camera_fell_silent() -> None:
    line = inspector()
    line.inspect(message(steel(), payload=b"", received_ns=10 * SECOND_NS))
    assert line.tick(10 * SECOND_NS, quiet_for_ns=SECOND_NS) == []
    (facts,) = line.tick(11 * SECOND_NS, quiet_for_ns=SECOND_NS)
    assert len(told(facts, CoverageEvent)) == 1
    assert facts.camera == "top"


def test_announcements_know_when_their_frame_arrived() -> None:
    one = message(scratched())
    arrived = Message(one.parts, one.received_ns, arrived_monotonic_ns=4711)
    announcements = inspector().inspect(arrived).facts.announcements
    assert {announcement.arrived_monotonic_ns for announcement in announcements} == {4711}


def test_closing_ends_everything_and_a_second_time_nothing() -> None:
    line = inspector()
    inspect_strip(line, scratched(200, 256), coil="C1")
    ends = line.close(5 * SECOND_NS)
    assert len(told(ends, DefectEvent)) == 1
    (coil,) = told(ends, CoilEvent)
    assert (coil.state, coil.defects, coil.complete) == ("done", 1, True)
    assert [key for key in documents(ends) if key.startswith("coil/")] == []
    again = line.close(5 * SECOND_NS)
    assert [each.announcements for each in again] == [()]


@given(st.lists(st.binary(max_size=40), max_size=4), st.integers(0, 3))
@settings(deadline=None, derandomize=True, max_examples=100)
def test_no_message_raises(parts: list[bytes], right: int) -> None:
    good = [bytes(part) for part in message(steel(8, 8)).parts]
    outcome = inspector().inspect(Message([*good[:right], *parts[right:]], 0))
    assert outcome.fault is None
    if [*good[:right], *parts[right:]] != good:
        assert outcome.record.verdict is Verdict.NOT_INSPECTED


def grainy(seed: int) -> GreyImage:
    """Steel with the noise of a camera, between the levels that mean something to the network."""
    return np.random.default_rng(seed).integers(100, 150, (256, 64), np.uint8)


def test_a_picture_that_is_not_fit_is_not_clean() -> None:
    line = inspector(pictures=PictureRules())
    first, second = grainy(1), grainy(2)
    dark = np.zeros_like(first)
    outcomes = inspect_strip(line, first, first, dark, second, coil="C1")
    assert [outcome.unfit for outcome in outcomes] == [None, "frozen", "black", None]
    bad = outcomes[1]
    assert (bad.record.verdict, bad.record.reason) == (Verdict.NOT_INSPECTED, "image_quality")
    assert bad.rejected is not None
    assert bad.rejected.reason is RejectReason.IMAGE_QUALITY
    assert "frozen" in str(bad.rejected)
    assert (bad.image, bad.regions) == (None, None)
    assert bad.facts.news.lines_not_inspected == {NotInspectedReason.IMAGE_QUALITY: 256}
    (stretch,) = told([outcome.facts for outcome in outcomes], CoverageEvent)
    assert (stretch.from_line, stretch.to_line) == (256, 768)


def test_each_camera_is_compared_with_itself_alone() -> None:
    line = inspector(pictures=PictureRules())
    for camera in ("bottom", "top"):
        assert line.inspect(message(grainy(1), camera=camera)).unfit is None


def test_without_rules_every_picture_is_looked_at() -> None:
    image = steel(value=SOUND)
    assert [outcome.unfit for outcome in inspect_strip(inspector(), image, image)] == [None, None]
