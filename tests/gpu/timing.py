"""How long things take on a GPU: medians of many runs, by CUDA's events or by the clock."""

import statistics
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch

from edge_daemon.core.pixels import GreyImage
from edge_daemon.cuda.resources import Resources
from edge_daemon.cuda.runtime import CudaRuntime
from edge_daemon.cuda.tensorrt import LoadedPlan
from edge_daemon.inference.bundle import Bundle
from edge_daemon.inference.plan_layout import COUNTS, VALID, layout_of
from edge_daemon.inference.segmenter import Segmenter
from tests.gpu.roofline import Ceilings

WARM_UP_RUNS = 20
RUNS = 200
COPY_BYTES = 1 << 28
MATRIX_SIDE = 4096


@dataclass(frozen=True, slots=True)
class PartTimes:
    """What a plan's batch consists of, each part launched by itself as a graph, in milliseconds.

    Attributes:
        network: the plan alone.
        copies: strips to the device, counts back.
        graph: both, as the runner does it.
    """

    network: float
    copies: float
    graph: float


def time_calls(segmenter: Segmenter, strips: Sequence[GreyImage]) -> float:
    """Milliseconds of a whole `segment`, on the clock, planes not asked for."""
    for _ in range(WARM_UP_RUNS):
        segmenter.segment(strips)
    taken = []
    for _ in range(RUNS):
        began = time.perf_counter()
        segmenter.segment(strips)
        taken.append(time.perf_counter() - began)
    return 1e3 * statistics.median(taken)


def time_pair(one: Segmenter, other: Segmenter, strips: Sequence[GreyImage]) -> float:
    """Milliseconds per batch of two segmenters at once, each in a thread of its own.

    While one waits for the GPU the other copies its strips: what isn't the network is hidden.
    """

    def work(segmenter: Segmenter) -> None:
        for _ in range(RUNS):
            segmenter.segment(strips)

    work(one)
    work(other)
    with ThreadPoolExecutor(2) as threads:
        began = time.perf_counter()
        for done in [threads.submit(work, each) for each in (one, other)]:
            done.result()
        return 1e3 * (time.perf_counter() - began) / (2 * RUNS)


def time_parts(
    bundle: Bundle,
    plan: Path,
    *,
    tensorrt: Any,  # noqa: ANN401 - an untyped package
    cuda: CudaRuntime,
    batch: int,
) -> PartTimes:
    """Take a plan's batch apart."""
    with Resources(cuda) as resources:
        cuda.use_device(0)
        loaded = resources.enter(LoadedPlan(tensorrt, plan.read_bytes(), name=str(plan)))
        one = _one_batch(bundle, loaded, resources, cuda=cuda, batch=batch)
        begin, end = (resources.event(blocking=False, timed=True) for _ in range(2))

        def measure(*works: Callable[[], None]) -> float:
            def work() -> None:
                for each in works:
                    each()

            work()  # TensorRT wants to have run once before it is captured
            cuda.record_event(end, one.stream)
            cuda.wait_event(end)
            launch = partial(cuda.launch, resources.graph(one.stream, work), one.stream)
            return _median_ms(cuda, launch, one.stream, begin=begin, end=end)

        return PartTimes(
            network=measure(one.network),
            # a graph can't be empty, and where memory is shared there is nothing to copy
            copies=0.0 if one.is_shared else measure(one.upload, one.download),
            graph=measure(one.upload, one.network, one.download),
        )


@dataclass(frozen=True, slots=True)
class _OneBatch:
    """What the runner puts into a stream for one batch, step by step."""

    stream: int
    is_shared: bool
    upload: Callable[[], None]
    network: Callable[[], None]
    download: Callable[[], None]


def _one_batch(
    bundle: Bundle, plan: LoadedPlan, resources: Resources, *, cuda: CudaRuntime, batch: int
) -> _OneBatch:
    name, layout = bundle.manifest.input.name, layout_of(bundle)
    is_shared = cuda.properties(0).is_integrated
    buffers = {
        one: resources.buffer(batch * tensor.bytes, is_shared=is_shared)
        for one, tensor in layout.items()
    }
    profile = plan.profile_for(name, batch)
    if profile is None:
        raise ValueError(f"the plan takes no batch of {batch}")
    context = plan.context(
        (batch, *layout[name].shape),
        input_name=name,
        addresses={one: buffer.device for one, buffer in buffers.items()},
        scratch=resources.device_memory(max(plan.scratch_bytes, 1)),
    )
    stream = resources.stream()
    context.choose(profile, stream)

    def download() -> None:
        for one in (COUNTS, VALID):
            buffers[one].download(cuda, buffers[one].size, stream)

    return _OneBatch(
        stream,
        is_shared,
        upload=partial(buffers[name].upload, cuda, buffers[name].size, stream),
        network=partial(context.enqueue, stream),
        download=download,
    )


def measure_ceilings(cuda: CudaRuntime) -> Ceilings:
    """A large copy on the device and a large matrix product of random values, in half precision."""
    return Ceilings(_matrix_rate(), _copy_rate(cuda))


def _copy_rate(cuda: CudaRuntime) -> float:
    with Resources(cuda) as resources:
        cuda.use_device(0)
        to, source = resources.device_memory(COPY_BYTES), resources.device_memory(COPY_BYTES)
        stream = resources.stream()
        begin, end = (resources.event(blocking=False, timed=True) for _ in range(2))
        copy = partial(cuda.copy_on_device, to, source, COPY_BYTES, stream)
        return 2 * COPY_BYTES / (_median_ms(cuda, copy, stream, begin=begin, end=end) / 1e3)


def _matrix_rate() -> float:
    left, right = (
        torch.randn((MATRIX_SIDE, MATRIX_SIDE), dtype=torch.float16, device="cuda")
        for _ in range(2)
    )
    begin, end = (
        torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]  # torch
        for _ in range(2)
    )
    taken = []
    for run in range(WARM_UP_RUNS + RUNS):
        begin.record()
        torch.matmul(left, right)
        end.record()
        end.synchronize()
        if run >= WARM_UP_RUNS:
            taken.append(float(begin.elapsed_time(end)))
    return 2 * MATRIX_SIDE**3 / (statistics.median(taken) / 1e3)


def _median_ms(
    cuda: CudaRuntime, start: Callable[[], None], stream: int, *, begin: int, end: int
) -> float:
    taken = []
    for run in range(WARM_UP_RUNS + RUNS):
        cuda.record_event(begin, stream)
        start()
        cuda.record_event(end, stream)
        cuda.wait_event(end)
        if run >= WARM_UP_RUNS:
            taken.append(cuda.elapsed_ms(begin, end))
    return statistics.median(taken)
