"""What of a recording can't be used, and where it stands in the file."""

from dataclasses import dataclass

_NAMED = 3
_KEPT = 1000


@dataclass(frozen=True, slots=True)
class Loss:
    """A stretch of a file that is not as it was written.

    Attributes:
        from_byte: where it begins.
        to_byte: just past its end.
        why: what is wrong with it.
    """

    from_byte: int
    to_byte: int
    why: str


class Losses:
    """What of a file can't be used; of a file that is wrong all over only the beginning is kept.

    Attributes:
        count: how many stretches.
        stretches: the first thousand of them.
    """

    def __init__(self) -> None:
        self.count = 0
        self.stretches: list[Loss] = []

    def __str__(self) -> str:
        named = [loss.why for loss in self.stretches[:_NAMED]]
        more = self.count - len(named)
        return "; ".join(named) + (f"; and {more} more" if more else "")

    def add(self, from_byte: int, to_byte: int, *, why: str) -> None:
        """Note a loss."""
        self.count += 1
        if len(self.stretches) < _KEPT:
            self.stretches.append(Loss(from_byte, to_byte, why))
