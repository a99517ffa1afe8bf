"""How a defect is told, with and without a scale."""

import numpy as np
import pytest

from edge_daemon.core.defects import DefectClass, Region
from edge_daemon.core.placement import Place, Scale
from edge_daemon.core.telling import defect_event, frame_defect, is_long
from edge_daemon.core.tracking import DefectTracker, Origin, TrackedDefect

SCRATCH = DefectClass(3, "scratch", 0.5, 10, "major")
SCALE = Scale(mm_per_px_along=0.5, mm_per_px_across=0.25, across_offset_mm=100.0)


def region(*, rows: int = 8, top: int = 4) -> Region:
    pixels = np.ones((rows, 20), bool)
    return Region(SCRATCH, (40, top, 20, rows), rows * 20, 0.75, (), (), pixels)


def tracked(place: Place, found: Region) -> TrackedDefect:
    origin = Origin("top-1", "start", "C1", 10**18, place)
    return DefectTracker().advance([found], origin).parts[0][0]


def test_with_a_scale_everything_is_in_millimetres() -> None:
    place = Place(top_line=1000, height_px=256, position_mm=500.0, scale=SCALE)
    event = defect_event(tracked(place, region()), is_open=False, bundle="steel 1")
    assert (event.first_line, event.last_line) == (1004, 1011)
    assert (event.position_mm, event.across_mm) == (502.0, 110.0)
    assert (event.length_mm, event.width_mm, event.area_mm2) == (4.0, 5.0, 20.0)


def test_without_a_scale_no_length_is_made_up() -> None:
    place = Place(top_line=1000, height_px=256, position_mm=None, scale=None)
    event = defect_event(tracked(place, region()), is_open=False, bundle="steel 1")
    lengths = (event.position_mm, event.across_mm, event.length_mm, event.width_mm, event.area_mm2)
    assert lengths == (None,) * 5


def test_a_part_lies_below_the_rows_that_the_frame_before_has_shown() -> None:
    place = Place(top_line=1030, height_px=226, position_mm=None, scale=None)
    found = region(top=0)
    part = frame_defect(tracked(place, found), found, place, rows_above=30)
    assert part.bbox_xywh == (40, 30, 20, 8)


@pytest.mark.parametrize(("scale", "rows"), [(SCALE, 4000), (None, 4096)])
def test_a_defect_is_long_from_two_metres_on(scale: Scale | None, rows: int) -> None:
    place = Place(top_line=0, height_px=rows, position_mm=None, scale=scale)
    assert is_long(tracked(place, region(rows=rows, top=0)))
    assert not is_long(tracked(place, region(rows=rows - 1, top=0)))
