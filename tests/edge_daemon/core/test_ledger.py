from edge_daemon.core.coverage_state import CoverageState
from edge_daemon.core.ledger import sum_coverage, untold
from edge_daemon.core.messages import CoverageEvent
from edge_daemon.core.reasons import NotInspectedReason

LOST = NotInspectedReason.LOST


def event(camera: str, first: int, end: int, lines: int | None = None) -> CoverageEvent:
    return CoverageEvent(
        camera=camera,
        stream="s",
        reason=LOST,
        from_line=first,
        to_line=end,
        lines=end - first if lines is None else lines,
    )


def state(*, settled_line: int, last_was_inspected: bool) -> CoverageState:
    return CoverageState(
        stream="s",
        next_line=100,
        next_seq=1,
        next_mm=None,
        settled_line=settled_line,
        last_was_inspected=last_was_inspected,
        t_ns=0,
        coil=None,
    )


def test_rows_are_summed_by_camera_and_each_is_counted() -> None:
    ledgers = sum_coverage([event("a", 0, 10), event("a", 8, 12), event("b", 5, 5, lines=64)])
    assert (ledgers["a"].lines, ledgers["b"].lines) == (14, 64)
    assert ledgers["a"].by_row["s", 9] == 2
    assert ledgers["a"].by_row["s", 11] == 1
    assert ledgers["b"].by_row.total() == 0


def test_only_a_stretch_that_still_grows_is_untold() -> None:
    assert untold(state(settled_line=60, last_was_inspected=False)) == 40
    assert untold(state(settled_line=60, last_was_inspected=True)) == 0
    assert untold(state(settled_line=100, last_was_inspected=False)) == 0
