"""Measure a receptive field instead of computing it: which pixels does the gradient of one cell reach?

The layer recursion of ``receptive_field`` is bookkeeping, and bookkeeping can be wrong. The gradient of a cell with
respect to the image is not: where it is zero, the cell does not look. Two things hide pixels from it. A ReLU that is
off, and a maximum that another pixel won, have gradient zero although the cell does look; and weights of both signs
can cancel. So the probe opens the network first, function by function (``TorchFunctionMode``):

=====================================  =================================================================
in the network                         in the probe
=====================================  =================================================================
ReLU and other gates, batch norm       the identity
maximum over a window                  the average over it
convolution weights                    positive, all equal
an average over the whole image        a constant, as ``receptive_field`` leaves it out
=====================================  =================================================================

The field is then read off the non-zero rows and columns of the gradient of two neighbouring cells.

Source: W. Luo et al., "Understanding the Effective Receptive Field in Deep Convolutional Neural Networks", NeurIPS
2016, arXiv:1701.04128, section 3, propagate ones through linear networks for the same purpose. The *effective* field,
where most of the gradient lies, is much smaller than the one measured here: the chapter draws both.

Taught in ``03_delf``, step 4.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from course_utils.checks import checked_int, message
from course_utils.retrieval.receptive_field import ReceptiveField, _example_for, module_of, output_of, receptive_field

_GATES = {
    "relu",
    "relu6",
    "leaky_relu",
    "rrelu",
    "elu",
    "celu",
    "selu",
    "gelu",
    "silu",
    "mish",
    "sigmoid",
    "hardsigmoid",
    "hardswish",
}
_GATES |= {
    "hardtanh",
    "tanh",
    "softplus",
    "softsign",
    "logsigmoid",
    "clamp",
    "clamp_min",
    "clamp_max",
    "prelu",
    "dropout",
    "dropout2d",
}
_GATES |= {"batch_norm", "instance_norm", "group_norm"}


def probe_receptive_field(network: nn.Module, layer: str | nn.Module | None = None, size: int | None = None) -> ReceptiveField:
    """Measure the receptive field of a layer's cells by the gradient.

    Taught in ``03_delf``, step 4.

    Parameters
    ----------
    network, layer
        As in ``receptive_field``.
    size : int, optional
        Side of the picture that is sent through. Default: room for two neighbouring squares of ``receptive_field``,
        and some pixels more, so that a larger field would be noticed. Two backward passes.

    Returns
    -------
    ReceptiveField
        Equal to ``receptive_field(network, layer)`` if the recursion is right.

    Raises
    ------
    TypeError, ValueError
        As ``receptive_field``; and if the field touches the border of the picture (give a larger ``size``), or is not
        one square of pixels.

    Examples
    --------
    >>> stack = nn.Sequential(nn.Conv2d(3, 8, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(8, 8, 3))
    >>> probe_receptive_field(stack) == receptive_field(stack)
    True
    """
    if size is None:
        expected = receptive_field(network, layer)
        size = expected.size + 6 * expected.stride + 8
    size = checked_int(size, "size", low=1)
    first, second = gradient_shares(network, layer, size, steps=(0, 1))
    (top, height), (below, _) = _extent(first.share.sum(1), size), _extent(second.share.sum(1), size)
    left, width = _extent(first.share.sum(0), size)
    if (top, height) != (left, width):
        raise ValueError(
            message("network", "one with a square receptive field", f"rows {top} + {height}, columns {left} + {width}")
        )
    return ReceptiveField(height, below - top, (below - top) * first.cell - top)


@dataclass(frozen=True, eq=False)
class GradientShare:
    """How often every pixel is counted on the way to one cell.

    Attributes
    ----------
    share : ndarray of shape (H, W), float64
        Sums to 1.
    cell : int
        The cell lies in this row and this column of the map.
    """

    share: np.ndarray
    cell: int


def gradient_shares(
    network: nn.Module, layer: str | nn.Module | None = None, size: int = 64, steps: Sequence[int] = (0,)
) -> list[GradientShare]:
    """Return the share of every pixel in the gradient of some cells, in the opened network: the effective field.

    Parameters
    ----------
    network, layer
        As in ``receptive_field``; the network stays as it was.
    size : int
        Side of the picture.
    steps : sequence of int
        Which cells: so many rows and columns after the middle of the map.

    Raises
    ------
    TypeError, ValueError
        If ``layer`` is no part of the network, or the map is too small for the steps.
    """
    target = module_of(network, layer)  # refuses what is no layer before the copy
    names = {part: name for name, part in network.named_modules()}
    opened = deepcopy(network).float()
    example = _example_for(opened)
    random = torch.Generator().manual_seed(0)  # values differ, or the derivative of a normalisation could cancel
    picture = (0.5 + torch.rand(1, example.shape[1], size, size, generator=random)).to(example.device).requires_grad_()
    with torch.enable_grad(), _Opened():
        cells = output_of(opened, picture, module_of(opened, names[target] or None))
    shares = []
    for step in steps:
        middle = cells.shape[-1] // 2 + step
        if cells.ndim != 4 or not 0 <= middle < min(cells.shape[-2:]):
            raise ValueError(message("size", "large enough for the cells asked for", f"{size}, with a map {tuple(cells.shape)}"))
        (gradient,) = torch.autograd.grad(cells[0, :, middle, middle].sum(), picture, retain_graph=True, allow_unused=True)
        if gradient is None:
            raise ValueError(message("layer", "a layer that depends on the picture", "one with no gradient at all"))
        share = gradient[0].abs().double().sum(0).cpu().numpy()
        shares.append(GradientShare(share / max(share.sum(), np.finfo(float).tiny), middle))
    return shares


def _extent(profile: np.ndarray, size: int) -> tuple[int, int]:
    """Return first index and number of the non-zero entries, which have to lie side by side and off the border."""
    seen = np.flatnonzero(profile)
    if len(seen) == 0:
        raise ValueError(message("layer", "a layer that depends on the picture", "one with no gradient at all"))
    if seen[0] == 0 or seen[-1] == size - 1:
        raise ValueError(message("size", "larger than the receptive field", str(size), "The gradient touches the border."))
    return int(seen[0]), int(seen[-1] - seen[0] + 1)


class _Opened(TorchFunctionMode):
    """While active, every function passes on all that it looks at, and nothing cancels."""

    def __torch_function__(self, function: Callable, types: Any, args: Sequence[Any] = (), kwargs: dict | None = None) -> Any:
        kwargs = dict(kwargs or {})
        name = getattr(function, "__name__", "").removesuffix("_")
        if name in _GATES:
            return args[0]
        if name == "conv2d":
            inputs, weight = args[0], args[1] if len(args) > 1 else kwargs.pop("weight")
            return function(inputs, torch.full_like(weight, 1 / weight[0].numel()), None, *args[3:], **_without(kwargs, "bias"))
        if "max_pool2d" in name and "adaptive" not in name:
            return _average_over_windows(*args, **kwargs)
        if name == "adaptive_avg_pool2d" or (name == "mean" and _over_positions(args, kwargs)):
            return function(*args, **kwargs).detach()
        return function(*args, **kwargs)


def _average_over_windows(
    inputs: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1, ceil_mode: bool = False, **_: Any
) -> Tensor:
    if dilation in (1, (1, 1), [1, 1]):
        return F.avg_pool2d(inputs, kernel_size, stride or None, padding, ceil_mode)
    kernel = (kernel_size, kernel_size) if isinstance(kernel_size, int) else tuple(kernel_size)
    channels = inputs.shape[1]
    weight = inputs.new_full((channels, 1, *kernel), 1 / (kernel[0] * kernel[1]))
    return F.conv2d(inputs, weight, None, stride or kernel, padding, dilation, groups=channels)


def _over_positions(args: Sequence[Any], kwargs: dict) -> bool:
    dim = args[1] if len(args) > 1 else kwargs.get("dim")
    dims = range(args[0].ndim) if dim is None else (dim,) if isinstance(dim, int) else dim
    return any(d % args[0].ndim >= args[0].ndim - 2 for d in dims)


def _without(kwargs: dict, name: str) -> dict:
    return {key: value for key, value in kwargs.items() if key != name}
