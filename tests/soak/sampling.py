"""What is measured of the daemon while it soaks: memory, descriptors, threads, latency, depth."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from prometheus_client.utils import floatToGoString

from edge_daemon.telemetry.metrics import FRAME_BUCKETS_S
from tests.edge_daemon.conftest import Scrape

Buckets: TypeAlias = Mapping[float, float]
"""A cumulative histogram: how many took at most so many seconds."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One look.

    Attributes:
        at_s: after the start of the soak.
        life: which process, counted from 0.
        rss_mib: resident memory.
        fds: open descriptors.
        threads: of the process.
        depth: messages in the outbox.
        latency: from arrival to verdict, since the daemon's run began.
    """

    at_s: float
    life: int
    rss_mib: float
    fds: int
    threads: int
    depth: int
    latency: Buckets


def take_sample(pid: int, scrape: Scrape, *, at_s: float, life: int) -> Sample | None:
    """Look at a process; None where it doesn't live, or its metrics couldn't be had."""
    latency = {
        le: scrape.total("frame_latency_seconds_bucket", le=_label(le))
        for le in (*FRAME_BUCKETS_S, float("inf"))
    }
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
        fds = len([*Path(f"/proc/{pid}/fd").iterdir()])
    except OSError:
        return None
    fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    if not scrape.total("build_info") or "VmRSS" not in fields:
        return None
    return Sample(
        at_s=at_s,
        life=life,
        rss_mib=int(fields["VmRSS"].split()[0]) / 1024,
        fds=fds,
        threads=int(fields["Threads"]),
        depth=int(scrape.total("outbox_depth")),
        latency=latency,
    )


def _label(le: float) -> str:
    label: str = floatToGoString(le)  # type: ignore[no-untyped-call]  # prometheus_client
    return label


def between(earlier: Buckets, later: Buckets) -> Buckets:
    """What came in between two looks at one histogram; a new run of the daemon starts at 0."""
    is_new = any(later[le] < earlier.get(le, 0.0) for le in later)
    return dict(later) if is_new else {le: n - earlier.get(le, 0.0) for le, n in later.items()}


def percentile_s(buckets: Buckets, share: float) -> float | None:
    """Up to how long that share took, by interpolation within a bucket; None of nothing."""
    total = max(buckets.values(), default=0.0)
    if not total:
        return None
    below_s, below = 0.0, 0.0
    for limit_s, count in sorted(buckets.items()):
        if count >= share * total:
            if limit_s == float("inf"):
                return below_s
            part = (share * total - below) / (count - below) if count > below else 0.0
            return below_s + part * (limit_s - below_s)
        below_s, below = limit_s, count
    return below_s
