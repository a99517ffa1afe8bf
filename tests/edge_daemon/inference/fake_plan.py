"""A FAKE plan: over a fake TensorRT and a fake CUDA it says how bright strips are."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from edge_daemon.core.pixels import GreyImage
from edge_daemon.core.tiling import Probabilities, Strips
from edge_daemon.engine import shipped_bundle
from edge_daemon.inference.answers import thresholds_of
from edge_daemon.inference.bundle import load_bundle
from edge_daemon.inference.plan_segmenter import PlanSegmenter
from tests.edge_daemon.cuda.fake_cuda import FakeCuda
from tests.edge_daemon.cuda.fake_tensorrt import CONTENT, FakeTensorRt, Network, Tensors

BUNDLE = load_bundle(shipped_bundle())
STRIP_BYTES = 256 * 1600
COUNTS_BYTES, VALID_BYTES, PLANES_BYTES = 4 * 4, 4, 4 * 64 * 400 * 2
TENSORS: Tensors = {
    "strip": ("UINT8", (-1, 1, 256, 1600), True),
    "probability": ("HALF", (-1, 4, 64, 400), False),
    "counts": ("INT32", (-1, 4), False),
    "valid": ("INT32", (-1,), False),
}


def brightness(strips: Strips) -> Probabilities:
    """Says of each class how bright every fourth pixel is, less and less so."""
    bright = strips[:, :, ::4, ::4].astype(np.float32) / np.float32(255)
    return bright * np.array([1.0, 0.75, 0.5, 0.25], np.float32)[:, None, None]


class Fakes:
    """A plan, a fake TensorRT that takes it, and the fake CUDA below."""

    def __init__(
        self,
        folder: Path,
        cuda: FakeCuda | None = None,
        *,
        network: Network = brightness,
        tensors: Tensors = TENSORS,
        profiles: Sequence[tuple[int, int, int]] = ((1, 8, 8),),
        refused: Sequence[str] = (),
        said: str = "because it is a fake",
    ) -> None:
        self.cuda = FakeCuda() if cuda is None else cuda
        self.trt = FakeTensorRt(
            self.cuda,
            network,
            tensors,
            thresholds=thresholds_of(BUNDLE),
            profiles=profiles,
            refused=refused,
            said=said,
        )
        self.plan = folder / "fake.plan"
        self.plan.write_bytes(CONTENT)

    def segmenter(self) -> PlanSegmenter:
        return PlanSegmenter(BUNDLE, self.plan, tensorrt=self.trt, cuda=self.cuda)


def grey(level: int) -> GreyImage:
    strip = np.full((256, 1600), level, np.uint8)
    strip[:, :800] = level // 2
    return strip


def planes_of(*levels: int) -> Probabilities:
    strips = np.stack([grey(level) for level in levels])[:, None]
    return brightness(strips).astype(np.float16).astype(np.float32)
