"""PatchShuffle: mix the order of the pixels inside small windows, and leave everything larger alone.

**Problem.** A network can rest on the exact place of single pixels. A little noise or a small local change then moves its
answer. **Idea.** Cut the image, or a map of features, into windows of n x n pixels without overlap. Rarely, and only in
training, put the pixels of every window into a random order. What a window holds stays; where it holds it does not.

**Symbols.** For a matrix X: ``r ~ Bernoulli(eps)``, ``X' = (1 - r) X + r T(X)``. T gives every window its own order, one of
the (n^2)! orders of its pixels (24 for n = 2).

==============  ==================================  =========================================
name in code    symbol                              meaning
==============  ==================================  =========================================
``patch_size``  n                                   side of a window, pixels
``p``           eps                                 probability that a matrix is shuffled
``order``       T                                   pixel j of a window comes from ``order[j]``
==============  ==================================  =========================================

**What is exact.** The set of values of every window stays, so its mean, its maximum and average pooling over n x n stay too.
In expectation over r the training loss is ``(1 - eps) L(X) + eps L(T(X))``: the usual loss and a penalty
``eps / (1 - eps) L(T(X))`` beside it, which asks for the same answer in any local order.

**Images and maps.** In an image the colours of a pixel move together (``PatchShuffle``: one coin and one order per window for
all channels). Of a feature map every channel tosses its own coin and has its own orders (``FeaturePatchShuffle``).

**Rows and columns only.** The paper writes T as ``P X P'`` with permutation matrices. That reaches (n!)^2 orders, 4 of the 24
for n = 2: each row stays a row. The text speaks of all orders. The default is all of them; ``separable=True`` is the formula.

A size that n does not divide: the largest top left block of whole windows is shuffled, the rest stays.

Source: G. Kang, X. Dong, L. Zheng, Y. Yang, "PatchShuffle Regularization", 2017, arXiv:1707.07103, sections 3 and 4. No
official code was released. Defaults: n = 2 and eps = 0.05.

Taught in ``17_patchshuffle_and_augmix``, steps 1 and 2.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from course_utils.augment.sampling import RandomTransform
from course_utils.checks import checked_float, checked_int, checked_tensor, message

LARGEST_WINDOW = 16  # 256 pixels: an order fits into bytes


@dataclass(frozen=True)
class PatchShuffleParams:
    """The order of every window of every image.

    Attributes
    ----------
    order : Tensor of shape (n, P, patch_size ** 2), uint8
        Pixel j of window w of image i comes from pixel ``order[i, w, j]`` of the same window. Windows and pixels are counted
        row by row.
    """

    order: Tensor


class PatchShuffle(RandomTransform):
    """Shuffle the pixels inside every window of an image, with a small probability.

    Parameters
    ----------
    patch_size : int, default 2
        n, side of a window in pixels, 1 to 16.
    p : float, default 0.05
        eps, probability that an image is shuffled.
    separable : bool, default False
        Permute rows and columns of a window only: (n!)^2 instead of (n^2)! orders.
    per : {"sample", "batch"}, default "sample"
        One draw for every image, or one for the whole batch.

    Notes
    -----
    Boxes, masks and key points stay: nothing moves farther than a window.

    Examples
    --------
    >>> image = torch.arange(16.0).reshape(1, 4, 4) / 16
    >>> shuffled = PatchShuffle(p=1.0)(image)
    >>> torch.equal(shuffled[0, :2, :2].flatten().sort().values, image[0, :2, :2].flatten())
    True
    """

    works_in = "any"
    unit_range = False

    def __init__(self, patch_size: int = 2, p: float = 0.05, separable: bool = False, per: str = "sample") -> None:
        super().__init__(p, per)
        self.patch_size = checked_int(patch_size, "patch_size", low=1, high=LARGEST_WINDOW)
        self.separable = bool(separable)

    def sample(
        self, n: int, shape: tuple[int, int, int], generator: torch.Generator | None = None, device: Any = None
    ) -> PatchShuffleParams:
        """Draw the orders of all windows of ``n`` images of ``shape`` (C, H, W)."""
        _, height, width = shape
        n_windows = (height // self.patch_size) * (width // self.patch_size)
        order = random_orders(n * n_windows, self.patch_size, self.separable, generator, device)
        return PatchShuffleParams(order.reshape(n, n_windows, self.patch_size**2))

    def apply(self, images: Tensor, params: PatchShuffleParams) -> Tensor:
        """Return the images (B, C, H, W) with every window in its order; any dtype."""
        return shuffle_windows(images, params.order[:, None], self.patch_size)

    def extra_repr(self) -> str:
        return f"patch_size={self.patch_size}, p={self.p}, separable={self.separable}"


class FeaturePatchShuffle(nn.Module):
    """PatchShuffle as a layer on feature maps: in training every map decides and shuffles on its own.

    Parameters
    ----------
    patch_size, p, separable
        As in ``PatchShuffle``.
    generator : torch.Generator, optional
        Source of the coins and orders, on the device of the maps; torch's global one by default.

    Notes
    -----
    In evaluation mode the layer returns its input. The gradient of a shuffled value goes back to where the value came from.

    Examples
    --------
    >>> maps = torch.rand(2, 8, 6, 6)
    >>> layer = FeaturePatchShuffle(p=1.0)
    >>> pool = nn.AvgPool2d(2)
    >>> torch.allclose(pool(layer(maps)), pool(maps))
    True
    >>> layer.eval()(maps) is maps
    True
    """

    def __init__(
        self, patch_size: int = 2, p: float = 0.05, separable: bool = False, generator: torch.Generator | None = None
    ) -> None:
        super().__init__()
        self.patch_size = checked_int(patch_size, "patch_size", low=1, high=LARGEST_WINDOW)
        self.p = checked_float(p, "p", low=0, high=1)
        self.separable = bool(separable)
        self.generator = generator

    def forward(self, maps: Tensor) -> Tensor:
        """Return the maps (B, C, H, W), some of them shuffled."""
        checked_tensor(maps, "maps", ("B", "C", "H", "W"))
        if not self.training or self.p == 0:
            return maps
        n_maps, (height, width) = maps.shape[0] * maps.shape[1], maps.shape[2:]
        coins = torch.rand(n_maps, generator=self.generator, device=maps.device)
        rows = (coins < self.p).nonzero()[:, 0]
        n_windows = (height // self.patch_size) * (width // self.patch_size)
        order = random_orders(len(rows) * n_windows, self.patch_size, self.separable, self.generator, maps.device)
        order = order.reshape(len(rows), 1, n_windows, self.patch_size**2)
        flat = maps.reshape(n_maps, 1, height, width)  # every map for itself
        return flat.index_copy(0, rows, shuffle_windows(flat[rows], order, self.patch_size)).reshape(maps.shape)

    def extra_repr(self) -> str:
        return f"patch_size={self.patch_size}, p={self.p}, separable={self.separable}"


# --------------------------------------------------------------------------------------------------------------- the maths


def random_orders(
    n: int, patch_size: int, separable: bool = False, generator: torch.Generator | None = None, device: Any = None
) -> Tensor:
    """Draw ``n`` orders of the pixels of a window, each of them equally likely, (n, patch_size ** 2) uint8.

    Sorting independent uniform numbers gives every order the same probability.

    >>> random_orders(1, 1)
    tensor([[0]], dtype=torch.uint8)
    """
    if separable:
        by_row = torch.rand(n, patch_size, generator=generator, device=device).argsort(-1)  # (n, patch_size)
        by_column = torch.rand(n, patch_size, generator=generator, device=device).argsort(-1)
        order = (by_row[:, :, None] * patch_size + by_column[:, None, :]).flatten(1)
    else:
        order = torch.rand(n, patch_size**2, generator=generator, device=device).argsort(-1)
    return order.to(torch.uint8)


def windows_of(images: Tensor, patch_size: int) -> Tensor:
    """Return the windows of the largest top left block, (B, C, P, patch_size ** 2), row by row.

    >>> windows_of(torch.arange(12).reshape(1, 1, 3, 4), 2)
    tensor([[[[0, 1, 4, 5],
              [2, 3, 6, 7]]]])
    """
    n_down, n_across = images.shape[-2] // patch_size, images.shape[-1] // patch_size
    block = images[..., : n_down * patch_size, : n_across * patch_size]
    block = block.reshape(*images.shape[:2], n_down, patch_size, n_across, patch_size)
    return block.transpose(3, 4).reshape(*images.shape[:2], n_down * n_across, patch_size**2)


def shuffle_windows(images: Tensor, order: Tensor, patch_size: int) -> Tensor:
    """Return images (B, C, H, W) whose windows are put into ``order``, (B, 1 or C, P, patch_size ** 2).

    Raises
    ------
    ValueError
        If ``order`` does not have one row for every window of every image.
    """
    n_down, n_across = images.shape[-2] // patch_size, images.shape[-1] // patch_size
    expected = (len(images), n_down * n_across, patch_size**2)
    if order.ndim != 4 or (order.shape[0], *order.shape[2:]) != expected or order.shape[1] not in (1, images.shape[1]):
        shape = f"({expected[0]}, 1 or {images.shape[1]}, {expected[1]}, {expected[2]})"
        raise ValueError(message("order", f"of shape {shape}", f"shape {tuple(order.shape)}"))
    windows = windows_of(images, patch_size)  # (B, C, P, n^2)
    moved = windows.gather(3, order.long().expand(windows.shape))
    block = moved.reshape(*images.shape[:2], n_down, n_across, patch_size, patch_size).transpose(3, 4)
    out = images.clone()  # what is left over at the right and at the bottom stays
    out[..., : n_down * patch_size, : n_across * patch_size] = block.reshape(
        *images.shape[:2], n_down * patch_size, n_across * patch_size
    )
    return out
