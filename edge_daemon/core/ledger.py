"""What a subscriber and the durable documents say of a camera's rows, summed up.

    rows announced = rows inspected + rows not inspected

The right side stands in the camera's document; the rows that were not inspected were told besides,
each in one `event/coverage`. So two parties that don't know of each other can be held against each
other: tests and `docs/reliability.md` do.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from edge_daemon.core.coverage_state import CoverageState
from edge_daemon.core.messages import CoverageEvent


@dataclass(frozen=True, slots=True)
class Ledger:
    """One camera's rows, as they were told.

    Attributes:
        lines: rows that were told as not inspected.
        by_row: how often each row was told, by (stream, row); rows that only the frames' numbers
            know have none.
    """

    lines: int = 0
    by_row: Counter[tuple[str, int]] = field(default_factory=Counter)


def sum_coverage(events: Iterable[CoverageEvent]) -> Mapping[str, Ledger]:
    """Sum up messages, each given once, by camera."""
    lines: Counter[str] = Counter()
    rows: dict[str, Counter[tuple[str, int]]] = {}
    for event in events:
        lines[event.camera] += event.lines
        own = rows.setdefault(event.camera, Counter())
        own.update((event.stream, line) for line in range(event.from_line, event.to_line))
    return {camera: Ledger(lines[camera], own) for camera, own in rows.items()}


def untold(state: CoverageState) -> int:
    """Rows that a camera's document has as not inspected and that are told with the next event."""
    return 0 if state.last_was_inspected else state.next_line - state.settled_line
