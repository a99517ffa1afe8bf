"""Whole strips through a network, in order and with nothing lost between batches."""

import numpy as np
import torch

from models.architecture import NetworkConfig, build_network
from train.runs import provisional_classes
from train.validation import predict, score_strips


def test_strips_come_out_in_order() -> None:
    torch.set_num_threads(1)
    network = build_network(NetworkConfig(decoder_channels=(8, 8)))
    images = np.random.default_rng(0).integers(0, 256, (5, 64, 64), dtype=np.uint8)
    together = predict(network, images)
    assert together.shape == (5, 4, 4, 4)
    assert np.allclose(together[4:], predict(network, images[4:]), atol=1e-5)


def test_a_perfect_answer_scores_one() -> None:
    truth = np.zeros((2, 256, 1600), np.uint8)
    truth[0, :, 400:800] = 2
    probabilities = np.zeros((2, 4, 64, 400), np.float32)
    probabilities[0, 1, :, 100:200] = 1
    whole = score_strips(probabilities, truth, provisional_classes())
    assert whole.dice > 0.999
    assert whole.false_alarms == 0
