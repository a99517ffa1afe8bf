"""The shipped networks beside smp's U-Net on EfficientNet-B0, each in four runtimes.

smp's U-Net has random weights: they don't change its speed. It scores at full resolution, the
shipped networks at a quarter of it; how well they find defects is in docs/networks.md.
"""

import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import segmentation_models_pytorch as smp
import torch
from torch import Tensor, nn

from benchmarks.errors import BenchmarkError
from benchmarks.machine import describe_machine
from benchmarks.pairs import Comparison, Turn, in_pairs
from benchmarks.report import Findings, Report
from benchmarks.runtimes import REFERENCE, Loaded, Source, Strip, load, write_onnx
from edge_daemon.inference.bundle import load_bundle
from edge_daemon.simulation.strips import draw_strip
from models.fusion import fuse
from train.fitting.start import network_from

ENCODER = "efficientnet-b0"
STOCK = "smp U-Net B0"
PACKAGES = ("torch", "segmentation-models-pytorch", "onnxruntime", "openvino", "numpy")
TOLERANCE = 0.02
"""Of an answer's largest value: runtimes round differently, a wrong export differs more."""
REST_S = 0.1
GREY_LEVELS = 255.0


class StockUnet(nn.Module):
    """smp's U-Net as one would put it to use: grey values in, scores out.

    Shape:
        - Input: (N, 1, H, W) uint8
        - Output: (N, 4, H, W) float32 scores
    """

    def __init__(self) -> None:
        super().__init__()
        self.body = smp.Unet(ENCODER, encoder_weights=None, in_channels=1, classes=4)

    def forward(self, strips: Tensor) -> Tensor:
        """Scores of uint8 strips."""
        scores: Tensor = self.body(strips.float() / GREY_LEVELS)
        return scores


def stock_source(folder: Path) -> Source:
    """The stock network, with its ONNX file put into a folder."""
    source = Source(STOCK, StockUnet().eval(), folder / "stock.onnx")
    write_onnx(source.module, source.onnx_path)
    return source


def shipped_source(bundle: Path) -> Source:
    """A bundle's network: for torch with batch normalisation folded, as it is in the ONNX file.

    Raises:
        BundleError: the bundle isn't whole.
    """
    return Source(bundle.name, fuse(network_from(bundle)), load_bundle(bundle).onnx_path)


def compare_networks(
    stock: Source,
    shipped: Sequence[Source],
    *,
    runtimes: Sequence[str],
    threads: int,
    rounds: int,
    strips: int,
) -> Report:
    """Measure networks in ONNX Runtime beside a stock one and beside themselves elsewhere.

    Args:
        stock: what one would pick instead.
        shipped: ours.
        runtimes: for the stock network, and for ours beside ONNX Runtime.
        threads: of every runtime.
        rounds: pairs.
        strips: different strips per turn, the same for all.

    Raises:
        BenchmarkError: a runtime isn't installed, or gives another answer than the others.
    """
    machine = describe_machine(PACKAGES)
    examples = [draw_strip(np.random.default_rng(seed))[0][None, None] for seed in range(strips)]
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        theirs = _load_all(stock, runtimes, examples[0], threads)
        ours = {
            source.name: _load_all(source, sorted({REFERENCE, *runtimes}), examples[0], threads)
            for source in shipped
        }
        comparisons = tuple(_comparisons(ours, stock.name, theirs, examples, rounds=rounds))
    finally:
        torch.set_num_threads(before)
    return Report(
        "networks",
        "strip",
        {"threads": threads, "rounds": rounds, "strips": strips, "batch": 1},
        machine,
        comparisons,
        (_preparations({stock.name: theirs, **ours}),),
        ("smp scores at full resolution, the shipped networks at a quarter of it (each way)",),
    )


def check_answers(name: str, loaded: Sequence[Loaded], example: Strip) -> None:
    """Hold what some runtimes make of one network against each other.

    Raises:
        BenchmarkError: two differ by more than rounding.
    """
    expected = loaded[0].run(example)
    limit = TOLERANCE * max(1.0, float(np.abs(expected).max()))
    for one in loaded[1:]:
        worst = float(np.abs(one.run(example) - expected).max())
        if not worst <= limit:  # written so that a NaN fails
            raise BenchmarkError(
                f"{name}: {one.runtime} is {worst:.4f} off {loaded[0].runtime}, "
                f"at most {limit:.4f} is rounding: they don't run the same network"
            )


def _load_all(
    source: Source, runtimes: Sequence[str], example: Strip, threads: int
) -> list[Loaded]:
    loaded = [load(source, one, example=example, threads=threads) for one in runtimes]
    check_answers(source.name, loaded, example)
    return loaded


def _comparisons(
    ours: dict[str, list[Loaded]],
    stock: str,
    theirs: Sequence[Loaded],
    examples: Sequence[Strip],
    *,
    rounds: int,
) -> Iterator[Comparison]:
    for name, loaded in ours.items():
        shipped = next(one for one in loaded if one.runtime == REFERENCE)
        peers = [(stock, one) for one in theirs]
        peers += [(name, one) for one in loaded if one is not shipped]
        for whose, peer in peers:
            ours_s, peer_s = in_pairs(
                _turn(shipped, examples), _turn(peer, examples), rounds=rounds, rest_s=REST_S
            )
            yield Comparison(
                f"{name}, {REFERENCE}",
                f"{whose}, {peer.runtime}",
                ours_s,
                peer_s,
                "same network" if whose == name else "",
            )


def _turn(loaded: Loaded, examples: Sequence[Strip]) -> Turn:
    def turn() -> float:
        began = time.perf_counter()
        for example in examples:
            loaded.run(example)
        return (time.perf_counter() - began) / len(examples)

    return turn


def _preparations(loaded: dict[str, list[Loaded]]) -> Findings:
    """How long it took to get ready; for torch.compile that is its compile time."""
    rows = tuple(
        (name, one.runtime, f"{one.prepared_s:.1f} s")
        for name, all_ in loaded.items()
        for one in all_
    )
    return Findings("Ready after (once, no pairs)", ("network", "runtime", "seconds"), rows)
