"""Does it pay to hide parts of the training images? Experiments for `14_erasing`.

The claims: Z. Zhong et al., "Random Erasing Data Augmentation", AAAI 2020, arXiv:1708.04896; T. DeVries, G. W. Taylor,
"Improved Regularization of Convolutional Neural Networks with Cutout", 2017, arXiv:1708.04552; K. K. Singh, Y. J. Lee,
"Hide-and-Seek", ICCV 2017, arXiv:1704.04232.

All arms of a comparison share the images, the start, the order of the batches and the number of steps; they differ in what is
hidden. ``data.Sprites`` asks for classification, ``data.SpriteScenes`` for detection, ``data.Pedestrians`` for
re-identification, ``data.Creatures`` for localisation from labels alone. Test images come as they are and with things in the
way whose surfaces no training image shows. Every constant was chosen on training and validation images of seed 0, which no
recorded run uses.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_utils import augment, data, retrieval, training
from course_utils.augment.erasing import covered
from course_utils.augment.filling import constant_fill
from course_utils.augment.sampling import RandomTransform
from course_utils.evidence.image_training import Batches
from course_utils.training import standardize


@dataclass(frozen=True)
class Recipe:
    """A training: channels of the network, steps, images a step, largest learning rate."""

    width: int
    n_steps: int
    batch_size: int = 32
    rate: float = 4e-3


CLASSIFIER = Recipe(width=24, n_steps=1000)
SIZE, PER_CLASS, N_TEST = 32, 200, 600
OCCLUSIONS = (0.2, 0.4)
"""Hidden shares of the box in the occluded tests; their accuracies are averaged."""
LENGTHS = (0, 4, 8, 12, 16, 24)
"""Sides of Cutout's square at 32 pixels; 0 hides nothing."""
CELLS = (0, 4, 8)
"""Sides of Hide-and-Seek's cells at 32 pixels: about a seventh of the paper's."""
REIDENTIFIER = Recipe(width=32, n_steps=600, batch_size=48)
HEIGHT, PERSON_OCCLUSION = 48, 0.3
DETECTOR_WIDTH, DETECTOR_STEPS = 32, 1300
N_SCENES, SCENE_OCCLUSION = {"train": 1000, "test": 200}, 0.3
LOCALISER = Recipe(width=24, n_steps=500)
N_CREATURES = {"train": 400, "validation": 200, "test": 400}


# ------------------------------------------------------------------------------------------------------------ one training


Watching = Callable[[nn.Module, Tensor], Tensor]
"""``watching(network, images)``: the images, changed by what the network of this step makes of them."""


