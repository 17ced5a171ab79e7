"""JPEG: what a camera throws away, once as the exact codec and once with every step in view.

**Problem.** Most pictures of the world were stored as JPEG, at many qualities, and a network learns the traces. **Idea.**
Compress the training images at a random quality. The codec keeps what the eye needs:

1. ``RGB -> YCbCr``: brightness apart from colour (ITU-R BT.601, full range, colour shifted by 128);
2. colour at half the resolution in both directions (4:2:0);
3. blocks of 8 x 8 pixels, each as a sum of 64 cosine patterns (the DCT-II, orthonormal);
4. every coefficient divided by its entry in a table and **rounded**: here, and only here besides step 2, information is lost;
5. the way back: multiply, inverse DCT, colour to full resolution, RGB.

``jpeg_compress`` runs libjpeg-turbo through torchvision and is exact. ``transparent_jpeg`` does the five steps in tensors, on
any device and for a whole batch, and returns the coefficients. It rounds where libjpeg rounds, so both agree bit by bit.

Source: ITU-T T.81 (1992), annex K for the tables; the scaling of the tables by a quality is libjpeg's, by T. Lane.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torchvision import io

from course_utils.augment.per_image import checked_images, per_image
from course_utils.augment.sampling import RandomTransform, to_uint8
from course_utils.checks import checked_choice, checked_int, message

LUMINANCE = (
    (16, 11, 10, 16, 24, 40, 51, 61),
    (12, 12, 14, 19, 26, 58, 60, 55),
    (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62),
    (18, 22, 37, 56, 68, 109, 103, 77),
    (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101),
    (72, 92, 95, 98, 112, 100, 103, 99),
)
"""Table K.1 of the standard: steps of the brightness coefficients at quality 50; row = vertical frequency."""

CHROMINANCE = (
    (17, 18, 24, 47, 99, 99, 99, 99),
    (18, 21, 26, 66, 99, 99, 99, 99),
    (24, 26, 56, 99, 99, 99, 99, 99),
    (47, 66, 99, 99, 99, 99, 99, 99),
    *((99,) * 8,) * 4,
)
"""Table K.2: steps of the colour coefficients at quality 50."""

ONE = 65536
"""libjpeg stores the weights of the colour transform as whole numbers, in units of ``1 / ONE``."""

RGB_TO_YCBCR = ((19595, 38470, 7471), (-11059, -21709, 32768), (32768, -27439, -5329))
CBCR_TO_RGB = ((0, 91881), (-22554, -46802), (116130, 0))

COSINES = (
    (8192, 8192, 8192, 8192, 8192, 8192, 8192, 8192),
    (11363, 9633, 6437, 2260, -2260, -6437, -9633, -11363),
    (10703, 4433, -4433, -10703, -10703, -4433, 4433, 10703),
    (9633, -2259, -11362, -6436, 6436, 11362, 2259, -9633),
    (8192, -8192, -8192, 8192, 8192, -8192, -8192, 8192),
    (6437, -11362, 2261, 9633, -9633, -2261, 11362, -6437),
    (4433, -10704, 10704, -4433, -4433, 10704, -10704, 4433),
    (2260, -6436, 9633, -11363, 11363, -9633, 6436, -2260),
)
"""``dct_matrix() * 8192 * sqrt(8)`` in the whole numbers that libjpeg's accurate integer DCT multiplies by."""

SUBSAMPLINGS = ("4:2:0", "4:4:4")
FANCY_FROM = 3
"""libjpeg interpolates colour only in planes of at least three columns; narrower ones it repeats."""


@dataclass(frozen=True)
class JPEGSteps:
    """Every step of ``transparent_jpeg``.

    The planes are Y, Cb, Cr, or the one plane of a grey image. Blocks are in rows and columns (R, C) of the padded plane;
    in a block, row = vertical frequency and column = horizontal frequency.

    Attributes
    ----------
    images : Tensor of shape (B, C, H, W)
        After compression, of the input's dtype.
    coefficients : tuple of Tensor of shape (B, R, C, 8, 8)
        The DCT of each plane, in grey levels, before rounding.
    levels : tuple of Tensor of shape (B, R, C, 8, 8)
        Whole numbers, as floats: what a file stores.
    tables : tuple of Tensor of shape (B, 8, 8)
        The step of each coefficient.
    """

    images: Tensor
    coefficients: tuple[Tensor, ...]
    levels: tuple[Tensor, ...]
    tables: tuple[Tensor, ...]

    @property
    def surviving(self) -> Tensor:
        """Share of coefficients that are not rounded to zero, for each image: (B,)."""
        kept = torch.stack([level.ne(0).flatten(1).sum(1) for level in self.levels]).sum(0)
        return kept / sum(level[0].numel() for level in self.levels) if len(kept) else kept.float()


