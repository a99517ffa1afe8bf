"""Learning from a bigger network's answers (Hinton, Vinyals and Dean, 2015).

The teacher tells more than the labels do: how sure it is, and what a place resembles. Its raw
scores are brought to the student's form and grid first, so the two may differ in output and stride.
"""

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from edge_daemon.errors import ConfigurationError
from models.network import SteelNet

Output = Literal["sigmoid", "softmax"]


class Teacher:
    """A trained network that is asked, and never changed.

    Args:
        network: on the run's device; it is put into evaluation mode.
        output: of the student.
        classes: K of the student.

    Raises:
        ConfigurationError: the teacher knows another number of classes.
    """

    def __init__(self, network: SteelNet, output: Output, *, classes: int) -> None:
        if network.config.classes != classes:
            raise ConfigurationError(
                f"the teacher knows {network.config.classes} classes, the network has {classes}: "
                "choose a teacher that was trained on the same classes"
            )
        self.network = network.eval().requires_grad_(requires_grad=False)
        self.output = output

    @property
    def input_multiple_px(self) -> int:
        """Height and width of a strip are multiples of this."""
        return self.network.config.input_multiple_px

    @torch.no_grad()
    def scores(self, strips: Tensor) -> Tensor:
        """Raw scores (N, C, h, w), in the student's form, of uint8 strips (N, 1, H, W)."""
        pixel = self.network.scores(strips).pixel
        return translate(pixel, spoken=self.network.config.output, wanted=self.output)


def translate(scores: Tensor, *, spoken: Output, wanted: Output) -> Tensor:
    """Raw scores in another form, with the same odds of each class against background.

    Args:
        scores: (N, K, h, w) of a sigmoid, or (N, K + 1, h, w) of a softmax output.
        spoken: their form.
        wanted: the form of the result.
    """
    if spoken == wanted:
        return scores
    if wanted == "softmax":
        return torch.cat((torch.zeros_like(scores[:, :1]), scores), dim=1)
    others = [
        torch.cat((scores[:, :k], scores[:, k + 1 :]), dim=1).logsumexp(dim=1)
        for k in range(1, scores.shape[1])
    ]
    return scores[:, 1:] - torch.stack(others, dim=1)


def distillation_loss(
    scores: Tensor, teacher: Tensor, *, output: Output, temperature: float
) -> Tensor:
    """Divergence of the student's softened answer from the teacher's, for each cell.

    Kullback-Leibler, of each class by itself with sigmoid output; 0 where both agree. Times the
    temperature squared, so that its gradient keeps its size.

    Args:
        scores: (N, C, h, w) of the student.
        teacher: of the same shape and form.
        output: that form.
        temperature: divides both; above 1 the smaller chances count for more.

    Returns:
        (N, K, h, w) with sigmoid, (N, h, w) with softmax output.
    """
    soft, target = scores / temperature, teacher / temperature
    if output == "softmax":
        mine, its = torch.log_softmax(soft, dim=1), torch.log_softmax(target, dim=1)
        return temperature**2 * (its.exp() * (its - mine)).sum(dim=1)
    its_yes, its_no = functional.logsigmoid(target), functional.logsigmoid(-target)
    gap_yes = its_yes - functional.logsigmoid(soft)
    gap_no = its_no - functional.logsigmoid(-soft)
    return temperature**2 * (its_yes.exp() * gap_yes + its_no.exp() * gap_no)
