"""What a replay came to, and where its time went."""

import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from edge_daemon.core.records import Verdict
from edge_daemon.outcomes import Facts, Outcome


@dataclass(slots=True)
class ReplaySummary:
    """What a replay came to.

    Attributes:
        frames: messages and files taken in.
        verdicts: how many frames of each verdict.
        reasons: why frames were not inspected.
        defects: defects by class name; one that runs over several frames counts once.
        lines_inspected: rows looked at.
        lines_not_inspected: rows that were not, those of lost frames included.
        seconds: how long it took.
        stage_seconds: of that, by stage.
    """

    frames: int = 0
    verdicts: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    defects: Counter[str] = field(default_factory=Counter)
    lines_inspected: int = 0
    lines_not_inspected: int = 0
    seconds: float = 0.0
    stage_seconds: dict[str, float] = field(default_factory=lambda: defaultdict(float))

    def add(self, _source: str, outcome: Outcome) -> None:
        """Count one frame."""
        self.frames += 1
        self.verdicts[outcome.record.verdict.value] += 1
        if outcome.record.verdict is Verdict.NOT_INSPECTED:
            self.reasons[outcome.record.reason or "unknown"] += 1
        self.tell(outcome.facts)

    def tell(self, facts: Facts) -> None:
        """Count rows and defects that ended."""
        self.lines_inspected += facts.news.lines_inspected
        self.lines_not_inspected += facts.news.lines_not_inspected.total()
        self.defects.update(defect.name for defect in facts.news.defects)

    @contextmanager
    def timed(self) -> Iterator[None]:
        """Measure how long the block takes."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self.seconds = time.perf_counter() - began

    def to_json(self) -> dict[str, object]:
        """For `--json`."""
        return {
            "frames": self.frames,
            **{verdict.value: self.verdicts[verdict.value] for verdict in Verdict},
            "reasons": dict(sorted(self.reasons.items())),
            "defects": dict(sorted(self.defects.items())),
            "lines_inspected": self.lines_inspected,
            "lines_not_inspected": self.lines_not_inspected,
            "seconds": round(self.seconds, 3),
            "frames_per_s": round(self.frames / self.seconds, 2) if self.seconds else 0.0,
            "stage_seconds": {k: round(v, 3) for k, v in sorted(self.stage_seconds.items())},
        }


class StageTimes:
    """Adds up how long each stage took, on whatever thread."""

    def __init__(self, seconds: dict[str, float]) -> None:
        self._seconds = seconds
        self._lock = threading.Lock()

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        """Time one stage."""
        began = time.perf_counter()
        try:
            yield
        finally:
            took_s = time.perf_counter() - began
            with self._lock:
                self._seconds[name] += took_s
