"""Dense RootSIFT: many small patches of an image, each described by where its edges are and which way they run.

A global image vector such as VLAD needs local descriptors to aggregate. For place recognition they are taken on a
dense grid: a grid also covers facades on which a corner detector finds nothing, and every image has the same number
of descriptors.

Source: D. Lowe, "Distinctive Image Features from Scale-Invariant Keypoints", IJCV 2004 (the histogram, clipping at
0.2); R. Arandjelovic and A. Zisserman, "Three things everyone should know to improve object retrieval", CVPR 2012
(the root); A. Torii et al., "24/7 place recognition by view synthesis", CVPR 2015 (dense use, "DenseVLAD").

What differs from Lowe: no detector, no dominant orientation (streets stand upright), no Gaussian weighting of the
patch (a Gaussian favours the centre, and on a grid every pixel is the centre of some patch).

Pooling by a window is linear in the image, and the window is separable. So one cell of one orientation plane ``P``
is ``wy @ P @ wx`` with two short weight vectors, and *all* cells are two matrix products ``Wy @ P @ Wx.T``. This is
exact, serves the triangle and the box alike, and takes cell centres between pixels, so the grid can sit exactly in
the middle of the image.

=================  ==========================  ====================================================
symbol             code                        meaning
=================  ==========================  ====================================================
``s``              ``cell``                    side of one of the 4 x 4 cells, pixels
``O = 8``          ``ORIENTATIONS``            orientation bins over the full turn
``(rows, cols)``   ``LocalFeatures.grid``      patches per column and row of the image
``N``              ``rows * cols``             descriptors per image
``D = 128``        ``DIMENSION``               4 x 4 x 8, in the order cell row, cell column, bin
=================  ==========================  ====================================================
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch

from course_utils.checks import checked_choice, checked_float, checked_int, message
from course_utils.profile import batches

ORIENTATIONS = 8
CELLS = 4
DIMENSION = CELLS * CELLS * ORIENTATIONS
CLIP = 0.2  # Lowe 2004, section 6.1: no single edge, a change of light for example, may dominate
CONTRAST_FLOOR = 1e-3  # below it a patch is sensor noise; normalising would blow the noise up to unit length
GREY = (0.299, 0.587, 0.114)  # ITU-R BT.601 luma
IMAGES_AT_ONCE = 8  # small enough for the orientation planes to stay in the processor's cache
TINY = 1e-12


@dataclass(frozen=True)
class LocalFeatures:
    """Descriptors of B images on one common grid.

    Attributes
    ----------
    descriptors : Tensor of shape (B, N, 128), float32
        Unit length, or zero where ``valid`` is false.
    valid : Tensor of shape (B, N), bool
        False for patches without contrast: leave them out of codebooks and of aggregation.
    grids : tuple of (rows, cols)
        One grid per cell size; patch ``i`` of the first one is in row ``i // cols`` and column ``i % cols``.
    centers : Tensor of shape (N, 2), float32
        Patch centres ``(x, y)`` in pixels; the top left pixel's centre is (0, 0).
    sizes : Tensor of shape (N,), float32
        Side of each patch in pixels, ``4 * cell``.
    """

    descriptors: torch.Tensor
    valid: torch.Tensor
    grids: tuple[tuple[int, int], ...]
    centers: torch.Tensor
    sizes: torch.Tensor

    @property
    def grid(self) -> tuple[int, int]:
        """The grid ``(rows, cols)``, if there is one cell size.

        Raises
        ------
        ValueError
            If several cell sizes were asked for; use ``grids``.
        """
        if len(self.grids) != 1:
            raise ValueError(f"These features have {len(self.grids)} grids, one per cell size; read `grids` instead of `grid`.")
        return self.grids[0]

    def as_list(self) -> list[np.ndarray]:
        """Return one ``(N_i, 128)`` array per image with its valid descriptors: the input of ``VLAD``."""
        descriptors, valid = self.descriptors.cpu().numpy(), self.valid.cpu().numpy()
        return [d[v] for d, v in zip(descriptors, valid)]

    def __len__(self) -> int:
        return len(self.descriptors)


class DenseRootSIFT:
    """Describe images by RootSIFT descriptors on a dense grid.

    Taught in `01_vlad`, step 1.

    Parameters
    ----------
    cell : int or sequence of int, default 4
        Side of a cell in pixels; a patch is ``4 * cell`` wide. 4 suits images of 48 to 128 pixels, 6 to 10 larger
        ones. Several sizes give several grids, one after the other (DenseVLAD uses four).
    stride : int, default 4
        Distance between patches, in pixels.
    pooling : {"triangle", "box"}, default "triangle"
        Lowe's trilinear pooling: a pixel counts fully at a cell's centre, half on its border, and not at all one
        cell away. ``"box"`` counts the cell's own pixels equally; it reacts more to a shift of the image.
    root : bool, default True
        RootSIFT: L1-normalise and take the square root, so that the Euclidean distance is the Hellinger distance of
        the histograms. False returns Lowe's L2-normalised SIFT.
    clip : float, default 0.2
        Largest entry after the first L2 normalisation (Lowe 2004).
    contrast_floor : float, default 1e-3
        A patch whose raw histogram, per pixel of a cell, is shorter than this is set to zero and marked as not valid.
        The unit is grey value (0 to 1) per pixel.

    Examples
    --------
    >>> features = DenseRootSIFT(cell=4, stride=8)(torch.rand(2, 3, 48, 64))
    >>> features.descriptors.shape, features.grid
    (torch.Size([2, 35, 128]), (5, 7))

    Notes
    -----
    A descriptor does not change when a constant is added to the image or when it is multiplied by a positive number,
    as long as the patch stays above the contrast floor. Rotating the image by 180 degrees permutes its entries.
    """

    def __init__(
        self,
        cell: int | Sequence[int] = 4,
        stride: int = 4,
        pooling: str = "triangle",
        root: bool = True,
        clip: float = CLIP,
        contrast_floor: float = CONTRAST_FLOOR,
    ) -> None:
        cells = (cell,) if np.ndim(cell) == 0 else tuple(cell)
        if not cells:
            raise ValueError(message("cell", "an integer or a sequence with at least one", "an empty sequence"))
        self.cells = tuple(checked_int(c, "cell", low=1) for c in cells)
        self.stride = checked_int(stride, "stride", low=1)
        self.pooling = checked_choice(pooling, "pooling", ("triangle", "box"))
        self.root = bool(root)
        self.clip = checked_float(clip, "clip", above=0.0)
        self.contrast_floor = checked_float(contrast_floor, "contrast_floor", low=0.0)

    def __repr__(self) -> str:
        cell = self.cells[0] if len(self.cells) == 1 else self.cells
        return f"DenseRootSIFT(cell={cell}, stride={self.stride}, pooling={self.pooling!r}, root={self.root})"

    @torch.no_grad()
    def __call__(self, images: torch.Tensor) -> LocalFeatures:
        """Describe one image or a batch.

        Parameters
        ----------
        images : Tensor of shape (B, C, H, W) or (C, H, W) with C = 1 or 3, or (H, W)
            uint8, or floating point in [0, 1].

        Returns
        -------
        LocalFeatures
            An image smaller than a patch has N = 0 descriptors.

        Raises
        ------
        TypeError
            If the input is not a tensor, or neither uint8 nor floating point.
        ValueError
            If the shape does not fit, or a value is NaN or infinite.
        """
        images = _checked_images(images)
        height, width = images.shape[-2:]
        layouts = [_layout(height, width, cell, self.stride, self.pooling) for cell in self.cells]
        n = sum(layout.n for layout in layouts)
        descriptors = torch.empty(len(images), n, DIMENSION, device=images.device)
        valid = torch.empty(len(images), n, dtype=torch.bool, device=images.device)
        for part in batches(len(images), IMAGES_AT_ONCE):
            planes = _orientation_planes(_to_grey(images[part]))  # (b, 8, H, W)
            start = 0
            for layout in layouts:
                end = start + layout.n
                if layout.n:
                    histograms = _pool(planes, layout)  # (b, n, 128)
                    descriptors[part, start:end], valid[part, start:end] = self._normalise(histograms, layout.cell)
                start = end
        return LocalFeatures(
            descriptors,
            valid,
            tuple(layout.grid for layout in layouts),
            torch.cat([layout.centers for layout in layouts]),
            torch.cat([torch.full((layout.n,), float(CELLS * layout.cell)) for layout in layouts]),
        )

    def describe(self, images: torch.Tensor) -> list[np.ndarray]:
        """Return one ``(N_i, 128)`` float32 array per image: its valid descriptors."""
        return self(images).as_list()

    def _normalise(self, histograms: torch.Tensor, cell: int) -> tuple[torch.Tensor, torch.Tensor]:
        length = torch.linalg.vector_norm(histograms, dim=-1, keepdim=True)  # (b, n, 1)
        valid = length >= max(self.contrast_floor * cell * cell, TINY)
        h = histograms.mul_(valid / length.clamp_min(TINY)).clamp_(max=self.clip)  # flat patches become zero
        if self.root:
            h = h.mul_(1 / h.sum(-1, keepdim=True).clamp_min(TINY)).sqrt_()
        else:
            h = h.mul_(1 / torch.linalg.vector_norm(h, dim=-1, keepdim=True).clamp_min(TINY))
        return h, valid[..., 0]


def _checked_images(images: torch.Tensor) -> torch.Tensor:
    if not isinstance(images, torch.Tensor):
        raise TypeError(message("images", "a torch.Tensor", type(images).__name__))
    if images.dtype != torch.uint8 and not images.is_floating_point():
        raise TypeError(message("images", "uint8, or floating point in [0, 1]", str(images.dtype)))
    shape = tuple(images.shape)
    if images.ndim == 2:
        images = images[None]
    if images.ndim == 3:
        images = images[None]
    if images.ndim != 4 or images.shape[1] not in (1, 3):
        raise ValueError(message("images", "of shape (B, C, H, W), (C, H, W) with C = 1 or 3, or (H, W)", f"shape {shape}"))
    if images.is_floating_point() and not torch.isfinite(images).all():
        first = int((~torch.isfinite(images)).flatten(1).any(1).nonzero()[0])
        raise ValueError(message("images", "finite", f"NaN or infinity in image {first}"))
    return images


def _to_grey(images: torch.Tensor) -> torch.Tensor:
    """(b, C, H, W) -> (b, H, W) float32 in [0, 1]."""
    values = images.float().mul_(1 / 255) if images.dtype == torch.uint8 else images.float()
    if images.shape[1] == 1:
        return values[:, 0]
    return GREY[0] * values[:, 0] + GREY[1] * values[:, 1] + GREY[2] * values[:, 2]


def _orientation_planes(grey: torch.Tensor) -> torch.Tensor:
    """Split every pixel's gradient magnitude linearly between the two nearest of eight directions: (b, 8, H, W)."""
    padded = torch.nn.functional.pad(grey[:, None], (1, 1, 1, 1), mode="replicate")[:, 0]
    dx = (padded[:, 1:-1, 2:] - padded[:, 1:-1, :-2]) / 2
    dy = (padded[:, 2:, 1:-1] - padded[:, :-2, 1:-1]) / 2
    magnitude = torch.hypot(dx, dy)
    position = torch.atan2(dy, dx) * (ORIENTATIONS / (2 * math.pi))  # in [-4, 4]
    below = position.floor()
    upper_share = (position - below) * magnitude
    lower = below.long().remainder_(ORIENTATIONS)[:, None]
    planes = grey.new_zeros(len(grey), ORIENTATIONS, *grey.shape[1:])
    planes.scatter_(1, lower, (magnitude - upper_share)[:, None])
    planes.scatter_(1, (lower + 1).remainder_(ORIENTATIONS), upper_share[:, None])
    return planes


