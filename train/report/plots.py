"""Charts as inline SVG: no script, no library; colours come from the page's style and its theme.

A series is told from others by its colour and by its marker or dashes, never by colour alone.
Each chart says in words what it shows, and a chart whose values stand nowhere else on the page
carries them in the `title` of each point.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from edge_daemon.report.wording import text
from train.report.labels import place_labels
from train.report.scales import Scale, scale_for, tick_text

Point: TypeAlias = tuple[float, float]
Span: TypeAlias = tuple[float, float]
Look: TypeAlias = Literal["line", "dots", "both"]

WIDTH_PX, HEIGHT_PX = 440, 280
LEFT_PX, RIGHT_PX, TOP_PX, BOTTOM_PX = 54, 12, 10, 44
LOOKS = 8
"""So many colours, markers and dashes there are before they repeat."""
MOST_POINTS = 240
_MARKERS = (
    "M-4 0a4 4 0 1 0 8 0a4 4 0 1 0 -8 0z",
    "M-3.6 -3.6h7.2v7.2h-7.2z",
    "M0 -4.6L4.4 3.4H-4.4z",
    "M0 -5L5 0L0 5L-5 0z",
    "M0 4.6L4.4 -3.4H-4.4z",
    "M-4.6 -1.4h3.2v-3.2h2.8v3.2h3.2v2.8h-3.2v3.2h-2.8v-3.2h-3.2z",
    "M-4.6 -2.4h9.2v4.8h-9.2z",
    "M-2.4 -4.6h4.8v9.2h-4.8z",
)


@dataclass(frozen=True, slots=True)
class Series:
    """Points of one colour.

    Attributes:
        name: for the legend; empty: not in it.
        points: (x, y), in the order in which a line goes through them; what isn't finite is a gap.
        number: which colour, marker and dashes, from 1.
        look: a line, dots, or dots on a line.
        spans: (low, high) of each point's y, or none at all.
        labels: text beside each point, or none at all.
    """

    name: str
    points: tuple[Point, ...]
    number: int = 1
    look: Look = "line"
    spans: tuple[Span, ...] = ()
    labels: tuple[str, ...] = ()

    @property
    def style(self) -> int:
        """Colour, marker and dashes, 1..8."""
        return (self.number - 1) % LOOKS + 1


@dataclass(frozen=True, slots=True)
class Axis:
    """What an axis tells.

    Attributes:
        label: with its unit.
        low: a value that it reaches to at least.
        high: likewise.
        is_log: equal factors are equally long.
    """

    label: str
    low: float | None = None
    high: float | None = None
    is_log: bool = False


@dataclass(frozen=True, slots=True)
class Chart:
    """A picture of numbers.

    Attributes:
        title: what it shows.
        x: to the right.
        y: upwards.
        series: what is drawn, later ones on top.
        note: a sentence below, or empty.
    """

    title: str
    x: Axis
    y: Axis
    series: tuple[Series, ...]
    note: str = ""

    @property
    def has_points(self) -> bool:
        """Whether there is anything to draw."""
        return any(_is_finite(point) for one in self.series for point in one.points)


def chart_html(chart: Chart) -> str:
    """A figure with its title, the drawing and a legend; a sentence where there are no points."""
    title = f"<figcaption>{text(chart.title)}</figcaption>"
    if not chart.has_points:
        return f"<figure>{title}<p class=hint>No values.</p></figure>\n"
    note = f"<p class=hint>{text(chart.note)}</p>" if chart.note else ""
    legend = _legend(chart.series)
    return f"<figure class=panel>{title}{_svg(chart)}{legend}{note}</figure>\n"


def thinned(series: Series, most: int = MOST_POINTS) -> Series:
    """A long line as the means of stretches of its points, with their range as spans."""
    points = [point for point in series.points if _is_finite(point)]
    if len(points) <= most:
        return Series(series.name, tuple(points), series.number, series.look)
    size = math.ceil(len(points) / most)
    stretches = [points[start : start + size] for start in range(0, len(points), size)]
    means = tuple((_mean([x for x, _ in one]), _mean([y for _, y in one])) for one in stretches)
    spans = tuple((min(y for _, y in one), max(y for _, y in one)) for one in stretches)
    return Series(series.name, means, series.number, series.look, spans)


def _svg(chart: Chart) -> str:
    x = _scale(chart, chart.x, LEFT_PX, WIDTH_PX - RIGHT_PX)
    y = _scale(chart, chart.y, HEIGHT_PX - BOTTOM_PX, TOP_PX)
    drawn = "".join(part for one in chart.series for part in _draw(one, x, y))
    return (
        f'<svg viewBox="0 0 {WIDTH_PX} {HEIGHT_PX}" role="img" '
        f'aria-label="{text(_in_words(chart))}">'
        f"{_axes(chart, x, y)}{drawn}{_labels(chart.series, x, y)}</svg>"
    )


def _scale(chart: Chart, axis: Axis, begin_px: float, end_px: float) -> Scale:
    is_x = axis is chart.x
    values = [point[0 if is_x else 1] for one in chart.series for point in one.points]
    if not is_x:
        values += [end for one in chart.series for span in one.spans for end in span]
    return scale_for(values, begin_px, end_px, low=axis.low, high=axis.high, is_log=axis.is_log)


def _in_words(chart: Chart) -> str:
    """The chart for who can't see it: of each series its first and last point."""
    parts = [f"{chart.title}: {chart.y.label} over {chart.x.label}."]
    for one in chart.series:
        points = [point for point in one.points if _is_finite(point)]
        if points and one.name:
            (x0, y0), (x1, y1) = points[0], points[-1]
            parts.append(f"{one.name}: {y0:.3g} at {x0:.4g} to {y1:.3g} at {x1:.4g}.")
    return " ".join(parts)


