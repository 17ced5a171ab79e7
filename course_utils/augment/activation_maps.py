"""Class activation maps: where in the image a classifier found its class.

**Problem.** A classifier says "dog", not where. **Idea.** If it ends with an average over all places and a linear layer, the
order of the two can be swapped: score every place first, average afterwards. The scores before the average are a map.

    logit_k = b_k + sum_c W_kc mean_xy F_c(x, y) = b_k + mean_xy M_k(x, y),      M_k(x, y) = sum_c W_kc F_c(x, y)

So the mean of the map plus the bias *is* the logit; nothing is approximated. The map is enlarged to the image, brought to
[0, 1] by its own smallest and largest value, cut at a threshold, and the largest connected piece gives a box.

Source: B. Zhou, A. Khosla, A. Lapedriza, A. Oliva, A. Torralba, "Learning Deep Features for Discriminative Localization",
CVPR 2016, arXiv:1512.04150 (threshold 0.2 of the maximum). Strict comparison ``map > threshold``: J. Choe et al.,
"Evaluating Weakly Supervised Object Localization Methods Right", CVPR 2020, arXiv:2001.07437, and its code.

Conventions
    Pixels (i, j) with map > threshold; neighbours share an edge (4-connectivity); the box of a piece is
    [first column, last column + 1) x [first row, last row + 1). A constant map has no place of its own: after normalisation
    it is all 0 and its box is the whole image.

Taught in ``14_erasing``, step 5.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_utils import profile
from course_utils.checks import checked_array, checked_float, checked_int, message
from course_utils.training.evaluation import evaluating

ZHOU_THRESHOLD = 0.2  # of the maximum, section 3.2 of the paper


def class_activation_maps(
    network: nn.Module,
    images: Tensor,
    classes: Tensor | None = None,
    *,
    layer: nn.Module | None = None,
    classifier: nn.Linear | None = None,
    batch_size: int = 64,
) -> Tensor:
    """Return where every image shows its class, enlarged to the image and not yet normalised.

    Parameters
    ----------
    network : nn.Module
        Any classifier that ends with global average pooling and a linear layer.
    images : Tensor of shape (B, C, H, W)
        As the network takes them.
    classes : Tensor of shape (B,), int64, optional
        The class of each map; default: the class the network predicts.
    layer : nn.Module, optional
        The part whose output is averaged. Default: ``network.features(images)`` is called, without any hook.
    classifier : nn.Linear, optional
        Default: ``network.classifier`` or ``network.fc``.
    batch_size : int, default 64

    Returns
    -------
    Tensor of shape (B, H, W), float32, on the CPU

    Raises
    ------
    TypeError
        If the network has no ``features`` and no ``layer`` is given, or no linear classifier is found.
    ValueError
        If the classifier does not read as many numbers as the features have channels, or ``classes`` does not fit.

    Examples
    --------
    >>> from course_utils.training import SmallCNN
    >>> network = SmallCNN(dim=8, n_classes=3)
    >>> class_activation_maps(network, torch.zeros(2, 3, 32, 32)).shape
    torch.Size([2, 32, 32])
    """
    linear = _linear(network, classifier)
    if classes is not None and tuple(classes.shape) != (len(images),):
        raise ValueError(message("classes", f"of shape ({len(images)},), one class an image", f"shape {tuple(classes.shape)}"))
    maps = [torch.zeros(0, *images.shape[-2:])]
    device = linear.weight.device
    with torch.no_grad(), evaluating(network), feature_reader(network, layer) as features_of:
        for part in profile.batches(len(images), checked_int(batch_size, "batch_size", low=1)):
            features = features_of(images[part].to(device))
            chosen = linear(features.mean((2, 3))).argmax(1) if classes is None else classes[part].to(device)
            small = maps_of(features, linear.weight, chosen)
            maps.append(enlarged(small, tuple(images.shape[-2:])).float().cpu())
    return torch.cat(maps)


def maps_of(features: Tensor, weight: Tensor, classes: Tensor) -> Tensor:
    """Return M_k for features (B, D, h, w), classifier weights (K, D) and one class k per image: (B, h, w).

    Raises
    ------
    ValueError
        If the number of channels does not fit.
    """
    if features.ndim != 4 or weight.ndim != 2 or features.shape[1] != weight.shape[1]:
        got = f"features {tuple(features.shape)} and weights {tuple(weight.shape)}"
        advice = "The layer must be the one that is averaged before the classifier."
        raise ValueError(message("features", "of shape (B, D, h, w) for weights (K, D)", got, advice))
    return torch.einsum("bdhw,bd->bhw", features, weight[classes])


def enlarged(maps: Tensor, size: tuple[int, int]) -> Tensor:
    """Interpolate maps (B, h, w) bilinearly to ``size`` (H, W)."""
    return F.interpolate(maps[:, None], size=size, mode="bilinear", align_corners=False)[:, 0]


@contextmanager
def feature_reader(network: nn.Module, layer: nn.Module | None = None) -> Iterator[Callable[[Tensor], Tensor]]:
    """Give a function ``images -> features``; a hook is needed, and removed, only where ``layer`` is given."""
    if layer is None:
        if not callable(getattr(network, "features", None)):
            expected = "given for a network without a method `features`"
            raise TypeError(message("layer", expected, "None", "Pass the part whose output is averaged, `network.layer4`."))
        yield network.features
        return
    caught: list[Tensor] = []
    hook = layer.register_forward_hook(lambda _module, _inputs, output: caught.append(output))

    def features_of(images: Tensor) -> Tensor:
        caught.clear()
        network(images)
        return caught[-1]

    try:
        yield features_of
    finally:
        hook.remove()


def _linear(network: nn.Module, classifier: nn.Linear | None) -> nn.Linear:
    found = classifier
    if found is None:
        found = getattr(network, "classifier", None) or getattr(network, "fc", None)
    if not isinstance(found, nn.Linear):
        raise TypeError(message("classifier", "a torch.nn.Linear", type(found).__name__, "A CAM needs a linear last layer."))
    return found


# ---------------------------------------------------------------------------------------------------- from a map to a box


def normalized_maps(maps: Any) -> np.ndarray:
    """Bring every map of (B, H, W) to [0, 1] by its own smallest and largest value; a constant map becomes 0.

    Raises
    ------
    ValueError
        If a value is NaN or infinite; the message names the map.
    """
    maps = checked_array(maps, "maps", ("B", "H", "W"), np.float64)
    low = maps.min((1, 2), keepdims=True) if maps.size else np.zeros((len(maps), 1, 1))
    height = (maps.max((1, 2), keepdims=True) if maps.size else low) - low
    return np.divide(maps - low, height, out=np.zeros_like(maps), where=height > 0)


def boxes_from_maps(maps: Any, threshold: float = ZHOU_THRESHOLD) -> np.ndarray:
    """Return the box of the largest connected piece above the threshold, for every map.

    Parameters
    ----------
    maps : array-like of shape (B, H, W)
        Normalised here.
    threshold : float in [0, 1), default 0.2
        Share of the normalised map's maximum, which is 1.

    Returns
    -------
    ndarray of shape (B, 4), float64
        Corners x1, y1, x2, y2 in pixels. Of two pieces of equal size the first one, row by row, counts.
    """
    maps = normalized_maps(maps)
    threshold = checked_threshold(threshold)
    return np.stack([piece_boxes(one, threshold)[0] for one in maps]) if len(maps) else np.zeros((0, 4))


def piece_boxes(normalized_map: np.ndarray, threshold: float) -> np.ndarray:
    """Return the boxes (n, 4) of all connected pieces above the threshold of one normalised map, the largest piece first."""
    from scipy import ndimage

    labels, n_pieces = ndimage.label(normalized_map > threshold)  # the default structure joins neighbours across an edge
    if not n_pieces:
        return np.array([[0.0, 0.0, normalized_map.shape[1], normalized_map.shape[0]]])
    sizes = np.bincount(labels.ravel())[1:]
    slices = ndimage.find_objects(labels)
    order = np.argsort(-sizes, kind="stable")
    return np.array([[slices[k][1].start, slices[k][0].start, slices[k][1].stop, slices[k][0].stop] for k in order], float)


def checked_threshold(threshold: float) -> float:
    """Return a threshold of normalised maps: at least 0 and below 1, or nothing would be above it."""
    threshold = checked_float(threshold, "threshold", low=0, high=1)
    if threshold == 1:
        raise ValueError(message("threshold", "below 1, the maximum of a normalised map", "1"))
    return threshold
