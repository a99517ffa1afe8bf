"""The page that a benchmark on a GPU leaves behind: docs/benchmarks/GPU.md."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from tests.gpu.roofline import Ceilings, Floor
from tests.gpu.timing import PartTimes

LARGEST_OVERHEAD = 0.10
"""Of the network's own time, for all that isn't the network."""
LEAST_SPEED_UP = 3.0
"""Over PyTorch without graphs."""
FARTHEST_FROM_FLOOR = 1.5


@dataclass(frozen=True, slots=True)
class BatchTimes:
    """One batch size, in milliseconds; whole calls from the strips to the counts.

    Attributes:
        batch: strips at once.
        eager: PyTorch, one operator after another, half precision.
        captured: PyTorch with a CUDA graph.
        plan: the runner with a plan; None where there is no TensorRT.
        pair: per batch, with two of these runners in two threads.
        parts: what the plan's time consists of.
        floor: the least that the network can take.
    """

    batch: int
    eager: float
    captured: float
    plan: float | None
    pair: float | None
    parts: PartTimes | None
    floor: Floor

    @property
    def overhead(self) -> float | None:
        """Copies, gaps and the rest of the call, as a share of the network's own time."""
        return _share(self.plan, self.parts)

    @property
    def pair_overhead(self) -> float | None:
        """What of that is left where a second runner hides it; negative where networks overlap."""
        return _share(self.pair, self.parts)

    @property
    def speed_up(self) -> float:
        """Over PyTorch without graphs, of the best there is."""
        return self.eager / (self.captured if self.plan is None else self.plan)

    @property
    def times_floor(self) -> float | None:
        """The network's own time over the least that it can take."""
        return None if self.parts is None else self.parts.network / self.floor.total_ms


def _share(taken: float | None, parts: PartTimes | None) -> float | None:
    return None if taken is None or parts is None else taken / parts.network - 1.0


@dataclass(frozen=True, slots=True)
class Benchmark:
    """All that was measured on one GPU.

    Attributes:
        gpu: its name.
        versions: of what took part, by name.
        command: that measured it.
        ceilings: what the GPU can do.
        bundles: times of each batch size by the bundle's name.
    """

    gpu: str
    versions: Mapping[str, str]
    command: str
    ceilings: Ceilings
    bundles: Mapping[str, Sequence[BatchTimes]]


def file_name(gpu: str) -> str:
    """A name of letters, digits and dashes."""
    return re.sub(r"[^a-z0-9]+", "-", gpu.lower()).strip("-") + ".md"


def write_page(found: Benchmark) -> str:
    """The page, in Markdown."""
    return "\n".join(_lines(found)) + "\n"


def _lines(found: Benchmark) -> Iterator[str]:
    yield f"# {found.gpu}"
    yield ""
    yield f"Measured with `{found.command}`; medians of many runs, milliseconds."
    yield ""
    for name, version in found.versions.items():
        yield f"- {name} {version}"
    yield (
        f"- this GPU, measured: {found.ceilings.operations_per_s / 1e12:.0f} TFLOP/s "
        f"(matrix product, float16), {found.ceilings.bytes_per_s / 1e9:.0f} GB/s (copy, read and "
        "written)"
    )
    for name, batches in found.bundles.items():
        yield from ["", f"## {name}", ""]
        yield from _table_of_times(batches)
        yield ""
        yield from _table_of_floors(batches)
        yield ""
        yield from _figures(batches)


def _table_of_times(batches: Sequence[BatchTimes]) -> Iterator[str]:
    yield (
        "| strips at once | eager PyTorch | PyTorch, CUDA graph | plan | of it network | copies "
        "| all but the network | with two runners | times eager | strips/s |"
    )
    yield "|--:" * 10 + "|"
    for one in batches:
        best = one.captured if one.plan is None else min(one.plan, one.pair or one.plan)
        parts = one.parts
        yield _row(
            str(one.batch),
            _ms(one.eager),
            _ms(one.captured),
            _ms(one.plan),
            _ms(parts.network if parts else None),
            _ms(parts.copies if parts else None),
            _percent(one.overhead),
            _percent(one.pair_overhead),
            f"{one.speed_up:.1f}",
            f"{1e3 * one.batch / best:.0f}",
        )


def _table_of_floors(batches: Sequence[BatchTimes]) -> Iterator[str]:
    yield (
        "| strips at once | GFLOP | MB moved | least time | of it limited by memory "
        "| network took | times the least | weakest layer |"
    )
    yield "|--:" * 7 + "|:--|"
    for one in batches:
        floor = one.floor
        yield _row(
            str(one.batch),
            f"{floor.gflop:.1f}",
            f"{floor.megabytes:.0f}",
            _ms(floor.total_ms),
            _ms(floor.memory_ms),
            _ms(one.parts.network if one.parts else None),
            "-" if one.times_floor is None else f"{one.times_floor:.1f}",
            f"{floor.weakest}: {_ms(floor.weakest_ms)}",
        )


def _figures(batches: Sequence[BatchTimes]) -> Iterator[str]:
    """What was to be reached, and whether it was, at the largest batch."""
    last = max(batches, key=lambda one: one.batch)
    at = f"at {last.batch} strips"
    if last.overhead is None or last.pair_overhead is None or last.times_floor is None:
        yield f"- no plan was measured; {at} a graph makes PyTorch {last.speed_up:.1f} times faster"
        return
    yield _figure(
        f"all but the network {100 * last.overhead:.1f} % of its time {at}",
        f"under {100 * LARGEST_OVERHEAD:.0f} %",
        is_reached=last.overhead < LARGEST_OVERHEAD,
    )
    yield _figure(
        f"with two runners {100 * last.pair_overhead:.1f} % {at}",
        f"under {100 * LARGEST_OVERHEAD:.0f} %",
        is_reached=last.pair_overhead < LARGEST_OVERHEAD,
    )
    yield _figure(
        f"{last.speed_up:.1f} times eager PyTorch {at}",
        f"{LEAST_SPEED_UP:.0f} or more",
        is_reached=last.speed_up >= LEAST_SPEED_UP,
    )
    yield _figure(
        f"the network takes {last.times_floor:.1f} times its least {at}",
        f"{FARTHEST_FROM_FLOOR} or less",
        is_reached=last.times_floor <= FARTHEST_FROM_FLOOR,
    )


def _figure(found: str, wanted: str, *, is_reached: bool) -> str:
    return f"- {'reached' if is_reached else '**missed**'}: {found}; wanted: {wanted}"


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.1f} %"


def _ms(time_ms: float | None) -> str:
    return "-" if time_ms is None else f"{time_ms:.3f}"
