"""The page of a benchmark; the figures in these tests are made up."""

import dataclasses

import pytest

pytest.importorskip("torch", reason="torch is not installed")
from tests.gpu.page import BatchTimes, Benchmark, file_name, write_page
from tests.gpu.roofline import Ceilings, Floor
from tests.gpu.timing import PartTimes

FLOOR = Floor(8.0, 100.0, total_ms=0.8, memory_ms=0.5, weakest="conv 3x3", weakest_ms=0.2)
SMALLER = dataclasses.replace(FLOOR, total_ms=0.5)
TIMES = BatchTimes(
    8,
    eager=4.0,
    captured=2.0,
    plan=1.05,
    pair=1.02,
    parts=PartTimes(network=1.0, copies=0.02, graph=1.03),
    floor=FLOOR,
)


def page(*batches: BatchTimes) -> str:
    return write_page(
        Benchmark(
            "NVIDIA Made-Up 1",
            {"driver": "1.2.3", "torch": "9.9"},
            "python -m tests.gpu.benchmark",
            Ceilings(5e13, 2e11),
            {"steel-nano": batches},
        )
    )


def test_shares_and_ratios_are_those_of_the_times() -> None:
    assert TIMES.overhead == pytest.approx(0.05)
    assert TIMES.speed_up == pytest.approx(4.0 / 1.05)
    assert TIMES.times_floor == pytest.approx(1.25)


def test_the_page_says_what_was_measured_with_what() -> None:
    text = page(TIMES)
    assert text.startswith("# NVIDIA Made-Up 1\n")
    assert "`python -m tests.gpu.benchmark`" in text
    assert "- driver 1.2.3" in text
    assert "50 TFLOP/s (matrix product, float16), 200 GB/s" in text
    assert "| 8 | 4.000 | 2.000 | 1.050 | 1.000 | 0.020 | 5.0 % | 2.0 % | 3.8 | 7843 |" in text
    assert "| 8 | 8.0 | 100 | 0.800 | 0.500 | 1.000 | 1.2 | conv 3x3: 0.200 |" in text


def test_figures_that_are_reached_are_told() -> None:
    assert page(TIMES).count("- reached: ") == 4


@pytest.mark.parametrize(
    ("times", "said"),
    [
        (dataclasses.replace(TIMES, pair=1.2), "with two runners 20.0 % at 8 strips"),
        (
            dataclasses.replace(TIMES, plan=1.2),
            "the network 20.0 % of its time at 8 strips",
        ),
        (dataclasses.replace(TIMES, eager=3.0), "2.9 times eager PyTorch at 8 strips"),
        (dataclasses.replace(TIMES, floor=SMALLER), "takes 2.0 times its least"),
    ],
)
def test_a_figure_that_is_missed_is_told_plainly(times: BatchTimes, said: str) -> None:
    text = page(times)
    assert text.count("**missed**") == 1
    assert said in text.split("**missed**: ")[1]


def test_figures_are_judged_at_the_largest_batch() -> None:
    assert "**missed**" not in page(dataclasses.replace(TIMES, batch=1, plan=3.0), TIMES)


def test_without_a_plan_the_page_says_so() -> None:
    text = page(dataclasses.replace(TIMES, plan=None, pair=None, parts=None))
    assert "| 8 | 4.000 | 2.000 | - | - | - | - | - | 2.0 | 4000 |" in text
    assert "no plan was measured" in text


@pytest.mark.parametrize(
    ("gpu", "name"),
    [("NVIDIA L4", "nvidia-l4.md"), ("Orin (nvgpu)", "orin-nvgpu.md"), ("A/B\\..", "a-b.md")],
)
def test_the_file_is_named_for_the_gpu(gpu: str, name: str) -> None:
    assert file_name(gpu) == name
