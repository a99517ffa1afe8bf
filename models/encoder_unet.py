"""U-Net on a pretrained encoder; its decoder may stop early."""

from segmentation_models_pytorch.decoders.unet.decoder import UnetDecoder
from torch import Tensor, nn

from models.config import EncoderUnetConfig
from models.encoders import build_encoder


class EncoderUnet(nn.Module):
    """Encoder, decoder with skip connections, and a 3x3 convolution that scores.

    Shape:
        - Input: (N, 1, H, W) float; H and W multiples of 32
        - Output: scores (N, K, H / s, W / s) with s = 2 ^ (5 - decoder levels), and the deepest
          features (N, C, H / 32, W / 32)
    """

    def __init__(self, config: EncoderUnetConfig) -> None:
        super().__init__()
        self.encoder = build_encoder(config.encoder, stages=config.encoder_stages)
        self.decoder = UnetDecoder(
            encoder_channels=self.encoder.out_channels,
            decoder_channels=config.decoder_channels,
            n_blocks=len(config.decoder_channels),
        )
        self.head = nn.Conv2d(config.decoder_channels[-1], config.score_channels, 3, padding=1)
        self.deepest_channels = self.encoder.out_channels[-1]

    def forward(self, grey: Tensor) -> tuple[Tensor, Tensor]:
        """Raw scores and deepest features of a normalised grey strip."""
        features = self.encoder(grey)
        return self.head(self.decoder(features)), features[-1]

    def last_layer(self) -> nn.Conv2d:
        """The layer that makes the scores."""
        return self.head
