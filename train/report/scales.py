"""From values to places along an axis, with round numbers to read them by."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

_STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)
_MARGIN = 0.04
"""Of a linear axis's length that stays free at an end which data set."""
_SHORT_RANGE = 6.0
"""A logarithmic axis over a smaller factor than this has the ticks of a linear one."""
_PLAIN = (1e-3, 1e7)
"""Values between these are written without an exponent."""
_MOST_LOG_TICKS = 6
_DECADE_PARTS: tuple[tuple[int, ...], ...] = ((1, 2, 5), (1, 3), (1,))


@dataclass(frozen=True, slots=True)
class Scale:
    """An axis's range and the direction on the page.

    Attributes:
        low: value at `begin_px`.
        high: value at `end_px`, above `low`.
        begin_px: where the axis begins.
        end_px: where it ends; above or below `begin_px`.
        is_log: equal factors are equally long; `low` is positive then.
    """

    low: float
    high: float
    begin_px: float
    end_px: float
    is_log: bool = False

    def place(self, value: float) -> float:
        """Pixel of a value; a value outside the range is put at its end."""
        inside = min(max(value, self.low), self.high)
        low, high, inside = (
            (math.log(v) for v in (self.low, self.high, inside))
            if self.is_log
            else (self.low, self.high, inside)
        )
        return self.begin_px + (self.end_px - self.begin_px) * (inside - low) / (high - low)

    def ticks(self, count: int = 5) -> tuple[float, ...]:
        """Round values within the range, about `count` of them, in order."""
        if self.is_log and self.high / self.low > _SHORT_RANGE:
            return _log_ticks(self)
        return _linear_ticks(self.low, self.high, count)


def scale_for(
    values: Iterable[float],
    begin_px: float,
    end_px: float,
    *,
    low: float | None = None,
    high: float | None = None,
    is_log: bool = False,
) -> Scale:
    """A scale that holds all finite values; `low` and `high` are held as well and get no margin.

    Values that a logarithm can't have are left out.
    """
    kept = [v for v in values if math.isfinite(v) and (v > 0 or not is_log)]
    kept += [end for end in (low, high) if end is not None]
    least, most = (min(kept), max(kept)) if kept else (1.0, 1.0)
    if is_log:
        return Scale(least / 1.25, most * 1.25, begin_px, end_px, is_log=True)
    if least == most:
        around = (abs(least) or 1.0) / 2
        least, most = least - around * (least != low), most + around * (most != high)
    margin = (most - least) * _MARGIN
    least -= 0.0 if least == low else margin
    most += 0.0 if most == high else margin
    return Scale(least, most, begin_px, end_px)


def tick_text(value: float) -> str:
    """A tick's value, as short as it can be told."""
    if value and not _PLAIN[0] <= abs(value) < _PLAIN[1]:
        mantissa, _, exponent = f"{value:.1e}".partition("e")
        return f"{mantissa.removesuffix('.0')}e{int(exponent)}"
    return f"{value:,.4f}".rstrip("0").rstrip(".") if value % 1 else f"{value:,.0f}"


def _linear_ticks(low: float, high: float, count: int) -> tuple[float, ...]:
    rough = (high - low) / max(1, count)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in _STEPS if power * factor >= rough * (1 - 1e-9))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return tuple(round(step * n, 12) + 0.0 for n in range(first, last + 1))


def _log_ticks(scale: Scale) -> tuple[float, ...]:
    decades = range(math.floor(math.log10(scale.low)), math.ceil(math.log10(scale.high)) + 1)
    found: tuple[float, ...] = ()
    for parts in _DECADE_PARTS:
        marks = (part * 10.0**decade for decade in decades for part in parts)
        found = tuple(mark for mark in marks if scale.low <= mark <= scale.high)
        if len(found) <= _MOST_LOG_TICKS:
            break
    return found