@dataclass(frozen=True)
class JPEGParams:
    """Drawn by ``JPEGCompression``: ``quality`` (B,), int64, from 1 to 100."""

    quality: Tensor


class JPEGCompression(RandomTransform):
    """Compress every image as JPEG at its own random quality.

    Parameters
    ----------
    quality : int or (int, int), default (10, 95)
        Smallest and largest quality, both included, from 1 to 100; one number is always used.
    p, per
        As in ``RandomTransform``.
    codec : {"libjpeg", "tensor"}, default "libjpeg"
        ``jpeg_compress`` or ``transparent_jpeg``: the same pixels. The second works on the images' own device.

    Examples
    --------
    >>> image = torch.full((3, 16, 16), 100, dtype=torch.uint8)
    >>> JPEGCompression(quality=(30, 60))(image).shape
    torch.Size([3, 16, 16])
    """

    works_in = "any"

    def __init__(
        self, quality: int | tuple[int, int] = (10, 95), p: float = 1.0, per: str = "sample", codec: str = "libjpeg"
    ) -> None:
        super().__init__(p, per)
        low, high = quality if isinstance(quality, (tuple, list)) else (quality, quality)
        low = checked_int(low, "quality", low=1, high=100)
        self.quality = (low, checked_int(high, "quality", low=low, high=100))
        self.codec = checked_choice(codec, "codec", ("libjpeg", "tensor"))

    def sample(self, n: int, shape: tuple, generator: torch.Generator | None = None, device: Any = None) -> JPEGParams:
        low, high = self.quality
        return JPEGParams(torch.randint(low, high + 1, (n,), generator=generator, device=device))

    def apply(self, images: Tensor, params: JPEGParams) -> Tensor:
        if self.codec == "tensor":
            return transparent_jpeg(images, params.quality).images
        return jpeg_compress(images, params.quality)


def checked_quality(quality: Any, images: Tensor) -> Tensor:
    """Return ``quality`` as whole numbers (B,) from 1 to 100, int64."""
    values = per_image(quality, "quality", images, low=1, high=100)
    if not bool((values == values.round()).all()):
        i = int((values != values.round()).nonzero()[0])
        raise ValueError(message("quality", "a whole number from 1 to 100", f"{float(values[i]):.4g} for image {i}"))
    return values.long()


