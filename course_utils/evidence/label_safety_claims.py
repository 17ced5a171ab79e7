"""Which changes keep the label, and which of them help? Experiments for `13_colour_and_space`.

Five questions, each with networks that differ in the augmentation only: same images, same start, same order of batches.

``safe_transforms``        real digits, ten of each class, under transforms that keep what they mean
``unsafe_transforms``      the same under transforms that turn some digits into others
``turned_sixes``           what a network that has seen upright digits reads when a 6 stands on its head
``two_questions``          painted digits: one transform, two labels; it rescues one question and destroys the other
``augmentation_nuisance``  toys: the matrix of augmentations against changes that training has never shown

Source of the design: the course's cards 07 (section 6, with steps and rate for the digits) and 09 (sections 2 and 8). Steps and
rate for the toys were chosen on training and validation pictures of seed 0, which no recorded run uses.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_utils import augment, data, training
from course_utils.augment.sampling import RandomTransform

PER_CLASS, N_TEST = 10, 1300
DIGIT_STEPS, DIGIT_BATCH, DIGIT_RATE = 250, 50, 1e-2
UNSAFE = ("horizontal flip", "half turn")
HUES = 3
SHORTCUT = 0.95
"""Share of the training digits of ``two_questions`` that wear the colour of their class."""


# ------------------------------------------------------------------------------------------------------------ one training


def train_classifier(
    images: Tensor,
    labels: Tensor,
    transform: RandomTransform | None,
    seed: int,
    network: nn.Module,
    n_steps: int,
    batch_size: int,
    rate: float,
) -> nn.Module:
    """Return a network that has learned the labels of images that ``transform`` changes anew in every step.

    Parameters
    ----------
    images : Tensor of shape (N, C, H, W), float32 in [0, 1]
    labels : Tensor of shape (N,), int64
    transform : RandomTransform, optional
        None trains on the images as they are.
    seed : int
        Of the batches and of the transform, from two streams: another transform sees the same batches.
    network : nn.Module
        Trained in place.
    rate : float
        Largest learning rate; it rises over the first third of the steps and falls to zero.
    """
    order, chance = (torch.Generator().manual_seed(2 * seed + k) for k in (0, 1))
    optimizer = torch.optim.AdamW(network.parameters(), lr=rate, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=n_steps)
    network.train()
    for _ in range(n_steps):
        rows = torch.randint(len(images), (batch_size,), generator=order)
        batch = images[rows]
        if transform is not None:
            batch = transform.replay(batch, transform.draw(batch, generator=chance))
        loss = F.cross_entropy(network(batch - 0.5), labels[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return network.eval()


def answers(network: nn.Module, images: Tensor) -> Tensor:
    """Return the classes (N,) that a trained network reads in images (N, C, H, W), float32 in [0, 1]."""
    return training.in_parts(network, network, images - 0.5, 256).argmax(1)


# -------------------------------------------------------------------------------------------------------------- the digits


@lru_cache(1)
def digits() -> tuple[Tensor, Tensor]:
    """Return scikit-learn's handwritten digits: images (1797, 3, 8, 8) in [0, 1], three equal channels, and labels."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    images = torch.tensor(bunch.images / 16, dtype=torch.float32)[:, None].repeat(1, 3, 1, 1)
    return images, torch.tensor(bunch.target)


def split_digits(seed: int, per_class: int = PER_CLASS, n_test: int = N_TEST) -> tuple[Tensor, Tensor]:
    """Return row numbers of a training set with ``per_class`` digits of each class, and of ``n_test`` others."""
    labels = digits()[1].numpy()
    random = np.random.default_rng(seed)
    train = np.concatenate([random.permutation(np.flatnonzero(labels == k))[:per_class] for k in range(10)])
    rest = np.setdiff1d(np.arange(len(labels)), train)
    return torch.from_numpy(train), torch.from_numpy(random.permutation(rest)[:n_test])


def digit_transforms() -> dict[str, RandomTransform | None]:
    """Return the transforms of the digits: three keep the label, and the ``UNSAFE`` ones do not always."""
    still = {"degrees": 0, "translate": 0, "scale": (1, 1), "shear": 0}
    return {
        "none": None,
        "small affine": augment.Affine(**still | {"degrees": 12, "translate": 1 / 8, "scale": (0.9, 1.1)}),
        "shift by a pixel": augment.RandomCrop(8, padding_pixels=1),
        "rotation by 15": augment.Rotation(15),
        "horizontal flip": augment.Flip(p=0.5),
        "half turn": augment.Rotation((180, 180), p=0.5),
    }


