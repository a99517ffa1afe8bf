"""Measures this machine's GPU on the shipped bundles and writes docs/benchmarks/GPU.md.

python -m tests.gpu.benchmark [--bundle DIR ...] [--out DIR]
"""

import argparse
import sys
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypedDict

import numpy as np
import torch

from edge_daemon.core.pixels import GreyImage
from edge_daemon.cuda.device import describe_gpu, load_cuda
from edge_daemon.cuda.errors import CudaError
from edge_daemon.inference.buckets import BUCKETS
from edge_daemon.inference.bundle import Bundle, load_bundle
from edge_daemon.inference.plan_segmenter import PlanSegmenter
from edge_daemon.inference.torch_segmenter import load_torch
from edge_daemon.plans.building import build_plan
from edge_daemon.plans.faults import NoPlanError
from edge_daemon.plans.flavours import load_flavour
from edge_daemon.plans.resolving import PlanRequest, resolve
from edge_daemon.simulation.strips import draw_strip
from tests.gpu.page import BatchTimes, Benchmark, file_name, write_page
from tests.gpu.roofline import Ceilings, floor_of, layers_of
from tests.gpu.timing import PartTimes, measure_ceilings, time_calls, time_pair, time_parts

ROOT = Path(__file__).resolve().parents[2]
ZOO = ROOT / "models" / "zoo"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, write, and say where."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    shipped = sorted(path.parent for path in ZOO.glob("*/bundle.json"))
    parser.add_argument("--bundle", type=Path, nargs="+", default=shipped)
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "benchmarks")
    given = parser.parse_args(arguments)
    try:
        page, gpu = measure([load_bundle(path) for path in given.bundle])
    except CudaError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    given.out.mkdir(parents=True, exist_ok=True)
    path = given.out / file_name(gpu)
    path.write_text(page, encoding="utf-8")
    sys.stdout.write(f"{page}\nwritten to {path}\n")
    return 0


def measure(bundles: Sequence[Bundle]) -> tuple[str, str]:
    """The page, and the GPU's name.

    Raises:
        CudaError: there is no GPU, or it fails.
    """
    gpu = describe_gpu()
    ceilings = measure_ceilings(load_cuda())
    versions = {"driver": gpu.driver, "torch": torch.__version__}
    with tempfile.TemporaryDirectory() as cache:
        found = {
            bundle.manifest.name: _measure_bundle(bundle, Path(cache), ceilings, versions)
            for bundle in bundles
        }
    benchmark = Benchmark(gpu.name, versions, "python -m tests.gpu.benchmark", ceilings, found)
    return write_page(benchmark), gpu.name


def _measure_bundle(
    bundle: Bundle, cache: Path, ceilings: Ceilings, versions: dict[str, str]
) -> list[BatchTimes]:
    strips = [draw_strip(np.random.default_rng(seed))[0] for seed in range(max(BUCKETS))]
    plans = _measure_plan(bundle, cache, strips, versions)
    eager = load_torch(bundle, device="cuda", is_captured=False)
    captured = load_torch(bundle, device="cuda")
    layers = layers_of(bundle.program_path, batches=BUCKETS)
    return [
        BatchTimes(
            batch,
            eager=time_calls(eager, strips[:batch]),
            captured=time_calls(captured, strips[:batch]),
            **plans.get(batch, NO_PLAN),
            floor=floor_of(layers[batch], ceilings),
        )
        for batch in BUCKETS
    ]


class PlanTimes(TypedDict):
    """What a plan adds to the times of a batch."""

    plan: float | None
    pair: float | None
    parts: PartTimes | None


NO_PLAN: PlanTimes = {"plan": None, "pair": None, "parts": None}


def _measure_plan(
    bundle: Bundle, cache: Path, strips: Sequence[GreyImage], versions: dict[str, str]
) -> dict[int, PlanTimes]:
    """Times of each batch size; nothing where no plan can be had."""
    request = PlanRequest(cache=cache)
    try:
        plan = build_plan(bundle, request, stop=threading.Event())
        tensorrt: Any = load_flavour(resolve(bundle, request).flavour)
    except NoPlanError as error:
        sys.stderr.write(f"no plan: {error}\n")
        return {}
    versions[tensorrt.__name__] = tensorrt.__version__
    cuda = load_cuda()
    with (
        PlanSegmenter(bundle, plan, tensorrt=tensorrt, cuda=cuda) as one,
        PlanSegmenter(bundle, plan, tensorrt=tensorrt, cuda=cuda) as other,
    ):
        return {
            batch: {
                "plan": time_calls(one, strips[:batch]),
                "pair": time_pair(one, other, strips[:batch]),
                "parts": time_parts(bundle, plan, tensorrt=tensorrt, cuda=cuda, batch=batch),
            }
            for batch in BUCKETS
        }


if __name__ == "__main__":
    sys.exit(main())