def train_classifier(
    images: Tensor,
    labels: Tensor,
    transform: RandomTransform | None,
    seed: int,
    recipe: Recipe,
    n_classes: int | None = None,
    watching: Watching | None = None,
) -> training.SmallCNN:
    """Return a network that has learned the labels of images that ``transform`` changes anew in every step.

    Parameters
    ----------
    images : Tensor of shape (N, 3, H, W), uint8
    labels : Tensor of shape (N,), int64
    transform : RandomTransform, optional
        None shows the images as they are, apart from the mirror.
    seed : int
        Of the weights, the batches and the transform.
    n_classes : int, optional
        Default: the largest label plus 1.
    watching : callable, optional
        Changes every batch by what the network answers to at this moment.
    """
    n_classes = int(labels.max()) + 1 if n_classes is None else n_classes
    network = training.SmallCNN(recipe.width, n_classes, generator=torch.Generator().manual_seed(seed))
    optimizer = torch.optim.AdamW(network.parameters(), lr=recipe.rate, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, recipe.rate, total_steps=max(recipe.n_steps, 2), pct_start=0.2)
    batches = Batches(images, labels, recipe.batch_size, seed, transform)

    def step(network: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
        images, labels = batch
        return _loss(network, images if watching is None else watching(network, images), labels)

    training.fit(
        network, batches, step, optimizer, n_steps=recipe.n_steps, schedule=schedule, description="training a classifier"
    )
    return network.eval()


def _loss(network: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
    return F.cross_entropy(network(standardize(images).contiguous(memory_format=torch.channels_last)), labels)


def accuracy(network: nn.Module, pictures: Any) -> float:
    """Return the share of ``pictures.images`` whose class has the largest logit."""
    answers = training.in_parts(network, network, standardize(pictures.images), 256).argmax(1)
    return float((answers == pictures.labels).double().mean())


# ---------------------------------------------------------------------------------------------------------- classification


def toys(split: str, seed: int, occlusion: float = 0.0) -> data.Sprites:
    """Return the toys of a split: few to learn from, many to test on."""
    if split == "train":
        return data.Sprites("train", seed, few_shot=PER_CLASS, size=SIZE)
    return data.Sprites(split, seed, n=N_TEST, size=SIZE, occlusion=occlusion)


def hiding(name: str, images: Tensor, task: str = "classification") -> RandomTransform | None:
    """Return the transform of an arm: what it hides of the training images.

    Parameters
    ----------
    name : str
        "none", "Random Erasing", "Random Erasing, random fill", "Hide-and-Seek" or "Cutout 8" (any side; 0 hides nothing).
    images : Tensor of shape (N, 3, H, W), uint8
        The training images. All but the random fill write their mean pixel: on validation toys the paper's random values did
        much worse.
    task : str, default "classification"
        Of ``RandomErasing.preset``.
    """
    mean = augment.channel_means(images)
    if name in ("none", "Cutout 0"):
        return None
    if name.startswith("Random Erasing"):
        return augment.RandomErasing.preset(task, value="random" if name.endswith("random fill") else "mean", mean=mean)
    if name == "Hide-and-Seek":
        return augment.HideAndSeek(CELLS, mean=mean)
    return augment.Cutout(int(name.removeprefix("Cutout ")), mean=mean)


@lru_cache(maxsize=16)
def toy_classifier(seed: int, arm: str) -> training.SmallCNN:
    """Return the network of one seed and one arm; trained once a process, because several claims ask about it."""
    train = toys("train", seed)
    arm = "none" if arm == "Cutout 0" else arm
    return train_classifier(train.images, train.labels, hiding(arm, train.images), seed, CLASSIFIER)


def classification(seed: int, arms: tuple[str, ...] = ("Random Erasing", "none")) -> dict[str, float]:
    """Return the accuracy of every arm on whole toys and on partly hidden ones."""
    figures = {}
    for arm in arms:
        network = toy_classifier(seed, arm)
        figures[f"{arm}, clean"] = accuracy(network, toys("test", seed))
        figures[f"{arm}, occluded"] = float(np.mean([accuracy(network, toys("test", seed, share)) for share in OCCLUSIONS]))
    return figures


def fills(seed: int) -> dict[str, float]:
    """Return the same for the mean pixel and for random values as the filling of Random Erasing."""
    return classification(seed, ("Random Erasing, random fill", "Random Erasing"))


def cutout_sizes(seed: int) -> dict[str, float]:
    """Return the accuracy on whole toys for every side of Cutout's square, and of the side that validation chose.

    The chosen side is the one of ``LENGTHS`` between the ends with the best accuracy on the seed's own validation toys.
    """
    networks = {f"Cutout {length}": toy_classifier(seed, f"Cutout {length}") for length in LENGTHS}
    validated = {name: accuracy(network, toys("validation", seed)) for name, network in networks.items()}
    figures = {name: accuracy(network, toys("test", seed)) for name, network in networks.items()}
    inner = [f"Cutout {length}" for length in LENGTHS[1:-1]]
    return figures | {"best inner side": figures[max(inner, key=validated.get)]}


def activations(seed: int) -> dict[str, float]:
    """Return how strong the first and the last layer answer to test toys, after training with Cutout and without.

    "first layer": the mean of all magnitudes. "last layer, tail": the mean of the magnitudes beyond the largest tenth.
    """
    images, figures = standardize(toys("test", seed).images), {}
    for arm, name in ((f"Cutout {LENGTHS[2]}", "Cutout"), ("none", "none")):
        network = toy_classifier(seed, arm)
        relus = [part for part in network.body if isinstance(part, nn.ReLU)]
        curves = augment.sorted_activations(network, images, {"first": relus[0], "last": relus[-1]})
        figures[f"first layer, {name}"] = float(curves["first"].mean())
        figures[f"last layer, tail, {name}"] = float(curves["last"][len(curves["last"]) // 10 :].mean())
    return figures


def hiding_what_excites(images: Tensor, side: int | None = None) -> Watching:
    """Return what the authors of Cutout tried first: every image loses the region that its network answers to most.

    Parameters
    ----------
    images : Tensor of shape (N, 3, H, W), uint8
        The training images; their mean pixel is written.
    side : int, optional
        Hide a square of this side around the middle of the region, and not the region itself.
    """
    mean = augment.channel_means(images)

    def watching(network: nn.Module, batch: Tensor) -> Tensor:
        region = augment.most_active_region(network, standardize(batch))  # (B, 1, H, W)
        if side is not None:
            region = covered(_squares(region[:, 0], side), *batch.shape[-2:])
        return torch.where(region, constant_fill(mean, batch), batch)

    return watching


def _squares(regions: Tensor, side: int) -> Tensor:
    """Return rectangles (B, 1, 4) of one side around the middles of regions (B, H, W); nothing where a region is empty."""
    n = regions.sum((1, 2)).clamp_min(1)
    steps = [torch.arange(length) for length in regions.shape[1:]]
    middle = [(regions.sum(axis) * step).sum(1) / n for axis, step in zip((2, 1), steps)]  # rows, columns
    first = (torch.stack(middle, 1) - side / 2 + 0.5).round().long()  # (B, 2)
    sides = side * regions.any(2).any(1)[:, None].long().expand(-1, 2)
    return torch.cat([first, sides], dim=1)[:, None]


def targeted(seed: int) -> dict[str, float]:
    """Return the accuracy on whole toys after hiding a random square, or what excites the network most."""
    train, test, side = toys("train", seed), toys("test", seed), LENGTHS[2]
    figures = {"random square": accuracy(toy_classifier(seed, f"Cutout {side}"), test)}
    for name, watching in (
        ("square on the most active region", hiding_what_excites(train.images, side)),
        ("most active region", hiding_what_excites(train.images)),
    ):
        network = train_classifier(train.images, train.labels, None, seed, CLASSIFIER, watching=watching)
        figures[name] = accuracy(network, test)
    return figures


# --------------------------------------------------------------------------------------------------------------- detection


def train_scene_detector(seed: int, arm: str) -> training.CenterNet:
    """Return a detector of toys, trained with Random Erasing in image and objects (I+ORE) or without."""
    generator = torch.Generator().manual_seed(seed)
    detector = training.CenterNet(6, width=DETECTOR_WIDTH, generator=generator)
    scenes = data.SpriteScenes("train", seed, n_images=N_SCENES["train"])
    transform = hiding(arm, scenes.images, "detection")
    training.train_detector(detector, scenes, DETECTOR_STEPS, transform=transform, generator=generator)
    return detector.eval()


def detection_precision(detector: training.CenterNet, scenes: data.SpriteScenes) -> float:
    """Return the mean average precision at an overlap of 0.5 (PASCAL VOC 2010)."""
    found = detector.detect(scenes.images)
    return retrieval.detection_mean_average_precision(found, scenes.objects, protocol="voc2010").mean


def detection(seed: int) -> dict[str, float]:
    """Return the detection mAP on whole scenes and on scenes with something in front of every toy."""
    figures = {}
    for arm in ("Random Erasing", "none"):
        detector = train_scene_detector(seed, arm)
        for name, share in (("clean", 0.0), ("occluded", SCENE_OCCLUSION)):
            scenes = data.SpriteScenes("test", seed, n_images=N_SCENES["test"], occlusion=share)
            figures[f"{arm}, {name}"] = detection_precision(detector, scenes)
    return figures


# ------------------------------------------------------------------------------------------------------- re-identification


def train_reidentifier(seed: int, arm: str) -> training.SmallCNN:
    """Return a network that tells the training people apart, trained with Random Erasing or without."""
    people = data.Pedestrians("train", seed, HEIGHT)
    transform = hiding(arm, people.images, "reidentification")
    return train_classifier(people.images, people.identities, transform, seed, REIDENTIFIER)


def search_people(network: training.SmallCNN, queries: data.Pedestrians, gallery: data.Pedestrians) -> retrieval.Reidentification:
    """Return how well the cosine between average features finds the queries' people in other cameras."""
    vectors = [
        F.normalize(training.in_parts(network, network.embed, standardize(side.images), 256), dim=1)
        for side in (queries, gallery)
    ]
    return retrieval.reidentification(
        vectors[0] @ vectors[1].T, queries.identities, gallery.identities, queries.cameras, gallery.cameras
    )


def reidentification(seed: int) -> dict[str, float]:
    """Return the mAP of people never trained on, for queries as they are and with something in front."""
    gallery, figures = data.Pedestrians("gallery", seed, HEIGHT), {}
    for arm in ("Random Erasing", "none"):
        network = train_reidentifier(seed, arm)
        for name, share in (("clean", 0.0), ("occluded", 1.0)):
            queries = data.Pedestrians("query", seed, HEIGHT, PERSON_OCCLUSION, share)
            figures[f"{arm}, {name}"] = search_people(network, queries, gallery).mean_average_precision
    return figures


# ------------------------------------------------------------------------------------------------------------ localisation


@lru_cache(maxsize=4)
def train_creature_classifier(seed: int, arm: str) -> training.SmallCNN:
    """Return a network that names creatures, trained with Hide-and-Seek or without."""
    train = data.Creatures("train", seed, n=N_CREATURES["train"], size=SIZE)
    return train_classifier(train.images, train.labels, hiding(arm, train.images), seed, LOCALISER)


def localisation_set(network: training.SmallCNN, animals: data.Creatures) -> augment.LocalisationSet:
    """Return the class activation maps of the true classes, and what is true about the animals."""
    images = standardize(animals.images)
    return augment.LocalisationSet(
        maps=augment.class_activation_maps(network, images, animals.labels),
        boxes=animals.boxes,
        masks=animals.masks,
        predicted=training.in_parts(network, network, images, 256).argmax(1),
        labels=animals.labels,
    )


def localisation(seed: int) -> dict[str, float]:
    """Return the measures of weakly supervised localisation with Hide-and-Seek and without, and the accuracy.

    "GT-known Loc" takes its threshold from validation animals with boxes, the same procedure in both arms.
    """
    figures = {}
    for arm in ("Hide-and-Seek", "none"):
        network = train_creature_classifier(seed, arm)
        sides = [data.Creatures(split, seed, n=N_CREATURES[split], size=SIZE) for split in ("validation", "test")]
        report = augment.judge_localisation(*(localisation_set(network, side) for side in sides))
        figures |= {
            f"{arm}, GT-known Loc": report.box_accuracy,
            f"{arm}, fixed threshold": report.fixed_accuracy,
            f"{arm}, MaxBoxAcc": report.max_box_accuracy,
            f"{arm}, MaxBoxAccV2": report.max_box_accuracy_v2,
            f"{arm}, PxAP": report.pixel_ap,
            f"{arm}, accuracy": accuracy(network, sides[1]),
        }
    return figures