@dataclass(frozen=True)
class _Layout:
    """Where the patches and their cells are, for one image size and one cell size."""

    cell: int
    grid: tuple[int, int]
    centers: torch.Tensor  # (N, 2)
    weights_y: torch.Tensor  # (different cell rows, H)
    weights_x: torch.Tensor  # (different cell columns, W)
    gather: torch.Tensor  # (N * 16,) index into cell rows * cell columns

    @property
    def n(self) -> int:
        return self.grid[0] * self.grid[1]


@lru_cache(maxsize=32)
def _layout(height: int, width: int, cell: int, stride: int, pooling: str) -> _Layout:
    patch_y, cells_y, index_y = _axis(height, cell, stride)
    patch_x, cells_x, index_x = _axis(width, cell, stride)
    rows, cols = len(patch_y), len(patch_x)
    if rows == 0 or cols == 0:
        empty = torch.zeros(0)
        return _Layout(cell, (0, 0), torch.zeros(0, 2), empty, empty, empty.long())
    gather = index_y[:, None, :, None] * len(cells_x) + index_x[None, :, None, :]  # (rows, cols, 4, 4)
    yy, xx = np.meshgrid(patch_y, patch_x, indexing="ij")
    return _Layout(
        cell,
        (rows, cols),
        torch.from_numpy(np.stack([xx, yy], -1).reshape(-1, 2).astype(np.float32)),
        torch.from_numpy(_weights(cells_y, height, cell, pooling)),
        torch.from_numpy(_weights(cells_x, width, cell, pooling)),
        torch.from_numpy(gather.reshape(-1)),
    )


