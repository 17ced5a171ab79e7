"""A CenterNet that learns to detect in seconds, on one processor core, from random weights.

**Problem.** Detection is judged in chapter 05, so something must detect: with real false alarms, doubles and misses. The
networks of the papers need a graphics card and a pre-trained backbone. **Idea.** Take the detector with the fewest parts,
"Objects as Points" (see ``center_points``), and a small fully convolutional network made for images of about 100
pixels: the first layer starts from oriented edges and opponent colours (``backbones.oriented_bank``), four halvings
widen the view to the whole object, two steps back up bring it to every fourth pixel.

======  ==============================================  ======================
stage   layers                                          maps, width w
======  ==============================================  ======================
stem    5 x 5 stride 2, 3 x 3 stride 2                  w at a quarter
down    3 x 3 stride 2, residual block; twice           1.5 w at 1/8, 2 w at 1/16
up      1 x 1, nearest neighbour x 2, sum, 3 x 3;       back to w at a quarter
        twice
heads   3 x 3, ReLU, 1 x 1 for heat; 1 x 1 otherwise    C, 2 and 2
======  ==============================================  ======================

Group norm (Y. Wu, K. He, ECCV 2018) follows every 3 x 3 convolution: it does not depend on the batch, so an image gives
the same boxes in training and in use, alone and in company. The paper's backbones with a way up are an hourglass and a
DLA-34; the ladder here is that of U-Net and of feature pyramids (T.-Y. Lin et al., CVPR 2017). The paper gives each head
a 3 x 3 convolution of its own; here only the heat map keeps it, which saves a quarter of the network's work.

Taught in ``05_mean_average_precision``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision import tv_tensors

from course_utils import profile
from course_utils.checks import checked_float, checked_int, checked_tensor, message
from course_utils.training.backbones import FREE_GAIN, drawing_from, oriented_bank, standardize
from course_utils.training.center_points import STRIDE, center_loss, decode, encode
from course_utils.training.fit import FitResult, fit

N_FREE = 10  # random channels of the first layer, beside the bank of 14
GROUP = 8  # channels that group norm normalises together
PRIOR = 0.1  # a heat map's value before training; the released code's bias of -2.19
FIRST_SIZE = 24.0  # pixels: sizes before training
COARSEST = 16  # the image's sides must be multiples of it


class CenterNet(nn.Module):
    """Detector that finds objects as peaks of heat maps.

    Parameters
    ----------
    n_classes : int
        C.
    width : int, default 32
        Channels at a quarter of the image's size, a multiple of 16; twice as many cost about four times the time.
    generator : torch.Generator, optional
        Draws the weights.

    Examples
    --------
    >>> detector = CenterNet(n_classes=6, generator=torch.Generator().manual_seed(0))
    >>> found = detector.detect(torch.zeros(2, 3, 96, 96, dtype=torch.uint8), max_detections=5)
    >>> len(found), found[0]["boxes"].shape[1]
    (2, 4)
    """

    stride = STRIDE

    def __init__(self, n_classes: int, width: int = 32, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.n_classes = checked_int(n_classes, "n_classes", low=1)
        self.width = checked_int(width, "width", low=16)
        if width % 16:
            raise ValueError(message("width", "a multiple of 16", str(width)))
        bank = oriented_bank()
        middle, broad = 3 * width // 2, 2 * width
        with drawing_from(generator):
            self.first = nn.Conv2d(3, len(bank) + N_FREE, 5, stride=2, padding=2)
            self.second = _normed(len(bank) + N_FREE, width, stride=2)
            self.eighth = nn.Sequential(_normed(width, middle, stride=2), _Residual(middle))
            self.sixteenth = nn.Sequential(_normed(middle, broad, stride=2), _Residual(broad))
            self.up_to_eighth, self.at_eighth = nn.Conv2d(broad, middle, 1), _normed(middle, middle)
            self.up_to_quarter, self.at_quarter = nn.Conv2d(middle, width, 1), _normed(width, width)
            self.before_heat = nn.Conv2d(width, width, 3, padding=1)
            self.heat, self.size, self.offset = (nn.Conv2d(width, n, 1) for n in (n_classes, 2, 2))
        with torch.no_grad():
            self.first.weight[: len(bank)] = bank
            self.first.weight[len(bank) :] *= FREE_GAIN
            self.first.bias.zero_()
            self.heat.bias.fill_(torch.logit(torch.tensor(PRIOR)).item())
            self.size.bias.fill_(FIRST_SIZE / STRIDE)
            self.offset.bias.fill_(0.5)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return heat logits (B, C, h, w), sizes in pixels and offsets in cells, both (B, 2, h, w); h = H / 4.

        Parameters
        ----------
        images : Tensor of shape (B, 3, H, W), uint8 or floating
            H and W are multiples of 16.

        Raises
        ------
        ValueError
            If they are not.
        """
        checked_tensor(images, "images", ("B", 3, "H", "W"), floating=False)
        height, width = images.shape[2:]
        if not height or not width or height % COARSEST or width % COARSEST:
            raise ValueError(message("images", f"of a height and width that {COARSEST} divides", f"{height} x {width}"))
        x = standardize(images).contiguous(memory_format=torch.channels_last)  # faster on a CPU
        quarter = self.second(F.relu(self.first(x)))
        eighth = self.eighth(quarter)
        up = F.interpolate(self.up_to_eighth(self.sixteenth(eighth)), scale_factor=2)
        up = self.at_eighth(eighth + up)
        up = self.at_quarter(quarter + F.interpolate(self.up_to_quarter(up), scale_factor=2))
        return self.heat(F.relu(self.before_heat(up))), STRIDE * self.size(up), self.offset(up)

    def loss(self, images: Tensor, objects: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
        """Return ``loss`` and its parts ``heat``, ``size``, ``offset`` for a batch; see ``center_points.center_loss``."""
        targets = encode(objects, self.n_classes, tuple(images.shape[2:]))
        return center_loss(*self(images), targets)

    @torch.no_grad()
    def detect(self, images: Tensor, max_detections: int = 100, batch_size: int = 50) -> list[dict[str, Tensor]]:
        """Return what is found in each image.

        Parameters
        ----------
        images : Tensor of shape (B, 3, H, W) or (3, H, W), uint8 or floating
        max_detections : int, default 100
            Per image. A heat map has many low peaks: nearly all of these are false. A metric sorts them out by score.
        batch_size : int, default 50
            Images at a time; the result does not depend on it.

        Returns
        -------
        list of B dict
            ``boxes (k, 4)`` left, top, right, bottom in pixels, ``scores (k,)`` in descending order, ``labels (k,)``.
        """
        checked_tensor(images, "images", floating=False)
        device = self.first.weight.device
        batch = images if images.ndim == 4 else images[None]
        found = []
        for part in profile.batches(len(batch), checked_int(batch_size, "batch_size", low=1)):
            heat, sizes, offsets = self(batch[part].to(device))
            found += decode(torch.sigmoid(heat.float()), sizes.float(), offsets.float(), max_detections)
        return found


class _Residual(nn.Module):
    """x + two normed convolutions of x (K. He et al., CVPR 2016)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.one = _normed(width, width)
        self.two = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.norm = nn.GroupNorm(width // GROUP, width)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x + self.norm(self.two(self.one(x))))


def _normed(n_in: int, n_out: int, stride: int = 1) -> nn.Module:
    convolution = nn.Conv2d(n_in, n_out, 3, stride=stride, padding=1, bias=False)
    return nn.Sequential(convolution, nn.GroupNorm(n_out // GROUP, n_out), nn.ReLU())


def train_detector(
    detector: CenterNet,
    scenes: Any,
    n_steps: int = 1300,
    *,
    validation: Any = None,
    transform: Callable[..., tuple[Tensor, list[dict[str, Tensor]]]] | None = None,
    generator: torch.Generator | None = None,
    batch_size: int = 8,
    learning_rate: float = 3e-3,
    weight_decay: float = 1e-4,
    validate_every: int | None = None,
    device: torch.device | str | None = None,
    checkpoint: str | Path | None = None,
) -> FitResult:
    """Train a detector on scenes through ``training.fit``; it is left with its best weights.

    Parameters
    ----------
    detector : CenterNet
        Trained in place.
    scenes : sequence of scenes
        Each with ``image (3, H, W)``, ``boxes (n, 4)`` and ``labels (n,)``, all images of one size:
        ``data.SpriteScenes``, for example.
    n_steps : int, default 1300
    validation : sequence of scenes, optional
        Their loss is computed every ``validate_every`` steps; the weights with the lowest are kept.
    transform : callable, optional
        Further augmentation: called as ``transform(images, objects)`` with a batch ``(B, 3, H, W)``, uint8, and one dictionary
        of ``boxes`` (``tv_tensors.BoundingBoxes``) and ``labels`` an image, as the transforms of ``augment`` and of
        torchvision v2 take them. It draws from torch's global stream, which ``fit`` seeds, so the order of the images does
        not depend on it. Boxes are then clipped to the image, and those that are left with less than a pixel are dropped.
    generator : torch.Generator, optional
        Draws the order of the images and their changes.
    batch_size : int, default 8
    learning_rate, weight_decay : float, default 3e-3, 1e-4
        Of AdamW; the rate rises for a tenth of the steps and then falls along a cosine.
    validate_every : int, optional
        Default: five times in all.
    device, checkpoint : optional
        See ``fit``.

    Returns
    -------
    FitResult
        ``logs`` holds the parts of the loss: ``heat``, ``size``, ``offset``.

    Raises
    ------
    TypeError, ValueError
        If there are no scenes, an image differs in size, or an argument is out of range.

    Notes
    -----
    Each time an image is used, it is mirrored with probability 1/2. In so short a training more scenes help more than more
    augmentation: with 2000 drawn scenes instead of 600, 1300 steps see each of them about five times.
    """
    n_steps = checked_int(n_steps, "n_steps", low=1)
    checked_float(learning_rate, "learning_rate", above=0)
    batches = _Batches(scenes, checked_int(batch_size, "batch_size", low=1), generator, transform)
    optimizer = torch.optim.AdamW(detector.parameters(), lr=learning_rate, weight_decay=weight_decay, fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, learning_rate, total_steps=max(n_steps, 2), pct_start=0.1)
    return fit(
        detector,
        batches,
        _step,
        optimizer,
        n_steps=n_steps,
        generator=generator,
        validate=None if validation is None else _ValidationLoss(validation),
        validate_every=validate_every or max(1, n_steps // 5),
        better="lower",
        schedule=schedule,
        clip_norm=10.0,
        device=device,
        checkpoint=checkpoint,
        description="training the detector",
    )


def _step(detector: CenterNet, batch: Mapping[str, Any]) -> dict[str, Tensor]:
    parts = detector.loss(batch["images"], batch["objects"])
    return {name: part if name == "loss" else part.detach() for name, part in parts.items()}


def _read(scenes: Any, name: str) -> tuple[Tensor, list[dict[str, Tensor]]]:
    """Return images (N, 3, H, W) and their objects."""
    every = [scenes[i] for i in range(len(scenes))]
    if not every:
        raise ValueError(message(name, "a sequence with at least one scene", "an empty one"))
    shapes = {tuple(scene.image.shape) for scene in every}
    if len(shapes) > 1:
        raise ValueError(message(name, "images of one size", f"sizes {sorted(shapes)}"))
    objects = [{"boxes": scene.boxes.as_subclass(Tensor), "labels": scene.labels} for scene in every]
    return torch.stack([scene.image for scene in every]), objects


class _ValidationLoss:
    """The mean loss over a set of scenes, per batch of 50."""

    def __init__(self, scenes: Any) -> None:
        self.images, self.objects = _read(scenes, "validation")

    def __call__(self, detector: CenterNet) -> float:
        device = detector.first.weight.device
        total = 0.0
        for part in profile.batches(len(self.images), 50):
            objects = [{name: value.to(device) for name, value in entry.items()} for entry in self.objects[part]]
            total += float(detector.loss(self.images[part].to(device), objects)["loss"]) * len(objects)
        return total / len(self.images)


class _Batches:
    """A pass through the scenes in a new order each time, half of them mirrored."""

    def __init__(
        self, scenes: Any, batch_size: int, generator: torch.Generator | None, transform: Callable | None = None
    ) -> None:
        self.images, self.objects = _read(scenes, "scenes")
        self.batch_size, self.generator, self.transform = batch_size, generator, transform

    def __iter__(self) -> Iterator[dict[str, Any]]:
        order = torch.randperm(len(self.images), generator=self.generator)
        for chosen in order.split(self.batch_size):
            mirror = (torch.rand(len(chosen), generator=self.generator) < 0.5).tolist()
            shown = [self._mirrored(i) if m else (self.images[i], self.objects[i]) for i, m in zip(chosen.tolist(), mirror)]
            images, objects = torch.stack([image for image, _ in shown]), [entry for _, entry in shown]
            if self.transform is not None:
                images, objects = _transformed(images, objects, self.transform)
            yield {"images": images, "objects": objects}

    def _mirrored(self, index: int) -> tuple[Tensor, dict[str, Tensor]]:
        image, entry = self.images[index], self.objects[index]
        x0, y0, x1, y1 = entry["boxes"].unbind(1)
        width = image.shape[2]
        return image.flip(2), {"boxes": torch.stack([width - x1, y0, width - x0, y1], dim=1), "labels": entry["labels"]}


def _transformed(images: Tensor, objects: list[dict[str, Tensor]], transform: Callable) -> tuple[Tensor, list[dict[str, Tensor]]]:
    """Return a batch after the reader's transform, with the boxes that still show something."""
    size = tuple(images.shape[2:])
    objects = [entry | {"boxes": tv_tensors.BoundingBoxes(entry["boxes"], format="XYXY", canvas_size=size)} for entry in objects]
    images, objects = transform(images, objects)
    far = torch.tensor([images.shape[3], images.shape[2]] * 2)
    left = []
    for entry in objects:
        boxes = entry["boxes"].as_subclass(Tensor).clamp_min(0).minimum(far.to(entry["boxes"]))
        kept = (boxes[:, 2:] - boxes[:, :2] >= 1).all(dim=1)
        left.append({"boxes": boxes[kept], "labels": entry["labels"][kept]})
    return images, left
