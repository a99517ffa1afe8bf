from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

pytest.importorskip("segmentation_models_pytorch", reason="needs the extra `train`")

from benchmarks.errors import BenchmarkError
from benchmarks.networks import StockUnet, check_answers, compare_networks, shipped_source
from benchmarks.runtimes import Answer, Loaded, Source, Strip, load, write_onnx
from edge_daemon.simulation.strips import draw_strip

ZOO = Path(__file__).resolve().parents[2] / "models" / "zoo"


def loaded(name: str, value: float) -> Loaded:
    def run(_: Strip) -> Answer:
        return np.full((1, 4, 2, 2), value, np.float32)

    return Loaded(name, run, prepared_s=0.0)


@pytest.mark.parametrize("other", [0.5, float("nan")])
def test_runtimes_that_differ_are_not_compared(other: float) -> None:
    strip = np.zeros((1, 1, 256, 1600), np.uint8)

    with pytest.raises(BenchmarkError, match=r"second is .* off first"):
        check_answers("net", [loaded("first", 0.1), loaded("second", other)], strip)


def test_runtimes_that_round_differently_are_compared() -> None:
    strip = np.zeros((1, 1, 256, 1600), np.uint8)

    check_answers("net", [loaded("first", 0.1), loaded("second", 0.105)], strip)


class Tiny(nn.Module):
    """Takes what smp's network takes, and is exported in a moment."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Conv2d(1, 4, 3, stride=4, padding=1)

    def forward(self, strips: Tensor) -> Tensor:
        scores: Tensor = self.body(strips.float() / 255.0)
        return scores


def tiny_source(name: str, folder: Path) -> Source:
    source = Source(name, Tiny().eval(), folder / f"{name}.onnx")
    write_onnx(source.module, source.onnx_path)
    return source


def test_each_peer_is_held_against_ours_in_onnx_runtime(tmp_path: Path) -> None:
    report = compare_networks(
        tiny_source("stock", tmp_path),
        [tiny_source("ours", tmp_path)],
        runtimes=["eager"],
        threads=1,
        rounds=2,
        strips=1,
    )

    assert [(one.ours, one.peer) for one in report.comparisons] == [
        ("ours, ONNX Runtime", "stock, eager"),
        ("ours, ONNX Runtime", "ours, eager"),
    ]
    assert all(len(one.ratios) == 2 for one in report.comparisons)
    ready = [row[:2] for row in report.findings[0].rows]
    assert ready == [("stock", "eager"), ("ours", "ONNX Runtime"), ("ours", "eager")]


@pytest.mark.slow
def test_the_shipped_network_is_the_same_in_all_runtimes() -> None:
    pytest.importorskip("openvino", reason="openvino isn't installed (extra `bench`)")
    strip = draw_strip(np.random.default_rng(0))[0][None, None]
    source = shipped_source(ZOO / "steel-nano")

    loaded = [
        load(source, one, example=strip, threads=1) for one in ("eager", "ONNX Runtime", "OpenVINO")
    ]

    check_answers(source.name, loaded, strip)


def test_the_stock_network_scores_every_pixel_of_a_strip() -> None:
    network = StockUnet().eval()

    with torch.no_grad():
        scores = network(torch.zeros((1, 1, 64, 160), dtype=torch.uint8))

    assert scores.shape == (1, 4, 64, 160)
