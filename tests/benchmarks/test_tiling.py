import numpy as np
import pytest

pytest.importorskip("supervision", reason="supervision isn't installed (extra `bench`)")

from benchmarks.tiling.bright import clean_steel, draw
from benchmarks.tiling.comparing import compare_tiling
from benchmarks.tiling.seams import count_pieces
from benchmarks.tiling.ways import our_way, slicer_ways

HEIGHT_PX, WIDTH_PX = 512, 2000


def test_all_ways_find_nothing_on_clean_steel() -> None:
    steel = clean_steel(HEIGHT_PX, WIDTH_PX)

    assert [way.find(steel) for way in (our_way(), *slicer_ways())] == [0] * 6


def test_all_ways_find_a_defect_in_the_middle_of_every_slice_once() -> None:
    steel = clean_steel(HEIGHT_PX, WIDTH_PX)
    marked = draw(steel, top=40, left=160, height_px=60, width_px=100)

    assert [way.find(marked) for way in (our_way(), *slicer_ways())] == [1] * 6


def test_ours_reports_a_defect_across_a_seam_once_and_bare_slices_twice() -> None:
    steel = clean_steel(HEIGHT_PX, WIDTH_PX)
    marked = draw(steel, top=236, left=100, height_px=40, width_px=40)
    edge_to_edge = slicer_ways()[0]

    assert our_way().find(marked) == 1
    assert edge_to_edge.find(marked) == 2


def test_two_defects_are_not_made_one_by_any_way() -> None:
    steel = clean_steel(HEIGHT_PX, WIDTH_PX)
    marked = draw(steel, top=20, left=100, height_px=40, width_px=40)
    marked = draw(marked, top=20, left=300, height_px=40, width_px=40)

    assert [way.find(marked) for way in (our_way(), *slicer_ways())] == [2] * 6


def test_pieces_are_counted_for_every_way_and_shape() -> None:
    findings = count_pieces((our_way(),), HEIGHT_PX, WIDTH_PX, places=3)

    assert [row[0] for row in findings.rows] == ["cut + stitch"] * 4
    assert all(row[2:] == ("3", "3", "0", "1", "0") for row in findings.rows)


def test_the_report_says_how_many_strips_each_way_needs() -> None:
    report = compare_tiling(HEIGHT_PX, WIDTH_PX, rounds=2, places=2)

    assert len(report.comparisons) == 10
    assert report.comparisons[0].remark == "strips per frame 4 : 4"
    assert report.comparisons[1].remark == "strips per frame 4 : 6"
    assert all(np.isfinite(one.ratios).all() for one in report.comparisons)
