import io
import json
from pathlib import Path

import pytest

from edge_daemon.clock import SystemClock
from edge_daemon.core.envelope import iso_utc
from edge_daemon.core.messages import HealthReport, StatusReport
from edge_daemon.core.placement import Scale
from edge_daemon.core.rle import encode
from edge_daemon.delivery.courier import Courier
from edge_daemon.outcomes import Facts, Outcome
from edge_daemon.replay.outputs import Delivery, JsonLines, Submission
from edge_daemon.storage.outbox import Outbox
from edge_daemon.telemetry.delivery import DeliveryMetrics
from edge_daemon.telemetry.metrics import Metrics
from tests.edge_daemon.marked_steel import (
    BRIGHT,
    DARK,
    inspector,
    mask_of,
    message,
    steel,
    unreadable,
)

RECORD = ["source", "camera", "stream", "seq", "t_ns", "coil", "position_mm"]
RECORD += ["verdict", "reason", "defects"]
DEFECT = ["id", "class_id", "class", "score", "severity", "area_px", "bbox_xywh"]
MILLIMETRES = ["position_mm", "across_mm", "length_mm", "width_mm", "area_mm2"]


@pytest.fixture
def outcome() -> Outcome:
    """Give a frame with two scratches and a patch, from a camera whose scale is known."""
    image = steel()
    image[8:24, 8:24] = image[40:56, 8:24] = BRIGHT
    image[100:120, 16:32] = DARK
    return inspector(scales={"top": Scale(0.5, 0.25)}).inspect(message(image, coil="C1"))


def written(outcome: Outcome, source: str = "one.png") -> dict[str, object]:
    file = io.StringIO()
    JsonLines(file).add(source, outcome)
    (line,) = file.getvalue().splitlines()
    record: dict[str, object] = json.loads(line)
    return record


def test_a_line_has_exactly_the_fields_of_the_contract(outcome: Outcome) -> None:
    record = written(outcome)
    assert list(record) == RECORD
    assert (record["source"], record["camera"], record["coil"]) == ("one.png", "top", "C1")
    assert (record["verdict"], record["reason"]) == ("defective", None)
    assert isinstance(record["defects"], list)
    assert [list(defect) for defect in record["defects"]] == [[*DEFECT, *MILLIMETRES]] * 3


def test_millimetres_are_left_out_where_no_scale_is_known() -> None:
    image = steel()
    image[8:24, 8:24] = BRIGHT
    record = written(inspector().inspect(message(image)))
    assert isinstance(record["defects"], list)
    assert [list(defect) for defect in record["defects"]] == [DEFECT]
    assert record["position_mm"] is None


def test_what_cannot_be_read_is_a_line_too() -> None:
    record = written(inspector().inspect(unreadable()), "broken.png")
    assert (record["source"], record["verdict"]) == ("broken.png", "not_inspected")
    assert record["reason"] == "unreadable"


def test_a_name_in_other_letters_is_written_as_it_is(outcome: Outcome) -> None:
    file = io.StringIO()
    JsonLines(file).add("Blech-ß-№1.png", outcome)
    assert file.getvalue().startswith('{"source": "Blech-ß-№1.png", ')
    assert file.getvalue().endswith("}\n")


def test_a_submission_has_a_row_for_each_class_in_an_image(outcome: Outcome) -> None:
    file = io.StringIO()
    submission = Submission(file)
    submission.write_header()
    submission.add("one.png", outcome)
    assert file.getvalue().splitlines() == [
        "ImageId,ClassId,EncodedPixels",
        f"one.png,3,{encode(mask_of(outcome) == 3)}",
        f"one.png,4,{encode(mask_of(outcome) == 4)}",
    ]


def test_a_submission_has_no_row_for_what_is_clean_or_was_not_inspected() -> None:
    file = io.StringIO()
    submission = Submission(file)
    submission.add("clean.png", inspector().inspect(message(steel())))
    submission.add("broken.png", inspector().inspect(unreadable()))
    submission.tell(Facts())
    assert file.getvalue() == ""


def test_delivery_hands_over_what_is_told_and_no_state(tmp_path: Path, outcome: Outcome) -> None:
    path, clock = tmp_path / "outbox.sqlite3", SystemClock()
    status = StatusReport(
        online=True, state="running", version="1", bundle="b", started_at=iso_utc(0)
    )
    health = HealthReport(
        uptime_s=0.0,
        frames_received=0,
        frames_rejected=0,
        lines_inspected=0,
        lines_not_inspected=0,
        outbox_depth=0,
        cameras=0,
        inspecting=True,
    )
    observer = DeliveryMetrics(Metrics())
    courier = Courier(
        path, status, health=lambda: health, broker=None, clock=clock, observer=observer
    )
    assert outcome.facts.state
    with courier:
        delivery = Delivery(courier)
        delivery.add("one.png", outcome)
        delivery.tell(Facts())
    with Outbox(path, clock) as outbox:
        stored = outbox.pending(after_seq=0, limit=100)
        assert outbox.state() == {}
    assert [m.topic for m in stored] == [a.topic for a in outcome.facts.announcements]
    assert observer.depth == len(stored) > 0
