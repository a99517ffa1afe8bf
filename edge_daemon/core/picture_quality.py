"""Is a picture fit to be looked at: black, white, frozen or blurred ones are no clean steel.

A camera with a dead lamp, a stuck buffer or a lens that came loose goes on sending frames that keep
the contract. A network finds nothing on them and would call them clean.

What a picture shows is reduced to a `PictureDigest` when it is decoded, from a sample of bounded
size: that costs less than a hundredth of a CPU's inference. Judging digests needs a memory of the
camera's frames before and happens in their order.

| kind | what the rules look for |
|---|---|
| black | hardly a row has light; or a quarter of the rows is black without noise: never filled |
| white | half of what is lit is saturated, or a quarter of the rows is |
| frozen | what noise forbids: a quarter of the rows is, to the last bit, that of a frame before, |
| | or the one above it, or of one grey level; or a quarter of the columns is, and lit |
| blurred | too little fine detail, along or across: beside the coarse, or beside what is usual |

The head and the tail of a strip leave much of a frame dark, and that is fine: the dark has noise.

Steel has detail at every size, so grey levels two pixels apart differ nearly as much as those eight
apart; behind a blurred lens they differ about a quarter as much. Where noise was added to a blurred
picture that doesn't show, but fine detail drops to a fraction of what the camera usually sees.
"""

from collections import deque
from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from statistics import median
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from edge_daemon.core.pixels import GreyImage

DARK_LEVEL: Final = 24
_GRID_ROWS: Final = 64
_GRID_COLUMNS: Final = 200
_DETAIL_LINES: Final = 32
_FINE_PX, _COARSE_PX = 2, 8
_LEAST_SIDE_PX: Final = 32
"""Of a side that is shorter nothing is said of detail."""
_LEAST_PAIRS: Final = 500
_SATURATED: Final = 250
_FLAT: Final = 0.3
"""Mean difference in grey levels that the noise of any camera exceeds."""
_FRAMES_REMEMBERED: Final = 4
"""A grabber that hangs may give its few buffers in turns."""
_NORMAL_FRAMES: Final = 64
_FRAMES_FOR_NORMAL: Final = 32

Flags: TypeAlias = NDArray[np.bool_]
"""One for each row of a sample."""


class PictureFault(StrEnum):
    """What is wrong with a picture: a closed set, also a metric's label."""

    BLACK = "black"
    WHITE = "white"
    FROZEN = "frozen"
    BLURRED = "blurred"


@dataclass(frozen=True, slots=True)
class PictureRules:
    """From where on a picture is not fit to be looked at.

    The values were set on 1,009 real strips; `docs/image-quality.md` has what they find and miss.

    Attributes:
        kinds: what is looked for at all.
        dark_level: grey level below which there is no light.
        dark_rows: share of rows without light that makes a frame black.
        bad_rows: share of rows without noise, saturated or repeated that makes a frame bad.
        saturated: share of the lit pixels that makes a frame white.
        least_sharpness: of fine to coarse detail.
        least_detail: of fine detail to the camera's median.
    """

    kinds: Collection[PictureFault] = frozenset(PictureFault)
    dark_level: int = DARK_LEVEL
    dark_rows: float = 0.8
    bad_rows: float = 0.25
    saturated: float = 0.5
    least_sharpness: float = 0.42
    least_detail: float = 0.25


@dataclass(frozen=True, slots=True)
class Detail:
    """How grey levels change in one direction, where there is light.

    Attributes:
        fine: mean absolute difference of pixels 2 apart, in grey levels.
        coarse: of pixels 8 apart.
    """

    fine: float
    coarse: float

    @property
    def sharpness(self) -> float:
        """Fine by coarse detail; about 0.25 behind a blurred lens, 0 where there is none at all."""
        return 0.0 if self.coarse < _FLAT else self.fine / self.coarse


@dataclass(frozen=True, slots=True, eq=False)
class PictureDigest:
    """What is needed of a picture to judge it.

    Attributes:
        shape: (H, W) of the picture.
        sample: a grid of its pixels, 64 x 200 or a few more at most, uint8.
        along: detail in the rolling direction, None where there is too little light or height.
        across: detail across the strip.
    """

    shape: tuple[int, int]
    sample: GreyImage
    along: Detail | None
    across: Detail | None


