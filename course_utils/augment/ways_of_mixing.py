"""Every way of mixing: sixteen rules for two images, most of them not linear.

**Problem.** Mixup is explained by linearity: a network should answer linearly between two examples. **Idea.** Mix in ways
that are *not* linear, by halves, squares, stripes, single pixels. If they help as much, linearity is not the reason.

==========================  ===========================================================================  ==============
name in ``..._methods``     rule; a and b are the two images, all lam and v uniform in [0, 1)             weight of a
==========================  ===========================================================================  ==============
``mixup``                   lam a + (1 - lam) b                                                          lam
``bc_plus``                 a and b around their means, weighed so that the louder one does not win      lam
``vertical_concat``         rows [0, h) of a, the others of b                                            mean of mask
``horizontal_concat``       columns [0, w) of a, the others of b                                         mean of mask
``mixed_concat``            upper left and lower right of a, the other two of b                          mean of mask
``random_2x2``              each of four cells of a with probability v                                   mean of mask
``vh_mixup``                Mixup of the vertical and the horizontal concat                              mean of mask
``vh_bc_plus``              BC+ of these two                                                             same as above
``random_square``           a square of b, from any place of b, into any place of a                      mean of mask
``random_column_interval``  some columns of a make room for columns from any place of b                  mean of mask
``random_row_interval``     the same with rows                                                           mean of mask
``random_rows``             each row of a with probability v                                             mean of mask
``random_columns``          each column                                                                  mean of mask
``random_pixels``           each pixel                                                                   mean of mask
``random_elements``         each pixel of each channel                                                   mean of mask
``noisy_mixup``             Mixup with a lam for each pixel, normal around lam with deviation 0.025      lam
==========================  ===========================================================================  ==============

Split places are whole numbers from 0 to H - 1, as in the released code, so a has a little less than half on average.

Sources: C. Summers, M. J. Dinneen, "Improved Mixed-Example Data Augmentation", WACV 2019, arXiv:1805.11272 (fourteen ways,
section 3); released code ``ceciliaresearch/MixedExample``. Y. Tokozume, Y. Ushiku, T. Harada, "Between-class Learning for
Image Classification", CVPR 2018, arXiv:1711.10284 (BC+).

Taught in ``15_mixing``, step 4.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from course_utils.augment.mixing import Mixer, MixPlan, checked_batch
from course_utils.checks import checked_choice

NOISE = 0.025
"""Standard deviation of the ratios of ``noisy_mixup``."""

SQUARE = 0.5
"""Side of ``random_square`` in units of the shorter side: the paper's 16 of 32 pixels."""


@dataclass(frozen=True)
class Recipe:
    """What was drawn for ``n`` pairs; a way of mixing reads what it needs.

    Attributes
    ----------
    lam : Tensor of shape (n,), float32
        In [0, 1): a ratio, or the probability v of a coin.
    rows, columns : Tensor of shape (n, 3), int64
        Where a piece of a starts and ends, and where a piece of b starts; of a concat, the first number is the split.
    coins : Tensor of shape (n, C or 1, H or 1, W or 1), float32
        A number for each piece that decides on its own: uniform, or normal for ``noisy_mixup``.
    """

    lam: Tensor
    rows: Tensor
    columns: Tensor
    coins: Tensor


@dataclass(frozen=True)
class BetweenClassPlan(MixPlan):
    """Two plans whose results are mixed as BC+ does; ``partners``, ``shares`` and ``label_weights`` say what the label counts.

    Attributes
    ----------
    pair : (MixPlan, MixPlan)
        What makes the two images.
    lam : Tensor of shape (n,)
    """

    pair: tuple[MixPlan, MixPlan] = ()
    lam: Tensor | None = None

    def images(self, images: Tensor) -> Tensor:
        """Return ``m + (p a + (1 - p) b) / sqrt(p^2 + (1 - p)^2)`` with a, b around their means and m the mean of these.

        ``1 / p = 1 + (s_a / s_b) (1 - lam) / lam`` with the standard deviations s: the image with less contrast gets more. For
        images with the mean 0, as in the paper, this is the paper's formula.
        """
        floating = images if images.is_floating_point() else images.float()
        a, b = (plan.images(floating) for plan in self.pair)
        mean_a, mean_b = (one.mean((1, 2, 3), keepdim=True) for one in (a, b))
        a, b = a - mean_a, b - mean_b
        spread_a, spread_b = (one.square().mean((1, 2, 3), keepdim=True).sqrt() for one in (a, b))
        lam = self.lam.to(a.dtype)[:, None, None, None]
        for_a, for_b = lam * spread_b, (1 - lam) * spread_a
        total = for_a + for_b
        p = torch.where(total > 0, for_a / total.clamp(min=torch.finfo(a.dtype).tiny), lam)
        mixed = (p * a + (1 - p) * b) / (p**2 + (1 - p) ** 2).sqrt() + p * mean_a + (1 - p) * mean_b
        return mixed if images.is_floating_point() else mixed.round_().clamp_(0, 255).to(images.dtype)


