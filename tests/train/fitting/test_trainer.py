"""A step does what it is told: in parts or at once, and never on numbers that aren't finite."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from models.config import UnetConfig
from models.network import build_network
from tests.train.fitting.conftest import quick_config
from train.config import RunConfig
from train.fitting.guards import NotFiniteError, TrainingError
from train.fitting.trainer import MAX_SKIPPED, MicroBatch, Trainer

NO_NORM = {"architecture": "unet", "width": 2, "depth": 1, "batch_norm": False}


def trainer_of(config: RunConfig) -> Trainer:
    torch.manual_seed(config.seed)
    return Trainer.of(build_network(config.network), config)


def config_of(**changes: Any) -> RunConfig:  # noqa: ANN401 - TOML values
    return quick_config(Path("nowhere"), **{"network": NO_NORM, **changes})


def crops(count: int, *, seed: int = 1, size: tuple[int, int] = (32, 32)) -> MicroBatch:
    generator = torch.Generator().manual_seed(seed)
    strips = torch.randint(0, 256, (count, 1, *size), generator=generator).to(torch.uint8)
    classes = torch.randint(0, 5, (count, *size), generator=generator).to(torch.uint8)
    return MicroBatch(strips, classes)


def weights(trainer: Trainer) -> Tensor:
    return torch.cat([one.detach().flatten() for one in trainer.network.parameters()])


@pytest.mark.parametrize("optimiser", ["sgd", "adamw"])
def test_parts_make_the_step_that_the_whole_makes(optimiser: str) -> None:
    """Also where the last part is smaller: it counts for as many crops as it has."""
    config = config_of(
        loss={"dice": 0}, optim={"optimiser": optimiser, "clip_norm": 0, "warmup_steps": 0}
    )
    whole, parts = trainer_of(config), trainer_of(config)
    batch = crops(5)
    pieces = [
        MicroBatch(batch.strips[a:b], batch.classes[a:b]) for a, b in ((0, 2), (2, 4), (4, 5))
    ]
    first, second = whole.train_step([batch]), parts.train_step(pieces)
    assert second.crops == 5
    assert second.loss == pytest.approx(first.loss, rel=1e-5)
    assert torch.allclose(weights(whole), weights(parts), atol=1e-6)


def test_clipping_shortens_a_step_and_zero_leaves_it() -> None:
    lengths = []
    for clip_norm in (0, 1e9, 1e-3):
        trainer = trainer_of(
            config_of(
                optim={
                    "optimiser": "sgd",
                    "clip_norm": clip_norm,
                    "warmup_steps": 0,
                    "weight_decay": 0,
                    "decoder_rate": 1.0,
                }
            )
        )
        before = weights(trainer)
        trainer.train_step([crops(2)])
        lengths.append(float((weights(trainer) - before).norm()))
    assert lengths[0] == lengths[1]
    assert lengths[2] == pytest.approx(1e-3, rel=0.01)


def test_training_learns_a_strip_by_heart() -> None:
    trainer = trainer_of(
        config_of(
            network={**NO_NORM, "batch_norm": True, "width": 4},
            optim={"schedule": "constant", "decoder_rate": 3e-2, "warmup_steps": 1},
        )
    )
    strips = torch.full((2, 1, 32, 64), 60, dtype=torch.uint8)
    strips[:, :, :, 32:] = 180
    classes = torch.zeros((2, 32, 64), dtype=torch.uint8)
    classes[:, :, 32:] = 3
    losses = [trainer.train_step([MicroBatch(strips, classes)]).loss for _ in range(40)]
    assert losses[-1] < losses[0] / 4


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("output", ["sigmoid", "softmax"])
def test_a_step_takes_crops_that_the_network_has_to_pad(precision: str, output: str) -> None:
    network = {"architecture": "unet", "width": 2, "depth": 3, "image_head": True, "output": output}
    trainer = trainer_of(config_of(network=network, optim={"precision": precision}))
    result = trainer.train_step([crops(2, size=(36, 50))])
    assert set(result.parts) == {"cross_entropy", "dice", "image"}
    assert result.rates == {"decoder": pytest.approx(1.5e-3 / 2)}


def test_a_single_crop_of_the_smallest_size_is_a_batch() -> None:
    network = {"architecture": "unet", "width": 2, "depth": 5}
    trainer = trainer_of(config_of(network=network, optim={"batch": 1}))
    before = weights(trainer)
    trainer.train_step([crops(1, size=(32, 32))])
    assert not torch.equal(weights(trainer), before)


def test_a_loss_that_is_not_finite_changes_nothing_and_tells_its_batch() -> None:
    trainer = trainer_of(config_of())
    with torch.no_grad():
        bias = trainer.network.body.last_layer().bias
        assert bias is not None
        bias[1] = torch.nan
    before = weights(trainer)
    with pytest.raises(NotFiniteError) as caught:
        trainer.train_step([crops(2), crops(2, seed=2)])
    assert (caught.value.what, caught.value.micro_batch) == ("loss", 0)
    assert caught.value.parts["dice"] != caught.value.parts["dice"]
    assert torch.equal(weights(trainer).nan_to_num(9), before.nan_to_num(9))
    assert (trainer.step, trainer.average.updates) == (0, 0)


def spoil_gradients_of(trainer: Trainer, batch: MicroBatch) -> None:
    """Let the gradient, but not the loss, be infinite on one batch."""
    mean = batch.strips.float().mean()

    def spoil(_module: torch.nn.Module, inputs: tuple[Tensor, ...], output: Any) -> None:  # noqa: ANN401 - Scores
        if inputs[0].float().mean() == mean:
            output.pixel.register_hook(lambda gradient: gradient * torch.inf)

    trainer.scoring.register_forward_hook(spoil)


def test_a_gradient_that_is_not_finite_changes_nothing_and_its_batch_is_found() -> None:
    trainer = trainer_of(config_of())
    batches = [crops(2), crops(2, seed=2), crops(2, seed=3)]
    spoil_gradients_of(trainer, batches[1])
    before = weights(trainer)
    with pytest.raises(NotFiniteError) as caught:
        trainer.train_step(batches)
    assert (caught.value.what, caught.value.micro_batch) == ("gradient", None)
    found = trainer.find_bad_gradient(batches)
    assert found.micro_batch == 1
    assert set(found.parts) == {"cross_entropy", "dice"}
    assert torch.equal(weights(trainer), before)


def test_fp16_skips_an_overflow_counts_it_and_gives_up_in_the_end() -> None:
    trainer = trainer_of(config_of(optim={"precision": "fp16", "warmup_steps": 0}))
    bad, good = crops(2), crops(2, seed=2)
    spoil_gradients_of(trainer, bad)
    before, scale = weights(trainer), trainer.scaler.get_scale()
    trainer.train_step([bad])
    assert torch.equal(weights(trainer), before)
    assert trainer.scaler.get_scale() == scale / 2
    assert (trainer.skipped, trainer.step, trainer.average.updates) == (1, 1, 0)
    trainer.train_step([good])
    assert not torch.equal(weights(trainer), before)
    assert trainer.skipped_in_a_row == 0
    for _ in range(MAX_SKIPPED - 1):
        trainer.train_step([bad])
    with pytest.raises(TrainingError, match=f"{MAX_SKIPPED} steps in a row.*bf16 or fp32"):
        trainer.train_step([bad])


def test_dropout_follows_from_the_step_and_not_from_what_was_drawn_before() -> None:
    config = config_of(network={**NO_NORM, "dropout": 0.5})
    losses = []
    for draws in (0, 7):
        trainer = trainer_of(config)
        torch.rand(draws)
        losses.append([trainer.train_step([crops(2)]).loss for _ in range(2)])
    assert losses[0] == losses[1]


def test_a_student_follows_its_teacher() -> None:
    teacher = build_network(UnetConfig(width=2, depth=3, output="softmax"))
    config = config_of(
        teacher="somewhere",
        loss={"cross_entropy": 0, "dice": 0, "distillation": 1, "temperature": 2.0},
        optim={"decoder_rate": 3e-2, "warmup_steps": 0, "schedule": "constant"},
    )
    trainer = Trainer.of(build_network(config.network), config, teacher=teacher)
    batch = crops(2, size=(20, 28))
    losses = [trainer.train_step([batch]).parts["distillation"] for _ in range(30)]
    assert losses[-1] < losses[0] / 2


@pytest.mark.slow
@pytest.mark.timeout(600)  # the compiler takes a minute, and more beside other processes
def test_a_compiled_step_is_the_same_step() -> None:
    plain, compiled = (trainer_of(config_of(optim={"compile": on})) for on in (False, True))
    losses = [[one.train_step([crops(2)]).loss for _ in range(3)] for one in (plain, compiled)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)
    assert list(plain.network.state_dict()) == list(compiled.network.state_dict())


def test_channels_last_is_the_same_step() -> None:
    plain, other = (trainer_of(config_of(optim={"channels_last": on})) for on in (False, True))
    losses = [[one.train_step([crops(2)]).loss for _ in range(3)] for one in (plain, other)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_fp16_learns_on_a_gpu() -> None:
    config = config_of(optim={"precision": "fp16", "decoder_rate": 1e-2, "schedule": "constant"})
    trainer = Trainer.of(build_network(config.network), config, device=torch.device("cuda"))
    losses = [trainer.train_step([crops(2)]).loss for _ in range(40)]
    assert losses[-1] < losses[0]
