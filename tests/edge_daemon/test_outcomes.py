"""What comes out of the way of a frame."""

import pytest

from edge_daemon.core.reasons import NotInspectedReason
from edge_daemon.core.records import Verdict
from edge_daemon.errors import EngineError, FrameError, RejectReason
from edge_daemon.outcomes import booked_as, judge


def test_a_reason_comes_before_everything_else_in_a_verdict() -> None:
    assert judge(None, None).verdict is Verdict.CLEAN
    assert judge(None, None, reason="stale").verdict is Verdict.NOT_INSPECTED


@pytest.mark.parametrize("reason", list(RejectReason))
def test_every_refusal_is_booked_for_a_reason(reason: RejectReason) -> None:
    assert booked_as(FrameError(reason, "")) in NotInspectedReason


def test_a_faulty_engine_is_booked_as_that() -> None:
    assert booked_as(EngineError("NaN")) is NotInspectedReason.ENGINE_FAULT
