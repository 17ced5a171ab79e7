"""Train DELF from image labels: first the descriptors, then the attention on the frozen network.

**Stage 1, descriptors.** A classifier on the average of the feature map, cross-entropy, random crops. It teaches the
features what distinguishes one landmark from another.

**Stage 2, attention.** The backbone is frozen: its maps are computed once, in evaluation mode, and only the score network
and the second classifier learn. Each image is cropped and then made smaller by a random factor ``gamma``, so that the
scores work at several scales. Cached maps make a step so cheap that the stage takes seconds.

**One stage** (the option of DELG): both losses at once, with the gradient of the attention stopped at the map. Joint
training without that stop was tried in the paper and gives a weak model; it is not offered.

Source: H. Noh et al., ICCV 2017, arXiv:1612.06321, sections 4.1 and 4.2; the range of ``gamma`` from the PyTorch port
``nashory/DeLF-pytorch``; one stage, and the clipping of the gradient at 10, from the official code of DELG (B. Cao et
al., ECCV 2020). Adam replaces their SGD, whose schedule is made for half a million steps.

Taught in ``03_delf``, steps 1 to 3.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_utils.checks import checked_choice, checked_float, checked_int, checked_tensor, message
from course_utils.retrieval.delf import DELF
from course_utils.training import FitResult, fit

DESCRIPTOR_CROP = 224 / 250  # of the image's side, section 4.1
ATTENTION_CROP = 720 / 900  # section 4.2
GAMMAS = (0.3536, 0.5, 0.7071, 1.0)  # the port draws from [0.3535, 1]; these are the pyramid's scales in that range
VERSIONS = 2  # of every image in the cache: other crops, other gammas
CLIP_NORM = 10.0  # official code
DESCRIPTOR_RATE = 3e-3  # Adam, chosen on the validation split of the course's landmarks; so is the next one
ATTENTION_RATE = 1e-2
BATCH_SIZE = 32  # official code
MODES = ("two stages", "one stage")


@dataclass(frozen=True)
class DelfTraining:
    """What ``train_delf`` returns.

    Attributes
    ----------
    descriptors : FitResult or None
        Of the first stage; None where it was left out, or both were trained at once.
    attention : FitResult
        Of the second stage, or of the one stage. Validation scores are shares of right classes.
    """

    descriptors: FitResult | None
    attention: FitResult


def train_delf(
    delf: DELF,
    data: Any,
    descriptor_epochs: int,
    attention_epochs: int,
    validation: Any = None,
    *,
    mode: str = "two stages",
    gammas: Sequence[float] = GAMMAS,
    generator: torch.Generator | None = None,
    device: torch.device | str | None = None,
    mixed_precision: str | None = None,
) -> DelfTraining:
    """Train both parts of DELF, one after the other or at once.

    Taught in ``03_delf``, step 2.

    Parameters
    ----------
    delf : DELF
        Trained in place; ends in evaluation mode.
    data : object with ``images`` (N, 3, H, W) uint8 and ``labels`` (N,) int64 from 0 to M - 1
        ``data.Landmarks("train")``, for example.
    descriptor_epochs, attention_epochs : int
        Passes over the images; 0 leaves the stage out. In one stage ``descriptor_epochs`` counts.
    validation : like ``data``, optional
        Held-out images of the same classes; the weights of the best epoch are kept.
    mode : {"two stages", "one stage"}
        As in the paper, or as in DELG with the gradient stopped at the map.
    gammas : sequence of float in (0, 1]
        See ``train_attention``. The default suits images of several hundred pixels; the course's landmarks of 112 pixels
        lose too much below 0.7.
    generator : torch.Generator, optional
        Draws crops, scales and the order of the images.
    device, mixed_precision
        As in ``training.fit``.

    Returns
    -------
    DelfTraining

    Raises
    ------
    TypeError, ValueError
        If images or labels have another form, a label is no class of the network, or nothing is to be trained.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> from course_utils.training import SmallCNN
    >>> toy = SimpleNamespace(images=torch.zeros(8, 3, 24, 24, dtype=torch.uint8), labels=torch.arange(8) % 2)
    >>> result = train_delf(DELF(SmallCNN(4), 2, hidden=4), toy, 2, 1, generator=torch.Generator().manual_seed(0))
    >>> result.descriptors.n_steps, result.attention.stopped
    (2, 'finished')
    """
    checked_choice(mode, "mode", MODES)
    common = {"generator": generator, "device": device, "mixed_precision": mixed_precision}
    if mode == "one stage":
        return DelfTraining(None, _train_at_once(delf, data, descriptor_epochs, validation, **common))
    epochs = [
        checked_int(descriptor_epochs, "descriptor_epochs", low=0),
        checked_int(attention_epochs, "attention_epochs", low=0),
    ]
    if epochs == [0, 0]:
        raise ValueError(message("attention_epochs", "at least 1 where `descriptor_epochs` is 0", "0"))
    descriptors = train_descriptors(delf, data, epochs[0], validation, **common) if epochs[0] else None
    attention = train_attention(delf, data, epochs[1], validation, gammas=gammas, **common) if epochs[1] else FitResult()
    return DelfTraining(descriptors, attention)


def train_descriptors(
    delf: DELF,
    data: Any,
    n_epochs: int,
    validation: Any = None,
    *,
    learning_rate: float = DESCRIPTOR_RATE,
    batch_size: int = BATCH_SIZE,
    crop: float = DESCRIPTOR_CROP,
    frozen_stem: bool = True,
    generator: torch.Generator | None = None,
    **options: Any,
) -> FitResult:
    """Stage 1: fine-tune the backbone as a classifier with average pooling; other parameters as in ``train_delf``.

    Parameters
    ----------
    learning_rate : float
        Of Adam at the first step; it falls linearly to 0.
    crop : float in (0, 1]
        Side of the random crop, as a share of the image's.
    frozen_stem : bool, default True
        Where the backbone is ``head(stem(images))`` with both as methods, as ``LandmarkBackbone`` is, train the head
        alone. The stem's maps are then computed once, and the crops are taken from them.
    options
        Of ``training.fit``.
    """
    images, labels = _checked(delf, data)
    held_out = None if validation is None else _checked(delf, validation, "validation")
    inputs_of, maps_of = _halves(delf, frozen_stem)
    inputs = inputs_of(images)
    held_out_inputs = None if held_out is None else inputs_of(held_out[0])

    def step(model: DELF, batch: tuple[Tensor, Tensor]) -> Tensor:
        return F.cross_entropy(model.descriptor_logits(maps_of(batch[0])), batch[1])

    def score(model: DELF) -> float:
        device = model.classifier.weight.device
        parts = [model.descriptor_logits(maps_of(part.to(device))) for part in held_out_inputs.split(64)]
        return float((torch.cat(parts).argmax(1).cpu() == held_out[1]).float().mean())

    batches = _Crops(inputs, labels, batch_size, crop, generator)
    parameters = [*delf.backbone.parameters(), *delf.descriptor_classifier.parameters()]  # a frozen stem gets no gradient
    validate = None if held_out is None else score
    return _fit(delf, batches, step, parameters, learning_rate, n_epochs, validate, "descriptors", generator, options)


def train_attention(
    delf: DELF,
    data: Any,
    n_epochs: int,
    validation: Any = None,
    *,
    learning_rate: float = ATTENTION_RATE,
    batch_size: int = BATCH_SIZE,
    crop: float = ATTENTION_CROP,
    gammas: Sequence[float] = GAMMAS,
    versions: int = VERSIONS,
    generator: torch.Generator | None = None,
    **options: Any,
) -> FitResult:
    """Stage 2: train attention and classifier on the maps of the frozen backbone; parameters as in ``train_delf``.

    Parameters
    ----------
    gammas : sequence of float in (0, 1]
        Each crop is made smaller by one of them, drawn at random.
    versions : int, default 2
        Crops of each image in the cache, with different factors where there are enough of them.
    """
    images, labels = _checked(delf, data)
    cache = _CachedMaps(delf, images, labels, batch_size, crop, gammas, versions, generator)
    held_out = None if validation is None else _checked(delf, validation, "validation")
    held_out_maps = None if held_out is None else delf.in_parts(delf.maps, held_out[0])
    stage = _AttentionStage(delf)

    def step(model: _AttentionStage, batch: tuple[Tensor, Tensor]) -> Tensor:
        return F.cross_entropy(model(batch[0]), batch[1])

    def score(model: _AttentionStage) -> float:
        device = delf.classifier.weight.device
        guesses = torch.cat([model(part.to(device)).argmax(1).cpu() for part in held_out_maps.split(batch_size)])
        return float((guesses == held_out[1]).float().mean())

    validate = None if held_out is None else score
    result = _fit(stage, cache, step, stage.parameters(), learning_rate, n_epochs, validate, "attention", generator, options)
    delf.eval()
    return result


def _train_at_once(delf: DELF, data: Any, n_epochs: int, validation: Any, generator: Any, **options: Any) -> FitResult:
    images, labels = _checked(delf, data)
    held_out = None if validation is None else _checked(delf, validation, "validation")

    def step(model: DELF, batch: tuple[Tensor, Tensor]) -> dict[str, Tensor]:
        maps = model.maps(batch[0])
        descriptors = F.cross_entropy(model.descriptor_logits(maps), batch[1])
        attention = F.cross_entropy(model.attention_logits(maps), batch[1])  # its gradient stops at the maps
        return {"loss": descriptors + attention, "descriptors": descriptors.detach(), "attention": attention.detach()}

    def score(model: DELF) -> float:
        return float((torch.from_numpy(model.predict(held_out[0])) == held_out[1]).float().mean())

    batches = _Crops(images, labels, BATCH_SIZE, DESCRIPTOR_CROP, generator)
    validate, words = None if held_out is None else score, "descriptors and attention"
    return _fit(delf, batches, step, delf.parameters(), DESCRIPTOR_RATE, n_epochs, validate, words, generator, options)


def _fit(model, batches, step, parameters, rate, n_epochs, validate, description, generator, options) -> FitResult:
    """Run ``training.fit`` as all stages do: Adam, a rate that falls to 0, a limit on the length of the gradient."""
    optimizer = torch.optim.Adam(parameters, lr=rate)
    return fit(
        model,
        batches,
        step,
        optimizer,
        n_epochs=n_epochs,
        generator=generator,
        validate=validate,
        schedule=_falling(optimizer, n_epochs * len(batches)),
        clip_norm=CLIP_NORM,
        description=description,
        **options,
    )


def _halves(delf: DELF, frozen_stem: bool) -> tuple[Callable[[Tensor], Tensor], Callable[[Tensor], Tensor]]:
    """Return what is computed once from the images, and what computes the maps from it at every step."""
    backbone = delf.backbone
    if frozen_stem and callable(getattr(backbone, "stem", None)) and callable(getattr(backbone, "head", None)):
        return lambda images: delf.in_parts(lambda part: backbone.stem(delf.normalize(part)), images), backbone.head
    return lambda images: images, delf.maps


def _falling(optimizer: torch.optim.Optimizer, n_steps: int) -> torch.optim.lr_scheduler.LRScheduler:
    """Let the learning rate fall linearly to 0, as the official code does."""
    return torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: max(1 - step / n_steps, 0.0))


class _AttentionStage(nn.Module):
    """The two parts that the second stage trains; the backbone is no part of it, so nothing can move it."""

    def __init__(self, delf: DELF):
        super().__init__()
        self.attention, self.classifier = delf.attention, delf.classifier
        self._logits = delf.attention_logits

    def forward(self, maps: Tensor) -> Tensor:
        return self._logits(maps)


class _Crops:
    """Batches (images, labels): one random square crop of every image per epoch, in random order."""

    def __init__(self, images: Tensor, labels: Tensor, batch_size: int, crop: float, generator: torch.Generator | None):
        self.images, self.labels, self.generator = images, labels, generator
        self.batch_size = checked_int(batch_size, "batch_size", low=1)
        self.side = _crop_side(images, crop)

    def __len__(self) -> int:
        return -(-len(self.images) // self.batch_size)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        for chosen in torch.randperm(len(self.images), generator=self.generator).split(self.batch_size):
            yield random_crops(self.images[chosen], self.side, self.generator), self.labels[chosen]


class _CachedMaps:
    """Batches (maps, labels) of the frozen backbone: every map is computed once, and a batch has one size of map."""

    def __init__(self, delf, images, labels, batch_size, crop, gammas, versions, generator):
        self.generator, self.batch_size = generator, checked_int(batch_size, "batch_size", low=1)
        gammas = [checked_float(gamma, "gammas", above=0, high=1) for gamma in gammas]
        if not gammas:
            raise ValueError(message("gammas", "at least one factor", "none"))
        side, n = _crop_side(images, crop), len(images)
        which = torch.stack([torch.randperm(len(gammas), generator=generator) for _ in range(n)])  # (N, gammas)
        n_versions = checked_int(versions, "versions", low=1)
        self.groups = []  # one per gamma that was drawn: maps (n, D, h, w), labels (n,)
        for index, gamma in enumerate(gammas):
            chosen = torch.cat([torch.nonzero(which[:, v % len(gammas)] == index)[:, 0] for v in range(n_versions)])
            if len(chosen):
                crops = resized(random_crops(images[chosen], side, generator), _smaller(side, gamma))
                self.groups.append((delf.in_parts(delf.maps, crops), labels[chosen]))

    def __len__(self) -> int:
        return sum(-(-len(labels) // self.batch_size) for _, labels in self.groups)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        batches = []
        for group, (_, labels) in enumerate(self.groups):
            order = torch.randperm(len(labels), generator=self.generator)
            batches += [(group, chosen) for chosen in order.split(self.batch_size)]
        for i in torch.randperm(len(batches), generator=self.generator).tolist():
            group, chosen = batches[i]
            maps, labels = self.groups[group]
            yield maps[chosen], labels[chosen]


def random_crops(images: Tensor, side: int, generator: torch.Generator | None = None) -> Tensor:
    """Return a random ``side`` x ``side`` crop of every image (B, 3, H, W), each at its own place."""
    room = torch.tensor(images.shape[-2:]) - side + 1
    corners = (torch.rand(len(images), 2, generator=generator) * room).long().tolist()
    return torch.stack([image[:, y : y + side, x : x + side] for image, (y, x) in zip(images, corners)])


def resized(images: Tensor, size: tuple[int, int]) -> Tensor:
    """Return images (B, 3, H, W) as float32 of ``size`` (h, w): bilinear, anti-aliased where they get smaller."""
    if tuple(images.shape[-2:]) == tuple(size):
        return images.float()
    return F.interpolate(images.float(), size=size, mode="bilinear", antialias=True, align_corners=False)


def _smaller(side: int, gamma: float) -> tuple[int, int]:
    return (max(round(gamma * side), 1),) * 2


def _crop_side(images: Tensor, crop: float) -> int:
    return max(round(checked_float(crop, "crop", above=0, high=1) * min(images.shape[-2:])), 1)


def _checked(delf: DELF, data: Any, name: str = "data") -> tuple[Tensor, Tensor]:
    """Return images and labels, or refuse them by name."""
    images = checked_tensor(data.images, f"{name}.images", ("N", 3, "H", "W"), floating=False)
    labels = checked_tensor(data.labels, f"{name}.labels", (len(images),), floating=False)
    if labels.is_floating_point():
        raise TypeError(message(f"{name}.labels", "a tensor of integers", str(labels.dtype)))
    if len(labels) == 0:
        raise ValueError(message(f"{name}.images", "at least one image", "none"))
    low, high = int(labels.min()), int(labels.max())
    if low < 0 or high >= delf.n_classes:
        expected = f"classes from 0 to {delf.n_classes - 1}"
        raise ValueError(
            message(f"{name}.labels", expected, f"{low if low < 0 else high}", "-1 marks images without a landmark.")
        )
    return images, labels.long()
