"""Which pixels does a cell of a feature map see? The receptive field of any convolutional network.

A cell of a feature map is a local descriptor, and a local descriptor needs a place in the image. That place is the
centre of the cell's receptive field: the square of pixels from which the cell is computed. Three numbers describe it
for all cells at once: the cell in row ``i`` sees the rows ``[stride * i - padding, stride * i - padding + size)``.

They grow layer by layer. A window of ``k`` cells, set every ``s`` cells, with ``p`` cells of padding before the first,
turns them into

    size    <-  size + (k - 1) * stride          (a dilated window counts its holes)
    padding <-  padding + p * stride
    stride  <-  stride * s                       start: size 1, stride 1, padding 0

Where branches meet (a residual block, a concatenation), the field is the smallest square that holds all of theirs.

**How the layers are found.** The network runs once on a small picture of zeros, and every elementary operation of
torch is seen on its way (``TorchDispatchMode``). Each tensor carries the field of its cells. So the recursion needs no
list of layer types: functional calls, in-place calls, shared modules and control flow are followed as they happen.

**What has no receptive field** of this form is refused by name: interpolation, layers that mix all positions (linear
layers, attention), pooling to a fixed grid. An average over the whole image that only rescales a map (group norm,
squeeze-and-excitation, the floor of a contrast normalisation) is listed in ``statistics`` and left out of the square,
as everybody does.

Source: the recursion is A. Araujo, W. Norris, J. Sim, "Computing Receptive Fields of Convolutional Neural Networks",
Distill 2019, eqs. (1)-(5), by the authors of DELF. H. Noh et al., ICCV 2017, arXiv:1612.06321, section 3.3 (later 4)
places DELF's key points this way. Coordinates are continuous: pixel ``j`` covers ``[j, j + 1)``. The official code
counts whole pixels and writes the last one, ``-padding + size - 1``, where this code writes the end, ``-padding + size``.

Taught in ``03_delf``, step 4; ``probe_receptive_field`` measures what this module computes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.weak import WeakTensorKeyDictionary

from course_utils.checks import checked_float, checked_int, message
from course_utils.training import evaluating

EXAMPLE_SIZE = (160, 96)  # of the picture that is sent through: sides that stay different after five halvings
WHOLE = "the whole image"  # the field of a tensor whose positions have been averaged away


@dataclass(frozen=True)
class ReceptiveField:
    """The square of pixels that a cell sees, for every cell of a feature map.

    Taught in ``03_delf``, step 4.

    Attributes
    ----------
    size : int
        Side of the square in pixels.
    stride : int
        Pixels between the squares of neighbouring cells.
    padding : int
        Pixels by which the first square begins before the image's first pixel.
    statistics : tuple of str
        Operations on the way that averaged over the whole image; the square does not count them, and neither does
        ``==``.

    Examples
    --------
    >>> field = ReceptiveField(size=5, stride=2, padding=2)
    >>> field.boxes(1, 2).tolist()
    [[-2.0, -2.0, 3.0, 3.0], [0.0, -2.0, 5.0, 3.0]]
    >>> field.centers(1, 2).tolist()
    [[0.5, 0.5], [2.5, 0.5]]
    """

    size: int
    stride: int
    padding: int
    statistics: tuple[str, ...] = field(default=(), compare=False)

    def __post_init__(self) -> None:
        checked_int(self.size, "size", low=1)
        checked_int(self.stride, "stride", low=1)
        checked_int(self.padding, "padding")

    def centers(self, h: int, w: int, scale: float | tuple[float, float] = 1.0) -> np.ndarray:
        """Return the centres ``(x, y)`` of all cells, row by row, (h * w, 2) float32, in continuous pixels.

        Parameters
        ----------
        h, w : int
            Rows and columns of the feature map.
        scale : float or (vertical, horizontal), default 1.0
            By which the original image was resized before the network saw it; the result is in original pixels.

        Raises
        ------
        TypeError, ValueError
            If ``h`` or ``w`` is not an integer of at least 0, or ``scale`` is not positive.
        """
        boxes = self.boxes(h, w, scale)
        return (boxes[:, :2] + boxes[:, 2:]) / 2

    def boxes(self, h: int, w: int, scale: float | tuple[float, float] = 1.0) -> np.ndarray:
        """Return the squares ``(x0, y0, x1, y1)`` of all cells, row by row, (h * w, 4) float32; see ``centers``.

        Squares reach beyond the image where the network padded it.
        """
        vertical, horizontal = _checked_scale(scale)
        rows = (self.stride * np.arange(checked_int(h, "h", low=0)) - self.padding)[:, None]
        columns = (self.stride * np.arange(checked_int(w, "w", low=0)) - self.padding)[None, :]
        starts_and_ends = (columns, rows, columns + self.size, rows + self.size)
        grid = np.stack(np.broadcast_arrays(*starts_and_ends), axis=-1).reshape(-1, 4)  # (h * w, 4)
        return (grid / np.array([horizontal, vertical, horizontal, vertical])).astype(np.float32)


def receptive_field(network: nn.Module, layer: str | nn.Module | None = None, example: Tensor | None = None) -> ReceptiveField:
    """Compute the receptive field of a layer's cells by the layer recursion.

    Taught in ``03_delf``, step 4.

    Parameters
    ----------
    network : nn.Module
        Maps images (B, C, H, W) to feature maps. Left as it was: mode, weights and statistics.
    layer : str or nn.Module, optional
        Name of a submodule (``"layer3"``, ``"features.29"``) or the submodule; its first call counts. Default: the
        network's output.
    example : Tensor of shape (B, C, H, W), optional
        What to send through. Default: one picture of zeros of 160 x 96 pixels with the channels of the first
        convolution. The result does not depend on it, unless the network's control flow does.

    Returns
    -------
    ReceptiveField

    Raises
    ------
    TypeError
        If ``network`` is not a module.
    ValueError
        If ``layer`` is no part of the network or is never called, or if there is no such field: interpolation, linear
        layers, pooling to a fixed grid, branches of different strides, a field that is not square.

    Examples
    --------
    >>> receptive_field(nn.Sequential(nn.Conv2d(3, 8, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(8, 8, 3)))
    ReceptiveField(size=10, stride=2, padding=2, statistics=())
    """
    target = module_of(network, layer)
    picture = _example_for(network) if example is None else example
    tracker = _FieldTracker(picture)
    with torch.no_grad(), tracker:
        output = output_of(network, picture, target)
    return tracker.field_of(output)


def module_of(network: nn.Module, layer: str | nn.Module | None) -> nn.Module:
    """Return the submodule that ``layer`` names, or the network itself for None."""
    if not isinstance(network, nn.Module):
        raise TypeError(message("network", "a torch.nn.Module", type(network).__name__))
    names = dict(network.named_modules())
    if layer is None:
        return network
    if isinstance(layer, str) and layer in names:
        return names[layer]
    if isinstance(layer, nn.Module) and any(part is layer for part in names.values()):
        return layer
    some = ", ".join(name for name in names if name.count(".") == 0 and name)
    raise ValueError(
        message("layer", f"a part of the network ({some}, ...)", repr(layer) if isinstance(layer, str) else "another module")
    )


def output_of(network: nn.Module, images: Tensor, target: nn.Module) -> Tensor:
    """Return what ``target`` computes when ``network`` sees ``images``, in evaluation mode; later layers do not run."""

    def keep(_module: nn.Module, _inputs: Any, output: Any) -> None:
        raise _Reached(output)

    hook = target.register_forward_hook(keep)
    try:
        with evaluating(network):
            network(images)
    except _Reached as reached:
        if not isinstance(reached.output, Tensor):
            raise ValueError(message("layer", "a layer that returns one tensor", type(reached.output).__name__)) from None
        return reached.output
    finally:
        hook.remove()
    raise ValueError(message("layer", "a layer that the network calls", "one that it never calls"))


class _Reached(Exception):
    def __init__(self, output: Any):
        super().__init__()
        self.output = output


def _example_for(network: nn.Module) -> Tensor:
    first = next((part for part in network.modules() if isinstance(part, nn.Conv2d)), None)
    kind = next(iter(network.parameters()), torch.zeros(()))
    return torch.zeros(1, 3 if first is None else first.in_channels, *EXAMPLE_SIZE, dtype=kind.dtype, device=kind.device)


def _checked_scale(scale: Any) -> tuple[float, float]:
    pair = tuple(scale) if isinstance(scale, (tuple, list)) else (scale, scale)
    if len(pair) != 2:
        raise ValueError(message("scale", "a number or a pair (vertical, horizontal)", repr(scale)))
    return checked_float(pair[0], "scale", above=0), checked_float(pair[1], "scale", above=0)


# ----------------------------------------------------------------------------------------------- following a picture


@dataclass(frozen=True)
class _Cells:
    """The field along one axis: cell i sees [stride * i + start, stride * i + start + size)."""

    start: int = 0
    size: int = 1
    stride: int = 1

    def windowed(self, kernel: int, stride: int, padding: int, dilation: int = 1) -> _Cells:
        reach = dilation * (kernel - 1)
        return _Cells(self.start - padding * self.stride, self.size + reach * self.stride, self.stride * stride)

    def shifted(self, cells: int, step: int = 1) -> _Cells:
        return replace(self, start=self.start + cells * self.stride, stride=self.stride * step)

    def joined(self, other: _Cells) -> _Cells:
        if self.stride != other.stride:
            raise ValueError(f"Branches of strides {self.stride} and {other.stride} meet: their cells see no common square.")
        start = min(self.start, other.start)
        return replace(self, start=start, size=max(self.start + self.size, other.start + other.size) - start)


_Field = tuple[_Cells, _Cells]  # rows, columns


class _FieldTracker(TorchDispatchMode):
    """Knows the field of every tensor that is computed from the picture while it is active."""

    def __init__(self, picture: Tensor):
        super().__init__()
        if not isinstance(picture, Tensor) or picture.ndim != 4:
            raise ValueError(message("example", "a tensor of shape (B, C, H, W)", str(getattr(picture, "shape", type(picture)))))
        self.fields = WeakTensorKeyDictionary()
        self.fields[picture] = (_Cells(), _Cells())
        self.statistics: list[str] = []

    def field_of(self, output: Tensor) -> ReceptiveField:
        found = self.fields.get(output)
        if found is None or found == WHOLE or output.ndim != 4:
            got = "one that does not depend on the picture" if found is None else f"one that depends on {WHOLE}"
            raise ValueError(message("layer", "a layer with a map of cells (B, D, h, w)", got, "Name an earlier layer."))
        rows, columns = found
        if rows != columns:
            got = f"rows with {_numbers(rows)} and columns with {_numbers(columns)}"
            raise ValueError(message("network", "one with a square receptive field", got))
        return ReceptiveField(rows.size, rows.stride, -rows.start, tuple(dict.fromkeys(self.statistics)))

    def __torch_dispatch__(self, operation: Any, types: Any, args: Sequence[Any] = (), kwargs: dict | None = None) -> Any:
        inputs = [t for t in tree_leaves((args, kwargs or {})) if isinstance(t, Tensor) and self.fields.get(t) is not None]
        fields = [self.fields[t] for t in inputs]  # before an in-place operation overwrites them
        result = operation(*args, **(kwargs or {}))
        if not inputs:
            return result
        local = [(t, f) for t, f in zip(inputs, fields) if f != WHOLE]
        outputs = [t for t in tree_leaves(result) if isinstance(t, Tensor)]
        after = self._after(operation, _named(operation, args, kwargs or {}), local, outputs) if local else WHOLE
        if after is not None:
            for output in outputs:
                self.fields[output] = after
        return result

    def _after(self, operation: Any, given: dict[str, Any], local: list[tuple[Tensor, _Field]], outputs: list[Tensor]) -> Any:
        name = operation._schema.name.removeprefix("aten::")
        name = name.removesuffix("_")  # relu_ is relu in place
        if name.endswith("_like") or name.startswith("new_"):
            return None  # a fresh tensor of the same shape
        tensor, cells = local[0]
        if name in _WINDOWS:
            return _after_window(name, given, cells)
        if name in ("constant_pad_nd", "replication_pad2d", "reflection_pad2d"):
            pad = [*given.get("pad", given.get("padding")), 0, 0]  # left, right, top, bottom
            return cells[0].shifted(-pad[2]), cells[1].shifted(-pad[0])
        if name == "slice":
            return _after_slice(given, tensor, cells)
        if name in _REDUCTIONS:
            if _touches_positions(given.get("dim"), tensor):
                self.statistics.append(name)
                keeps = outputs[0].shape[-2:] == tensor.shape[-2:]  # a softmax over positions keeps the map
                return cells if keeps else WHOLE
            return cells
        if name in ("adaptive_max_pool2d", "_adaptive_avg_pool2d") and tuple(given["output_size"]) == (1, 1):
            self.statistics.append(name)
            return WHOLE
        if name in _NORMS:
            if name in ("native_group_norm", "native_layer_norm") or given.get("training"):
                self.statistics.append(name)
            return cells
        if name in ("permute", "transpose") and _moves_positions(given, tensor):
            raise ValueError(_refusal(name, "moves rows and columns to other axes"))
        if torch.Tag.pointwise in operation.tags or name in _AS_IT_IS:
            return _joined(name, local, outputs)
        raise ValueError(_refusal(name, _reason(name)))


_WINDOWS = ("convolution", "max_pool2d_with_indices", "avg_pool2d")
_REDUCTIONS = (
    "mean",
    "sum",
    "amax",
    "amin",
    "max",
    "min",
    "prod",
    "var",
    "std",
    "var_mean",
    "std_mean",
    "linalg_vector_norm",
    "norm",
)
_REDUCTIONS += ("_softmax", "_log_softmax")
_NORMS = ("native_batch_norm", "_native_batch_norm_legit_no_training", "_native_batch_norm_legit", "cudnn_batch_norm")
_NORMS += ("miopen_batch_norm", "native_group_norm", "native_layer_norm")
_AS_IT_IS = (
    "cat",
    "split",
    "split_with_sizes",
    "select",
    "unbind",
    "view",
    "_unsafe_view",
    "expand",
    "repeat",
    "permute",
    "transpose",
)
_AS_IT_IS += (
    "unsqueeze",
    "squeeze",
    "clone",
    "detach",
    "alias",
    "_to_copy",
    "lift_fresh",
    "hardswish",
    "_reshape_alias",
    "native_dropout",
)


def _named(operation: Any, args: Sequence[Any], kwargs: dict) -> dict[str, Any]:
    """Return the operation's arguments by name, defaults included."""
    declared = operation._schema.arguments
    values = {a.name: a.default_value for a in declared if a.has_default_value()}
    return values | dict(zip((a.name for a in declared), args)) | kwargs


def _after_window(name: str, given: dict[str, Any], cells: _Field) -> _Field:
    if given.get("transposed"):
        raise ValueError(_refusal(name, "is transposed: it interpolates"))
    kernel = _pair(given["weight"].shape[2:] if name == "convolution" else given["kernel_size"])
    strides = _pair(given["stride"]) if given["stride"] else kernel  # an empty stride of a pooling layer is its kernel
    paddings, dilations = _pair(given["padding"]), _pair(given.get("dilation", 1))
    return tuple(c.windowed(*numbers) for c, *numbers in zip(cells, kernel, strides, paddings, dilations))


def _after_slice(given: dict[str, Any], tensor: Tensor, cells: _Field) -> _Field:
    axis = given["dim"] % tensor.ndim - tensor.ndim  # -2 rows, -1 columns
    if axis < -2:
        return cells
    start = given["start"] or 0
    moved = cells[axis].shifted(start if start >= 0 else start + tensor.shape[axis], given["step"])
    return (moved, cells[1]) if axis == -2 else (cells[0], moved)


def _joined(name: str, local: list[tuple[Tensor, _Field]], outputs: list[Tensor]) -> _Field:
    size = outputs[0].shape[-2:]
    for tensor, _ in local:
        if tensor.shape[-2:] != size or any(output.shape[-2:] != size for output in outputs):
            raise ValueError(_refusal(name, _reason(name)))
    together = local[0][1]
    for _, cells in local[1:]:
        together = tuple(a.joined(b) for a, b in zip(together, cells))
    return together


def _touches_positions(dim: Any, tensor: Tensor) -> bool:
    if dim is None or dim == []:
        return True
    return any(d % tensor.ndim >= tensor.ndim - 2 for d in (dim if isinstance(dim, (list, tuple)) else [dim]))


def _moves_positions(given: dict[str, Any], tensor: Tensor) -> bool:
    n = tensor.ndim
    if "dims" in given:
        return [d % n for d in given["dims"]][-2:] != [n - 2, n - 1]
    return any(given[axis] % n >= n - 2 for axis in ("dim0", "dim1"))


def _pair(numbers: Any) -> tuple[int, int]:
    numbers = [numbers] if isinstance(numbers, int) else list(numbers)
    if len(numbers) not in (1, 2):
        raise ValueError(message("network", "one of two-dimensional windows", f"a window of {len(numbers)} dimensions"))
    return (numbers[0], numbers[-1])


def _reason(name: str) -> str:
    if name.startswith(("upsample", "grid_sampler", "pixel_shuffle", "im2col", "col2im")):
        return "interpolates between cells"
    if name in ("view", "_unsafe_view", "_reshape_alias", "expand"):
        return "regroups the positions, as a linear layer or attention does"
    if name.endswith("mm") or name.startswith("_scaled_dot_product"):
        return "is a matrix product: it mixes all positions"
    if "adaptive" in name:
        return "pools to a fixed grid, so that the cells' size depends on the image's"
    return "changes the grid of positions in a way that has no receptive field"


def _refusal(name: str, reason: str) -> str:
    got = f"the operation `{name}`, which {reason}"
    return message(
        "network", "one of convolutions, pooling and pointwise operations", got, "Name an earlier layer with `layer=`."
    )


def _numbers(cells: _Cells) -> str:
    return f"size {cells.size}, stride {cells.stride}, padding {-cells.start}"
