"""Benchmark of chapter 06: the listwise AP loss with two bins per score against its formula as it is written."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from harness import benchmark
from torch import Tensor

from course_utils import retrieval

BATCH, DIM, N_BINS = 512, 128, 20


def dense_loss(scores: Tensor, relevant: Tensor, ignore: Tensor) -> Tensor:
    """Return the loss by its formula: every score against every bin, a tensor (Q, M, N)."""
    width = 2 / (N_BINS - 1)
    centers = 1 - width * torch.arange(N_BINS, dtype=scores.dtype)
    share = (1 - (scores.clamp(-1, 1)[:, None, :] - centers[:, None]).abs() / width).clamp_min(0) * ~ignore[:, None, :]
    everything, positive = share.sum(2), (share * relevant[:, None, :]).sum(2)
    precision = positive.cumsum(1) / (everything.cumsum(1) + 1e-16)
    return 1 - ((precision * positive).sum(1) / relevant.sum(1)).mean()


@benchmark(
    f"Listwise AP loss, forward and backward (B = {BATCH}, M = {N_BINS})", ours="two bins per score", theirs="the plain formula"
)
def ap_loss_of_512() -> tuple[Callable, Callable]:
    """Loss and gradient with respect to the descriptors; 8 images per class."""
    generator = torch.Generator().manual_seed(0)
    centres = F.normalize(torch.randn(BATCH // 8, DIM, generator=generator), dim=1)
    labels = torch.arange(BATCH) % (BATCH // 8)
    embeddings = F.normalize(centres[labels] + 0.15 * torch.randn(BATCH, DIM, generator=generator), dim=1)
    sparse_loss = retrieval.ListwiseAPLoss(N_BINS)

    def run(loss: Callable) -> Tensor:
        leaf = embeddings.clone().requires_grad_(True)
        value = loss(*retrieval.score_lists(leaf, labels))
        value.backward()
        return torch.cat([value.detach()[None], leaf.grad.flatten() * BATCH])  # the gradient is a mean over B queries

    return lambda: run(sparse_loss), lambda: run(dense_loss)
