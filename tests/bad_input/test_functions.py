"""Every bad input, through the very functions that the daemon is made of."""

from collections import Counter

import pytest

from edge_daemon.core.placement import Scale
from edge_daemon.core.wire import parse_camera_id
from edge_daemon.errors import FrameError
from edge_daemon.outcomes import Message
from tests.bad_input.cases import BAD, GOOD, Case, Refusals, Rows, good
from tests.bad_input.corpus import corpus
from tests.edge_daemon.marked_steel import LineInspector, inspector

CASES = corpus()


def seen_before() -> LineInspector:
    """An inspector that knows the bad camera from a start before."""
    ready = inspector(scales=dict.fromkeys((BAD, GOOD), Scale(0.5, 0.5)), only_known=True)
    ready.inspect(Message(good("before", 0), 1))
    return ready


def counted_for(parts: list[bytes]) -> str:
    try:
        return parse_camera_id(parts[0])
    except FrameError:
        return "unknown"


@pytest.mark.parametrize(
    "case", [case for cases in CASES.values() for case in cases], ids=lambda case: case.name[:60]
)
def test_it_is_refused_by_its_reason_and_booked_and_the_next_frame_is_inspected(case: Case) -> None:
    ready = seen_before()
    refused: Refusals = Counter()
    booked: Rows = Counter()
    inspected, verdicts = 0, []
    for number, parts in enumerate(case.messages):
        outcome = ready.inspect(Message(list(parts), 2 + number))
        if outcome.rejected is not None:
            refused[counted_for(list(parts)), outcome.rejected.reason] += 1
            str(outcome.rejected).encode()  # a log can write it
            assert len(str(outcome.rejected)) < 500
        inspected += outcome.facts.news.lines_inspected
        booked += outcome.facts.news.lines_not_inspected
        verdicts.append(outcome.record.verdict)
    assert refused == case.refused
    assert (inspected, booked) == (case.inspected, case.booked)
    assert verdicts[-1] != "not_inspected"


def test_no_two_cases_have_one_name() -> None:
    names = Counter(case.name for cases in CASES.values() for case in cases)
    assert [name for name, count in names.items() if count > 1] == []


def test_a_message_without_parts_is_refused() -> None:
    outcome = seen_before().inspect(Message([], 2))
    assert outcome.rejected is not None
    assert outcome.rejected.reason == "parts"
