"""A student that agrees with its teacher has nothing to learn, whatever their forms."""

import pytest
import torch

from edge_daemon.errors import ConfigurationError
from models.config import UnetConfig
from models.network import build_network
from train.fitting.distillation import Output, Teacher, distillation_loss, translate


def random_scores(channels: int) -> torch.Tensor:
    return torch.randn((2, channels, 4, 4), generator=torch.Generator().manual_seed(channels))


@pytest.mark.parametrize(("output", "channels"), [("sigmoid", 4), ("softmax", 5)])
@pytest.mark.parametrize("temperature", [1.0, 4.0])
def test_agreement_costs_nothing_and_anything_else_costs_more(
    output: Output, channels: int, temperature: float
) -> None:
    teacher = random_scores(channels)
    same = distillation_loss(teacher, teacher, output=output, temperature=temperature)
    other = distillation_loss(
        teacher + torch.randn_like(teacher), teacher, output=output, temperature=temperature
    )
    assert torch.allclose(same, torch.zeros_like(same), atol=1e-6)
    assert (other > -1e-6).all()
    assert other.mean() > 0.01


def test_the_divergence_is_that_of_bernoulli_variables() -> None:
    student, teacher = (
        torch.logit(torch.tensor([[[[0.3]]]])),
        torch.logit(torch.tensor([[[[0.8]]]])),
    )
    value = distillation_loss(student, teacher, output="sigmoid", temperature=1.0)
    p, q = torch.tensor(0.8), torch.tensor(0.3)
    expected = p * (p / q).log() + (1 - p) * ((1 - p) / (1 - q)).log()
    assert float(value) == pytest.approx(float(expected))


def test_a_gradient_keeps_its_size_when_answers_are_softened() -> None:
    norms = []
    for temperature in (1.0, 8.0):
        student = torch.zeros((1, 1, 1, 1), requires_grad=True)
        teacher = torch.full((1, 1, 1, 1), 0.5)
        distillation_loss(
            student, teacher, output="sigmoid", temperature=temperature
        ).sum().backward()  # type: ignore[no-untyped-call]
        assert student.grad is not None
        norms.append(float(student.grad.norm()))
    assert norms[1] == pytest.approx(norms[0], rel=0.1)


def test_a_softmax_teacher_tells_a_sigmoid_student_its_probabilities() -> None:
    scores = random_scores(5)
    told = torch.sigmoid(translate(scores, spoken="softmax", wanted="sigmoid"))
    assert torch.allclose(told, torch.softmax(scores, dim=1)[:, 1:], atol=1e-6)


def test_a_sigmoid_teacher_tells_a_softmax_student_the_odds_against_background() -> None:
    scores = random_scores(4)
    told = torch.softmax(translate(scores, spoken="sigmoid", wanted="softmax"), dim=1)
    assert torch.allclose((told[:, 1:] / told[:, :1]).log(), scores, atol=1e-5)


def test_a_teacher_is_never_changed() -> None:
    network = build_network(UnetConfig(width=2, depth=1))
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    teacher = Teacher(network, "softmax", classes=4)
    scores = teacher.scores(torch.randint(0, 256, (2, 1, 8, 8), dtype=torch.uint8))
    assert scores.shape == (2, 5, 8, 8)
    assert not scores.requires_grad
    assert all(torch.equal(before[name], now) for name, now in network.state_dict().items())


def test_a_teacher_of_other_classes_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="4 classes, the network has 3"):
        Teacher(build_network(UnetConfig(width=2, depth=1)), "sigmoid", classes=3)
