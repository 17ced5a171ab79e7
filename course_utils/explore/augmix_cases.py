"""What the AugMix graph shows by default: toys of the test split, and a small network that learned to name others.

The network's filters are fixed (oriented edges and colours); only its last layer is learned, a convex problem with one
solution. So its answers are the same on every machine, up to rounding.
"""

from __future__ import annotations

from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_utils.training import OrientedBackbone, standardize

SIZE = 32
N_TRAIN, N_PICTURES = 1200, 12
GRID = 4  # the maps are averaged into 4 x 4 cells
SOFTNESS = 0.01  # C of scikit-learn, for features of deviation 1: chosen on the validation split


class ToyNetwork(nn.Module):
    """Fixed filters, averages over a grid of cells, and a linear layer with softmax on top."""

    def __init__(self, n_classes: int) -> None:
        super().__init__()
        self.backbone = OrientedBackbone(generator=torch.Generator().manual_seed(0))
        width = self.backbone.second.out_channels
        self.head = nn.Linear(width * GRID * GRID, n_classes)

    def describe(self, images: Tensor) -> Tensor:
        """Return the features (B, D) of floating images in [0, 1]."""
        return F.adaptive_avg_pool2d(self.backbone.stem(standardize(images)), GRID).flatten(1)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (B, K) of floating images (B, 3, H, W) in [0, 1]."""
        return self.head(self.describe(images))


@cache
def default_network() -> ToyNetwork:
    """Return the network; it must not be changed."""
    from sklearn.linear_model import LogisticRegression

    from course_utils.data import Sprites

    toys = Sprites("train", n=N_TRAIN, size=SIZE)
    network = ToyNetwork(len(toys.class_names)).eval().requires_grad_(False)
    images = torch.cat([toys.images, toys.images.flip(3)]).float() / 255  # and mirrored
    features, labels = network.describe(images).double().numpy(), toys.labels.repeat(2).numpy()
    mean, deviation = features.mean(0), features.std(0)
    model = LogisticRegression(C=SOFTNESS, max_iter=1000).fit((features - mean) / deviation, labels)
    weight = model.coef_ / deviation
    network.head.weight.copy_(torch.from_numpy(weight))
    network.head.bias.copy_(torch.from_numpy(model.intercept_ - weight @ mean))
    return network


@cache
def default_pictures() -> tuple[Tensor, tuple[int, ...], tuple[str, ...]]:
    """Return pictures (N, 3, 32, 32) uint8, their classes, and the names of the classes."""
    from course_utils.data import Sprites

    toys = Sprites("test", n=N_PICTURES, size=SIZE)
    return toys.images, tuple(toys.labels.tolist()), toys.class_names
