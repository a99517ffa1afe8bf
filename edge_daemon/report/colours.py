"""Colours of the classes of defect, the same in pictures and on the page.

They stay apart on grey steel and, by their lightness, for colour-blind readers too; a number or
a name always stands beside them.
"""

from typing import TypeAlias

RGB: TypeAlias = tuple[int, int, int]

_PALETTE: tuple[RGB, ...] = (
    (255, 176, 0),
    (86, 180, 255),
    (255, 92, 168),
    (60, 220, 160),
    (180, 145, 255),
    (255, 122, 51),
    (232, 240, 106),
    (125, 226, 255),
)


def class_colour(class_id: int) -> RGB:
    """Colour of a class; they repeat after eight."""
    return _PALETTE[(class_id - 1) % len(_PALETTE)]


def class_hex(class_id: int) -> str:
    """Colour of a class as CSS writes it."""
    return "#{:02x}{:02x}{:02x}".format(*class_colour(class_id))
