"""How large the values inside a network get: what INT8 scales are chosen by.

Magnitudes go into a histogram whose range doubles as needed, so every strip runs once and memory
stays that of one strip. The scale covers all but a few in ten thousand: the largest value of 64
strips is an outlier, and leaving room for it costs all others resolution.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import onnx
from numpy.typing import NDArray

from edge_daemon.core.tiling import Strips
from edge_daemon.inference.onnx_runtime import onnxruntime
from models.onnx_file import INPUT
from models.parity import ExportError

COVERED_SHARE = 0.9999
METHOD = f"percentile {100 * COVERED_SHARE:g} of magnitudes"
BINS = 4096
FIRST_LIMIT = 2.0**-10


@dataclass(slots=True)
class Magnitudes:
    """A histogram of absolute values.

    Attributes:
        limit: upper end of the last bin; doubles as needed.
        counts: values in each of the bins, which are equally wide.
        largest: of all values.
    """

    limit: float = FIRST_LIMIT
    counts: NDArray[np.int64] = field(default_factory=lambda: np.zeros(BINS, np.int64))
    largest: float = 0.0

    def add(self, values: NDArray[np.float32]) -> None:
        """Count values of any shape.

        Raises:
            ExportError: one of them is no number.
        """
        magnitudes = np.abs(values).ravel()
        largest = float(magnitudes.max())
        if not np.isfinite(largest):
            raise ExportError("the network has infinite or undefined values inside; train it anew")
        while largest >= self.limit:
            self.counts = np.concatenate(
                [self.counts.reshape(-1, 2).sum(axis=1), np.zeros(BINS // 2, np.int64)]
            )
            self.limit *= 2
        bins = (magnitudes * np.float32(BINS / self.limit)).astype(np.int32)
        self.counts += np.bincount(np.minimum(bins, BINS - 1), minlength=BINS)
        self.largest = max(self.largest, largest)

    def covering(self, share: float) -> float:
        """The magnitude that this share of the values doesn't exceed, to a bin's width."""
        reached = np.cumsum(self.counts) >= share * self.counts.sum()
        return min(float(np.argmax(reached) + 1) * self.limit / BINS, self.largest)


def measure_ranges(
    network: onnx.ModelProto, values: Sequence[str], strips: Iterable[Strips]
) -> Mapping[str, float]:
    """For each value inside a network, the magnitude that nearly all of its elements stay below.

    Args:
        network: float32 arithmetic.
        values: names of values inside.
        strips: any number of (1, 1, H, W); each runs once.

    Raises:
        ExportError: a value isn't finite.
    """
    seen = {name: Magnitudes() for name in values}
    session = _session_that_shows(network, values)
    for strip in strips:
        found = session.run(list(seen), {INPUT: strip})
        for magnitudes, array in zip(seen.values(), found, strict=True):
            magnitudes.add(array)
    return {name: one.covering(COVERED_SHARE) for name, one in seen.items()}


def _session_that_shows(
    network: onnx.ModelProto, values: Sequence[str]
) -> onnxruntime.InferenceSession:
    open_network = onnx.ModelProto()
    open_network.CopyFrom(network)
    open_network.graph.output.extend(
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in values
    )
    return onnxruntime.InferenceSession(
        open_network.SerializeToString(), providers=["CPUExecutionProvider"]
    )
