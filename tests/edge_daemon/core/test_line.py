"""What one camera tells of the strip: defects once, gaps always, millimetres where known."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from edge_daemon.core.coils import CoilBook
from edge_daemon.core.coverage import CoverageState
from edge_daemon.core.defects import DefectClass, Region, find_regions
from edge_daemon.core.line import CameraLine
from edge_daemon.core.messages import CoilEvent, CoverageEvent, DefectEvent, DurableBody
from edge_daemon.core.placement import Scale
from edge_daemon.core.reasons import NotInspectedReason
from edge_daemon.core.records import FrameDefect
from edge_daemon.core.tracking import REACH_PX
from edge_daemon.core.wire import Codec, FrameHeader, PixelFormat
from edge_daemon.errors import FrameError

SCRATCH = DefectClass(3, "scratch", 0.5, 20, "major")
HEIGHT, WIDTH = 100, 40
SECOND_NS = 1_000_000_000
SCALE = Scale(mm_per_px_along=0.5, mm_per_px_across=0.25, across_offset_mm=-5.0)


def stripe(
    first: int = 0, end: int = HEIGHT, *, left: int = 10, width: int = 4, height: int = HEIGHT
) -> list[Region]:
    """A scratch in the rows from `first` to `end` of a frame."""
    plane = np.zeros((1, height, WIDTH), np.float32)
    plane[:, first:end, left : left + width] = 0.7
    return find_regions(
        plane, [SCRATCH], height_px=height, width_px=WIDTH, stride_px=1, reach_px=REACH_PX
    )


class Seen:
    """A camera's line, the coils and all that was told."""

    def __init__(self, scale: Scale | None = None, saved: CoverageState | None = None) -> None:
        self.coils = CoilBook([SCRATCH])
        self.line = CameraLine("top", scale, coils=self.coils, bundle="marks 1", saved=saved)
        self.told: list[DurableBody] = []
        self.seq = 0

    def frame(self, *regions: Region, missed: bool = False, **fields: Any) -> list[FrameDefect]:  # noqa: ANN401 - whatever a header takes
        """The next frame, with what the network found in it."""
        header = FrameHeader(
            **{
                "v": 1,
                "stream": "first",
                "seq": self.seq,
                "t_ns": (self.seq + 1) * SECOND_NS,
                "width": WIDTH,
                "height": HEIGHT,
                "format": PixelFormat.MONO8,
                "codec": Codec.RAW,
                "coil": "C1",
                **fields,
            }
        )
        passage = self.line.arrive(header, now_ns=header.t_ns)
        self.seq = header.seq + 1
        parts: list[FrameDefect] = []
        if missed:
            self.line.missed(NotInspectedReason.DECODE_ERROR, passage)
        else:
            parts = [defect for defect, _ in self.line.inspected(regions, passage)]
        self.take()
        return parts

    def take(self) -> None:
        self.told += self.line.take_news().bodies

    def end(self) -> CoilEvent:
        """No more frames; the summary of the last coil."""
        self.line.close()
        self.take()
        return self.coils.close_all(99 * SECOND_NS)[-1]

    @property
    def defects(self) -> list[DefectEvent]:
        return [body for body in self.told if isinstance(body, DefectEvent)]

    @property
    def missed(self) -> list[tuple[int, int, str]]:
        return [
            (body.from_line, body.to_line, body.reason.value)
            for body in self.told
            if isinstance(body, CoverageEvent)
        ]


def test_a_defect_is_told_when_it_ends_with_all_that_is_known() -> None:
    seen = Seen(SCALE)
    (part,) = seen.frame(*stripe(20, 60))
    (told,) = seen.defects
    assert told == DefectEvent(
        defect_id=part.id,
        open=False,
        camera="top",
        stream="first",
        coil="C1",
        class_id=3,
        class_name="scratch",
        severity="major",
        score=0.7,
        first_line=20,
        last_line=59,
        left_px=10,
        width_px=4,
        area_px=160,
        captured_at="1970-01-01T00:00:01.000000Z",
        position_mm=10.0,
        across_mm=-2.5,
        length_mm=20.0,
        width_mm=1.0,
        area_mm2=20.0,
        bundle="marks 1",
    )
    assert part == FrameDefect(
        id=told.defect_id,
        class_id=3,
        class_name="scratch",
        score=0.7,
        severity="major",
        area_px=160,
        bbox_xywh=(10, 20, 4, 40),
        position_mm=10.0,
        across_mm=-2.5,
        length_mm=20.0,
        width_mm=1.0,
        area_mm2=20.0,
    )


