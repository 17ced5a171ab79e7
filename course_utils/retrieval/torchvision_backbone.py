"""A network of torchvision, cut off where DELF takes its features, with or without weights from ImageNet.

The chapter trains a small network on generated pictures, because nothing may be downloaded there. With a network
connection the real thing is one argument away: ``DELF.from_torchvision(weights="DEFAULT")``.

torchvision puts the stride of a ResNet stage into its first unit, TF-slim (the official DELF code) into its last. So
``layer3`` of torchvision's ResNet-50 has a receptive field of 267 pixels every 16, and the official model 291 every 32.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torchvision import models
from torchvision.models.feature_extraction import create_feature_extractor

from course_utils.checks import checked_choice, message
from course_utils.training import drawing_from

IMAGENET_MEAN = (0.485, 0.456, 0.406)  # of RGB in [0, 1]; torchvision's own preset
IMAGENET_DEVIATION = (0.229, 0.224, 0.225)


class TorchvisionBackbone(nn.Module):
    """Feature maps (B, D, h, w) of a layer of a torchvision model.

    Parameters
    ----------
    name : str
        A classification model of ``torchvision.models``: ``"resnet50"``, ``"vgg16"`` ...
    layer : str
        The layer whose output is taken: ``"layer3"``, ``"features.28"`` ...
    weights : optional
        As in torchvision; a name downloads them. None: random weights.
    generator : torch.Generator, optional
        Draws the random weights.

    Attributes
    ----------
    dim : int
        D, channels of the map.

    Raises
    ------
    ValueError
        If there is no such model or layer, or the layer has no map.
    """

    def __init__(self, name: str, layer: str, weights: Any = None, generator: torch.Generator | None = None):
        super().__init__()
        checked_choice(name, "name", models.list_models(module=models))
        with drawing_from(generator):
            network = models.get_model(name, weights=weights)
        try:
            self.body = create_feature_extractor(network.eval(), {layer: "maps"})
        except ValueError as error:  # torchvision's own message lists hundreds of node names
            raise ValueError(message("layer", f"a layer of {name}", repr(layer), "`named_modules()` lists them.")) from error
        self.name, self.layer = name, layer
        with torch.no_grad():
            maps = self(torch.zeros(1, 3, 64, 64))
        if maps.ndim != 4:
            raise ValueError(message("layer", "one with a feature map (B, D, h, w)", f"{layer}, of shape {tuple(maps.shape)}"))
        self.dim = maps.shape[1]

    def forward(self, images: Tensor) -> Tensor:
        """Map normalised images (B, 3, H, W) to features (B, D, h, w)."""
        return self.body(images)["maps"]


def imagenet_normalized(images: Tensor) -> Tensor:
    """Return images (B, 3, H, W), uint8 or floating in [0, 255], as torchvision's weights expect them."""
    mean, deviation = (images.new_tensor(v, dtype=torch.float32)[:, None, None] for v in (IMAGENET_MEAN, IMAGENET_DEVIATION))
    return (images.float() / 255 - mean) / deviation
