"""The oracle is only worth something if it finds fault: each kind of loss is put before it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from edge_daemon.clock import SystemClock
from edge_daemon.core.envelope import Announcement
from edge_daemon.core.messages import CoverageEvent
from edge_daemon.core.reasons import NotInspectedReason
from edge_daemon.storage.outbox import Outbox
from tests.faults.evidence import Announced, once, read_outbox, rows_inspected
from tests.faults.oracle import Coverage, Passed, judge_coverage, judge_delivery

FIVE = Announced(5, {seq: f"id-{seq}" for seq in range(1, 6)})


def came(*seqs: int) -> list[dict[str, Any]]:
    return [{"seq": s, "id": f"id-{s}", "schema": "edge-daemon/defect/v1"} for s in seqs]


def loss(seq: int, first_seq: int, last_seq: int, *, count: int) -> dict[str, Any]:
    fields = {"first_seq": first_seq, "last_seq": last_seq, "count": count}
    return {"seq": seq, "id": f"id-{seq}", "schema": "edge-daemon/loss/v1", **fields}


def told(
    from_row: int, to_row: int, *, camera: str = "a", stream: str = "s", lines: int | None = None
) -> dict[str, Any]:
    """Tell rows; with fewer `lines` the encoder alone has seen the rest."""
    counted = to_row - from_row if lines is None else lines
    return {
        "schema": "edge-daemon/coverage/v1",
        "camera": camera,
        "stream": stream,
        "from_mm": from_row * 0.5,
        "to_mm": to_row * 0.5,
        "from_line": to_row - counted,
        "to_line": to_row,
        "lines": counted,
    }


def judge(passed: Passed, messages: Sequence[dict[str, Any]], *, inspected: int) -> Coverage:
    return judge_coverage("a", passed, messages=messages, inspected=inspected, mm_per_row=0.5)


def test_a_whole_history_is_found_in_order() -> None:
    verdict = judge_delivery(FIVE, came(1, 2, 3, 4, 5))
    assert verdict.content
    assert str(verdict) == (
        "5 announced, 5 delivered, 0 waiting, 0 duplicates: nothing lost, in order"
    )


@pytest.mark.parametrize("missing", [1, 3, 5])
def test_a_missing_message_is_found(missing: int) -> None:
    got = [seq for seq in range(1, 6) if seq != missing]
    verdict = judge_delivery(FIVE, came(*got))
    assert verdict.missing == (missing,)
    assert verdict.faults == [f"1 messages are missing: seq {missing}"]


def test_a_message_whose_id_nobody_knows_is_missed_by_its_number() -> None:
    assert judge_delivery(Announced(3), came(1, 3)).missing == (2,)


def test_what_still_waits_is_not_missing() -> None:
    verdict = judge_delivery(Announced(3, waiting=frozenset({3})), came(1, 2))
    assert verdict.content
    assert (verdict.delivered, verdict.waiting) == (2, 1)


def test_a_gap_is_explained_by_the_loss_that_was_told_and_no_further() -> None:
    messages = [*came(1), loss(5, 2, 3, count=2)]
    verdict = judge_delivery(FIVE, messages)
    assert verdict.told_lost == (2, 3)
    assert verdict.missing == (4,)


def test_a_loss_explains_no_more_messages_than_it_counts() -> None:
    messages = [*came(1), loss(5, 1, 4, count=1)]
    verdict = judge_delivery(FIVE, [*messages, messages[-1]])
    assert verdict.told_lost == (2,)
    assert verdict.missing == (3, 4)


def test_duplicates_are_counted_and_forgiven() -> None:
    verdict = judge_delivery(FIVE, came(1, 2, 3, 2, 3, 4, 5))
    assert verdict.content
    assert verdict.duplicates == 2


def test_a_first_delivery_behind_a_younger_message_is_found() -> None:
    verdict = judge_delivery(FIVE, came(1, 3, 2, 4, 5))
    assert verdict.late == (2,)
    assert not verdict.content


def test_another_message_under_the_same_number_is_found() -> None:
    messages = came(1, 2, 3, 4, 5)
    messages[2]["id"] = "stranger"
    verdict = judge_delivery(FIVE, messages)
    assert verdict.alien == ("3 as stranger",)
    assert verdict.missing == (3,)


def test_two_numbers_with_one_id_are_found() -> None:
    messages = came(1, 2)
    messages[1]["id"] = "id-1"
    assert not judge_delivery(Announced(2), messages).content


def test_a_number_that_was_never_given_is_found() -> None:
    assert judge_delivery(FIVE, came(1, 2, 3, 4, 5, 6)).alien == ("6 as id-6",)


def test_a_number_given_twice_by_the_station_itself_is_refused() -> None:
    with pytest.raises(ValueError, match="number 5 was given to two messages"):
        FIVE.joined(Announced(6, {5: "other"}))
    with pytest.raises(ValueError, match="went back from 5 to 4"):
        FIVE.joined(Announced(4))


def test_what_lies_on_disk_is_what_was_announced(tmp_path: Path) -> None:
    path = tmp_path / "outbox.sqlite3"
    bodies = [
        CoverageEvent(
            camera="a",
            stream="s",
            reason=NotInspectedReason.LOST,
            from_line=line,
            to_line=line + 1,
            lines=1,
        )
        for line in range(3)
    ]
    with Outbox(path, SystemClock()) as outbox:
        outbox.commit([Announcement(body) for body in bodies], {})
        outbox.settle([1], confirmed_ns=0)  # stays in the file for a while
        found = read_outbox(path, tmp_path)  # while it is open, as a crash leaves it
    assert found.last_seq == 3
    assert found.waiting == {2, 3}
    assert not judge_delivery(found, []).content


def test_rows_that_are_each_booked_once_are_found_in_order() -> None:
    verdict = judge(Passed(1000, ((200, 300),)), [told(200, 300)], inspected=900)
    assert verdict.content
    assert str(verdict) == "a: 1000 rows = 900 inspected + 100 told: each row once"


def test_rows_that_nobody_booked_are_found() -> None:
    verdict = judge(Passed(1000), [], inspected=744)
    assert verdict.faults == ["a: 256 rows were neither inspected nor told"]


def test_rows_that_are_inspected_and_told_are_found() -> None:
    verdict = judge(Passed(1000), [told(0, 256)], inspected=1000)
    assert verdict.faults == ["a: 256 rows were both inspected and told"]


def test_rows_told_twice_are_found_though_the_sum_is_right() -> None:
    verdict = judge(Passed(1000), [told(0, 256), told(128, 256)], inspected=616)
    assert verdict.double == ((128, 256),)
    assert not verdict.content


def test_rows_that_only_the_encoder_saw_may_be_missing_and_no_more_of_them() -> None:
    restarted = told(500, 756, stream="t", lines=0)
    assert judge(Passed(1000), [restarted], inspected=744).content
    assert judge(Passed(1000), [restarted], inspected=800).content  # some came late after all
    verdict = judge(Passed(1000), [restarted], inspected=700)
    assert verdict.faults == ["a: 44 rows were neither inspected nor told"]
    assert not judge(Passed(1000), [restarted], inspected=1001).content


def test_rows_that_a_camera_withheld_must_be_told_though_the_sum_is_right() -> None:
    verdict = judge(Passed(1000, ((0, 256),)), [told(256, 512)], inspected=744)
    assert verdict.blind == ((0, 256),)
    assert verdict.faults == ["a: rows (0, 256) nobody saw and nobody was told of"]


def test_rows_told_that_never_passed_are_found() -> None:
    verdict = judge(Passed(1000), [told(900, 1100)], inspected=800)
    assert verdict.beyond == ((900, 1100),)
    assert not verdict.content


def test_one_camera_does_not_answer_for_another() -> None:
    verdict = judge(Passed(1000, ((0, 256),)), [told(0, 256, camera="b")], inspected=744)
    assert verdict.blind == ((0, 256),)
    assert verdict.told == 0


def test_rows_inspected_are_those_of_the_cameras_books() -> None:
    state = {"coil/C2": {"lines_inspected": 256}, "camera/a": {"lines_inspected": 9}}
    assert rows_inspected(state) == {"a": 9}


def test_a_message_that_came_twice_is_seen_once() -> None:
    assert once(came(1, 2, 1)) == came(1, 2)
