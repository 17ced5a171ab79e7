"""Multistage back-propagation: the exact gradient of a batch that does not fit into memory.

**Problem.** A listwise loss looks at all descriptors of the batch at once, and it likes large batches: the paper uses
thousands of images. Back-propagation keeps the activations of *every* image until the end, so memory grows with the
batch. Cutting the batch into small ones is another loss: rankings inside small lists. **Idea.** Activations are needed
per image, but the images meet only in the loss, and the loss needs only the descriptors, which are small. So:

=======  ===============================================================  =====================================
stage    what happens                                                     memory
=======  ===============================================================  =====================================
1        all images through the network, chunk by chunk, without graph    the descriptors ``D (B, D)``
2        the loss of *all* descriptors, and its gradient ``G = dL/dD``    the graph of the loss, then ``G``
3        chunk by chunk: forward again, now with graph, and               the activations of *one* chunk
         ``backward`` that starts from ``G[chunk]``
=======  ===============================================================  =====================================

The chain rule makes this exact, not approximate: with parameters w and the descriptor d_i of image i,
``dL/dw = sum_i (dL/dd_i) (dd_i/dw)``, and stage 3 adds up the terms of this sum chunk by chunk. The price is a second
forward pass.

Source: J. Revaud, J. Almazan, R. S. Rezende, C. R. de Souza, "Learning with Average Precision: Training Image Retrieval
with a Listwise Loss", ICCV 2019, arXiv:1906.07589, section 3.2.

**When it is exact.** The descriptor of an image must depend on this image only. *Batch norm in training mode* breaks
that: it normalises with the mean of whatever stands in the chunk, and it would update its running statistics twice. It
is refused, or run with its running statistics (``batch_norm="frozen"``); group norm has no such trouble. *Dropout* is
fine: every chunk draws the same numbers in stage 3 as in stage 1 (the state of torch's generators, on the processor
and on the network's devices, is noted and set back), so the gradient is that of the network that was evaluated, and
the global stream ends where one forward pass leaves it. *Instance norm with running statistics* and other layers that
update a buffer in ``forward``: stage 1 updates once per chunk, stage 3 leaves no trace. Whatever else changes between
the two passes (a generator of the network's own, Python's ``random``, spectral norm in training mode) is noticed:
stage 3 compares its descriptors with those of stage 1 and refuses if they differ. A layer of your own that mixes the
images of a batch cannot be noticed; then you get the gradient of the chunked network.

**Kinship with gradient checkpointing** (``torch.utils.checkpoint``; T. Chen et al., "Training deep nets with sublinear
memory cost", 2016, arXiv:1604.06174). Both trade a second forward pass for memory. Checkpointing cuts the *network*
into segments and keeps what flows between them; multistage cuts the *batch* and keeps the descriptors. One
``checkpoint`` around the network per chunk gives the same gradient with the same memory, and ``multistage_descriptors``
below is that: a tensor of descriptors whose backward pass is stage 3. The two can be combined, for an image that does
not fit alone.

**Inside** ``training.fit``. ``fit`` calls ``backward`` itself, after it has cleared the gradients, so a ``step`` returns
a loss of ``multistage_descriptors``; clipping, gradient scaling, interrupting and resuming work as ever::

    def step(model, batch):
        images, labels = batch
        descriptors = multistage_descriptors(model, images, chunk_size=16)  # stage 1
        return loss(descriptors, labels)  # `fit` runs stages 2 and 3

    fit(model, batches, step, optimizer, n_steps=100, clip_norm=1.0)

Taught in ``06_listwise_ap_loss``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from course_utils import profile
from course_utils.checks import message
from course_utils.training.two_passes import TwoPasses

SHOW_AFTER = 2.0  # seconds until the progress bar appears


@dataclass(frozen=True)
class MultistageResult:
    """What one multistage pass found; the gradients are in the parameters' ``.grad``.

    Attributes
    ----------
    loss : Tensor, scalar
        Detached.
    descriptors : Tensor of shape (B, D)
        Of stage 1, detached.
    n_chunks : int
        Number of chunks; the network ran ``2 * n_chunks`` times.
    """

    loss: Tensor
    descriptors: Tensor
    n_chunks: int


def multistage_backward(
    model: nn.Module,
    images: Tensor | Sequence[Tensor],
    loss: Callable[[Tensor], Tensor],
    chunk_size: int,
    *,
    batch_norm: str = "refuse",
) -> MultistageResult:
    """Do what ``loss(model(images)).backward()`` does, with the memory of one chunk.

    Parameters
    ----------
    model : nn.Module
        Maps images (b, ...) to descriptors (b, D), each image for itself. Its mode (training or evaluation) is used
        as it is.
    images : Tensor of shape (B, ...), or sequence of B tensors
        A tensor is cut into chunks along its first axis. The images of a sequence may differ in size, so the network
        gets them one by one, as a batch of one: ``image[None]``. If ``images`` itself requires a gradient it must be
        a leaf.
    loss : callable, descriptors (B, D) -> scalar Tensor
        Sees all descriptors at once, in the order of the images; it may close over labels, and it may have parameters
        of its own, which receive their gradient too.
    chunk_size : int
        Number of images whose activations are kept at the same time; the last chunk may be smaller.
    batch_norm : {"refuse", "frozen"}
        What to do with batch-norm layers in training mode. ``"frozen"``: they use their running statistics, do not
        update them, and are in training mode again afterwards; their weights still learn.

    Returns
    -------
    MultistageResult

    Raises
    ------
    TypeError
        If an argument is of the wrong kind, the network returns more than one output, or the loss no tensor.
    ValueError
        If there are no images, an output is not (b, D), a layer mixes the images of a batch, the loss is no scalar or
        does not depend on the descriptors, or nothing can learn.
    FloatingPointError
        If the loss or its gradient is NaN or infinite; no gradient has been added to the network then.
    RuntimeError
        If the network's second pass gives other descriptors than the first. After an error (or Ctrl-C) in stage 3 the
        gradients are incomplete: clear them with ``zero_grad``.

    Notes
    -----
    Gradients are added to ``.grad``, as ``backward`` does: clear them before, call the optimiser's ``step`` after. Under
    autocast all three stages run in the caller's precision. A hook on a parameter fires once per chunk. To scale the
    gradient (float16), or inside ``training.fit``, use ``multistage_descriptors``.

    Examples
    --------
    >>> network = nn.Linear(3, 2, bias=False)
    >>> result = multistage_backward(network, torch.ones(5, 3), lambda d: (d @ d.T).logsumexp((0, 1)), chunk_size=2)
    >>> result.descriptors.shape, result.n_chunks, network.weight.grad.shape
    (torch.Size([5, 2]), 3, torch.Size([2, 3]))
    """
    if not callable(loss):
        raise TypeError(message("loss", "a function of the descriptors", type(loss).__name__))
    passes = TwoPasses(model, images, chunk_size, batch_norm)
    if passes.image_graph:
        raise ValueError(
            message("images", "without a graph", "the result of a computation", "Detach it, or use `multistage_descriptors`.")
        )
    if not passes.learning:
        advice = (
            "A network that is frozen needs no stages: compute its descriptors without gradient, then `loss(...).backward()`."
        )
        raise ValueError(message("model", "a network with a parameter that learns", "one with none", advice))
    n_chunks = len(passes.chunks)
    with profile.progress(total=2 * n_chunks, desc="multistage", unit="chunk", delay=SHOW_AFTER) as bar:
        # Stage 1: descriptors without graph.
        descriptors = passes.first(bar.update)
        # Stage 2: the loss of all descriptors, which are a leaf here, and its gradient.
        leaf = descriptors.detach().requires_grad_()
        with torch.enable_grad():
            value = _checked_loss(loss(leaf))
            value.backward()
        gradient = _checked_gradient(leaf.grad)
        # Stage 3: forward again, with graph, and backward from the chunk's part of the gradient.
        passes.second(lambda output, rows: output.backward(gradient[rows]), bar.update)
    return MultistageResult(value.detach().reshape(()), descriptors, n_chunks)


def multistage_descriptors(
    model: nn.Module, images: Tensor | Sequence[Tensor], chunk_size: int, *, batch_norm: str = "refuse"
) -> Tensor:
    """Return the descriptors of all images; their backward pass is stage 3.

    The same algorithm in another form: the call is stage 1, any loss on the descriptors is stage 2, and ``backward`` of
    that loss runs stage 3. It fits wherever somebody else calls ``backward``.

    Parameters
    ----------
    model, images, chunk_size, batch_norm
        As in ``multistage_backward``. Here ``images`` may have a graph.

    Returns
    -------
    Tensor of shape (B, D)
        With a graph to the parameters that learn, if gradients are enabled.

    Raises
    ------
    TypeError, ValueError, RuntimeError
        As ``multistage_backward``; the comparison of the two passes happens during ``backward``.

    Notes
    -----
    Until ``backward`` is done the network and its mode must stay as they were: stage 3 runs it again. The gradients of
    the chunks are added up first and reach the parameters in one piece, so a hook fires once; that takes the memory of
    one more copy of the gradient. Second derivatives are not available.

    Examples
    --------
    >>> network = nn.Linear(3, 2, bias=False)
    >>> descriptors = multistage_descriptors(network, torch.ones(5, 3), chunk_size=2)
    >>> descriptors.square().sum().backward()
    >>> torch.allclose(network.weight.grad, 10 * network.weight.detach().sum(1, keepdim=True).expand(2, 3))
    True
    """
    passes = TwoPasses(model, images, chunk_size, batch_norm)
    return _Descriptors.apply(passes, *passes.learning)


class _Descriptors(torch.autograd.Function):
    """Stage 1 as a forward pass, stage 3 as its backward pass."""

    @staticmethod
    def forward(ctx: Any, passes: TwoPasses, *learning: Tensor) -> Tensor:
        ctx.passes = passes
        return passes.first()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        leaves = ctx.passes.stand_ins()
        total: list[Tensor | None] = [None] * len(leaves)

        def add(output: Tensor, rows: slice) -> None:
            parts = torch.autograd.grad(output, leaves, gradient[rows], allow_unused=True)
            for i, part in enumerate(parts):
                if part is not None:
                    total[i] = part if total[i] is None else total[i] + part

        ctx.passes.second(add)
        return None, *total


def _checked_loss(value: Any) -> Tensor:
    if not isinstance(value, Tensor):
        raise TypeError(message("loss", "a function that returns a Tensor", f"one that returns {type(value).__name__}"))
    if value.numel() != 1:
        raise ValueError(message("loss", "a function that returns a scalar", f"shape {tuple(value.shape)}", "Take the mean."))
    if not bool(torch.isfinite(value.detach())):
        raise FloatingPointError(f"The loss is {value.item()}; no gradient was computed. Look for NaN in images and weights.")
    if not value.requires_grad:
        raise ValueError(_no_dependence())
    return value


def _checked_gradient(gradient: Tensor | None) -> Tensor:
    if gradient is None:
        raise ValueError(_no_dependence())
    bad = ~torch.isfinite(gradient).all(1)
    if bool(bad.any()):
        raise FloatingPointError(
            f"The gradient of the loss is NaN or infinite for descriptor {int(bad.nonzero()[0, 0])} (and {int(bad.sum()) - 1} "
            "more), although the loss is finite. A root or a norm at exactly zero does that; the network got no gradient."
        )
    return gradient


def _no_dependence() -> str:
    advice = "Does it call `.detach()`, `.item()` or NumPy?"
    return message("loss", "a function of the descriptors", "one that does not depend on them", advice)
