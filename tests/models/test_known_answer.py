"""The known answer: one strip for any number of classes."""

from pathlib import Path

import numpy as np
import pytest

from models.config import UnetConfig
from models.fusion import fuse
from models.known_answer import ANSWER_LEVELS, GREY_STEP, write_known_answer
from models.onnx_file import write_onnx
from models.parity import TOLERANCE, run_onnx
from tests.models.conftest import MakeNetwork


@pytest.mark.parametrize(
    "classes",
    [1, pytest.param(4, marks=pytest.mark.slow), pytest.param(11, marks=pytest.mark.slow)],
)
def test_a_network_of_any_number_of_classes_has_one(
    classes: int, make_network: MakeNetwork, tmp_path: Path
) -> None:
    network = make_network(UnetConfig(width=2, depth=1, input_downsample=4, classes=classes))
    write_onnx(fuse(network), tmp_path / "model.onnx", height=256, width=1600)
    write_known_answer(tmp_path / "known.npz", tmp_path / "model.onnx")
    with np.load(tmp_path / "known.npz") as stored:
        strip, probability = stored["strip"], stored["probability"]
    assert (strip.shape, strip.dtype) == ((1, 1, 256, 1600), np.uint8)
    assert (probability.shape, probability.dtype) == ((1, classes, 64, 400), np.float32)
    assert not (strip % GREY_STEP).any()
    found = run_onnx(tmp_path / "model.onnx", strip)
    assert np.abs(found - probability).max() <= 0.51 / ANSWER_LEVELS < TOLERANCE / 10
