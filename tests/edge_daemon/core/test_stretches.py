"""When two stretches that were not inspected are one."""

from dataclasses import replace
from typing import Any

import pytest

from edge_daemon.core.reasons import NotInspectedReason
from edge_daemon.core.stretches import Stretch

FIRST = Stretch(
    stream="s",
    coil="C1",
    reason=NotInspectedReason.STALE,
    from_line=10,
    to_line=30,
    lines=25,
    from_mm=5.0,
    to_mm=15.0,
    since_ns=1_000,
)
NEXT = replace(FIRST, from_line=30, to_line=40, lines=10, from_mm=15.0, to_mm=20.0, since_ns=9_000)


def test_a_stretch_that_follows_on_is_the_same() -> None:
    assert FIRST.goes_on_in(NEXT)
    assert FIRST.joined(NEXT) == replace(FIRST, to_line=40, lines=35, to_mm=20.0)


@pytest.mark.parametrize(
    "otherwise",
    [
        {"stream": "t"},
        {"coil": None},
        {"reason": NotInspectedReason.LOST},
        {"from_line": 31},
        {"from_line": 29},
    ],
)
def test_a_stretch_that_differs_is_another(otherwise: dict[str, Any]) -> None:
    assert not FIRST.goes_on_in(replace(NEXT, **otherwise))