def _axes(chart: Chart, x: Scale, y: Scale) -> str:
    right, bottom = WIDTH_PX - RIGHT_PX, HEIGHT_PX - BOTTOM_PX
    middle = (TOP_PX + bottom) / 2
    parts = []
    for tick in y.ticks():
        at = f"{y.place(tick):.1f}"
        parts.append(f"<path class=grid d='M{LEFT_PX} {at}H{right}'/>")
        parts.append(f"<text class=ty x={LEFT_PX - 6} y={at} dy=4>{tick_text(tick)}</text>")
    for tick in x.ticks():
        at = f"{x.place(tick):.1f}"
        parts.append(f"<path class=grid d='M{at} {TOP_PX}V{bottom}'/>")
        parts.append(f"<text class=tx x={at} y={bottom + 16}>{tick_text(tick)}</text>")
    parts.append(f"<path class=axis d='M{LEFT_PX} {TOP_PX}V{bottom}H{right}'/>")
    parts.append(
        f"<text class=tx x={(LEFT_PX + right) / 2} y={HEIGHT_PX - 8}>{text(chart.x.label)}</text>"
        f"<text class=tx transform='translate(12 {middle}) rotate(-90)'>{text(chart.y.label)}"
        "</text>"
    )
    return "".join(parts)


def _draw(series: Series, x: Scale, y: Scale) -> Iterator[str]:
    places = [
        (x.place(point[0]), y.place(point[1])) if _is_finite(point) else None
        for point in series.points
    ]
    style = f"s{series.style}"
    if series.spans and series.look == "line":
        yield _band(series, x, y)
    if series.look != "dots":
        line = _line(places)
        yield f"<path class='line {style} d{series.style}' d='{line}'/>"
    if series.look == "line" and sum(place is not None for place in places) > 1:
        return
    for number, place in enumerate(places):
        if place is None:
            continue
        if series.spans and _is_finite(series.spans[number]):
            low, high = (y.place(end) for end in series.spans[number])
            yield f"<path class='span {style}' d='M{place[0]:.1f} {low:.1f}V{high:.1f}'/>"
        yield (
            f"<path class='dot {style}' d='{_MARKERS[series.style - 1]}' "
            f"transform='translate({place[0]:.1f} {place[1]:.1f})'>"
            f"<title>{text(_point_in_words(series, number))}</title></path>"
        )


def _band(series: Series, x: Scale, y: Scale) -> str:
    spans = [
        (x.place(point[0]), y.place(span[0]), y.place(span[1]))
        for point, span in zip(series.points, series.spans, strict=True)
        if _is_finite(point) and _is_finite(span)
    ]
    there = [(left, low) for left, low, _ in spans]
    back = [(left, high) for left, _, high in reversed(spans)]
    corners = "L".join(f"{left:.1f} {top:.1f}" for left, top in there + back)
    return f"<path class='band s{series.style}' d='M{corners}z'/>" if spans else ""


def _line(places: Sequence[Point | None]) -> str:
    parts, is_down = [], False
    for place in places:
        if place is not None:
            parts.append(f"{'L' if is_down else 'M'}{place[0]:.1f} {place[1]:.1f}")
        is_down = place is not None
    return "".join(parts)


def _point_in_words(series: Series, number: int) -> str:
    x, y = series.points[number]
    name = series.labels[number] if series.labels else series.name
    span = ""
    if series.spans:
        low, high = series.spans[number]
        span = f" ({low:.3g} to {high:.3g})"
    return f"{name}: {x:.4g}, {y:.3g}{span}"


def _labels(series: Sequence[Series], x: Scale, y: Scale) -> str:
    placed = [
        (label, (x.place(point[0]), y.place(point[1])))
        for one in series
        for label, point in zip(one.labels, one.points, strict=False)
        if _is_finite(point)
    ]
    inside = (LEFT_PX, 0, WIDTH_PX, HEIGHT_PX - BOTTOM_PX)
    return "".join(
        f"<text class=label x={left:.1f} y={top:.1f}>{text(label)}</text>"
        for label, (left, top) in place_labels(placed, inside)
    )


def _legend(series: Sequence[Series]) -> str:
    named = [one for one in series if one.name]
    if len(named) == len(series) == 1:  # the title says all
        return ""
    items = "".join(f"<li>{_sample(one)}{text(one.name)}</li>" for one in named)
    return f"<ul class=legend>{items}</ul>"


def _sample(series: Series) -> str:
    style = series.style
    line = f"<path class='line s{style} d{style}' d='M0 6H26'/>"
    shape = _MARKERS[style - 1]
    marker = f"<path class='dot s{style}' d='{shape}' transform='translate(13 6)'/>"
    drawn = {"line": line, "dots": marker, "both": line + marker}[series.look]
    return f"<svg viewBox='0 0 26 12' aria-hidden=true>{drawn}</svg>"


def _is_finite(point: Point) -> bool:
    return math.isfinite(point[0]) and math.isfinite(point[1])


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