def quantisation_tables(quality: Tensor) -> tuple[Tensor, Tensor]:
    """Return the tables of step sizes for brightness and colour at the given qualities.

    Parameters
    ----------
    quality : Tensor of shape (B,)
        Whole numbers from 1 to 100. 50 gives the tables of the standard, 100 steps of 1.

    Returns
    -------
    luminance, chrominance : Tensor of shape (B, 8, 8), int64
        ``clip((s * table + 50) // 100, 1, 255)`` with ``s = 5000 // q`` below 50 and ``200 - 2 q`` from 50 on.

    Examples
    --------
    >>> quantisation_tables(torch.tensor([50, 95]))[0][:, 0, :4].tolist()
    [[16, 11, 10, 16], [2, 1, 1, 2]]
    """
    scale = torch.where(quality < 50, 5000 // quality, 200 - 2 * quality)[:, None, None]
    standard = (torch.tensor(table, device=quality.device) for table in (LUMINANCE, CHROMINANCE))
    luminance, chrominance = (((scale * table + 50) // 100).clamp(1, 255) for table in standard)
    return luminance, chrominance


def jpeg_compress(images: Tensor, quality: int | Tensor) -> Tensor:
    """Encode and decode every image as JPEG with colour at half resolution (4:2:0): the exact codec.

    Parameters
    ----------
    images : Tensor of shape (B, C, H, W)
        C = 1 or 3; uint8, or floating in [0, 1], rounded to 256 levels first.
    quality : int or Tensor of shape (B,)
        From 1 to 100.

    Returns
    -------
    Tensor of shape (B, C, H, W)
        Of the images' dtype and on their device; libjpeg itself runs on the CPU.

    Examples
    --------
    >>> grey = torch.full((1, 3, 8, 8), 128, dtype=torch.uint8)
    >>> bool((jpeg_compress(grey, 10) == grey).all())
    True
    """
    levels, qualities = _levels_and_qualities(images, quality)
    if not len(levels):
        return images.clone()
    as_it_is = io.ImageReadMode.UNCHANGED.value
    decoded = [torch.ops.image.decode_jpeg(file, as_it_is, False) for file in _files(levels, qualities)]
    out = torch.stack(decoded).to(images.device)
    return out if images.dtype == torch.uint8 else (out.float() / 255).to(images.dtype)


def jpeg_sizes(images: Tensor, quality: int | Tensor) -> Tensor:
    """Return the size of each image's JPEG file in bytes: (B,), int64. Arguments as in ``jpeg_compress``."""
    levels, qualities = _levels_and_qualities(images, quality)
    return torch.tensor([len(file) for file in _files(levels, qualities)], dtype=torch.int64)


def _files(levels: Tensor, qualities: list[int]) -> Iterator[Tensor]:
    """Encode one image after the other; each file is a tensor of bytes.

    The operator behind ``torchvision.io`` is called, as its own functions make a deprecation warning for every image, which takes
    longer than a small image itself.
    """
    return (torch.ops.image.encode_jpeg(level, q) for level, q in zip(levels, qualities))


def _levels_and_qualities(images: Tensor, quality: int | Tensor) -> tuple[Tensor, list[int]]:
    checked_images(images, channels=(1, 3))
    levels = images if images.dtype == torch.uint8 else to_uint8(images.float())
    return levels.cpu().contiguous(), checked_quality(quality, images).tolist()


def transparent_jpeg(images: Tensor, quality: int | Tensor, subsampling: str = "4:2:0") -> JPEGSteps:
    """Compress images as JPEG does, step by step in tensors, and return every step.

    Parameters
    ----------
    images, quality
        As in ``jpeg_compress``.
    subsampling : {"4:2:0", "4:4:4"}, default "4:2:0"
        Colour at half resolution, or at full resolution.

    Returns
    -------
    JPEGSteps
        Its ``images`` equal those of ``jpeg_compress`` at "4:2:0".
    """
    checked_images(images, channels=(1, 3))
    checked_choice(subsampling, "subsampling", SUBSAMPLINGS)
    qualities = checked_quality(quality, images)
    colour, halved = images.shape[1] == 3, subsampling == "4:2:0"
    pixels = images.float() if images.dtype == torch.uint8 else (images.float() * 255).round_().clamp_(0, 255)
    height, width = pixels.shape[-2:]
    ycbcr = to_ycbcr(pixels) if colour else pixels
    planes = [repeated_to(ycbcr[:, 0], 8, 8), *(colour_plane(plane, halved) for plane in ycbcr[:, 1:].unbind(1))]
    luminance, chrominance = (table.float() for table in quantisation_tables(qualities))
    tables = (luminance, chrominance, chrominance)[: len(planes)]
    coefficients = tuple(block_dct(plane - 128) for plane in planes)
    levels = tuple(round_half_away(c / table[:, None, None]) for c, table in zip(coefficients, tables))
    restored = [(block_idct(level * table[:, None, None]) + 128).clamp_(0, 255) for level, table in zip(levels, tables)]
    if colour and halved:
        rows, columns = (height + 1) // 2, (width + 1) // 2
        restored[1:] = [double(plane[:, :rows, :columns]) for plane in restored[1:]]
    joined = torch.stack([plane[:, :height, :width] for plane in restored], dim=1)
    out = to_rgb(joined) if colour else joined
    out = out.to(torch.uint8) if images.dtype == torch.uint8 else (out / 255).to(images.dtype)
    return JPEGSteps(out, coefficients, levels, tables)


# ---------------------------------------------------------------------------------------------------------- the five steps


def to_ycbcr(pixels: Tensor) -> Tensor:
    """Return RGB pixels (B, 3, H, W), whole numbers in 0..255, as Y, Cb, Cr in 0..255, rounded."""
    # libjpeg rounds ties of the colour planes down: 1 / ONE less than a half
    offsets = (0.5, 128.5 - 1 / ONE, 128.5 - 1 / ONE)
    planes = [weighted(pixels, row).add_(offset).floor_() for row, offset in zip(RGB_TO_YCBCR, offsets)]
    return torch.stack(planes, dim=1)


def to_rgb(ycbcr: Tensor) -> Tensor:
    """Return Y, Cb, Cr (B, 3, H, W), whole numbers in 0..255, as RGB in 0..255, rounded."""
    colour = ycbcr[:, 1:] - 128
    planes = [weighted(colour, row).add_(0.5).floor_().add_(ycbcr[:, 0]) for row in CBCR_TO_RGB]
    return torch.stack(planes, dim=1).clamp_(0, 255)


def weighted(planes: Tensor, weights: tuple[int, ...]) -> Tensor:
    """Return the sum of planes (B, C, H, W) with weights in units of ``1 / ONE``; exact in float32."""
    total = planes[:, 0] * (weights[0] / ONE)
    for c in range(1, len(weights)):
        total.add_(planes[:, c], alpha=weights[c] / ONE)
    return total


def colour_plane(plane: Tensor, halved: bool) -> Tensor:
    """Return a plane (B, H, W) of Cb or Cr as it is cut into blocks; columns are repeated before halving, rows after it."""
    return repeated_to(halve(repeated_to(plane, 2, 16)), 8, 8) if halved else repeated_to(plane, 8, 8)


def repeated_to(plane: Tensor, rows: int, columns: int) -> Tensor:
    """Return a plane (B, H, W) whose last row and column are repeated until H and W are multiples of the two numbers."""
    height, width = plane.shape[1:]
    y = torch.arange(height + -height % rows, device=plane.device).clamp_(max=height - 1)
    x = torch.arange(width + -width % columns, device=plane.device).clamp_(max=width - 1)
    if len(y) > height:
        plane = plane.index_select(1, y)
    return plane.index_select(2, x) if len(x) > width else plane


def halve(plane: Tensor) -> Tensor:
    """Return a plane (B, H, W) of even size at half the resolution: means of 2 x 2, ties rounded down and up in turn."""
    sums = plane[:, ::2, ::2] + plane[:, ::2, 1::2] + plane[:, 1::2, ::2] + plane[:, 1::2, 1::2]
    bias = 1 + torch.arange(sums.shape[-1], device=plane.device) % 2
    return ((sums + bias) / 4).floor_()


def double(plane: Tensor) -> Tensor:
    """Return a plane (B, H, W) at twice the resolution, by the triangle filter of libjpeg (weights 9, 3, 3, 1)."""
    if plane.shape[-1] < FANCY_FROM or not len(plane):
        return plane.repeat_interleave(2, 1).repeat_interleave(2, 2)
    height, width = plane.shape[-2:]
    wide = F.pad(plane[:, None], (0, 0, 1, 1), mode="replicate")[:, 0]
    rows = torch.stack([3 * plane + wide[:, :-2], 3 * plane + wide[:, 2:]], dim=2).view(-1, 2 * height, width)
    wide = F.pad(rows[:, None], (1, 1, 0, 0), mode="replicate")[:, 0]
    left, right = 3 * rows + wide[..., :-2] + 8, 3 * rows + wide[..., 2:] + 7
    return (torch.stack([left, right], dim=3).view(-1, 2 * height, 2 * width) / 16).floor_()


def dct_matrix(device: Any = None) -> Tensor:
    """Return the orthonormal DCT-II of length 8: row u holds the cosine pattern of frequency u; (8, 8), float32."""
    k = torch.arange(8, dtype=torch.float64)
    matrix = torch.cos(torch.pi / 8 * (k + 0.5) * k[:, None]) / 2
    matrix[0] /= 2**0.5
    return matrix.to(device, torch.float32)


def block_dct(plane: Tensor) -> Tensor:
    """Return the DCT of the 8 x 8 blocks of a plane (B, 8 R, 8 C): (B, R, C, 8, 8), in multiples of 1/8.

    As libjpeg does, rows first, rounded, then columns, rounded. All numbers are whole and exact in double precision.
    """
    n, height, width = plane.shape
    cosines = torch.tensor(COSINES, dtype=torch.float64, device=plane.device)
    rows = shifted_right(plane.double().view(n, height, width // 8, 8) @ cosines.T, 11)
    both = shifted_right(cosines @ rows.view(n, height // 8, 8, width), 15)
    return (both.to(plane.dtype) / 8).view(n, height // 8, 8, width // 8, 8).transpose(2, 3)


def block_idct(coefficients: Tensor) -> Tensor:
    """Return the plane (B, 8 R, 8 C) of which ``coefficients`` (B, R, C, 8, 8) are the DCT, rounded to whole numbers.

    As libjpeg does, columns first, rounded, then rows, rounded.
    """
    n, rows, columns = coefficients.shape[:3]
    cosines = torch.tensor(COSINES, dtype=torch.float64, device=coefficients.device)
    lines = coefficients.transpose(2, 3).double().reshape(n, rows, 8, 8 * columns)
    half = shifted_right(cosines.T @ lines, 11)
    both = shifted_right(half.view(n, 8 * rows, columns, 8) @ cosines, 18)
    return both.to(coefficients.dtype).view(n, 8 * rows, 8 * columns)


def shifted_right(values: Tensor, bits: int) -> Tensor:
    """Return ``values / 2**bits`` rounded to whole numbers, halves upwards."""
    return values.mul(0.5**bits).add_(0.5).floor_()


def round_half_away(values: Tensor) -> Tensor:
    """Return values rounded to whole numbers, halves away from zero, as libjpeg's quantiser does."""
    return values.abs().add_(0.5).floor_().copysign_(values)
