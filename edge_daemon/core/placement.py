"""Where a frame lies on the strip, in rows of its stream and, with a scale, in millimetres."""

from dataclasses import dataclass

from edge_daemon.core.wire import FrameHeader

FARTHEST_MM = 1e12
"""A million kilometres: what lies beyond is no position on a strip, and no message takes it."""


@dataclass(frozen=True, slots=True)
class Scale:
    """A camera's scale, from its `[[camera]]` section.

    Attributes:
        mm_per_px_along: millimetres per row, in rolling direction.
        mm_per_px_across: millimetres per column.
        across_offset_mm: where column 0 lies on the strip.
    """

    mm_per_px_along: float
    mm_per_px_across: float
    across_offset_mm: float = 0.0


@dataclass(frozen=True, slots=True)
class Place:
    """A frame's place.

    Attributes:
        top_line: row counter of its first row, since the stream began.
        height_px: its rows.
        position_mm: of the first row along the strip: from the encoder, else from the row counter
            and the scale; None where neither is there, or beyond `FARTHEST_MM`.
        scale: the camera's scale, None where unknown.
    """

    top_line: int
    height_px: int
    position_mm: float | None
    scale: Scale | None

    @property
    def end_line(self) -> int:
        """Row counter just past the last row."""
        return self.top_line + self.height_px

    @property
    def end_mm(self) -> float | None:
        """Position just past the last row."""
        return self.row_mm(self.height_px)

    def row_mm(self, row: int) -> float | None:
        """Position of a row of the frame along the strip."""
        if row == 0:
            return self.position_mm
        if self.position_mm is None or self.scale is None:
            return None
        return _on_a_strip(self.position_mm + row * self.scale.mm_per_px_along)

    def from_row(self, row: int) -> "Place":
        """Place of what is left of the frame without its first rows."""
        return Place(self.top_line + row, self.height_px - row, self.row_mm(row), self.scale)

    def column_mm(self, column: int) -> float | None:
        """Position of a column across the strip."""
        if self.scale is None:
            return None
        return self.scale.across_offset_mm + column * self.scale.mm_per_px_across


def place_frame(header: FrameHeader, scale: Scale | None) -> Place:
    """Find a frame's place; the encoder is believed before the row counter."""
    position_mm = header.encoder_mm
    if position_mm is None and scale is not None:
        position_mm = header.top_line * scale.mm_per_px_along
    if position_mm is not None:
        position_mm = _on_a_strip(position_mm)
    return Place(header.top_line, header.height, position_mm, scale)


def _on_a_strip(position_mm: float) -> float | None:
    return position_mm if abs(position_mm) <= FARTHEST_MM else None
