"""The record of a frame, as `replay --jsonl` writes it."""

import json

from edge_daemon.core.records import FrameDefect, FrameRecord, Verdict

PART = FrameDefect(
    id="4f",
    class_id=3,
    class_name="scratch",
    score=0.75,
    severity="major",
    area_px=120,
    bbox_xywh=(10, 0, 4, 30),
)
CLEAN = FrameRecord("top-1", "7f3a", 5, 1_000, "C1042", 2500.0, Verdict.CLEAN)


def test_a_clean_frame_has_every_key_of_the_contract() -> None:
    assert json.loads(json.dumps(CLEAN.to_json("line.mcap"))) == {
        "source": "line.mcap",
        "camera": "top-1",
        "stream": "7f3a",
        "seq": 5,
        "t_ns": 1_000,
        "coil": "C1042",
        "position_mm": 2500.0,
        "verdict": "clean",
        "reason": None,
        "defects": [],
    }


def test_a_defect_without_a_scale_has_no_millimetres() -> None:
    assert json.loads(json.dumps(PART.to_json())) == {
        "id": "4f",
        "class_id": 3,
        "class": "scratch",
        "score": 0.75,
        "severity": "major",
        "area_px": 120,
        "bbox_xywh": [10, 0, 4, 30],
    }


def test_millimetres_are_told_where_they_are_known_even_at_zero() -> None:
    placed = FrameDefect(
        **{name: getattr(PART, name) for name in FrameDefect.__slots__[:7]},
        position_mm=0.0,
        across_mm=-5.0,
        length_mm=15.0,
        width_mm=2.0,
        area_mm2=30.0,
    )
    told = placed.to_json()
    assert told.keys() - PART.to_json().keys() == {
        "position_mm",
        "across_mm",
        "length_mm",
        "width_mm",
        "area_mm2",
    }
    assert (told["position_mm"], told["across_mm"]) == (0.0, -5.0)


def test_there_are_three_verdicts() -> None:
    assert {verdict.value for verdict in Verdict} == {"clean", "defective", "not_inspected"}
