"""Benchmarks of chapter 06: multistage back-propagation, what it costs and what it saves."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from harness import benchmark, memory_benchmark
from torch import Tensor, nn

from course_utils import retrieval
from course_utils.training import multistage_backward

BATCH, SIZE, CHUNK = 256, 64, 16


def embedding_network() -> nn.Module:
    """Images (b, 3, 64, 64) -> unit vectors (b, 64); group norm, so that every image is treated for itself."""

    def block(n_in: int, n_out: int) -> list[nn.Module]:
        return [nn.Conv2d(n_in, n_out, 3, padding=1, bias=False), nn.GroupNorm(4, n_out), nn.ReLU(), nn.MaxPool2d(2)]

    torch.manual_seed(0)
    body = nn.Sequential(*block(3, 16), *block(16, 32), *block(32, 64), nn.AdaptiveAvgPool2d(1), nn.Flatten())

    class Unit(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return nn.functional.normalize(x, dim=1)

    return nn.Sequential(body, nn.Linear(64, 64), Unit())


def both_ways() -> tuple[Callable, Callable]:
    """Return multistage and single pass on one batch; each gives the loss and the length of its gradient."""
    model = embedding_network()
    images = torch.randn(BATCH, 3, SIZE, SIZE)
    labels = torch.arange(BATCH) % 32
    listwise = retrieval.ListwiseAPLoss()

    def loss(descriptors: Tensor) -> Tensor:
        return listwise(*retrieval.score_lists(descriptors, labels))

    def figures(value: Tensor) -> Tensor:
        norms = [p.grad.norm() for p in model.parameters()]
        model.zero_grad()
        return torch.stack([value.detach(), torch.stack(norms).norm()])

    def multistage() -> Tensor:
        return figures(multistage_backward(model, images, loss, CHUNK).loss)

    def single_pass() -> Tensor:
        value = loss(model(images))
        value.backward()
        return figures(value)

    warm_up = nn.functional.normalize(model(images[:2]), dim=1).sum()  # what the libraries load at the first call
    warm_up.backward()
    model.zero_grad()
    return multistage, single_pass


def both_equal(ours: object, theirs: object) -> bool:
    """Whether the loss and the (much smaller) gradient agree, each relative to itself."""
    return bool(np.allclose(ours, theirs, rtol=1e-3, atol=0))


TITLE = f"Gradient of the listwise AP loss, CNN, {BATCH} images of {SIZE} x {SIZE}"


@benchmark(f"{TITLE}: time", ours=f"multistage, {CHUNK} at a time, two forward passes", theirs="one pass", agree=both_equal)
def time_of_a_batch() -> tuple[Callable, Callable]:
    """A second forward pass is the price; small chunks win some of it back, because their memory is used again."""
    return both_ways()


@memory_benchmark(f"{TITLE}: peak memory", ours=f"multistage, {CHUNK} at a time", theirs="one pass", agree=both_equal)
def memory_of_a_batch() -> tuple[Callable, Callable]:
    """What is bought with it."""
    return both_ways()
