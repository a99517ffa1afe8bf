"""What a measurement came to: the line that this box can follow, as JSON, beside an older one."""

import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from edge_daemon.bench.stages import StageResult
from edge_daemon.bench.whole import ROWS, WholeResult


@dataclass(frozen=True, slots=True)
class BenchResult:
    """What was measured.

    Attributes:
        bundle: name and version.
        stages: each stage alone.
        whole: the daemon with one camera, and with more.
        mm_per_px: millimetres per row that the line speed assumes.
    """

    bundle: str
    stages: StageResult
    whole: Sequence[WholeResult]
    mm_per_px: float

    def line_m_per_s(self, whole: WholeResult) -> float:
        """Speed at which each of so many cameras of 1600 columns sees every row."""
        return whole.strips_per_s / whole.cameras * ROWS * self.mm_per_px / 1000.0

    def to_json(self) -> dict[str, Any]:
        """For `--json`, and for `--compare` later."""
        return {
            "bundle": self.bundle,
            "processor": processor(),
            "cores": os.cpu_count(),
            "mm_per_px": self.mm_per_px,
            "stage_ms": dict(self.stages.stage_ms),
            "post_processing": {
                "clean_share": self.stages.clean_share,
                "defective_share": self.stages.defective_share,
            },
            "whole": [
                {
                    **asdict(one),
                    "ratio": one.ratio,
                    "bottleneck": one.bottleneck,
                    "line_m_per_s": self.line_m_per_s(one),
                }
                for one in self.whole
            ],
        }


def figures(result: Mapping[str, Any]) -> dict[str, float]:
    """The figures of a result that can be compared with another's, by name."""
    flat = {f"{name}, ms": float(value) for name, value in result["stage_ms"].items()}
    for one in result["whole"]:
        name = f"{one['cameras']} cameras, {one['codec']}"
        flat[f"{name}: daemon / network alone"] = float(one["ratio"])
        flat[f"{name}: strips/s"] = float(one["strips_per_s"])
    return flat


def processor() -> str:
    """The processor's name as Linux tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
