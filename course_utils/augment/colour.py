"""Colour changes of a whole batch, each image by its own amount: the pure functions behind the colour transforms.

**Problem.** The same object looks different at noon, at dusk and under a lamp, and a small training set shows it once.
**Idea.** Change the colours on purpose, in ways that keep the label. Most changes are a *blend* of the image with a
reference, ``f * image + (1 - f) * reference``, cut to [0, 1]:

============  ===========================================  ==========================================
change        reference                                    factor 0, and a factor above 1
============  ===========================================  ==========================================
brightness    black                                        black; brighter
contrast      one grey: the mean grey value of the image   flat grey; differences grow
saturation    the grey picture                             grey; colours grow
sharpness     the smoothed picture                         smooth; edges grow
============  ===========================================  ==========================================

The grey value is ``0.299 R + 0.587 G + 0.114 B`` (ITU-R BT.601). torchvision writes 0.2989, so grey values differ by 1e-4.

Conventions: images (B, C, H, W), floating in [0, 1] or uint8; parameters are numbers, or tensors (B,) with one value for
each image. uint8 results are rounded; torchvision and Pillow cut the fraction off, which differs by one grey level. Values
are not searched for NaN here: the transforms do that. No function writes into its input; gradients are not supported,
because the functions reuse their own buffers.

Sources: A. Howard, "Some improvements on deep convolutional neural network based image classification", 2013,
arXiv:1312.5402 (jitter); T. Chen et al., "A simple framework for contrastive learning of visual representations", ICML 2020,
arXiv:2002.05709 (its strength matters); E. Cubuk et al., "AutoAugment", CVPR 2019, arXiv:1805.09501 (posterise, solarise).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from course_utils.augment.per_image import RGB_TO_GREY, checked_images, on_floating_images, per_image
from course_utils.checks import message

GREY_OR_RGB = (1, 3)


# ------------------------------------------------------------------------------------------------------------------ blends


@on_floating_images
def adjust_brightness(images: Tensor, factors: float | Tensor) -> Tensor:
    """Multiply every image by its factor, at least 0; a factor of 1 changes nothing.

    Examples
    --------
    >>> adjust_brightness(torch.full((2, 1, 1, 1), 0.5), torch.tensor([0.5, 3.0])).flatten()
    tensor([0.2500, 1.0000])
    """
    return brightened(images, per_image(factors, "factors", images, low=0))


@on_floating_images
def adjust_contrast(images: Tensor, factors: float | Tensor) -> Tensor:
    """Blend every image with its mean grey value; factors of at least 0, and 1 changes nothing."""
    checked_images(images, GREY_OR_RGB)
    return contrasted(images, per_image(factors, "factors", images, low=0))


@on_floating_images
def adjust_saturation(images: Tensor, factors: float | Tensor) -> Tensor:
    """Blend every image with its grey picture; factors of at least 0, and 1 changes nothing. Grey images stay as they are."""
    checked_images(images, GREY_OR_RGB)
    return saturated(images, per_image(factors, "factors", images, low=0))


@on_floating_images
def adjust_sharpness(images: Tensor, factors: float | Tensor) -> Tensor:
    """Blend every image with a smoothed one; factors of at least 0, and 1 changes nothing.

    The smoothing weights are ``[[1, 1, 1], [1, 5, 1], [1, 1, 1]] / 13``. Border pixels, and images narrower than three
    pixels, stay as they are.
    """
    factors = spread(per_image(factors, "factors", images, low=0))
    out = images.clone()
    if min(images.shape[-2:]) > 2:
        inner = out[..., 1:-1, 1:-1]
        rows = (images[..., :-2, :] + images[..., 1:-1, :]).add_(images[..., 2:, :])
        smooth = (rows[..., :-2] + rows[..., 1:-1]).add_(rows[..., 2:]).add_(inner, alpha=4)
        inner.mul_(factors).addcmul_(smooth, (1 - factors) / 13).clamp_(0, 1)
    return out


# -------------------------------------------------------------------------------------------------------- grey and channels


def grey(images: Tensor) -> Tensor:
    """Return the grey picture (B, 1, H, W) of floating images with 1 or 3 channels."""
    if images.shape[1] == 1:
        return images.clone()
    red, green, blue = RGB_TO_GREY
    return (images[:, :1] * red).add_(images[:, 1:2], alpha=green).add_(images[:, 2:], alpha=blue)


def grey_of_channels(means: Tensor) -> Tensor:
    """Return the grey values (B,) of colours (B, C) with C = 1 or 3."""
    return grey(means[:, :, None, None])[:, 0, 0, 0]


@on_floating_images
def grayscale(images: Tensor) -> Tensor:
    """Replace every channel by the grey value; the number of channels stays."""
    return torch.empty_like(images).copy_(grey(checked_images(images, GREY_OR_RGB)).clamp_(0, 1))


def shuffle_channels(images: Tensor, order: Tensor) -> Tensor:
    """Put the channels of every image into a new order.

    Parameters
    ----------
    order : Tensor of shape (B, C), int64
        Channel c of image i comes from channel ``order[i, c]``.

    Raises
    ------
    ValueError
        If a row is no permutation of 0..C-1.
    """
    n, channels = checked_images(images).shape[:2]
    order = torch.as_tensor(order, device=images.device)
    expected = torch.arange(channels, device=images.device).expand(n, channels)
    if order.shape != (n, channels) or not bool((order.sort(dim=1).values == expected).all()):
        raise ValueError(message("order", f"one permutation of 0..{channels - 1} for each of {n} images", str(order.tolist())))
    rows = (order + channels * torch.arange(n, device=images.device)[:, None]).flatten()
    return images.flatten(0, 1).index_select(0, rows).view(images.shape)


def invert(images: Tensor) -> Tensor:
    """Return the negatives: ``1 - x``, or ``255 - x`` for uint8."""
    return torch.rsub(checked_images(images), 255 if images.dtype == torch.uint8 else 1)


@on_floating_images
def add_principal_colours(images: Tensor, amounts: Tensor, colours: Tensor) -> Tensor:
    """Add to every image a mixture of the main colour directions of a data set (AlexNet's "colour PCA").

    Parameters
    ----------
    amounts : Tensor of shape (B, 3)
        How much of each direction, drawn from N(0, 0.1**2) by its inventors.
    colours : Tensor of shape (3, 3)
        Column k: eigenvector k of the covariance of RGB times its eigenvalue.
    """
    if checked_images(images, GREY_OR_RGB).shape[1] == 1:
        return images.clone()
    amounts = torch.as_tensor(amounts, dtype=images.dtype, device=images.device)
    if amounts.shape != (len(images), 3):
        raise ValueError(message("amounts", f"of shape ({len(images)}, 3)", f"shape {tuple(amounts.shape)}"))
    shift = amounts @ torch.as_tensor(colours, dtype=images.dtype, device=images.device).T
    return (images + shift[:, :, None, None]).clamp_(0, 1)


# --------------------------------------------------------------------------------------------------------------------- hue


@on_floating_images
def adjust_hue(images: Tensor, shifts: float | Tensor) -> Tensor:
    """Turn the hue of every image: RGB to HSV, hue plus shift, and back.

    Parameters
    ----------
    shifts : float or Tensor of shape (B,)
        In turns: 1/3 makes red green. Whole numbers change nothing. Grey pixels have no hue and stay grey.

    Notes
    -----
    Value and saturation stay, so the largest and the smallest channel of a pixel keep their values, and only the place
    between them moves. That saves the way through HSV: with the hue in sixths of a turn and d its distance to a channel's
    own hue (0 for red, 2 for green, 4 for blue), the channel is ``low + (high - low) * clip(2 - d, 0, 1)``.
    """
    checked_images(images, GREY_OR_RGB)
    return hue_turned(images, per_image(shifts, "shifts", images))


def hue_of(images: Tensor, low: Tensor, chroma: Tensor) -> Tensor:
    """Return the hue of RGB images in sixths of a turn, from -3 to 3: (B, H, W); grey pixels have any.

    ``low`` is the smallest channel of each pixel, ``chroma`` the largest minus the smallest, both (B, H, W).

    With the channels stretched to ``(r, g, b) = (RGB - low) / chroma``, the hue is ``1 - r + g + b`` where green is at
    least as strong as blue, and minus that elsewhere: yellow, for example, has (1, 1, 0) and 1. The three cases of the
    textbook, one for each largest channel, are this one.
    """
    red, green, blue = images.unbind(1)
    hue = (green + blue).sub_(red).sub_(low)
    buffer = chroma.clamp(min=torch.finfo(images.dtype).tiny)
    hue.div_(buffer).add_(1)
    return hue.copysign_(torch.sub(green, blue, out=buffer))


# --------------------------------------------------------------- the same for arguments that are known to be right: (B,)


def brightened(images: Tensor, factors: Tensor) -> Tensor:
    """``adjust_brightness`` of floating images, arguments unchecked."""
    return (images * spread(factors)).clamp_(0, 1)


def contrasted(images: Tensor, factors: Tensor) -> Tensor:
    """``adjust_contrast`` of floating images, arguments unchecked."""
    mean = grey_of_channels(images.mean((2, 3)))
    return (images * spread(factors)).add_(spread((1 - factors) * mean)).clamp_(0, 1)


def saturated(images: Tensor, factors: Tensor) -> Tensor:
    """``adjust_saturation`` of floating images, arguments unchecked."""
    if images.shape[1] == 1:
        return images.clone()
    return (images * spread(factors)).add_(grey(images).mul_(spread(1 - factors))).clamp_(0, 1)


def hue_turned(images: Tensor, shifts: Tensor) -> Tensor:
    """``adjust_hue`` of floating images, arguments unchecked."""
    if images.shape[1] == 1:
        return images.clone()
    high, low = images.amax(1), images.amin(1)
    chroma = high.sub_(low)
    hue = hue_of(images, low, chroma).add_((shifts - shifts.round()).mul_(6)[:, None, None])
    buffer, out = hue / 6, torch.empty_like(images)
    hue.sub_(buffer.round_(), alpha=6)  # from -3 to 3 again
    for channel, own in enumerate((0, 2, -2)):
        # 2 - d on a circle of length 6
        weight = torch.sub(hue, own, out=buffer).abs_().sub_(3).abs_().sub_(1).clamp_(0, 1)
        torch.addcmul(low, chroma, weight, out=out[:, channel])
    still = shifts == shifts.round()
    if bool(still.any()):
        out[still] = images[still]
    return out


# ------------------------------------------------------------------------------------------------------------- tone curves


@on_floating_images
def adjust_gamma(images: Tensor, gammas: float | Tensor, gain: float | Tensor = 1.0) -> Tensor:
    """Return ``gain * x ** gamma``, cut to [0, 1]; both 1 change nothing. ``gammas`` above 0: below 1 brightens shadows."""
    gammas, gain = per_image(gammas, "gammas", images, above=0), per_image(gain, "gain", images, low=0)
    out = images.log().mul_(spread(gammas)).exp_()  # a power, in a quarter of its time
    still = gammas == 1
    if bool(still.any()):
        out[still] = images[still]
    return out.mul_(spread(gain)).clamp_(0, 1)


def posterize(images: Tensor, bits: int | Tensor) -> Tensor:
    """Keep the ``bits`` highest bits of every channel, 1 to 8.

    uint8: the lower bits become 0. Floating: ``floor(x * 2**bits) / 2**bits``, where the value 1 joins the level below, so
    8 bits leave 256 levels.
    """
    bits = per_image(bits, "bits", checked_images(images), low=1, high=8)
    if not bool((bits == bits.round()).all()):
        raise ValueError(message("bits", "whole numbers from 1 to 8", str(bits.tolist())))
    if images.dtype == torch.uint8:
        return images & spread((256 - 2 ** (8 - bits)).to(torch.uint8))
    return _posterize_floats(images, bits)


@on_floating_images
def _posterize_floats(images: Tensor, bits: Tensor) -> Tensor:
    levels = spread(2**bits)
    return torch.minimum((images * levels).floor_(), levels - 1).div_(levels)


def solarize(images: Tensor, thresholds: float | Tensor) -> Tensor:
    """Invert the pixels that are at least as bright as the threshold, in [0, 1] for uint8 too; above 1 changes nothing."""
    thresholds = spread(per_image(thresholds, "thresholds", checked_images(images), low=0))
    if images.dtype == torch.uint8:
        dark = images < (thresholds * 255).ceil_().clamp_(max=256).to(torch.int16)
    else:
        dark = images < thresholds
    return torch.where(dark, images, invert(images))


@on_floating_images
def autocontrast(images: Tensor) -> Tensor:
    """Stretch every channel of every image to [0, 1]; a constant channel stays as it is."""
    low, high = images.amin((2, 3), keepdim=True), images.amax((2, 3), keepdim=True)
    flat = low == high
    return (images - low.masked_fill(flat, 0)).div_((high - low).masked_fill_(flat, 1))


# ------------------------------------------------------------------------------------------------------------- small tools


def spread(values: Tensor) -> Tensor:
    """Return values (B,) as (B, 1, 1, 1), ready to be multiplied with images."""
    return values.view(-1, 1, 1, 1)


def principal_colours(images: Any) -> Tensor:
    """Return the main colour directions of a set of RGB images, for ``add_principal_colours``.

    Parameters
    ----------
    images : Tensor of shape (B, 3, H, W)
        The training images: uint8, or floating in [0, 1].

    Returns
    -------
    Tensor of shape (3, 3), float32
        Column k: eigenvector k of the covariance of all pixels times its eigenvalue, largest first.

    Notes
    -----
    The paper multiplies by the eigenvalue, a variance, and not by its square root. So the strength depends on the unit of
    the pixels; here they are in [0, 1].
    """
    pixels = checked_images(images, (3,)).transpose(0, 1).flatten(1).double()
    pixels = pixels / 255 if images.dtype == torch.uint8 else pixels
    values, vectors = torch.linalg.eigh(torch.cov(pixels))
    return (vectors * values.clamp(min=0)).flip(1).float()