@lru_cache(12)
def digit_network(seed: int, transform: str, n_steps: int | None = None) -> nn.Module:
    """Return the network of one seed, trained on ten digits of each class with one of ``digit_transforms``."""
    images, labels = digits()
    train, _ = split_digits(seed)
    network = training.SmallCNN(dim=16, n_classes=10, generator=torch.Generator().manual_seed(seed))
    change = digit_transforms()[transform]
    n_steps = n_steps or DIGIT_STEPS
    return train_classifier(images[train], labels[train], change, seed, network, n_steps, DIGIT_BATCH, DIGIT_RATE)


def safe_transforms(seed: int) -> dict[str, float]:
    """Return the accuracy on test digits after training without augmentation, and with each transform that keeps the label."""
    return {name: digit_accuracy(seed, name) for name in digit_transforms() if name not in UNSAFE}


def unsafe_transforms(seed: int) -> dict[str, float]:
    """Return the accuracy on test digits after training without augmentation, and with each transform that may change the label."""
    return {name: digit_accuracy(seed, name) for name in ("none", *UNSAFE)}


def digit_accuracy(seed: int, transform: str, n_steps: int | None = None) -> float:
    """Return the share of the test digits, as they are, that a network reads rightly."""
    images, labels = digits()
    _, test = split_digits(seed)
    return float((answers(digit_network(seed, transform, n_steps), images[test]) == labels[test]).double().mean())


def read_as(network: nn.Module, rows: Tensor, degrees: float, digit: int) -> float:
    """Return the share of the digits ``rows`` that the network reads as ``digit`` when they are turned counter-clockwise."""
    turned = augment.Rotation((degrees, degrees))(digits()[0][rows])
    return float((answers(network, turned) == digit).double().mean())


def turned_sixes(seed: int) -> dict[str, float]:
    """Return how often upright and turned 6s and 9s are read as the other one, by a network that has seen upright digits."""
    _, labels = digits()
    network, (_, test) = digit_network(seed, "none"), split_digits(seed)
    sixes, nines = test[labels[test] == 6], test[labels[test] == 9]
    return {
        "6 read as 9, half a turn": read_as(network, sixes, 180, 9),
        "6 read as 9, upright": read_as(network, sixes, 0, 9),
        "9 read as 6, half a turn": read_as(network, nines, 180, 6),
        "9 read as 6, upright": read_as(network, nines, 0, 6),
    }


# --------------------------------------------------------------------------------------------------------- painted digits


def painted_digits(seed: int, rows: Tensor, shortcut: float) -> tuple[Tensor, Tensor, Tensor]:
    """Return painted digits with the answers to two questions.

    Parameters
    ----------
    rows : Tensor of shape (N,)
        Row numbers of ``digits``.
    shortcut : float
        Share of the digits whose colour is that of their class, ``digit % 3``; the others get a random one.

    Returns
    -------
    images : Tensor of shape (N, 3, 8, 8), float32 in [0, 1]
        Bright ink on black: red, green or blue, each in many tones.
    which_digit, which_colour : Tensor of shape (N,), int64
    """
    images, labels = digits()
    chance = torch.Generator().manual_seed(seed)
    n = len(rows)
    colours = torch.where(
        torch.rand(n, generator=chance) < shortcut, labels[rows] % HUES, torch.randint(HUES, (n,), generator=chance)
    )
    ink = F.one_hot(colours, HUES).float()[:, :, None, None].expand(-1, -1, 8, 8)
    softness = 0.1 + 0.4 * torch.rand(n, generator=chance)  # white in the ink
    tone = augment.HueJitter(0.08)
    ink = tone.apply(ink * (1 - softness.view(-1, 1, 1, 1)) + softness.view(-1, 1, 1, 1), tone.sample(n, (3, 8, 8), chance))
    return images[rows] * ink, labels[rows], colours


def two_questions(seed: int, n_steps: int | None = None) -> dict[str, float]:
    """Return the accuracy of both questions, "which digit?" and "which colour?", without and with hue jitter.

    In training nearly every digit wears the colour of its class; in the test set all colours are random.
    """
    train, test = split_digits(seed)
    seen, *seen_labels = painted_digits(2 * seed, train, SHORTCUT)
    new, *new_labels = painted_digits(2 * seed + 1, test, 0.0)
    figures = {}
    for question, labels, truth, n_classes in zip(("digit", "colour"), seen_labels, new_labels, (10, HUES)):
        for name, transform in (("no jitter", None), ("hue jitter", augment.HueJitter(0.5))):
            network = training.SmallCNN(dim=16, n_classes=n_classes, generator=torch.Generator().manual_seed(seed))
            train_classifier(seen, labels, transform, seed, network, n_steps or DIGIT_STEPS, DIGIT_BATCH, DIGIT_RATE)
            figures[f"which {question}, {name}"] = float((answers(network, new) == truth).double().mean())
    return figures


# -------------------------------------------------------------------------------------------- augmentations and nuisances