def digest(image: GreyImage, *, dark_level: int = DARK_LEVEL) -> PictureDigest:
    """Reduce a picture, (H, W) uint8, to what is needed to judge it: half a millisecond's work."""
    height_px, width_px = image.shape
    sample = image[:: -(-height_px // _GRID_ROWS), :: -(-width_px // _GRID_COLUMNS)].copy()
    rows = image[:: -(-height_px // _DETAIL_LINES)]
    columns = np.ascontiguousarray(image[:, :: -(-width_px // (4 * _DETAIL_LINES))].T)
    return PictureDigest(
        (height_px, width_px),
        sample,
        along=_detail(columns, dark_level),
        across=_detail(rows, dark_level),
    )


class PictureWatch:
    """Judges the pictures of one camera, one after the other.

    Args:
        rules: what is too bad.
    """

    def __init__(self, rules: PictureRules) -> None:
        self._rules = rules
        self._stream = ""
        self._last = deque[PictureDigest](maxlen=_FRAMES_REMEMBERED)
        self._normal = deque[tuple[float | None, float | None]](maxlen=_NORMAL_FRAMES)

    def judge(self, picture: PictureDigest, *, stream: str) -> PictureFault | None:
        """Say what is wrong with the next picture; None: it is fit to be looked at.

        Only good ones make up the camera's normal, or a lens that came loose would soon be normal.
        """
        if stream != self._stream:
            self._last.clear()
        self._stream = stream
        fault = next((kind for kind in PictureFault if self._is(kind, picture)), None)
        self._last.append(picture)
        if fault is not None:
            return fault
        self._normal.append((_fine(picture.along), _fine(picture.across)))
        return None

    def _is(self, kind: PictureFault, picture: PictureDigest) -> bool:
        rules = self._rules
        if kind not in rules.kinds:
            return False
        match kind:
            case PictureFault.BLACK:
                return is_black(picture, rules)
            case PictureFault.WHITE:
                return is_white(picture, rules)
            case PictureFault.FROZEN:
                repeated = any(is_repeated(last, picture, rules) for last in self._last)
                return repeated or is_without_noise(picture, rules)
            case PictureFault.BLURRED:
                return is_blurred(picture, rules) or self._has_lost_detail(picture)

    def _has_lost_detail(self, picture: PictureDigest) -> bool:
        now = (_fine(picture.along), _fine(picture.across))
        for value, seen in zip(now, zip(*self._normal, strict=True), strict=False):
            known = [one for one in seen if one is not None]
            if value is None or len(known) < _FRAMES_FOR_NORMAL:
                continue
            if value < self._rules.least_detail * median(known):
                return True
        return False


def is_black(picture: PictureDigest, rules: PictureRules) -> bool:
    """Whether hardly a row has light, but for single pixels, or many are black without noise."""
    sample = picture.sample
    lit = np.count_nonzero(sample >= rules.dark_level, axis=1)
    dark = lit * 50 < sample.shape[1]  # 2 %
    unfilled = dark & _is_flat(sample)
    return _share(dark) >= rules.dark_rows or _share(unfilled) >= rules.bad_rows


def is_white(picture: PictureDigest, rules: PictureRules) -> bool:
    """Whether too much of what is lit is saturated, or too many rows are so altogether."""
    saturated = picture.sample >= _SATURATED
    lit = np.count_nonzero(picture.sample >= rules.dark_level)
    rows = np.count_nonzero(saturated, axis=1) * 20 >= saturated.shape[1] * 19  # 95 %
    much = bool(np.count_nonzero(saturated) > rules.saturated * lit)
    return much or _share(rows) >= rules.bad_rows


def is_repeated(last: PictureDigest, picture: PictureDigest, rules: PictureRules) -> bool:
    """Whether too many rows are those of the frame before; rows of one grey level don't count."""
    if last.shape != picture.shape:
        return False
    same: Flags = (picture.sample == last.sample).all(axis=1)
    return _share(same & ~_is_flat(picture.sample)) >= rules.bad_rows


def is_without_noise(picture: PictureDigest, rules: PictureRules) -> bool:
    """Whether too many rows are like the one above or of one grey level, or lit columns are."""
    sample = picture.sample
    if min(sample.shape) < _LEAST_SIDE_PX:
        return False
    stuck = _is_flat(sample)
    stuck[1:] |= (sample[1:] == sample[:-1]).all(axis=1)
    # The dark beside a strip may well be of one grey level.
    columns = _is_flat(sample.T) & (sample[0] >= rules.dark_level)
    return _share(stuck) >= rules.bad_rows or _share(columns) >= rules.bad_rows


def is_blurred(picture: PictureDigest, rules: PictureRules) -> bool:
    """Whether there is hardly any fine detail beside the coarse, in one direction or both."""
    details = [each for each in (picture.along, picture.across) if each is not None]
    return any(each.sharpness < rules.least_sharpness for each in details)


def _is_flat(sample: GreyImage) -> Flags:
    """Rows that have one grey level; of a narrow sample nothing is said."""
    flat: Flags = (sample == sample[:, :1]).all(axis=1) & (sample.shape[1] >= _LEAST_SIDE_PX)
    return flat


def _share(rows: Flags) -> float:
    return float(np.count_nonzero(rows)) / rows.size


def _fine(detail: Detail | None) -> float | None:
    return None if detail is None else detail.fine


def _detail(lines: GreyImage, dark_level: int) -> Detail | None:
    """Detail along the second axis, where both pixels of a pair are lit."""
    if lines.shape[1] < _LEAST_SIDE_PX:
        return None
    levels, lit = lines.astype(np.int16), lines >= dark_level
    differences = []
    for apart in (_FINE_PX, _COARSE_PX):
        pairs = lit[:, apart:] & lit[:, :-apart]
        count = np.count_nonzero(pairs)
        if count < _LEAST_PAIRS:
            return None
        difference = np.abs(levels[:, apart:] - levels[:, :-apart])
        differences.append(float(difference.sum(where=pairs)) / count)
    return Detail(*differences)
