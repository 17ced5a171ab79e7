"""Random numbers for a batch: drawn where the generator lives, used where the images live.

A generator of the CPU gives the same numbers whatever device the images are on, so a corrupted test set is the same on
every machine, up to rounding.
"""

from __future__ import annotations

import torch
from torch import Tensor


def normal(shape: tuple[int, ...], like: Tensor, generator: torch.Generator | None) -> Tensor:
    """Return standard normal numbers on the device of ``like``."""
    return torch.randn(shape, generator=generator, device=_device(like, generator)).to(like.device)


def uniform(shape: tuple[int, ...], low: float, high: float, like: Tensor, generator: torch.Generator | None) -> Tensor:
    """Return uniform numbers from [low, high) on the device of ``like``."""
    drawn = torch.rand(shape, generator=generator, device=_device(like, generator))
    return drawn.to(like.device) * (high - low) + low


def integers(shape: tuple[int, ...], low: int, high: int, like: Tensor, generator: torch.Generator | None) -> Tensor:
    """Return int64 from low to high - 1 on the device of ``like``."""
    return torch.randint(low, high, shape, generator=generator, device=_device(like, generator)).to(like.device)


def poisson(rates: Tensor, generator: torch.Generator | None) -> Tensor:
    """Return Poisson numbers with these rates."""
    return torch.poisson(rates.to(_device(rates, generator)), generator=generator).to(rates.device)


def _device(like: Tensor, generator: torch.Generator | None) -> torch.device:
    return like.device if generator is None else generator.device
