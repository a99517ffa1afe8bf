import json
import re
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings, strategies as st
from pydantic import ValidationError

from edge_daemon.core.envelope import Announcement, iso_utc, to_wire
from edge_daemon.core.messages import (
    AlarmState,
    CoilEvent,
    CoverageEvent,
    DefectEvent,
    StatusReport,
)
from edge_daemon.core.reasons import NotInspectedReason, Severity

ID = UUID("017F22E2-79B0-7CC3-98C4-DC0C0C07398F")
DEFECT: dict[str, Any] = {
    "defect_id": "d1",
    "open": False,
    "camera": "top-1",
    "stream": "s",
    "class_id": 3,
    "class_name": "scratch",
    "severity": Severity.MAJOR,
    "score": 0.75,
    "first_line": 10,
    "last_line": 20,
    "left_px": 5,
    "width_px": 7,
    "area_px": 30,
    "captured_at": iso_utc(1_700_000_000_123_456_789),
    "bundle": "b",
}
DONE: dict[str, Any] = {
    "state": "done",
    "coil": "C1042",
    "begun_at": iso_utc(0),
    "done_at": iso_utc(1),
    "cameras": 1,
    "lines_inspected": 99,
    "lines_not_inspected": 1,
    "coverage": 0.99,
    "complete": False,
    "defects": 1,
    "defects_minor": 0,
    "defects_major": 1,
    "defects_critical": 0,
}


def on_wire(body: DefectEvent | CoverageEvent | CoilEvent | AlarmState) -> dict[str, Any]:
    message: dict[str, Any] = json.loads(to_wire(body, message_id=ID, seq=7, ts_ns=1))
    return message


def test_a_message_is_its_envelope_and_its_body_flat() -> None:
    message = on_wire(DefectEvent(**DEFECT))
    assert message["id"] == str(ID)
    assert message["seq"] == 7
    assert message["ts"] == "1970-01-01T00:00:00.000000Z"
    assert message["schema"] == "edge-daemon/defect/v1"
    assert message["class"] == "scratch"
    assert not any(isinstance(value, dict | list) for value in message.values())


def test_what_is_unknown_is_left_out_not_null() -> None:
    message = on_wire(DefectEvent(**DEFECT))
    assert "coil" not in message
    assert "position_mm" not in message
    assert None not in message.values()


@given(st.floats(-1e12, 1e12), st.floats(0, 1))
@settings(deadline=None, derandomize=True)
def test_a_float_is_written_with_a_point_and_no_exponent(position_mm: float, score: float) -> None:
    body = DefectEvent(**DEFECT | {"position_mm": position_mm, "score": score})
    text = to_wire(body, message_id=ID, seq=7, ts_ns=1).decode()
    for key in ("position_mm", "score"):
        assert re.search(rf'"{key}":-?\d+\.\d+[,}}]', text)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e300])
def test_a_number_that_is_none_is_refused(value: float) -> None:
    with pytest.raises(ValidationError):
        DefectEvent(**DEFECT | {"position_mm": value})


def test_times_are_utc_with_six_decimals() -> None:
    assert iso_utc(1_700_000_000_123_456_789) == "2023-11-14T22:13:20.123456Z"
    assert iso_utc(0) == "1970-01-01T00:00:00.000000Z"


@pytest.mark.parametrize(
    "change",
    [
        {"camera": "a/b"},
        {"camera": "top 1"},
        {"score": 1.5},
        {"last_line": 9},
        {"width_px": 0},
        {"captured_at": "yesterday"},
        {"colour": "red"},
    ],
)
def test_a_defect_that_cannot_be_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        DefectEvent(**DEFECT | change)


def test_a_stretch_misses_at_least_the_lines_it_spans() -> None:
    stretch = {"camera": "a", "stream": "s", "reason": "lost", "from_line": 5, "to_line": 9}
    assert CoverageEvent(**stretch, lines=4).reason is NotInspectedReason.LOST
    assert CoverageEvent(**stretch, lines=5).lines == 5
    with pytest.raises(ValidationError, match="3 lines from 5 to 9"):
        CoverageEvent(**stretch, lines=3)


def test_a_done_coil_counts_each_class_and_leaves_nothing_out() -> None:
    assert on_wire(CoilEvent(**DONE, defects_scratch=1))["defects_scratch"] == 1
    with pytest.raises(ValidationError, match="needs complete"):
        CoilEvent(**{key: value for key, value in DONE.items() if key != "complete"})


@pytest.mark.parametrize(
    "extra", [{"colour": 3}, {"defects_scratch": -1}, {"defects_scratch": "x"}]
)
def test_a_coil_takes_no_other_extras(extra: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        CoilEvent(**DONE, **extra)


def test_an_announcement_knows_its_topic_and_retain_flag() -> None:
    alarm = AlarmState(name="blind", active=True, since=iso_utc(0), count=1, text="")
    assert (Announcement(alarm).topic, Announcement(alarm).retain) == ("alarm/blind", True)
    defect = Announcement(DefectEvent(**DEFECT))
    assert (defect.topic, defect.retain) == ("event/defect", False)


def test_a_station_is_online_only_while_it_runs() -> None:
    running = StatusReport(
        online=True, state="running", version="1", bundle="b", started_at=iso_utc(0)
    )
    assert running.ended("lost").online is False
    with pytest.raises(ValidationError):
        StatusReport(online=True, state="lost", version="1", bundle="b", started_at=iso_utc(0))
