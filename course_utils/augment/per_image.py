"""Arguments with one value per image: the small shared part of all colour functions.

The functions of this room take a batch ``(B, C, H, W)`` and parameters of shape ``(B,)``: row i belongs to image i. A plain
number stands for the same value for every image. Two small tools keep the functions short:

- ``per_image`` turns a number or a tensor into a checked tensor ``(B,)`` of the images' dtype, on their device;
- ``on_floating_images`` lets a function that is written for floating images in [0, 1] take uint8 and half precision too.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from course_utils.augment.sampling import to_uint8
from course_utils.checks import message

RGB_TO_GREY = (0.299, 0.587, 0.114)
"""Weights of red, green and blue in the grey value: ITU-R BT.601, as in Pillow, OpenCV and JPEG."""


def checked_images(images: Any, channels: tuple[int, ...] | None = None) -> Tensor:
    """Return ``images`` if they are a batch (B, C, H, W) of uint8 or floating images.

    Parameters
    ----------
    channels : tuple of int, optional
        The accepted values of C, such as ``(1, 3)``.

    Raises
    ------
    TypeError
        If they are no tensor, or of another dtype.
    ValueError
        If they have another shape, no pixel, or a number of channels that is not accepted.
    """
    if not isinstance(images, Tensor):
        raise TypeError(message("images", "a torch.Tensor", type(images).__name__))
    if images.ndim != 4:
        raise ValueError(message("images", "a batch of shape (B, C, H, W)", f"shape {tuple(images.shape)}"))
    if images.dtype != torch.uint8 and not images.is_floating_point():
        raise TypeError(message("images", "of dtype uint8 or floating", str(images.dtype)))
    if 0 in images.shape[1:]:
        raise ValueError(message("images", "images with at least one channel and pixel", f"shape {tuple(images.shape)}"))
    if channels is not None and images.shape[1] not in channels:
        advice = "Split off further channels, such as opacity or infrared, and put them back afterwards."
        counts = " or ".join(str(c) for c in channels)
        raise ValueError(message("images", f"images with {counts} channels", f"{images.shape[1]} channels", advice))
    return images


def per_image(
    value: Any, name: str, images: Tensor, low: float | None = None, high: float | None = None, above: float | None = None
) -> Tensor:
    """Return ``value`` as a tensor with one finite number for each image.

    Parameters
    ----------
    value : float, or Tensor or sequence of shape (B,)
    name : str
        The argument's name in messages.
    images : Tensor of shape (B, C, H, W)
        They give B, the device, and the dtype: theirs if it is float32 or float64, else float32.
    low, high : float, optional
        Smallest and largest accepted value, both included.
    above : float, optional
        Open lower end.

    Returns
    -------
    Tensor of shape (B,)

    Raises
    ------
    ValueError
        If the shape does not fit, or a value is not finite or out of range; the message names the image.

    Examples
    --------
    >>> per_image(0.5, "factors", torch.zeros(2, 3, 4, 4))
    tensor([0.5000, 0.5000])
    """
    n, dtype = len(images), images.dtype if images.dtype == torch.float64 else torch.float32
    values = torch.as_tensor(value, dtype=dtype, device=images.device)
    if values.ndim == 0:
        values = values.expand(n)
    if values.shape != (n,):
        raise ValueError(message(name, f"a number, or one for each of the {n} images", f"shape {tuple(values.shape)}"))
    good = values.isfinite()
    expected = "finite"
    if low is not None:
        good, expected = good & (values >= low), f"at least {low}"
    if above is not None:
        good, expected = good & (values > above), f"above {above}"
    if high is not None:
        good, expected = good & (values <= high), f"{expected} and at most {high}" if expected != "finite" else f"at most {high}"
    if not bool(good.all()):
        i = int((~good).nonzero()[0])
        raise ValueError(message(name, expected, f"{float(values[i]):.4g} for image {i}"))
    return values


def on_floating_images(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Let a function of floating images in [0, 1] take uint8 (divided by 255, rounded back) and half precision.

    The images are the first argument. Half precision is computed in float32: 2048 steps between 0.5 and 1 are too few for
    sums over pixels.
    """

    @functools.wraps(function)
    def wrapped(images: Tensor, *arguments: Any, **options: Any) -> Tensor:
        dtype = checked_images(images).dtype
        if dtype == torch.uint8:
            return to_uint8(function(images.to(torch.float32).div_(255), *arguments, **options))
        if dtype in (torch.float16, torch.bfloat16):
            return function(images.float(), *arguments, **options).to(dtype)
        return function(images, *arguments, **options)

    return wrapped