def test_without_a_scale_nothing_is_told_in_millimetres() -> None:
    seen = Seen()
    seen.frame(*stripe(20, 60))
    told = seen.defects[0].model_dump(exclude_none=True)
    assert not any(key.endswith(("_mm", "_mm2")) for key in told)


def test_a_defect_over_several_frames_is_told_once() -> None:
    seen = Seen(SCALE)
    ids = {part.id for first in (30, 0, 0) for part in seen.frame(*stripe(first))}
    assert seen.defects == []
    seen.frame(*stripe(0, 50))
    seen.frame()
    (told,) = seen.defects
    assert ids == {told.defect_id}
    assert (told.open, told.first_line, told.last_line) == (False, 30, 349)
    assert (told.area_px, told.length_mm) == (4 * 320, 160.0)
    assert seen.end().defects == 1


@pytest.mark.parametrize(("scale", "frames"), [(Scale(5.0, 5.0), 4), (None, 41)])
def test_a_long_defect_is_told_open_once_and_closed_under_the_same_id(
    scale: Scale | None, frames: int
) -> None:
    seen = Seen(scale)
    for number in range(frames + 3):
        seen.frame(*stripe())
        assert [d.open for d in seen.defects] == ([True] if number + 1 >= frames else [])
    seen.frame()
    opened, closed = seen.defects
    assert (opened.open, closed.open) == (True, False)
    assert opened.defect_id == closed.defect_id
    assert opened.last_line == frames * HEIGHT - 1
    assert closed.last_line == (frames + 3) * HEIGHT - 1
    assert seen.end().defects == 1


def test_a_long_one_that_stays_too_small_is_not_told() -> None:
    seen = Seen(Scale(1000.0, 1.0))
    seen.frame(*stripe(96, width=1))
    seen.frame(*stripe(0, 4, width=1))
    assert seen.end().defects == 0
    assert seen.defects == []


def miss(seen: Seen) -> None:
    seen.frame(missed=True)


def lose(seen: Seen) -> None:
    seen.frame(*stripe(), seq=seen.seq + 1)


def change_coil(seen: Seen) -> None:
    seen.frame(*stripe(), coil="C2")


def start_anew(seen: Seen) -> None:
    seen.frame(*stripe(), stream="second", t_ns=50 * SECOND_NS, seq=0)


@pytest.mark.parametrize("breaks", [miss, lose, change_coil, start_anew])
def test_a_defect_ends_where_nobody_saw_how_it_goes_on(breaks: Callable[[Seen], None]) -> None:
    seen = Seen()
    seen.frame(*stripe())
    breaks(seen)
    (told,) = seen.defects
    assert (told.open, told.last_line, told.coil) == (False, HEIGHT - 1, "C1")


def test_rows_that_were_shown_before_are_not_told_twice() -> None:
    seen = Seen(SCALE)
    seen.frame(*stripe(90))
    (part,) = seen.frame(*stripe(0, 30, height=70), first_line=70)
    seen.frame(first_line=170)
    (told,) = seen.defects
    assert (told.first_line, told.last_line, told.area_px) == (90, 129, 160)
    assert (part.bbox_xywh, part.position_mm) == ((10, 30, 4, 30), 50.0)
    assert seen.end().lines_inspected == 270


def test_what_is_missing_between_two_coils_leaves_both_incomplete() -> None:
    seen = Seen()
    seen.frame(coil="C1")
    seen.frame(coil="C2", seq=3)
    (first,) = [b for b in seen.told if isinstance(b, CoilEvent) and b.state == "done"]
    second = seen.end()
    assert (first.coil, first.complete, first.lines_not_inspected) == ("C1", False, 0)
    assert (second.coil, second.complete, second.lines_not_inspected) == ("C2", False, 0)
    assert seen.missed == [(100, 300, "lost")]


def test_a_coil_that_follows_on_is_complete_and_so_is_the_one_before() -> None:
    seen = Seen()
    seen.frame(coil="C1")
    seen.frame(coil="C2")
    (first,) = [b for b in seen.told if isinstance(b, CoilEvent) and b.state == "done"]
    assert first.complete
    assert seen.end().complete


