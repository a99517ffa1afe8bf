"""Is a class anywhere on the strip?"""

import torch
from torch import Tensor, nn


class ImageHead(nn.Module):
    """Scores each class from the mean and the maximum of the deepest features.

    Shape:
        - Input: (N, C, h, w)
        - Output: (N, K) raw scores
    """

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        self.score = nn.Linear(2 * channels, classes)

    def forward(self, deepest: Tensor) -> Tensor:
        """Raw scores of the deepest features."""
        mean, peak = deepest.mean(dim=(2, 3)), deepest.amax(dim=(2, 3))
        scores: Tensor = self.score(torch.cat((mean, peak), dim=1))
        return scores
