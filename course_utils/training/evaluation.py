"""Using a network that is not being trained: its parts in evaluation mode, its inputs a part at a time.

Taught in ``02_netvlad``, step 6.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from course_utils.checks import checked_int
from course_utils.profile import batches


@contextmanager
def evaluating(network: nn.Module) -> Iterator[None]:
    """Put the network into evaluation mode, and afterwards every part of it back into its own mode."""
    modes = {part: part.training for part in network.modules()}
    network.eval()
    try:
        yield
    finally:
        for part, training in modes.items():
            part.training = training


@torch.no_grad()
def in_parts(network: nn.Module, function: Callable[[Tensor], Tensor], inputs: Tensor, batch_size: int = 64) -> Tensor:
    """Return ``function(inputs)`` as float32 on the CPU, in evaluation mode, without graph.

    Parameters
    ----------
    network : nn.Module
        Has the parameters that ``function`` uses; the inputs are moved to its device.
    function : callable
        Maps (b, ...) to (b, ...), every input for itself.
    inputs : Tensor of shape (B, ...)
        B may be 0.
    batch_size : int, default 64
        Inputs per call.

    Raises
    ------
    TypeError, ValueError
        If ``batch_size`` is not an integer of at least 1.

    Examples
    --------
    >>> layer = nn.Linear(3, 2)
    >>> in_parts(layer, layer, torch.zeros(5, 3), batch_size=2).shape
    torch.Size([5, 2])
    """
    device = next(network.parameters()).device
    parts = list(batches(len(inputs), checked_int(batch_size, "batch_size", low=1))) or [slice(0, 0)]
    with evaluating(network):
        return torch.cat([function(inputs[part].to(device)).float().cpu() for part in parts])
