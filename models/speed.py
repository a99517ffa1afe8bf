"""How many strips a network does in a second on this CPU, one strip at a time.

ONNX Runtime on the exported network is what the daemon does; eager PyTorch is what one would have
without exporting. What the strip shows doesn't matter: all runs do the same arithmetic.
"""

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Literal, TypeAlias

import numpy as np
import segmentation_models_pytorch as smp
import torch
from numpy.typing import NDArray

from edge_daemon.core.tiling import STRIP_HEIGHT_PX, STRIP_WIDTH_PX
from models.fusion import fuse, round_to_half
from models.network import SteelNet
from models.onnx_file import INPUT, OUTPUT, open_onnx, write_onnx

Runtime: TypeAlias = Literal["onnx", "torch"]
Example: TypeAlias = NDArray[np.uint8] | NDArray[np.float32]
"""A strip (1, 1, H, W)."""
Run: TypeAlias = Callable[[], object]
"""Does one strip."""
SMP_ENCODER = "efficientnet-b0"
WARM_UP_RUNS = 2
FEWEST_RUNS = 2


@dataclass(frozen=True, slots=True)
class Comparison:
    """A network through ONNX Runtime beside smp's U-Net in eager PyTorch, in alternating pairs.

    Attributes:
        strips_per_s: of the network, median over the pairs.
        smp_strips_per_s: of smp's U-Net, likewise.
        ratios: first over second, of each pair; what slows the machine down for a while slows down
            both of a pair.
        threads: of the CPU, the same for both.
    """

    strips_per_s: float
    smp_strips_per_s: float
    ratios: tuple[float, ...]
    threads: int

    @property
    def ratio(self) -> float:
        """How many times faster: median over the pairs."""
        return median(self.ratios)


def strips_per_second(
    network: SteelNet,
    *,
    seconds: float = 3.0,
    threads: int = 0,
    runtime: Runtime = "onnx",
    height: int = STRIP_HEIGHT_PX,
    width: int = STRIP_WIDTH_PX,
) -> float:
    """Strips per second, one at a time.

    Args:
        network: is left as it is, in evaluation mode.
        seconds: how long to measure, at least; loading and warming up come on top.
        threads: of the CPU; 0 takes all that this process may use.
        runtime: ONNX Runtime on the exported network, or eager PyTorch.
        height: rows of a strip.
        width: columns of a strip.
    """
    threads = threads or available_threads()
    ready = _onnx_ready if runtime == "onnx" else _torch_ready
    with ready(network, _strip(height, width), threads=threads) as run:
        return _rate(run, seconds=seconds)


def compare_with_smp(
    network: SteelNet,
    *,
    pairs: int = 5,
    seconds: float = 2.0,
    threads: int = 0,
    height: int = STRIP_HEIGHT_PX,
    width: int = STRIP_WIDTH_PX,
) -> Comparison:
    """Measure a network beside smp's stock U-Net on EfficientNet-B0, turn and turn about.

    Args:
        network: is left as it is, in evaluation mode.
        pairs: turns of each.
        seconds: of each turn, at least.
        threads: of the CPU, for both; 0 takes all that this process may use.
        height: rows of a strip.
        width: columns of a strip.
    """
    threads = threads or available_threads()
    strip = _strip(height, width)
    stock = smp.Unet(SMP_ENCODER, encoder_weights=None, in_channels=1, classes=4)
    with (
        _onnx_ready(network, strip, threads=threads) as ours,
        _torch_ready(stock, strip.astype(np.float32), threads=threads) as theirs,
    ):
        rates = [
            (_rate(ours, seconds=seconds), _rate(theirs, seconds=seconds)) for _ in range(pairs)
        ]
    return Comparison(
        strips_per_s=median(our for our, _ in rates),
        smp_strips_per_s=median(their for _, their in rates),
        ratios=tuple(our / their for our, their in rates),
        threads=threads,
    )


def available_threads() -> int:
    """CPU threads that this process may use."""
    return len(os.sched_getaffinity(0))


def _strip(height: int, width: int) -> NDArray[np.uint8]:
    return np.random.default_rng(1).integers(0, 256, (1, 1, height, width), np.uint8)


@contextmanager
def _onnx_ready(network: SteelNet, strip: Example, *, threads: int) -> Iterator[Run]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        height, width = strip.shape[2:]
        write_onnx(round_to_half(fuse(network)), path, height=height, width=width)
        session = open_onnx(path, threads=threads)
    run = partial(session.run, [OUTPUT], {INPUT: strip})
    _warm_up(run)
    yield run


@contextmanager
def _torch_ready(network: torch.nn.Module, strip: Example, *, threads: int) -> Iterator[Run]:
    before, example = torch.get_num_threads(), torch.from_numpy(strip)
    network.eval()
    torch.set_num_threads(threads)
    try:
        with torch.inference_mode():
            run = partial(network, example)
            _warm_up(run)
            yield run
    finally:
        torch.set_num_threads(before)


def _warm_up(run: Run) -> None:
    for _ in range(WARM_UP_RUNS):
        run()


def _rate(run: Run, *, seconds: float) -> float:
    began, runs = time.perf_counter(), 0
    while runs < FEWEST_RUNS or time.perf_counter() - began < seconds:
        run()
        runs += 1
    return runs / (time.perf_counter() - began)