class MixedExample(Mixer):
    """One of the sixteen ways of mixing two images and their labels.

    Parameters
    ----------
    method : str
        One of ``mixed_example_methods``.
    num_classes, p, per, pairing
        See ``Mixer``.

    Examples
    --------
    >>> images, labels = torch.rand(4, 3, 8, 8), torch.tensor([0, 1, 2, 0])
    >>> mixed, soft = MixedExample("vh_mixup", num_classes=3)(images, labels)
    >>> mixed.shape, soft.shape
    (torch.Size([4, 3, 8, 8]), torch.Size([4, 3]))
    """

    def __init__(
        self, method: str, num_classes: int | None = None, p: float = 1.0, per: str = "sample", pairing: str = "ring"
    ) -> None:
        super().__init__(num_classes, p, per, pairing)
        self.method = checked_choice(method, "method", mixed_example_methods)

    # ---------------------------------------------------------------------------------------------------------- the draw

    def sample(self, n: int, shape: tuple[int, int, int], generator: torch.Generator | None = None, device: Any = None) -> Recipe:
        """Draw what the method needs for ``n`` pairs."""
        channels, height, width = shape

        def unit(*size: int) -> Tensor:
            return torch.rand(n, *size, generator=generator, device=device, dtype=torch.float64)

        def integers(low: Tensor | int, high: Tensor | int) -> Tensor:
            """Return (n,) whole numbers from low to high - 1; low where there is none."""
            span = torch.as_tensor(high, device=device) - low
            return low + (unit() * span).long().minimum(span - 1).clamp(min=0)

        if self.method == "random_2x2":
            rows, columns = (_thrice(integers(size // 4, max(3 * size // 4, size // 4 + 1))) for size in (height, width))
        elif self.method == "random_square":
            side = max(int(SQUARE * min(height, width)), 1)
            rows, columns = (_clipped_piece(integers(0, size), side, size, integers) for size in (height, width))
        else:
            rows, columns = (self._piece(size, integers) for size in (height, width))
        pieces = {
            "random_2x2": (1, 2, 2),
            "random_rows": (1, height, 1),
            "random_columns": (1, 1, width),
            "random_pixels": (1, height, width),
            "random_elements": (channels, height, width),
        }
        if self.method == "noisy_mixup":
            coins = torch.randn(n, 1, height, width, generator=generator, device=device)
        else:
            coins = torch.rand(n, *pieces.get(self.method, (1, 1, 1)), generator=generator, device=device)
        return Recipe(unit().float(), rows, columns, coins)

    def _piece(self, size: int, integers: Any) -> Tensor:
        """Return start, end, and start in the other image (n, 3); the start is the split of a concat."""
        start = integers(0, size)
        if "interval" not in self.method:
            return _thrice(start)
        end = integers(start, size)
        return torch.stack([start, end, integers(0, size - (end - start))], dim=1)

    # --------------------------------------------------------------------------------------------------------- the masks

    def shares(self, params: Recipe, shape: tuple[int, int, int]) -> Tensor:
        """Return the part of the first image, (n, 1, 1 or C, H or 1, W or 1), bool where nothing is blended."""
        _, height, width = shape
        lam = params.lam[:, None, None, None]
        y = torch.arange(height, device=lam.device)[:, None]  # (H, 1)
        x = torch.arange(width, device=lam.device)
        row, column = (piece[:, :, None, None, None] for piece in (params.rows, params.columns))  # (n, 3, 1, 1, 1)
        upper, left = (y < row[:, 0]), (x < column[:, 0])  # (n, 1, H, 1), (n, 1, 1, W)
        if self.method in ("mixup", "bc_plus"):
            mask = lam
        elif self.method == "vertical_concat":
            mask = upper
        elif self.method == "horizontal_concat":
            mask = left
        elif self.method == "mixed_concat":
            mask = upper == left
        elif self.method in ("vh_mixup", "vh_bc_plus"):
            mask = lam * upper + (1 - lam) * left
        elif self.method == "random_2x2":
            cells = params.coins < lam  # (n, 1, 2, 2)
            top, bottom = (torch.where(left, cells[:, :, i, :1, None], cells[:, :, i, 1:, None]) for i in (0, 1))
            mask = torch.where(upper, top, bottom)
        elif self.method == "noisy_mixup":
            mask = (lam + NOISE * params.coins).clamp(0, 1)
        elif self.method in ("random_square", "random_column_interval", "random_row_interval"):
            in_rows, in_columns = (y >= row[:, 0]) & (y < row[:, 1]), (x >= column[:, 0]) & (x < column[:, 1])
            replaced = {
                "random_square": in_rows & in_columns,
                "random_column_interval": in_columns,
                "random_row_interval": in_rows,
            }
            mask = ~replaced[self.method]
        else:  # rows, columns, pixels, elements: a coin for each
            mask = params.coins < lam
        return mask[:, None]

    def origins(self, params: Recipe, shape: tuple[int, int, int]) -> Tensor | None:
        """Return the pixel of each image that is read, (n, 2, H, W) int64, where b is read at another place."""
        moves_rows = self.method in ("random_square", "random_row_interval")
        moves_columns = self.method in ("random_square", "random_column_interval")
        if not (moves_rows or moves_columns):
            return None
        _, height, width = shape
        y, x = (torch.arange(size, device=params.lam.device) for size in (height, width))
        from_y = _moved(y, params.rows, height) if moves_rows else y[None]
        from_x = _moved(x, params.columns, width) if moves_columns else x[None]
        second = (from_y[:, :, None] * width + from_x[:, None, :]).expand(len(params.lam), height, width)
        return torch.stack([(y[:, None] * width + x).expand_as(second), second], dim=1)

    def label_weights(self, params: Recipe, shape: tuple[int, int, int]) -> Tensor | None:
        """Return lam and the rest, (n, 2), for ``noisy_mixup``, whose mask is lam only nearly."""
        return torch.stack([params.lam, 1 - params.lam], dim=1) if self.method == "noisy_mixup" else None

    def plan(self, partners: Tensor, params: Recipe, shape: tuple[int, int, int]) -> MixPlan:
        """Return the plan of results made of ``partners`` (n, 2) with the drawn ``params``; no randomness."""
        plain = super().plan(partners, params, shape)
        if self.method not in ("bc_plus", "vh_bc_plus"):
            return plain
        _, height, width = shape
        if self.method == "bc_plus":
            masks = [torch.full((len(partners), 1, 1, 1, 1), one, device=partners.device) for one in (True, False)]
        else:
            upper = torch.arange(height, device=partners.device)[:, None] < params.rows[:, 0, None, None]  # (n, H, 1)
            left = torch.arange(width, device=partners.device) < params.columns[:, 0, None, None]  # (n, 1, W)
            masks = [upper[:, None, None], left[:, None, None]]
        pair = tuple(MixPlan(partners, mask) for mask in masks)
        return BetweenClassPlan(partners, plain.shares, pair=pair, lam=params.lam)

    def extra_repr(self) -> str:
        return f"{self.method!r}, {super().extra_repr()}"


mixed_example_methods: tuple[str, ...] = (
    "mixup",
    "bc_plus",
    "vertical_concat",
    "horizontal_concat",
    "mixed_concat",
    "random_2x2",
    "vh_mixup",
    "vh_bc_plus",
    "random_square",
    "random_column_interval",
    "random_row_interval",
    "random_rows",
    "random_columns",
    "random_pixels",
    "random_elements",
    "noisy_mixup",
)
"""The sixteen ways, in the order of the paper: two older ones first, then its own fourteen."""


def mixed_example(
    images: Tensor, labels: Tensor, method: str, num_classes: int, generator: torch.Generator | None = None
) -> tuple[Tensor, Tensor]:
    """Mix every image of a batch with its neighbour in a random order, by one of ``mixed_example_methods``.

    Parameters
    ----------
    images : Tensor of shape (B, C, H, W), uint8 or floating
    labels : Tensor of shape (B,), int64, or (B, K), floating
    method : str
    num_classes : int
        K.
    generator : torch.Generator, optional
        Source of randomness; torch's global one by default.

    Returns
    -------
    (images, soft_labels) : Tensors of shape (B, C, H, W) and (B, K)

    Raises
    ------
    TypeError, ValueError
        For an unknown method, and as ``Mixer``.

    Examples
    --------
    >>> images, labels = torch.rand(4, 3, 8, 8), torch.tensor([0, 1, 2, 0])
    >>> mixed, soft = mixed_example(images, labels, "random_square", num_classes=3)
    >>> bool((soft.sum(1) - 1).abs().max() < 1e-6)
    True
    """
    mixer = MixedExample(method, num_classes)
    images, labels, _ = checked_batch((images, labels))
    drawn = mixer.draw(images, generator)
    return mixer.replay(images, drawn), mixer.replay_labels(labels, drawn)


def _thrice(split: Tensor) -> Tensor:
    return split[:, None].expand(-1, 3)


def _clipped_piece(centre: Tensor, side: int, size: int, integers: Any) -> Tensor:
    """Return start and end of a piece around ``centre``, cut off at the border, and the start of one as long in b."""
    start, end = (centre - side // 2).clamp(min=0), (centre - side // 2 + side).clamp(max=size)
    return torch.stack([start, end, integers(0, size - (end - start) + 1)], dim=1)


def _moved(places: Tensor, piece: Tensor, size: int) -> Tensor:
    """Return where row or column ``places`` (S,) of the result are read in b, (n, S)."""
    return (places + (piece[:, 2] - piece[:, 0])[:, None]).clamp(0, size - 1)