N_TOYS, N_NEW_TOYS, TOY_SIZE = 1200, 300, 32
TOY_STEPS, TOY_BATCH, TOY_RATE, TOY_WIDTH = 1000, 32, 5e-3, 24
NUISANCES = {
    "rotation": "rotated",
    "zoom": "small",
    "shift": "moved",
    "flip": "right",
    "darkness": "dark",
    "colour cast": "tinted",
    "noise": "noisy",
    "blur": "blurred",
}
"""Each augmentation, and the views of ``data.Sprites`` whose nuisance it imitates."""


def toy_transforms() -> dict[str, RandomTransform | None]:
    """Return an augmentation for every nuisance of the toys; the mirrored border leaves no black corners to read."""
    still = {"degrees": 0, "translate": 0, "scale": (1, 1), "shear": 0, "padding": "reflection"}
    return {
        "none": None,
        "rotation": augment.Rotation(70, padding="reflection"),
        "zoom": augment.Affine(**still | {"scale": (0.45, 1.0)}),
        "shift": augment.Affine(**still | {"translate": 0.3}),
        "flip": augment.Flip(p=0.5),
        "darkness": augment.BrightnessJitter((0.15, 1.1)),
        "colour cast": augment.ColorJitter(saturation=0.8, hue=0.5),
        "noise": augment.GaussianNoise((0.0, 0.15)),
        "blur": augment.GaussianBlur(sigma=(0.0, 1.6)),
    }


def toy_network(seed: int, width: int) -> nn.Module:
    """Return a fresh classifier of six toys, (B, 3, 32, 32) to (B, 6): four convolutions, three of them with stride 2."""
    layers, n_in = [], 3
    for n_out, kernel, stride in ((width, 5, 2), (2 * width, 3, 2), (2 * width, 3, 1), (4 * width, 3, 2)):
        layers += [nn.Conv2d(n_in, n_out, kernel, stride, kernel // 2, bias=False), nn.BatchNorm2d(n_out), nn.ReLU()]
        n_in = n_out
    with training.drawing_from(torch.Generator().manual_seed(seed)):
        return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(n_in, 6))


def looking_left(views: str) -> data.sprites.Views:
    """Return views of the toys that all look to the left, except for ``"right"``: so the flip is a nuisance of its own."""
    known = data.sprites.VIEWS[views]
    return known if views == "right" else replace(known, mirrored=True)


@lru_cache(12)
def toys(split: str, seed: int, views: str, n: int) -> tuple[Tensor, Tensor]:
    """Return images (n, 3, 32, 32), float32 in [0, 1], and labels (n,) of ``data.Sprites``."""
    pictures = data.Sprites(split, seed=seed, n=n, size=TOY_SIZE, views=looking_left(views))
    return pictures.images.float() / 255, pictures.labels


@lru_cache(2)
def toy_accuracies(seed: int) -> dict[str, float]:
    """Return the accuracy of every augmentation under the usual views and under every nuisance: keys "rotation | rotated"."""
    tests = {views: toys("test", seed, views, N_NEW_TOYS) for views in ("usual", *NUISANCES.values())}
    return cell_accuracies(seed, toys("train", seed, "usual", N_TOYS), tests, toy_transforms())


def cell_accuracies(
    seed: int,
    train: tuple[Tensor, Tensor],
    tests: Mapping[str, tuple[Tensor, Tensor]],
    transforms: Mapping[str, RandomTransform | None],
    n_steps: int | None = None,
    width: int | None = None,
) -> dict[str, float]:
    """Train one network for each transform, and return its accuracy on each test set: keys "transform | test set"."""
    cells = {}
    for name, transform in transforms.items():
        network = toy_network(seed, width or TOY_WIDTH)
        train_classifier(*train, transform, seed, network, n_steps or TOY_STEPS, TOY_BATCH, TOY_RATE)
        for views, (images, labels) in tests.items():
            cells[f"{name} | {views}"] = float((answers(network, images) == labels).double().mean())
    return cells


def gains(cells: Mapping[str, float]) -> np.ndarray:
    """Return the matrix (augmentations, nuisances) of accuracy minus that without augmentation, in the order of ``NUISANCES``."""
    return np.array([[cells[f"{name} | {v}"] - cells[f"none | {v}"] for v in NUISANCES.values()] for name in NUISANCES])


def augmentation_nuisance(seed: int) -> dict[str, float]:
    """Return the mean gain of the augmentations on the nuisance that they imitate, and on all the others."""
    matrix = gains(toy_accuracies(seed))
    own = np.eye(len(matrix), dtype=bool)
    return {
        "own nuisance": float(matrix[own].mean()),
        "other nuisances": float(matrix[~own].mean()),
        "no augmentation": 0.0,
    }
