"""Runs a bundle's `model.pt2` in torch: float16 on an NVIDIA GPU, float32 on a CPU.

For boxes with a GPU and without TensorRT, and as the yardstick. The one module of the daemon that
imports torch, which takes seconds and gigabytes: import it where it is wanted, not before.
"""

import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal, TypeAlias

import torch
from torch import Tensor, nn
from torch.export.passes import move_to_device_pass
from torch.fx import GraphModule
from torch.utils import _pytree as pytree

from edge_daemon.core.pixels import GreyImage
from edge_daemon.core.tiling import Probabilities
from edge_daemon.cuda.errors import CudaError, NoGpuError
from edge_daemon.errors import BundleError, EngineError
from edge_daemon.inference.answers import thresholds_of
from edge_daemon.inference.buckets import (
    BUCKETS,
    STRIP_SHAPE,
    bucket_for,
    check_valid,
    fill,
    span,
)
from edge_daemon.inference.bundle import Bundle
from edge_daemon.inference.segmenter import Answers

Device: TypeAlias = Literal["cpu", "cuda"]
Look: TypeAlias = Callable[[int], Tensor]
"""Looks at the first strips of the host's memory; gives (N, K, h, w) float32 on the device."""
MAX_BATCH = max(BUCKETS)
RUNS_BEFORE_CAPTURE = 3
"""In these cuDNN tries its algorithms out."""
READ_ERRORS = (RuntimeError, ValueError, KeyError, OSError, zipfile.BadZipFile)
"""What torch raises where it can't read a program: that has no class of its own."""


class TorchSegmenter:
    """A network that is loaded and ready to run; make it with `load_torch`."""

    def __init__(self, bundle: Bundle, host: "_HostMemory", look: Look, *, device: Device) -> None:
        self._stride_px = bundle.manifest.output.stride
        self._host = host
        self._look = look
        self._device: Device = device
        self._batches = 0

    @property
    def stride_px(self) -> int:
        """Pixels per cell of the output, down and across."""
        return self._stride_px

    @property
    def max_batch(self) -> int:
        """Strips that it takes at once."""
        return MAX_BATCH

    def segment(self, strips: Sequence[GreyImage]) -> Answers:
        """Look at some strips, (256, 1600) uint8 each.

        Raises:
            CudaError: the GPU fails.
            EngineError: torch does, too many strips or none, or an answer is no probability.
        """
        count = len(strips)
        bucket_for(count, BUCKETS)
        fill(self._host.strips.numpy(), strips)
        self._batches += 1
        try:
            probability = self._look(count)
        except RuntimeError as error:
            raise _failure(error, self._device) from error
        check_valid(self._host.valid[:count].numpy(), probability[0].numel())
        counts = self._host.counts[:count].numpy().copy()
        return Answers(counts, partial(self._fetch, probability[:count], self._batches))

    def _fetch(self, probability: Tensor, batch: int, which: slice) -> Probabilities:
        if batch != self._batches:
            raise EngineError("planes of an earlier batch were asked for; they are overwritten")
        first, end = span(which, len(probability))
        try:
            planes: Probabilities = probability[first:end].to("cpu", copy=True).numpy()
        except RuntimeError as error:
            raise _failure(error, self._device) from error
        return planes


def load_torch(bundle: Bundle, *, device: Device, is_captured: bool = True) -> TorchSegmenter:
    """Load a bundle's network.

    Args:
        bundle: the checked bundle.
        device: "cuda" is the first GPU that torch sees.
        is_captured: on a GPU, have one CUDA graph per batch size rather than launch operator by
            operator; without it this is what eager PyTorch gives anybody.

    Raises:
        BundleError: torch can't read the program.
        NoGpuError: torch sees no GPU.
        CudaError: the GPU fails.
    """
    if device == "cuda" and not torch.cuda.is_available():
        raise NoGpuError("torch.cuda.is_available", "False", f"torch {torch.__version__}")
    network = _read_program(bundle.program_path, device=device)
    try:
        thresholds = torch.from_numpy(thresholds_of(bundle))[:, None, None].to(device)
        host = _host_memory(len(bundle.classes), is_pinned=device == "cuda")
        eager = _Eager(network, thresholds, host)
        look = _Captured(eager) if device == "cuda" and is_captured else eager
    except RuntimeError as error:
        raise _failure(error, device) from error
    return TorchSegmenter(bundle, host, look, device=device)


