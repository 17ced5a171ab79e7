"""Manifold mixup: blend what two examples look like *inside* the network, and their labels in the same proportion.

**Problem.** Mixup blends inputs. The mixed point may lie where another class lives, and then its label is wrong: two arms of
a spiral, and between them the other arm. **Idea.** Inside a network the classes are better separated, so blend there. A
step draws a layer k of a chosen set S, one lam ~ Beta(alpha, alpha) and one permutation pi of the batch, and runs::

    h = first k layers (x)        h' = lam h + (1 - lam) h[pi]        z = the other layers (h')        y' = lam y + (1 - lam) y[pi]

Gradients flow through both parts of h', and on into the first k layers. k = 0 is mixup.

==============  ======  ==================================================================================
name in code    symbol  meaning
==============  ======  ==================================================================================
``layers``      S       the layers to draw from: 0 is the input, k the tensor that enters ``modules[k - 1]``
``layer``       k       int, the layer of this step
``lam``         lam     float in [0, 1], the part of the example itself
``permutation`` pi      (B,) int64, whom row i is mixed with; the same for the labels
==============  ======  ==================================================================================

The paper minimises the cross-entropy of y'. The released code minimises something else: the *binary* cross-entropy of each
softmax probability, averaged over the classes. The first is the default here, ``loss="bce_softmax"`` the second. For its
ResNet the released code draws k from {0, 1, 2}: the input, and what leaves the first and the second block.

Sources: V. Verma, A. Lamb, C. Beckham, A. Najafi, I. Mitliagkas, D. Lopez-Paz, Y. Bengio, "Manifold Mixup: Better
Representations by Interpolating Hidden States", ICML 2019, arXiv:1806.05236; released code ``vikasverma1077/manifold_mixup``.

Taught in ``15_mixing``, step 5.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from course_utils.augment.mixing import MixPlan, check_finite, soft_labels
from course_utils.augment.sampling import beta
from course_utils.checks import checked_choice, checked_float, checked_int, checked_tensor, message


class ManifoldDraw(NamedTuple):
    """What one step drew: ``layer`` k, ``lam``, and ``permutation`` pi (B,) int64. A tuple of the three does as well."""

    layer: int
    lam: float
    permutation: Tensor

    @property
    def plan(self) -> MixPlan:
        """Return the draw as the plan that every mixer of the course makes; it mixes hidden tensors and labels alike."""
        itself = torch.arange(len(self.permutation), device=self.permutation.device)
        lam = torch.full((len(itself), 1, 1, 1, 1), self.lam, device=itself.device)
        return MixPlan(torch.stack([itself, self.permutation], dim=1), lam)

    def hidden(self, h: Tensor) -> Tensor:
        """Return ``lam h + (1 - lam) h[pi]`` for a tensor (B, ...) of any number of axes."""
        as_images = h.reshape(len(h), math.prod(h.shape[1:]), 1, 1)
        return self.plan.images(as_images).reshape(h.shape)

    def labels(self, labels: Tensor, num_classes: int | None = None) -> Tensor:
        """Return soft labels (B, K), mixed by the same lam and pi, for ``labels`` (B,) int64 or (B, K)."""
        return self.plan.labels(soft_labels(labels, num_classes))


def bce_of_softmax(logits: Tensor, soft: Tensor) -> Tensor:
    """Return the loss of the released code: the binary cross-entropy of softmax probabilities (B, K), mean over B and K."""
    return F.binary_cross_entropy(logits.float().softmax(1), soft.float())


LOSSES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {"ce": F.cross_entropy, "bce_softmax": bce_of_softmax}


class ManifoldMixup(nn.Module):
    """Train a classifier on blends of its own hidden tensors.

    The model is left as it is: hooks stand before the chosen modules during one forward pass, and are gone after it.

    Parameters
    ----------
    model : nn.Module
        Any classifier from a batch (B, ...) to logits (B, K).
    modules : sequence of str or nn.Module
        Parts of the model, by name or themselves, in the order in which they run. Layer k is the tensor that enters
        ``modules[k - 1]``; layer 0 is the input of the model. Each must run once in a forward pass.
    layers : sequence of int, optional
        S, the layers to draw from; by default all, 0 among them.
    alpha : float, default 2.0
        Of the Beta distribution, at least 0: 2 for CIFAR, 0.2 for Tiny-ImageNet. 0 never mixes.
    loss : {"ce", "bce_softmax"}, default "ce"
        What ``loss(logits, soft)`` computes: the paper's or the released code's.

    Notes
    -----
    In evaluation mode nothing is mixed, whatever is asked for. Batch normalisation after layer k sees mixed examples only.

    Raises
    ------
    TypeError, ValueError
        If a module is not part of the model or is named twice, or a layer is out of range; on call, if a module runs twice or
        never, or does not receive a floating tensor with the batch as its first axis, or if images hold NaN.

    Examples
    --------
    >>> network = nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 3))
    >>> mixer = ManifoldMixup(network, ["2", "4"])
    >>> logits, soft = mixer(torch.rand(6, 2), torch.tensor([0, 1, 2, 0, 1, 2]))
    >>> mixer.loss(logits, soft).backward()
    >>> logits.shape, soft.shape
    (torch.Size([6, 3]), torch.Size([6, 3]))
    """

    def __init__(
        self,
        model: nn.Module,
        modules: Sequence[str | nn.Module],
        layers: Sequence[int] | None = None,
        alpha: float = 2.0,
        loss: str = "ce",
    ) -> None:
        super().__init__()
        if not isinstance(model, nn.Module):
            raise TypeError(message("model", "an nn.Module", type(model).__name__))
        self.model = model
        self.names = _names(model, modules)
        last = len(self.names)
        layers = range(last + 1) if layers is None else layers
        self.layers = tuple(sorted({checked_int(k, "layers", low=0, high=last) for k in layers}))
        if not self.layers:
            raise ValueError(message("layers", "at least one layer", "none", "For a clean training leave the mixer out."))
        self.alpha = checked_float(alpha, "alpha", low=0)
        self.loss = LOSSES[checked_choice(loss, "loss", LOSSES)]

    def draw(self, n: int, generator: torch.Generator | None = None, device: Any = None) -> ManifoldDraw:
        """Draw the layer, lam and permutation of one step with ``n`` examples.

        Parameters
        ----------
        generator : torch.Generator, optional
            Source of randomness; torch's global one by default.
        """
        where = None if generator is None else generator.device
        k = self.layers[int(torch.randint(len(self.layers), (1,), generator=generator, device=where))]
        lam = float(beta(1, self.alpha, generator))
        return ManifoldDraw(k, lam, torch.randperm(n, generator=generator, device=where).to(device))

    def forward(
        self,
        images: Tensor,
        labels: Tensor,
        mix: ManifoldDraw | tuple | None = None,
        generator: torch.Generator | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Return logits (B, K) of one mixed forward pass, and the soft labels (B, K) that belong to them.

        Parameters
        ----------
        images : Tensor of shape (B, ...), floating
            Whatever the model takes.
        labels : Tensor of shape (B,) int64, or (B, K) floating with rows of sum 1
        mix : ManifoldDraw or (k, lam, pi), optional
            A draw to be replayed; k may be any layer of the modules. By default a new one.
        """
        check_finite(checked_tensor(images, "images"))
        if len(checked_tensor(labels, "labels", floating=False)) != len(images):
            raise ValueError(message("labels", f"one for each of the {len(images)} examples", f"shape {tuple(labels.shape)}"))
        mix = self.draw(len(images), generator, images.device) if mix is None else mix
        with self.mixing(mix) as drawn:
            logits = self.model(images)
        if not isinstance(logits, Tensor) or logits.ndim != 2:
            got = f"shape {tuple(logits.shape)}" if isinstance(logits, Tensor) else type(logits).__name__
            raise ValueError(message("model", "a classifier with logits (B, K)", got, "See `mixing` for other networks."))
        soft = soft_labels(labels, logits.shape[1])
        return logits, drawn.labels(soft) if self.model.training else soft

    @contextmanager
    def mixing(self, mix: ManifoldDraw | tuple) -> Iterator[ManifoldDraw]:
        """Mix the one forward pass of the model that runs inside of ``with``; in evaluation mode leave it alone.

        Examples
        --------
        >>> network = nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 3))
        >>> mixer = ManifoldMixup(network, ["2"])
        >>> with mixer.mixing(mixer.draw(4)) as drawn:
        ...     logits = network(torch.rand(4, 2))
        >>> soft = drawn.labels(torch.tensor([0, 1, 2, 0]), 3)
        """
        drawn = self._checked(mix)
        if not self.model.training:
            yield drawn
            return

        def visit(k: int, h: Tensor) -> Tensor:
            if k != drawn.layer:
                return h
            if len(h) != len(drawn.permutation):
                got = f"shape {tuple(h.shape)} for a batch of {len(drawn.permutation)}"
                raise ValueError(message(self._title(k), "a tensor whose first axis is the batch", got))
            return drawn.hidden(h)

        with self._visiting(visit):
            yield drawn

    def hidden_states(self, images: Tensor, mix: ManifoldDraw | tuple | None = None) -> list[Tensor]:
        """Return what enters each layer, 0 to the last: tensors (B, ...) without gradient, blended where ``mix`` says so.

        The model runs in the mode that it is in.
        """
        seen: dict[int, Tensor] = {}
        drawn = None if mix is None else self._checked(mix)

        def visit(k: int, h: Tensor) -> Tensor:
            h = h if drawn is None or k != drawn.layer else drawn.hidden(h)
            seen[k] = h.clone()  # the module may write into it
            return h

        with torch.no_grad(), self._visiting(visit):
            self.model(images)
        return [seen[k] for k in sorted(seen)]

    # -------------------------------------------------------------------------------------------------------- the parts

    @contextmanager
    def _visiting(self, visit: Callable[[int, Tensor], Tensor]) -> Iterator[None]:
        """Let ``visit(k, h)`` replace the tensor that enters each layer; every layer has to run once."""
        runs = [0] * (len(self.names) + 1)

        def before(k: int) -> Callable:
            def hook(module: nn.Module, args: tuple) -> tuple:
                runs[k] += 1
                if runs[k] > 1:
                    advice = "One step is one forward pass; a module that is used twice cannot be a layer."
                    raise ValueError(message(self._title(k), "run once in a forward pass", "a second run", advice))
                if not args or not isinstance(args[0], Tensor) or not args[0].is_floating_point():
                    got = "no positional argument" if not args else getattr(args[0], "dtype", type(args[0]).__name__)
                    raise TypeError(message(self._title(k), "given a floating tensor as its first argument", str(got)))
                return (visit(k, args[0]), *args[1:])

            return hook

        handles = []
        try:
            for k, name in enumerate(["", *self.names]):
                handles.append(self.model.get_submodule(name).register_forward_pre_hook(before(k)))
            yield
        finally:
            for handle in handles:
                handle.remove()
        for k, count in enumerate(runs):
            if not count:
                raise ValueError(message(self._title(k), "run once in a forward pass", "no run"))

    def _title(self, k: int) -> str:
        return f"modules[{k - 1}] ({self.names[k - 1]})" if k else "model"

    def _checked(self, mix: ManifoldDraw | tuple) -> ManifoldDraw:
        if not isinstance(mix, tuple) or len(mix) != 3 or not isinstance(mix[2], Tensor):
            raise TypeError(message("mix", "a ManifoldDraw or a tuple (k, lam, pi)", repr(mix)))
        k, lam, permutation = mix
        k, lam = checked_int(k, "k", low=0, high=len(self.names)), checked_float(lam, "lam", low=0, high=1)
        everyone = torch.arange(permutation.numel(), device=permutation.device)
        if permutation.ndim != 1 or not torch.equal(permutation.sort().values, everyone):
            raise ValueError(message("pi", "a permutation of 0 to B - 1, int64", str(permutation.tolist())))
        return ManifoldDraw(k, lam, permutation)

    def extra_repr(self) -> str:
        return f"modules={self.names}, layers={self.layers}, alpha={self.alpha:g}"


def _names(model: nn.Module, modules: Sequence[str | nn.Module]) -> tuple[str, ...]:
    """Return the names inside ``model`` of modules that are given by name or themselves."""
    if isinstance(modules, (str, nn.Module)):
        modules = [modules]
    parts = {name: module for name, module in model.named_modules() if name}
    names = []
    for given in modules:
        found = [name for name, module in parts.items() if name == given or module is given]
        if not found:
            got = repr(given) if isinstance(given, str) else type(given).__name__
            raise ValueError(message("modules", "parts of the model", got, f"The model has {', '.join(parts) or 'no parts'}."))
        names.append(found[0])
    if len(set(names)) < len(names):
        raise ValueError(message("modules", "different modules", str(names)))
    return tuple(names)