def test_a_camera_that_was_started_anew_leaves_its_coil_incomplete() -> None:
    seen = Seen()
    seen.frame()
    seen.frame(stream="second", seq=0, t_ns=50 * SECOND_NS)
    event = seen.end()
    assert (event.complete, event.lines_not_inspected, seen.missed) == (False, 0, [])


def test_a_camera_that_counts_back_is_followed_again() -> None:
    seen = Seen()
    seen.frame(seq=7)
    seen.frame(seq=0, t_ns=50 * SECOND_NS)
    seen.frame(t_ns=51 * SECOND_NS)
    assert seen.end().lines_inspected == 3 * HEIGHT


def test_a_frame_that_is_refused_changes_nothing() -> None:
    seen = Seen()
    seen.frame(*stripe())
    before = seen.line.state
    with pytest.raises(FrameError):
        seen.frame(seq=0, t_ns=1)
    seen.take()
    assert (seen.line.state, seen.defects) == (before, [])
    seen.frame(*stripe(0, 50), seq=1)
    seen.end()
    assert [d.area_px for d in seen.defects] == [600]


def test_a_stretch_is_told_when_no_frame_comes_to_end_it() -> None:
    seen = Seen()
    seen.frame(missed=True)
    seen.line.tick(SECOND_NS + 5, quiet_for_ns=SECOND_NS)
    seen.take()
    assert seen.missed == []
    seen.line.tick(2 * SECOND_NS, quiet_for_ns=SECOND_NS)
    seen.take()
    assert seen.missed == [(0, 100, "decode_error")]


def test_an_engine_that_is_not_trusted_takes_back_what_it_said_since_it_was_right() -> None:
    seen = Seen()
    seen.frame()
    seen.line.confirm()
    seen.frame()
    seen.frame(missed=True)
    seen.frame(*stripe(), t_ns=5 * SECOND_NS)
    seen.line.distrust()
    seen.take()
    assert sorted(seen.missed) == [
        (100, 200, "engine_fault"),
        (200, 300, "decode_error"),
        (300, 400, "engine_fault"),
    ]
    event = seen.end()
    assert (event.lines_inspected, event.lines_not_inspected) == (100, 300)


def test_what_an_engine_took_back_is_not_told_again_after_the_restart() -> None:
    seen = Seen()
    seen.frame(*stripe())
    seen.line.distrust()
    seen.take()
    again = Seen(saved=seen.line.state)
    again.coils = seen.coils
    again.line.rebook_unsettled(now_ns=0)
    again.take()
    assert (seen.missed, again.missed) == ([(0, 100, "engine_fault")], [])
    assert [d.open for d in seen.defects] == [False]
    event = seen.end()
    assert (event.lines_inspected, event.lines_not_inspected) == (0, 100)


def test_a_trusted_engine_takes_nothing_back() -> None:
    seen = Seen()
    seen.frame(*stripe())
    seen.line.confirm()
    seen.line.distrust()
    seen.take()
    assert (seen.missed, seen.defects) == ([], [])


numbers = st.integers(0, 2**43) | st.integers(0, 1000)


@given(
    frames=st.lists(
        st.fixed_dictionaries(
            {
                "seq": numbers,
                "t_ns": numbers,
                "stream": st.sampled_from(["first", "second"]),
                "missed": st.booleans(),
            },
            optional={
                "first_line": numbers,
                "encoder_mm": st.floats(allow_nan=False, allow_infinity=False),
                "coil": st.sampled_from([None, "C1", "C2"]),
            },
        ),
        max_size=6,
    ),
    scale=st.sampled_from([None, SCALE, Scale(1000.0, 1000.0)]),
)
@settings(deadline=None, derandomize=True, max_examples=150)
def test_no_numbers_that_a_header_may_hold_stop_the_line(
    frames: list[dict[str, Any]], scale: Scale | None
) -> None:
    seen = Seen(scale)
    for fields in frames:
        try:
            seen.frame(*stripe(height=1)[:1], **fields)
        except FrameError:
            continue
        assert seen.line.state is not None
        CoverageState.model_validate_json(seen.line.state.model_dump_json())
    seen.line.tick(2**63, quiet_for_ns=0)
    seen.line.close()
    for event in seen.coils.close_all(0):
        assert event.state == "done"
