"""Runs a plan, a TensorRT engine made from a bundle, on an NVIDIA GPU without torch.

    host                        device
    strips           -copy->    strips (8, 1, 256, 1600) uint8
                                  | network
    counts, valid    <-copy-    counts (8, K) int32, valid (8,) int32
    planes           <-asked-   probability (8, K, h, w) float16

For each batch size the copies and the network are one captured CUDA graph: one launch, no gaps.
Probabilities leave the device only for strips that are asked for. On a GPU that shares the host's
memory (a Jetson) both sides are the same memory, and the graph holds the network alone.
"""

import math
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from edge_daemon.core.pixels import GreyImage
from edge_daemon.core.tiling import Probabilities
from edge_daemon.cuda.errors import PlanError
from edge_daemon.cuda.resources import Buffer, Resources
from edge_daemon.cuda.runtime import CudaRuntime
from edge_daemon.cuda.tensorrt import REBUILD, LoadedPlan, PlanContext
from edge_daemon.errors import EngineError
from edge_daemon.inference.answers import check_probabilities
from edge_daemon.inference.buckets import BUCKETS, bucket_for, check_valid, fill, span
from edge_daemon.inference.bundle import Bundle
from edge_daemon.inference.plan_layout import COUNTS, VALID, layout_of, match_tensors
from edge_daemon.inference.segmenter import Answers

MAX_BATCH = max(BUCKETS)


class PlanSegmenter:
    """A plan that is loaded and ready to run within its context; used by one thread at a time.

    Args:
        bundle: what the plan was made from.
        plan: the file.
        tensorrt: the package that made it: `tensorrt` or `tensorrt_rtx`, from `load_flavour`.
        cuda: the CUDA runtime, from `load_cuda`.
        device_index: of the GPU among those visible.
    """

    def __init__(
        self,
        bundle: Bundle,
        plan: Path,
        *,
        tensorrt: Any,  # noqa: ANN401 - an untyped package
        cuda: CudaRuntime,
        device_index: int = 0,
    ) -> None:
        self._path = plan
        self._cuda = cuda
        self._tensorrt = tensorrt
        self._device_index = device_index
        self._input = bundle.manifest.input.name
        self._output = bundle.manifest.output.name
        self._stride_px = bundle.manifest.output.stride
        self._layout = layout_of(bundle)
        self._cells = self._layout[self._output].shape
        self._resources = Resources(cuda)
        self._buffers: dict[str, Buffer] = {}
        self._arrays: dict[str, NDArray[Any]] = {}
        self._contexts: list[PlanContext] = []
        self._graphs: dict[int, int] = {}
        self._stream = self._event = 0
        self._batches = 0

    def __enter__(self) -> Self:
        """Load the plan, take memory and capture a graph for each batch size.

        Raises:
            PlanError: it is missing, damaged, another GPU's or another bundle's.
            CudaError: a CUDA call failed; NoGpuError where there is no GPU.
        """
        with ExitStack() as stack:
            stack.push(self)
            self._open()
            stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._batches += 1  # answers of the last batch go with the memory
        self._graphs.clear()
        self._arrays.clear()
        self._resources.__exit__(kind, error, trace)

    @property
    def stride_px(self) -> int:
        """Pixels per cell of the output, down and across."""
        return self._stride_px

    @property
    def max_batch(self) -> int:
        """Strips that it takes at once; 0 outside its context."""
        return max(self._graphs, default=0)

    def segment(self, strips: Sequence[GreyImage]) -> Answers:
        """Look at some strips, (256, 1600) uint8 each.

        Raises:
            CudaError: a CUDA call failed.
            EngineError: it isn't open, too many strips or none, or an answer is no probability.
        """
        count = len(strips)
        graph = self._graphs[bucket_for(count, tuple(self._graphs))]
        fill(self._arrays[self._input], strips)
        self._batches += 1
        self._cuda.use_device(self._device_index)  # a thread's own; the strips' thread may change
        self._cuda.launch(graph, self._stream)
        self._wait()
        check_valid(self._arrays[VALID][:count], math.prod(self._cells))
        counts = self._arrays[COUNTS][:count].copy()
        return Answers(counts, partial(self._fetch, self._batches, count))

    def _fetch(self, batch: int, count: int, which: slice) -> Probabilities:
        if batch != self._batches:
            raise EngineError("planes of an earlier batch were asked for; they are overwritten")
        first, end = span(which, count)
        if first == end:
            return np.empty((0, *self._cells), np.float32)
        size = self._layout[self._output].bytes
        self._buffers[self._output].download(
            self._cuda, (end - first) * size, self._stream, first=first * size
        )
        self._wait()
        planes = self._arrays[self._output][first:end].astype(np.float32)
        check_probabilities(planes, (end - first, *self._cells))
        return planes

    def _open(self) -> None:
        cuda, resources = self._cuda, self._resources
        cuda.use_device(self._device_index)
        is_shared = cuda.properties(self._device_index).is_integrated
        plan = resources.enter(self._load())
        names = match_tensors(plan.tensors(), self._layout, name=str(self._path))
        for name, tensor in self._layout.items():
            buffer = resources.buffer(MAX_BATCH * tensor.bytes, is_shared=is_shared)
            self._buffers[name] = buffer
            self._arrays[name] = buffer.view(tensor.dtype, (MAX_BATCH, *tensor.shape))
        scratch = resources.device_memory(max(plan.scratch_bytes, 1))
        self._stream = resources.stream()
        # Spinning answers soonest; where CPU and GPU share one chip's power it costs both.
        self._event = resources.event(blocking=is_shared)
        resources.hold(self._contexts.clear)
        for batch in BUCKETS:
            self._prepare(plan, batch, names=names, scratch=scratch)
        if not self._graphs:
            raise PlanError(f"{self._path}: it takes none of the batches {BUCKETS}; {REBUILD}")

    def _load(self) -> LoadedPlan:
        try:
            content = self._path.read_bytes()
        except OSError as error:
            raise PlanError(f"{self._path}: {error.strerror}; {REBUILD}") from error
        return LoadedPlan(self._tensorrt, content, name=str(self._path))

    def _prepare(
        self, plan: LoadedPlan, batch: int, *, names: Mapping[str, str], scratch: int
    ) -> None:
        """Capture the graph of one batch size, if the plan takes it."""
        profile = plan.profile_for(names[self._input], batch)
        if profile is None:
            return
        context = plan.context(
            (batch, *self._layout[self._input].shape),
            input_name=names[self._input],
            addresses={names[ours]: buffer.device for ours, buffer in self._buffers.items()},
            scratch=scratch,
        )
        self._contexts.append(context)
        context.choose(profile, self._stream)
        self._wait()
        work = partial(self._work, context, batch)
        work()  # TensorRT wants to have run once before it is captured
        self._wait()
        graph = self._resources.graph(self._stream, work)
        self._cuda.launch(graph, self._stream)
        self._wait()
        self._graphs[batch] = graph

    def _work(self, context: PlanContext, batch: int) -> None:
        """Put one batch into the stream: strips to the device, the network, its counts back."""
        self._buffers[self._input].upload(
            self._cuda, batch * self._layout[self._input].bytes, self._stream
        )
        context.enqueue(self._stream)
        for name in (COUNTS, VALID):
            self._buffers[name].download(self._cuda, batch * self._layout[name].bytes, self._stream)

    def _wait(self) -> None:
        self._cuda.record_event(self._event, self._stream)
        self._cuda.wait_event(self._event)
