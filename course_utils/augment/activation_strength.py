"""What Cutout does inside a network: how strong its activations are, layer by layer, and masking the strongest region.

**Problem.** Cutout's authors first masked the region that excited the network most, and found that a random square does as
well. Then they asked what training with holes changes. **Idea.** Sort all activations of a layer by their strength, for every
image, and average the sorted lists: a curve per layer. A network that had to live with holes relies on more, weaker cues: its
curve starts higher in shallow layers, and falls later in deep ones.

Source: T. DeVries, G. W. Taylor, "Improved Regularization of Convolutional Neural Networks with Cutout", 2017,
arXiv:1708.04552, section 3.1 (targeted masking, "max-drop" of the input) and figure 4 (sorted magnitudes).

Taught in ``14_erasing``, step 3.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn

from course_utils import profile
from course_utils.augment.activation_maps import enlarged, feature_reader
from course_utils.checks import checked_int, message
from course_utils.training.evaluation import evaluating


def sorted_activations(
    network: nn.Module, images: Tensor, layers: Mapping[str, nn.Module], batch_size: int = 64
) -> dict[str, np.ndarray]:
    """Return the mean sorted magnitudes of several layers.

    Parameters
    ----------
    network : nn.Module
    images : Tensor of shape (B, C, H, W), B at least 1
        As the network takes them.
    layers : mapping from a name to a part of the network
        Its outputs are read, usually those of a ReLU.
    batch_size : int, default 64

    Returns
    -------
    dict of name -> ndarray of shape (U,), float64
        Entry u: the u-th largest magnitude among the layer's U units, averaged over the images. It never increases.

    Raises
    ------
    ValueError
        If there is no image or no layer.
    """
    if not len(images) or not layers:
        raise ValueError(message("images", "at least one image, read at one layer or more", f"{len(images)} and {len(layers)}"))
    sums: dict[str, np.ndarray] = {}
    caught: dict[str, Tensor] = {}
    device = next(network.parameters()).device

    def catch(name: str) -> object:
        return layers[name].register_forward_hook(lambda _module, _inputs, output: caught.__setitem__(name, output.detach()))

    hooks = [catch(name) for name in layers]
    try:
        with torch.no_grad(), evaluating(network):
            for part in profile.batches(len(images), checked_int(batch_size, "batch_size", low=1)):
                network(images[part].to(device))
                for name, output in caught.items():
                    ordered = output.flatten(1).abs().sort(1, descending=True).values  # (b, U)
                    sums[name] = sums.get(name, 0.0) + ordered.sum(0).double().cpu().numpy()
    finally:
        for hook in hooks:
            hook.remove()
    return {name: sums[name] / len(images) for name in layers}


def most_active_region(network: nn.Module, images: Tensor, layer: nn.Module | None = None) -> Tensor:
    """Return the mask of the region that the strongest feature of a network answers to, for every image.

    Parameters
    ----------
    network : nn.Module
    images : Tensor of shape (B, C, H, W)
        As the network takes them.
    layer : nn.Module, optional
        Where features are read; default: ``network.features``.

    Returns
    -------
    Tensor of bool, shape (B, 1, H, W)
        Pixels where the enlarged map of the channel with the largest single activation is above the map's own mean. All
        false where that map is constant.
    """
    device = next(network.parameters()).device
    with torch.no_grad(), evaluating(network), feature_reader(network, layer) as features_of:
        features = features_of(images.to(device))
    strongest = features.flatten(2).amax(2).argmax(1)  # (B,)
    maps = enlarged(features[torch.arange(len(features), device=device), strongest], tuple(images.shape[-2:]))
    return (maps > maps.mean((1, 2), keepdim=True))[:, None].to(images.device)
