"""Each runtime gives what the network gives."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from benchmarks.runtimes import RUNTIMES, Source, load, write_onnx


class Tiny(nn.Module):
    """One convolution on grey values."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Conv2d(1, 4, 3, stride=4, padding=1)

    def forward(self, strips: Tensor) -> Tensor:
        scores: Tensor = self.body(strips.float() / 255.0)
        return scores


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Source:
    torch.manual_seed(1)
    network = Tiny().eval()
    path = tmp_path_factory.mktemp("onnx") / "tiny.onnx"
    write_onnx(network, path)
    return Source("tiny", network, path)


@pytest.mark.parametrize(
    "runtime",
    [
        pytest.param(name, marks=pytest.mark.slow) if name == "torch.compile" else name
        for name in RUNTIMES
    ],
)
def test_a_runtime_answers_as_the_network_does(source: Source, runtime: str) -> None:
    if runtime == "OpenVINO":
        pytest.importorskip("openvino", reason="openvino isn't installed (extra `bench`)")
    strip = np.random.default_rng(2).integers(0, 256, (1, 1, 256, 1600), np.uint8)
    with torch.no_grad():
        expected = source.module(torch.from_numpy(strip)).numpy()

    loaded = load(source, runtime, example=strip, threads=1)

    assert loaded.prepared_s > 0.0
    np.testing.assert_allclose(loaded.run(strip), expected, atol=1e-4)
