"""Memory on device and host stays what it is over thousands of batches."""

from pathlib import Path

import numpy as np
import pytest

from edge_daemon.cuda.device import load_cuda
from edge_daemon.engine import shipped_bundle
from edge_daemon.inference.bundle import load_bundle
from edge_daemon.inference.segmenter import Segmenter
from edge_daemon.simulation.strips import draw_strip
from tests.gpu.opening import open_plan, open_torch

pytestmark = [pytest.mark.gpu, pytest.mark.timeout(600)]
BUNDLE = load_bundle(shipped_bundle())
WARM_UP, BATCHES = 200, 3000
DEVICE_SLACK_BYTES = 8 << 20
"""Others may use the GPU too."""
HOST_SLACK_BYTES = 8 << 20
OPENINGS = 5


def resident_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * 4096


def free_bytes() -> int:
    return load_cuda().memory_info()[0]


def run(segmenter: Segmenter, batches: int) -> None:
    strips = [draw_strip(np.random.default_rng(seed))[0] for seed in range(8)]
    for number in range(batches):
        answers = segmenter.segment(strips[: number % 8 + 1])
        answers.fetch(slice(0, number % 3))


def check_flat(segmenter: Segmenter) -> None:
    run(segmenter, WARM_UP)
    free, resident = free_bytes(), resident_bytes()
    run(segmenter, BATCHES)
    assert free - free_bytes() < DEVICE_SLACK_BYTES
    assert resident_bytes() - resident < HOST_SLACK_BYTES


def test_a_plans_memory_stays_flat(tmp_path: Path) -> None:
    with open_plan(BUNDLE, tmp_path) as segmenter:
        check_flat(segmenter)


def test_the_torch_backends_memory_stays_flat() -> None:
    check_flat(open_torch(BUNDLE, device="cuda"))


def test_a_plan_that_is_closed_gives_everything_back(tmp_path: Path) -> None:
    segmenter = open_plan(BUNDLE, tmp_path)
    with segmenter:
        run(segmenter, 8)
    free = free_bytes()
    for _ in range(OPENINGS):
        with segmenter:
            run(segmenter, 8)
    assert free - free_bytes() < DEVICE_SLACK_BYTES
