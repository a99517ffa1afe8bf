"""What a run amounts to: counts for the head of the page, and one look per frame for its map.

It takes eight bytes per frame and a little more per defect, so a long run stays small.
"""

from array import array
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from edge_daemon.core.records import FrameRecord, Verdict

LOST = "lost"
"""Reason of frames that never came: a jump in a stream's numbers."""
SEVERITIES = ("minor", "major", "critical")
_NO_FRAME = 0
_MOST_LOST_SHOWN = 100


def severity_rank(severity: str) -> int:
    """0 minor, 1 major, 2 critical; one that is unknown is not played down."""
    return SEVERITIES.index(severity) if severity in SEVERITIES else len(SEVERITIES) - 1


@dataclass(frozen=True, slots=True)
class Look:
    """What a cell of the map shows.

    Attributes:
        verdicts: of the frames behind it; more than one only where a cell stands for many.
        class_ids: found in them, ascending.
        reasons: why they weren't inspected.
    """

    verdicts: frozenset[Verdict]
    class_ids: tuple[int, ...] = ()
    reasons: tuple[str, ...] = ()

    def merged(self, other: "Look") -> "Look":
        """The look of both."""
        return Look(
            self.verdicts | other.verdicts,
            tuple(sorted({*self.class_ids, *other.class_ids})),
            tuple(sorted({*self.reasons, *other.reasons})),
        )


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell of the map: the first frame behind it, counted from 1, and its look.

    Attributes:
        frame: its number on the page; None for frames that never came.
        look: what to show.
    """

    frame: int | None
    look: Look


@dataclass(slots=True)
class Lane:
    """One camera's way over one coil, in the order of the frames."""

    camera: str | None
    coil: str | None
    frames: "array[int]" = field(default_factory=lambda: array("I"))
    looks: "array[int]" = field(default_factory=lambda: array("I"))


class Tally:
    """Counts verdicts, reasons and defects, frame by frame."""

    def __init__(self) -> None:
        self.verdicts: Counter[Verdict] = Counter()
        self.reasons: Counter[str] = Counter()
        self.class_names: dict[int, str] = {}
        self._defects: dict[str, tuple[int, int]] = {}
        self._lanes: dict[tuple[str | None, str | None], Lane] = {}
        self._look_numbers: dict[Look, int] = {}
        self._last_lane: Lane | None = None
        self._last_seq: dict[str | None, tuple[str | None, int]] = {}
        self._without_place = 0

    @property
    def frames(self) -> int:
        """All frames, those that never came too."""
        return self.verdicts.total()

    @property
    def inspected(self) -> int:
        """Frames that somebody has looked at."""
        return self.verdicts[Verdict.CLEAN] + self.verdicts[Verdict.DEFECTIVE]

    @property
    def lanes(self) -> tuple[Lane, ...]:
        """Cameras and coils in the order of their first frames."""
        return tuple(self._lanes.values())

    def add(self, record: FrameRecord, number: int) -> None:
        """Count a frame; `number` is its place on the page, from 1."""
        lane = self._lane(record)
        lost = self._lost_before(record)
        if lost:
            self.verdicts[Verdict.NOT_INSPECTED] += lost
            self.reasons[LOST] += lost
            look = Look(frozenset((Verdict.NOT_INSPECTED,)), reasons=(LOST,))
            for _ in range(min(lost, _MOST_LOST_SHOWN)):
                self._put(lane, _NO_FRAME, look)
        self.verdicts[record.verdict] += 1
        if record.reason is not None:
            self.reasons[record.reason] += 1
        for defect in record.defects:
            self.class_names.setdefault(defect.class_id, defect.class_name)
            rank = severity_rank(defect.severity)
            _, before = self._defects.get(defect.id, (defect.class_id, 0))
            self._defects[defect.id] = (defect.class_id, max(rank, before))
        self._put(lane, number, _look(record))

    def defects(self) -> Counter[tuple[int, str]]:
        """Whole defects by class and worst severity; one that runs over many frames counts once."""
        return Counter((class_id, SEVERITIES[rank]) for class_id, rank in self._defects.values())

    def cells(self, lane: Lane, *, per_cell: int) -> Iterator[Cell]:
        """The lane's cells; each stands for `per_cell` frames and shows all that is behind it."""
        looks = list(self._look_numbers)
        for start in range(0, len(lane.frames), per_cell):
            look = looks[lane.looks[start]]
            for number in lane.looks[start + 1 : start + per_cell]:
                look = look.merged(looks[number])
            yield Cell(lane.frames[start] or None, look)

    def _lane(self, record: FrameRecord) -> Lane:
        """Where the frame belongs; one that doesn't say is shown where it came."""
        if record.camera is None and self._last_lane is not None:
            return self._last_lane
        key = (record.camera, record.coil)
        if key not in self._lanes:
            self._lanes[key] = Lane(*key)
        self._last_lane = self._lanes[key]
        return self._last_lane

    def _put(self, lane: Lane, frame: int, look: Look) -> None:
        lane.frames.append(frame)
        lane.looks.append(self._look_numbers.setdefault(look, len(self._look_numbers)))

    def _lost_before(self, record: FrameRecord) -> int:
        """Frames of the same stream that should have come before this one.

        A frame that came but didn't even say where it belongs fills such a gap.
        """
        if record.seq is None:
            self._without_place += 1
            return 0
        stream, before = self._last_seq.get(record.camera, (record.stream, record.seq - 1))
        if stream != record.stream:
            before = record.seq - 1
        self._last_seq[record.camera] = (record.stream, max(before, record.seq))
        missing = max(0, record.seq - before - 1)
        filled = min(missing, self._without_place)
        self._without_place -= filled
        return missing - filled


def _look(record: FrameRecord) -> Look:
    reasons = () if record.reason is None else (record.reason,)
    class_ids = tuple(sorted({defect.class_id for defect in record.defects}))
    return Look(frozenset((record.verdict,)), class_ids, reasons)
