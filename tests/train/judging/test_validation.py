"""Whole strips of any size through a network, in order and with nothing lost between batches."""

import numpy as np
import pytest
import torch

from models.config import EncoderUnetConfig
from models.network import SteelNet, build_network
from train.config import DataConfig
from train.data.strips import Grey
from train.judging import validation
from train.judging.figures import Prior
from train.judging.validation import predict, score_strips
from train.runs import provisional_classes

PRIOR = Prior(0.53, (0.071, 0.020, 0.410, 0.064))


@pytest.fixture(scope="module")
def network() -> SteelNet:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    return build_network(EncoderUnetConfig(decoder_channels=(8, 8)))


def images(*sizes: tuple[int, int]) -> list[Grey]:
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, size, dtype=np.uint8) for size in sizes]


def test_strips_come_out_in_order_whatever_goes_through_together(network: SteelNet) -> None:
    strips = images((64, 64), (64, 96), (64, 64), (96, 64), (64, 96))
    together = predict(network, strips)
    for strip, answer in zip(strips, together, strict=True):
        assert np.allclose(answer, predict(network, [strip])[0], atol=1e-5)


def test_more_strips_than_fit_into_a_batch_all_come_out(
    network: SteelNet, monkeypatch: pytest.MonkeyPatch
) -> None:
    strips = images(*[(64, 64)] * 5)
    whole = predict(network, strips)
    monkeypatch.setattr(validation, "BATCH_PX", 2 * 64 * 64)
    assert np.allclose(np.stack(predict(network, strips)), np.stack(whole), atol=1e-5)


def test_an_image_of_any_size_gets_a_cell_for_each_begun_stride(network: SteelNet) -> None:
    stride = network.config.output_stride
    answer = predict(network, images((50, 71)))[0]
    assert answer.shape == (4, -(-50 // stride), -(-71 // stride))


def test_an_image_is_continued_with_its_last_pixels(network: SteelNet) -> None:
    image = images((50, 70))[0]
    continued = np.pad(image, ((0, 14), (0, 26)), mode="edge")
    answer, whole = predict(network, [image, continued])
    assert np.allclose(answer, whole[:, : answer.shape[1], : answer.shape[2]], atol=1e-5)


def test_a_perfect_answer_scores_one() -> None:
    truth = np.zeros((2, 256, 1600), np.uint8)
    truth[0, :, 400:800] = 2
    probabilities = np.zeros((2, 4, 64, 400), np.float32)
    probabilities[0, 1, :, 100:200] = 1
    classes = provisional_classes(DataConfig())
    whole = score_strips(list(probabilities), list(truth), classes, prior=PRIOR, resamples=20)
    assert whole.dice > 0.999
    assert whole.false_alarms == 0
    assert whole.auc == 1
    assert "dice" in whole.intervals
