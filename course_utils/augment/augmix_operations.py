"""The operations of AugMix: their names, how strong they are at a level, and one call for many images.

The paper takes nine operations that are *not* among the corruptions it is tested on, so that a test measures robustness to
the unseen. Four more are known from automatic augmentation; they equal test corruptions (brightness, contrast, ...) and are
left out. ``PAPER`` and ``ALL`` name the two lists.

A level u is drawn from U[0.1, severity] for every use of an operation. The amount follows from it; ``int`` cuts toward zero:

================  =======================  ==========================================
operation         amount                   unit
================  =======================  ==========================================
autocontrast                               every channel stretched to 0..255
equalize                                   every channel's histogram made flat
posterize         ``4 - int(0.4 u)``       bits that are kept
solarize          ``256 - int(25.6 u)``    values from here on are inverted
rotate            ``+- int(3 u)``          degrees, counter-clockwise
shear_x, shear_y  ``+- 0.03 u``            pixels per pixel
translate_x, _y   ``+- int(u size / 30)``  pixels
color, contrast,  ``0.18 u + 0.1``         factor; 1 would be the identity, small u is nearly
brightness,                                grey or black: a quirk of the released code, kept
sharpness
================  =======================  ==========================================

The images are uint8 between the steps of a chain, as in the released code, which works on Pillow images. Geometry samples
bilinearly and is black outside the frame. Pillow cuts the frame's edge hard; here, as in torchvision, the outer half pixel
fades.

Source: D. Hendrycks et al., ICLR 2020, arXiv:1912.02781, appendix; released code ``google-research/augmix``,
``augmentations.py``. The amounts and their rounding follow the code.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torchvision.transforms.v2 import functional

from course_utils.augment import colour
from course_utils.augment.plan import GeometryPlan, about
from course_utils.checks import message

LARGEST_LEVEL = 10.0  # the code's PARAMETER_MAX: amounts reach their maximum here
SMALLEST_LEVEL = 0.1  # the code's sample_level


@dataclass(frozen=True)
class Operation:
    """One operation.

    Attributes
    ----------
    name : str
    maximum : float or None
        The amount at level 10; None for an operation without strength. For translations: a share of the image's side.
    whole : bool
        The amount is cut to a whole number.
    signed : bool
        A coin decides about the direction.
    unit : str
        Of the amount, for people.
    """

    name: str
    maximum: float | None = None
    whole: bool = False
    signed: bool = False
    unit: str = ""

    def amounts(self, levels: Tensor, signs: Tensor, height: int, width: int) -> Tensor:
        """Return the amounts (n,) float64 at the levels (n,) for images of ``height`` x ``width``; 0 without a strength."""
        if self.maximum is None:
            return torch.zeros(levels.shape, dtype=torch.float64, device=levels.device)
        side = {"translate_x": width, "translate_y": height}.get(self.name, 1)
        amounts = levels.double() * (self.maximum * side) / LARGEST_LEVEL
        amounts = amounts.trunc() if self.whole else amounts
        if self.name == "posterize":
            return (4 - amounts).clamp(min=1)  # at level 10 no bit would be left
        if self.name == "solarize":
            return 256 - amounts
        if self.name in FACTORS:
            return amounts + 0.1
        return amounts * signs.double() if self.signed else amounts

    def words(self, amount: float) -> str:
        """Return what is done in words.

        >>> OPERATIONS["rotate"].words(-7.0), OPERATIONS["translate_x"].words(1.0), OPERATIONS["equalize"].words(0.0)
        ('rotate -7 degrees', 'translate x 1 pixel', 'equalize')
        """
        if self.maximum is None:
            return self.name
        amount += 0.0  # no "-0"
        number = f"{amount:.0f}" if self.whole else f"{amount:.2f}"
        unit = self.unit.removesuffix("s") if number.lstrip("-") == "1" else self.unit
        return f"{self.name.replace('_', ' ')} {number} {unit}".strip()


_LIST = (
    Operation("autocontrast"),
    Operation("equalize"),
    Operation("posterize", 4, whole=True, unit="bits"),
    Operation("rotate", 30, whole=True, signed=True, unit="degrees"),
    Operation("solarize", 256, whole=True),
    Operation("shear_x", 0.3, signed=True),
    Operation("shear_y", 0.3, signed=True),
    Operation("translate_x", 1 / 3, whole=True, signed=True, unit="pixels"),
    Operation("translate_y", 1 / 3, whole=True, signed=True, unit="pixels"),
    Operation("color", 1.8),
    Operation("contrast", 1.8),
    Operation("brightness", 1.8),
    Operation("sharpness", 1.8),
)
OPERATIONS = {operation.name: operation for operation in _LIST}
"""Every operation by name, in the order of the released code."""

ALL = tuple(OPERATIONS)
PAPER = ALL[:9]
WARPED = ("rotate", "shear_x", "shear_y")
FACTORS = ("color", "contrast", "brightness", "sharpness")
"""Left out by the paper: each of them equals a test corruption or comes close to one."""


def matrices(name: str, amounts: Tensor, height: int, width: int) -> Tensor:
    """Return, for rotation or shear, the maps (n, 3, 3) of ``GeometryPlan`` from input to output points, in pixels.

    Rotation is about the middle of the image, shear about its top left corner. Pillow, and so the released code, writes down
    where an output point looks; this is the inverse: ``amount`` pixels to the left, not to the right.
    """
    if name == "rotate":
        cos, sin = amounts.deg2rad().cos(), amounts.deg2rad().sin()
        turn = torch.stack([torch.stack([cos, sin], 1), torch.stack([-sin, cos], 1)], 1)  # y points down
        return about(turn, amounts.new_tensor([width / 2, height / 2]))
    maps = torch.eye(3, dtype=amounts.dtype, device=amounts.device).repeat(len(amounts), 1, 1)
    row, column = {"shear_x": (0, 1), "shear_y": (1, 0)}[name]
    maps[:, row, column] = -amounts
    return maps


def shifted(images: Tensor, amounts: Tensor, axis: int) -> Tensor:
    """Return images moved by whole pixels against ``axis``, black where nothing came in: one copy for every distance."""
    out, side = torch.zeros_like(images), images.shape[axis]
    amounts = amounts.clamp(-side, side)  # farther than the image is long: all black
    for amount in amounts.unique().int().tolist():
        rows = (amounts == amount).nonzero()[:, 0]
        kept = side - abs(amount)
        moved = torch.zeros_like(images[: len(rows)])
        moved.narrow(axis, max(0, -amount), kept).copy_(images.index_select(0, rows).narrow(axis, max(0, amount), kept))
        out.index_copy_(0, rows, moved)
    return out


KERNELS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "autocontrast": lambda images, _: functional.autocontrast(images),
    "equalize": lambda images, _: functional.equalize(images),
    "posterize": colour.posterize,
    "solarize": lambda images, limits: colour.solarize(images, (limits - 0.5).clamp(min=0) / 255),  # between levels
    "color": colour.adjust_saturation,
    "contrast": colour.adjust_contrast,
    "brightness": colour.adjust_brightness,
    "sharpness": colour.adjust_sharpness,
    "translate_x": lambda images, pixels: shifted(images, pixels, 3),
    "translate_y": lambda images, pixels: shifted(images, pixels, 2),
}
"""``KERNELS[name](images, amounts)`` for images (n, C, H, W) uint8 and amounts (n,): all but the warps."""


def apply_operations_(images: Tensor, names: Tensor, amounts: Tensor, vocabulary: tuple[str, ...]) -> Tensor:
    """Change uint8 images in place, each by its own operation, and return them: one call for every operation that occurs.

    Parameters
    ----------
    images : Tensor of shape (n, C, H, W), uint8
    names : Tensor of shape (n,), int64
        Position of each image's operation in ``vocabulary``; -1 leaves the image alone.
    amounts : Tensor of shape (n,), float64
        What ``Operation.amounts`` returns.
    vocabulary : tuple of str
        Names of ``OPERATIONS``.
    """
    turned = [i for i, name in enumerate(vocabulary) if name in WARPED]
    moved = torch.isin(names, torch.tensor(turned, dtype=names.dtype, device=names.device)).nonzero()[:, 0]
    if len(moved):  # all of them in one warp
        size = tuple(images.shape[2:])
        maps = amounts.new_zeros(len(moved), 3, 3)
        for i in turned:
            rows = names[moved] == i
            maps[rows] = matrices(vocabulary[i], amounts[moved][rows], *size)
        images.index_copy_(0, moved, GeometryPlan(maps, size, size).images(images.index_select(0, moved)))
    for i, name in enumerate(vocabulary):
        rows = (names == i).nonzero()[:, 0]
        if len(rows) and name in KERNELS:
            images.index_copy_(0, rows, KERNELS[name](images.index_select(0, rows), amounts[rows]))
    return images


def checked_operations(operations: str | tuple[str, ...]) -> tuple[str, ...]:
    """Return the names that ``operations`` stands for: ``"paper"``, ``"all"`` or names of one's own."""
    if isinstance(operations, str):
        names = {"paper": PAPER, "all": ALL}.get(operations, (operations,))
    else:
        names = tuple(operations)
    unknown = [name for name in names if name not in OPERATIONS]
    if unknown or not names:
        expected = "'paper', 'all', or names among " + ", ".join(OPERATIONS)
        raise ValueError(message("operations", expected, repr(unknown[0] if unknown else operations)))
    return names
