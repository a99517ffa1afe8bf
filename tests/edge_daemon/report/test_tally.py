from dataclasses import replace

from edge_daemon.core.records import Verdict
from edge_daemon.report.tally import LOST, Tally, severity_rank
from tests.edge_daemon.report.records import DEFECT, blind, clean, defective


def test_verdicts_and_reasons_are_counted() -> None:
    tally = Tally()
    for number, record in enumerate((clean(0), defective(1), blind(2), blind(3, "decode")), 1):
        tally.add(record, number)
    assert tally.frames == 4
    assert tally.inspected == 2
    assert dict(tally.reasons) == {"stale": 1, "decode": 1}


def test_frames_that_never_came_are_not_inspected() -> None:
    tally = Tally()
    tally.add(clean(0), 1)
    tally.add(clean(4), 2)
    assert tally.verdicts[Verdict.NOT_INSPECTED] == 3
    assert tally.reasons[LOST] == 3
    cells = list(tally.cells(tally.lanes[0], per_cell=1))
    assert [cell.frame for cell in cells] == [1, None, None, None, 2]


def test_a_frame_without_a_place_fills_the_gap_it_leaves() -> None:
    tally = Tally()
    tally.add(clean(0), 1)
    tally.add(blind(None, "header_json"), 2)
    tally.add(clean(2), 3)
    assert tally.frames == 3
    assert dict(tally.reasons) == {"header_json": 1}


def test_a_new_stream_a_first_frame_and_a_duplicate_are_no_gap() -> None:
    tally = Tally()
    for number, record in enumerate(
        (clean(900), clean(5, stream="s2"), blind(5, "duplicate"), clean(6, stream="s2")), 1
    ):
        tally.add(record, number)
    assert LOST not in tally.reasons


def test_a_hostile_frame_number_is_counted_and_costs_no_memory() -> None:
    tally = Tally()
    tally.add(clean(0), 1)
    tally.add(clean(2**62), 2)
    assert tally.reasons[LOST] == 2**62 - 1
    assert len(list(tally.cells(tally.lanes[0], per_cell=1))) < 200


def test_a_defect_over_several_frames_counts_once_with_its_worst_severity() -> None:
    tally = Tally()
    tally.add(defective(0, replace(DEFECT, severity="minor")), 1)
    tally.add(defective(1, replace(DEFECT, severity="critical")), 2)
    tally.add(defective(2, replace(DEFECT, severity="major"), replace(DEFECT, id="d2")), 3)
    assert dict(tally.defects()) == {(3, "critical"): 1, (3, "major"): 1}
    assert tally.class_names == {3: "scratch"}


def test_an_unknown_severity_is_not_played_down() -> None:
    assert severity_rank("catastrophic") == severity_rank("critical")


def test_coils_are_lanes_of_their_own_and_what_has_no_camera_stays_where_it_came() -> None:
    tally = Tally()
    tally.add(blind(None, "unreadable"), 1)
    tally.add(clean(0), 2)
    tally.add(blind(None, "unreadable"), 3)
    tally.add(clean(1, coil="C1002"), 4)
    lanes = [(lane.camera, lane.coil, list(lane.frames)) for lane in tally.lanes]
    assert lanes == [(None, None, [1]), ("top-1", "C1001", [2, 3]), ("top-1", "C1002", [4])]


def test_a_cell_of_many_frames_hides_none_of_their_verdicts() -> None:
    tally = Tally()
    for number, record in enumerate((clean(0), defective(1), blind(2), clean(3)), 1):
        tally.add(record, number)
    first, second = tally.cells(tally.lanes[0], per_cell=3)
    assert first.look.verdicts == set(Verdict)
    assert first.look.class_ids == (3,)
    assert first.look.reasons == ("stale",)
    assert second.look.verdicts == {Verdict.CLEAN}
