"""What a measurement is turned into."""

import pytest

from edge_daemon.bench.report import BenchResult, figures
from edge_daemon.bench.stages import StageResult
from edge_daemon.bench.whole import WholeResult

WHOLE = WholeResult(
    cameras=4,
    codec="raw",
    strips_per_s=40.0,
    bare_strips_per_s=42.0,
    ratios=(0.9, 0.95, 1.0),
    busy={"network": 0.97, "decoders": 0.1, "inspector": 0.2},
    latency_ms=100.0,
    resident_mib=200.0,
)
RESULT = BenchResult("steel 1", StageResult({"find": 0.5}, 0.01, 0.05), [WHOLE], mm_per_px=0.5)


def test_every_camera_gets_its_share_of_the_line() -> None:
    assert RESULT.line_m_per_s(WHOLE) == pytest.approx(10 * 256 * 0.5 / 1000)


def test_the_ratio_is_the_median_of_the_pairs_and_the_bottleneck_the_busiest_thread() -> None:
    assert (WHOLE.ratio, WHOLE.bottleneck) == (0.95, "network")


def test_figures_are_named_by_what_was_measured() -> None:
    assert figures(RESULT.to_json()) == {
        "find, ms": 0.5,
        "4 cameras, raw: daemon / network alone": 0.95,
        "4 cameras, raw: strips/s": 40.0,
    }
