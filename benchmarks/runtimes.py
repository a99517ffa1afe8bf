"""One network in four runtimes on the CPU: eager torch, torch.compile, ONNX Runtime, OpenVINO.

All compute in float32, take the strip as uint8 (1, 1, 256, 1600) and give a numpy array. Torch's
number of threads belongs to the whole process and is set by the caller.
"""

import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from benchmarks.errors import BenchmarkError
from edge_daemon.core.tiling import STRIP_HEIGHT_PX, STRIP_WIDTH_PX
from models.onnx_file import open_onnx

Strip: TypeAlias = NDArray[np.uint8]
"""(1, 1, 256, 1600)."""
Answer: TypeAlias = NDArray[np.float32]
"""(1, K, h, w)."""
Run: TypeAlias = Callable[[Strip], Answer]
OPSET = 18


@dataclass(frozen=True, slots=True)
class Source:
    """A network as both families of runtimes want it.

    Attributes:
        name: for the tables.
        module: takes uint8 strips; in evaluation mode.
        onnx_path: the same network.
    """

    name: str
    module: nn.Module
    onnx_path: Path


@dataclass(frozen=True, slots=True)
class Loaded:
    """A network that is ready to run.

    Attributes:
        runtime: its name.
        run: does one strip.
        prepared_s: loading, compiling and the first strip.
    """

    runtime: str
    run: Run
    prepared_s: float


def eager(source: Source, threads: int) -> Run:  # noqa: ARG001 - torch's threads are the process's
    """PyTorch as it is."""
    return _without_gradients(source.module)


def compiled(source: Source, threads: int) -> Run:  # noqa: ARG001 - as above
    """torch.compile by Inductor, weights frozen: folded and packed, its best on a processor."""
    return _without_gradients(torch.compile(source.module, options={"freezing": True}))


def onnx_runtime(source: Source, threads: int) -> Run:
    """ONNX Runtime's CPU provider, as the daemon sets it up."""
    session = open_onnx(source.onnx_path, threads=threads)
    name = session.get_inputs()[0].name

    def run(strip: Strip) -> Answer:
        return np.asarray(session.run(None, {name: strip})[0], np.float32)

    return run


def openvino(source: Source, threads: int) -> Run:
    """OpenVINO's CPU plugin, tuned for latency, with the shape of one strip fixed.

    Raises:
        BenchmarkError: it isn't installed.
    """
    try:
        from openvino import Core  # noqa: PLC0415 - an optional peer
    except ImportError as error:
        raise BenchmarkError("openvino isn't installed: pip install openvino") from error
    core = Core()
    model = core.read_model(str(source.onnx_path))
    model.reshape([1, 1, STRIP_HEIGHT_PX, STRIP_WIDTH_PX])
    settings = {
        "INFERENCE_NUM_THREADS": threads,
        "INFERENCE_PRECISION_HINT": "f32",  # on some processors its default is bfloat16
        "PERFORMANCE_HINT": "LATENCY",
    }
    request = core.compile_model(model, "CPU", settings).create_infer_request()

    def run(strip: Strip) -> Answer:
        return np.asarray(request.infer({0: strip}, share_inputs=True)[0], np.float32)

    return run


RUNTIMES: dict[str, Callable[[Source, int], Run]] = {
    "eager": eager,
    "torch.compile": compiled,
    "ONNX Runtime": onnx_runtime,
    "OpenVINO": openvino,
}
REFERENCE = "ONNX Runtime"


def load(source: Source, runtime: str, *, example: Strip, threads: int) -> Loaded:
    """Get a network ready in a runtime, its first strip included."""
    began = time.perf_counter()
    run = RUNTIMES[runtime](source, threads)
    run(example)
    return Loaded(runtime, run, time.perf_counter() - began)


def write_onnx(module: nn.Module, path: Path) -> None:
    """Export any network that takes uint8 strips, for a batch of one."""
    example = torch.zeros((1, 1, STRIP_HEIGHT_PX, STRIP_WIDTH_PX), dtype=torch.uint8)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own deprecations
        program = torch.onnx.export(
            module, (example,), dynamo=True, opset_version=OPSET, verbose=False
        )
    if program is None:
        raise BenchmarkError("torch.onnx.export gave no program")
    program.save(path)


def _without_gradients(module: Callable[[Tensor], Tensor]) -> Run:
    def run(strip: Strip) -> Answer:
        with torch.no_grad():
            return np.asarray(module(torch.from_numpy(strip)).numpy(), np.float32)

    return run
