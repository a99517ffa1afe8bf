"""A stretch of strip that nobody has looked at."""

from dataclasses import dataclass, replace

from edge_daemon.core.reasons import NotInspectedReason


@dataclass(frozen=True, slots=True)
class Stretch:
    """Rows that were not inspected.

    Attributes:
        stream: the camera's stream.
        coil: id of the coil, where known.
        reason: why.
        from_line: row counter of the first row.
        to_line: row counter just past the last one.
        lines: how many rows; more than to_line - from_line where only the frame numbers jumped.
        from_mm: where it begins along the strip, where known.
        to_mm: where it ends.
        since_ns: when it began, by the clock that booked it.
    """

    stream: str
    coil: str | None
    reason: NotInspectedReason
    from_line: int
    to_line: int
    lines: int
    from_mm: float | None
    to_mm: float | None
    since_ns: int

    def goes_on_in(self, later: "Stretch") -> bool:
        """Whether a later stretch follows on directly, of the same coil and for the same reason."""
        return (self.stream, self.coil, self.reason, self.to_line) == (
            later.stream,
            later.coil,
            later.reason,
            later.from_line,
        )

    def joined(self, later: "Stretch") -> "Stretch":
        """Both as one."""
        return replace(
            self, to_line=later.to_line, lines=self.lines + later.lines, to_mm=later.to_mm
        )


class Doubts:
    """Rows that were inspected since the engine was last found right."""

    def __init__(self) -> None:
        self._stretches: list[Stretch] = []

    def add(self, stretch: Stretch) -> None:
        """Doubt some more rows."""
        if self._stretches and self._stretches[-1].goes_on_in(stretch):
            self._stretches[-1] = self._stretches[-1].joined(stretch)
        else:
            self._stretches.append(stretch)

    def take(self) -> list[Stretch]:
        """Give out all that is in doubt; nothing is from here on."""
        doubted, self._stretches = self._stretches, []
        return doubted