@dataclass(frozen=True, slots=True)
class _HostMemory:
    """What is read and written without asking the device.

    Attributes:
        strips: (8, 1, 256, 1600) uint8.
        counts: (8, K) int32, cells above each class's threshold.
        valid: (8,) int32, cells of all classes whose probability lies in 0..1.
    """

    strips: Tensor
    counts: Tensor
    valid: Tensor


def _host_memory(classes: int, *, is_pinned: bool) -> _HostMemory:
    strips = (MAX_BATCH, 1, *STRIP_SHAPE)
    return _HostMemory(
        torch.zeros(strips, dtype=torch.uint8, pin_memory=is_pinned),
        torch.zeros((MAX_BATCH, classes), dtype=torch.int32, pin_memory=is_pinned),
        torch.zeros((MAX_BATCH,), dtype=torch.int32, pin_memory=is_pinned),
    )


class _Eager:
    """Launches one operator after another."""

    def __init__(self, network: nn.Module, thresholds: Tensor, host: _HostMemory) -> None:
        self._network = network
        self._thresholds = thresholds
        self._host = host

    def __call__(self, count: int) -> Tensor:
        probability = self.enqueue(count)
        if probability.is_cuda:
            torch.cuda.current_stream().synchronize()
        return probability

    @torch.inference_mode()
    def enqueue(self, count: int) -> Tensor:
        """Put a batch into the current stream: strips to the device, network, counts back."""
        host = self._host
        probability: Tensor = self._network(
            host.strips[:count].to(self._thresholds.device, non_blocking=True)
        )
        above = probability > self._thresholds
        valid = (probability >= 0.0) & (probability <= 1.0)  # of a NaN neither is true
        host.counts[:count].copy_(above.sum((2, 3), dtype=torch.int32), non_blocking=True)
        host.valid[:count].copy_(valid.sum((1, 2, 3), dtype=torch.int32), non_blocking=True)
        return probability


class _Captured:
    """Launches one CUDA graph, which holds what the eager way launches one by one."""

    def __init__(self, eager: _Eager) -> None:
        self._stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]  # torch
        is_integrated = bool(torch.cuda.get_device_properties().is_integrated)
        self._event = torch.cuda.Event(blocking=is_integrated)  # type: ignore[no-untyped-call]  # torch
        self._pool = torch.cuda.graph_pool_handle()  # only one graph runs at a time
        self._graphs = {batch: self._capture(eager, batch) for batch in BUCKETS}

    def __call__(self, count: int) -> Tensor:
        graph, probability = self._graphs[bucket_for(count, BUCKETS)]
        with torch.cuda.stream(self._stream):
            graph.replay()
            self._event.record()
        self._event.synchronize()
        return probability

    def _capture(self, eager: _Eager, batch: int) -> tuple[torch.cuda.CUDAGraph, Tensor]:
        graph = torch.cuda.CUDAGraph()
        with torch.backends.cudnn.flags(enabled=True, benchmark=True):
            with torch.cuda.stream(self._stream):
                for _ in range(RUNS_BEFORE_CAPTURE):
                    eager(batch)
            with torch.cuda.graph(
                graph, pool=self._pool, stream=self._stream, capture_error_mode="thread_local"
            ):
                probability = eager.enqueue(batch)
        return graph, probability


def _read_program(path: Path, *, device: Device) -> nn.Module:
    try:
        program = torch.export.load(path)
    except READ_ERRORS as error:
        raise BundleError(
            f"{path}: torch {torch.__version__} can't read it ({error}); use the torch that the "
            "bundle was exported with, or a later one"
        ) from error
    if device == "cpu":
        return _in_single_precision(program.module())
    module = move_to_device_pass(program, device).module()
    return module.to(memory_format=torch.channels_last)  # what tensor cores take


def _in_single_precision(module: GraphModule) -> nn.Module:
    """The arithmetic of a program as float32: CPUs take fifty times longer for float16."""
    for node in module.graph.nodes:
        node.args, node.kwargs = pytree.tree_map(_single, (node.args, node.kwargs))
    module.recompile()
    return module.float()


def _single(argument: object) -> object:
    return torch.float32 if argument is torch.float16 else argument


def _failure(error: RuntimeError, device: Device) -> EngineError:
    said = str(error).partition("\n")[0]
    return CudaError("torch", said) if device == "cuda" else EngineError(f"torch failed: {said}")