def _axis(length: int, cell: int, stride: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return patch centres (n,), the different cell centres (u,), and which four belong to each patch (n, 4)."""
    room = length - CELLS * cell
    if room < 0:
        return np.zeros(0), np.zeros(0), np.zeros((0, CELLS), int)
    n = room // stride + 1
    first = (room - (n - 1) * stride) / 2 - 0.5  # left edge of the first patch; the grid is centred, maybe between pixels
    left = first + stride * np.arange(n)
    cells = left[:, None] + cell * (np.arange(CELLS) + 0.5)  # (n, 4)
    different, index = np.unique(cells, return_inverse=True)
    return left + CELLS * cell / 2, different, index.reshape(cells.shape)


def _weights(cell_centers: np.ndarray, length: int, cell: int, pooling: str) -> np.ndarray:
    """Weight of every pixel for every cell: (u, length) float32."""
    distance = np.abs(np.arange(length) - cell_centers[:, None])
    if pooling == "triangle":
        return np.maximum(0, 1 - distance / cell).astype(np.float32)
    return np.clip(cell / 2 + 0.5 - distance, 0, 1).astype(np.float32)  # the part of the pixel inside the cell


def _pool(planes: torch.Tensor, layout: _Layout) -> torch.Tensor:
    """(b, 8, H, W) -> raw histograms (b, N, 128)."""
    device = planes.device
    cells = planes @ layout.weights_x.to(device).T  # (b, 8, H, u_x)
    cells = layout.weights_y.to(device) @ cells  # (b, 8, u_y, u_x)
    cells = cells.flatten(2).transpose(1, 2).contiguous()  # (b, u_y * u_x, 8)
    return cells.index_select(1, layout.gather.to(device)).view(len(planes), layout.n, DIMENSION)
