"""The training that the claims about augmentation share: the same pictures in the same order for every arm.

An arm of a comparison differs from the others in one thing: in what it does to a batch, or in its loss. Everything else is
here, and depends on the seed alone: the order of the images, the mirror and the shift that every arm gets, the weights at
the start, the number of steps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from course_utils import augment, training
from course_utils.augment.sampling import RandomTransform
from course_utils.training.backbones import drawing_from

SHIFT = 4
"""Pixels by which every training image moves at most, in all arms: a method has to help on top of what is usual."""
WIDTHS = (24, 48, 64)
"""Channels of the three convolutions of ``small_network``."""
RATE, DECAY, MOMENTUM = 0.1, 5e-4, 0.9  # the released code of AugMix: Nesterov's momentum, cosine to (almost) nothing
BATCH = 32


@dataclass(frozen=True)
class LabelledImages:
    """Images (N, 3, H, W) uint8 with their classes (N,) int64, to learn from and to be judged on."""

    train_images: Tensor
    train_labels: Tensor
    test_images: Tensor
    test_labels: Tensor

    @property
    def n_classes(self) -> int:
        """Return the number of classes: the largest training label plus 1."""
        return int(self.train_labels.max()) + 1


class Batches:
    """Endless batches of random images, half of them mirrored, all moved a little, then changed by a transform.

    Parameters
    ----------
    images : Tensor of shape (N, 3, H, W), uint8
    labels : Tensor of shape (N,), int64
    batch_size : int
    seed : int
    transform : RandomTransform, optional
        Draws from a stream of its own, so that another transform sees the same images in the same order.
    """

    def __init__(
        self, images: Tensor, labels: Tensor, batch_size: int, seed: int, transform: RandomTransform | None = None
    ) -> None:
        self.images, self.labels, self.batch_size, self.seed, self.transform = images, labels, batch_size, seed, transform

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        order, chance = (torch.Generator().manual_seed(2 * self.seed + k) for k in (0, 1))
        usual = (
            augment.Flip(p=0.5),
            augment.RandomCrop(tuple(self.images.shape[2:]), padding_pixels=SHIFT, padding="reflection"),
        )
        while True:
            rows = torch.randint(len(self.images), (self.batch_size,), generator=order)
            batch = self.images[rows]
            for change in usual:
                batch = change.replay(batch, change.draw(batch, order))
            if self.transform is not None:
                batch = self.transform.replay(batch, self.transform.draw(batch, chance))
            yield batch, self.labels[rows]


class ToUnits(nn.Module):
    """Images, uint8 or in [0, 1], as numbers around 0: the last thing before the network, after every augmentation."""

    def forward(self, images: Tensor) -> Tensor:
        """Return ``(x - 0.5) / 0.25``, float32, in the memory layout that convolutions like."""
        pixels = images.float() / 255 if images.dtype == torch.uint8 else images
        return ((pixels - 0.5) * 4).contiguous(memory_format=torch.channels_last)


def small_network(n_classes: int, seed: int, behind: Callable[[], nn.Module] | None = None) -> nn.Sequential:
    """Return three convolutions and a linear classifier for images of 16 to 64 pixels.

    Parameters
    ----------
    n_classes : int
    seed : int
        Of the weights.
    behind : callable, optional
        Makes a module that is put behind each of the first two convolutions.
    """
    layers: list[nn.Module] = [ToUnits()]
    with drawing_from(torch.Generator().manual_seed(seed)):
        for i, (n_in, n_out) in enumerate(zip((3, *WIDTHS), WIDTHS)):
            kernel, stride = (5, 2) if i == 0 else (3, 1)
            layers += [nn.Conv2d(n_in, n_out, kernel, stride, kernel // 2, bias=False), nn.BatchNorm2d(n_out), nn.ReLU()]
            if behind is not None and i < 2:
                layers.append(behind())
            if i == 1:
                layers.append(nn.MaxPool2d(2))
        layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(WIDTHS[-1], n_classes)]
    return nn.Sequential(*layers).to(memory_format=torch.channels_last)


Loss = Callable[[nn.Module, Tensor, Tensor, torch.Generator], Tensor]
"""``loss(network, images, labels, generator)``: what one arm makes of a batch; the generator is its own stream."""


def descended(network: nn.Module, loss: Loss, pictures: LabelledImages, seed: int, n_steps: int) -> nn.Module:
    """Return the network after ``n_steps`` of gradient descent on batches that are the same for every loss."""
    optimizer = torch.optim.SGD(network.parameters(), RATE, MOMENTUM, weight_decay=DECAY, nesterov=True)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, n_steps, eta_min=1e-6)
    batches = Batches(pictures.train_images, pictures.train_labels, BATCH, seed)
    chance = torch.Generator().manual_seed(2 * seed + 1)
    training.fit(
        network,
        batches,
        lambda network, batch: loss(network, *batch, chance),
        optimizer,
        n_steps=n_steps,
        schedule=schedule,
        device="cpu",
    )
    return network.eval()
