"""Which toy is it? Small single-object pictures with everything an augmentation may have to carry along.

An augmentation changes a picture; whether it helps depends on the picture's truth. Is a mirrored boat still a boat, where
is its box now, and which hand is the left one? So every picture comes with class, box, mask, key points and pose. Three
questions of the course have a switch each: few examples (``few_shot``), changes that training has not seen (``views``) and
things that stand in the way (``occlusion``).

Taught in ``13_colour_and_space`` and ``14_erasing``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset
from torchvision import tv_tensors

from course_utils.checks import checked_choice, checked_int, message
from course_utils.data.cache import cached_arrays
from course_utils.data.occluders import checked_occlusion
from course_utils.data.sprite_scenes.drawing import Pose
from course_utils.data.sprite_scenes.objects import CLASS_NAMES, DRAWN_BY
from course_utils.data.sprites.portrait import SPLITS, WORLDS, Portrait, portrait
from course_utils.data.sprites.views import Views, checked_views
from course_utils.profile import progress

GENERATOR_VERSION = 1
"""Part of every cache key: raise it when the look of the pictures changes."""
N_IMAGES = {"train": 1200, "validation": 300, "test": 600}
"""Number of pictures unless another one is asked for."""
KEY_POINTS: dict[str, tuple[str | None, ...]] = {
    "boat": ("top", "bow", "stern", None, None, None, None),
    "car": ("roof", "front wheel", "rear wheel", None, None, None, None),
    "cup": ("handle", None, None, "left rim", "right rim", "left base", "right base"),
    "house": ("ridge", "door", None, "left eaves", "right eaves", "left corner", "right corner"),
    "person": ("head", None, None, "left hand", "right hand", "left foot", "right foot"),
    "tree": ("top", "foot", None, "left twigs", "right twigs", None, None),
}
"""Names of the seven key points of every class; None where a class has none."""
PAIRS = ((3, 4), (5, 6))
"""Key points that change places when a picture is mirrored: the left and the right one, as the viewer sees them."""


@dataclass(frozen=True, eq=False)
class SpritePicture:
    """One picture and the truth about its toy.

    Attributes
    ----------
    image : Tensor, uint8, ``(3, H, W)``
    label : int
        Index into ``Sprites.class_names``.
    box : BoundingBoxes, float32, ``(1, 4)``
        Left, top, right, bottom of the toy inside the frame, in continuous coordinates; also where something hides it.
    mask : Mask, bool, ``(H, W)``
        Visible pixels.
    keypoints : KeyPoints, float32, ``(7, 2)``
        x, y in continuous coordinates; NaN where the class has no such point. ``KEY_POINTS`` names them.
    keypoints_visible : Tensor, bool, ``(7,)``
        Inside the frame, with nothing in front.
    pose : Pose
        Size in pixels, angle in radians (counter-clockwise as seen), mirrored.
    individual : int
        Which toy of its class it is; the same number is the same toy.
    visibility : float
        Visible share of the toy's pixels inside the frame.
    """

    image: Tensor
    label: int
    box: tv_tensors.BoundingBoxes
    mask: tv_tensors.Mask
    keypoints: tv_tensors.KeyPoints
    keypoints_visible: Tensor
    pose: Pose
    individual: int
    visibility: float


class Sprites(Dataset):
    """Pictures of one toy each, of six classes, on stages cut from real photographs.

    Parameters
    ----------
    split : {"train", "validation", "test"}
        Splits share no toy and no pixel of a background.
    seed : int, default 0
    n : int, optional
        Number of pictures; default 1200, 300 and 600. Classes follow one another in turn, so any first part is balanced.
    size : int, default 64
        Height and width in pixels, at least 16. Toys are drawn at that size, not reduced from a larger picture.
    occlusion : float, default 0
        Share of the toy's box that something hides, up to 0.9; validation and test only. What hides it is cut from
        photographs that no training picture uses. Otherwise the pictures are equal to those without.
    few_shot : int, optional
        So many training pictures of each class; takes the place of ``n``.
    views : str or Views, default "usual"
        How the toys are seen: a name of ``data.sprites.VIEWS``, or your own ranges.
    per_individual : int, default 1
        Pictures of each toy, in other poses and places.

    Attributes
    ----------
    images : Tensor, uint8, ``(N, 3, size, size)``
    labels, individuals : Tensor, int64, ``(N,)``
    boxes : Tensor, float32, ``(N, 4)``
    masks : Tensor, bool, ``(N, size, size)``
    keypoints : Tensor, float32, ``(N, 7, 2)``
    keypoints_visible : Tensor, bool, ``(N, 7)``
    poses : Tensor, float32, ``(N, 3)``
        Size in pixels, angle in radians, 1 where mirrored.
    visibility : Tensor, float32, ``(N,)``
    class_names : tuple of str
    keypoint_names : dict of class name to names
    keypoint_pairs : tuple of (left, right)
    description : str

    Raises
    ------
    TypeError, ValueError
        If an argument is of the wrong kind or out of range, ``few_shot`` is asked of another split than training or
        together with ``n``, or ``occlusion`` of training.

    Notes
    -----
    Drawn once (2 to 4 ms a picture), then read from ``data.cache_folder()``.

    Examples
    --------
    >>> toys = Sprites("train", few_shot=2, size=32)
    >>> toys
    Sprites('train', seed=0: 12 images of 32 x 32, 6 classes)
    >>> toy = toys[3]
    >>> toys.class_names[toy.label], toy.image.shape, toy.box.shape
    ('house', torch.Size([3, 32, 32]), torch.Size([1, 4]))
    """

    def __init__(
        self,
        split: str = "train",
        seed: int = 0,
        n: int | None = None,
        size: int = 64,
        occlusion: float = 0.0,
        few_shot: int | None = None,
        views: str | Views = "usual",
        per_individual: int = 1,
    ) -> None:
        self.split = checked_choice(split, "split", SPLITS)
        self.seed = checked_int(seed, "seed", low=0)
        self.size = checked_int(size, "size", low=16)
        self.occlusion = checked_occlusion(occlusion, split)
        self.views = checked_views(views)
        self.per_individual = checked_int(per_individual, "per_individual", low=1)
        self.class_names, self.keypoint_names, self.keypoint_pairs = CLASS_NAMES, KEY_POINTS, PAIRS
        n_images = checked_number(n, few_shot, split, len(CLASS_NAMES), N_IMAGES)
        index = torch.arange(n_images)
        self.labels = index % len(CLASS_NAMES)
        self._numbers = index // len(CLASS_NAMES)
        self.individuals = self._numbers // self.per_individual
        key = (
            f"version {GENERATOR_VERSION}, {split}, seed {seed}, {n_images} images, size {size}, occlusion {self.occlusion}, "
            f"{self.views}, {self.per_individual} per individual"
        )
        arrays = cached_arrays(f"sprites-{split}-{seed}", key, self._draw)
        self.images, self.boxes = torch.from_numpy(arrays["images"]), torch.from_numpy(arrays["boxes"])
        self.masks = torch.from_numpy(np.unpackbits(arrays["masks"], axis=-1, count=size).astype(bool))
        self.keypoints, self.keypoints_visible = torch.from_numpy(arrays["keypoints"]), torch.from_numpy(arrays["seen"])
        self.poses, self.visibility = torch.from_numpy(arrays["poses"]), torch.from_numpy(arrays["visibility"])

    @property
    def description(self) -> str:
        """Two sentences: what is in the pictures, and how much of the toys is visible."""
        return (
            f"{len(self)} drawn pictures of one toy each on stages cut from real photographs, {self.size} x {self.size} pixels "
            f"({self.split} split, seed {self.seed}): {', '.join(self.class_names)}. "
            f"On average {100 * self.visibility.double().mean():.0f} percent of the toy is visible."
        )

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> SpritePicture:
        index = range(len(self))[index]  # raises IndexError beyond the end, so that iteration stops
        canvas = (self.size, self.size)
        size, angle, mirrored = self.poses[index].tolist()
        return SpritePicture(
            image=self.images[index],
            label=int(self.labels[index]),
            box=tv_tensors.BoundingBoxes(self.boxes[index : index + 1], format="XYXY", canvas_size=canvas),
            mask=tv_tensors.Mask(self.masks[index]),
            keypoints=tv_tensors.KeyPoints(self.keypoints[index], canvas_size=canvas),
            keypoints_visible=self.keypoints_visible[index],
            pose=Pose(size, angle, mirrored > 0.5),
            individual=int(self.individuals[index]),
            visibility=float(self.visibility[index]),
        )

    def __repr__(self) -> str:
        return (
            f"Sprites({self.split!r}, seed={self.seed}: {len(self)} images of {self.size} x {self.size}, "
            f"{len(self.class_names)} classes)"
        )

    def fingerprint(self) -> str:
        """Return a short hash of what the data set holds, rounded so that platforms agree.

        It covers sizes, labels, box edges and key points to 2 pixels, and the mean colour of every image to 8 grey levels.
        """
        digest = hashlib.sha256()
        digest.update(repr((self.split, self.seed, self.size, self.occlusion, len(self))).encode())
        digest.update(self.labels.numpy().tobytes())
        for places in (self.boxes, self.keypoints.nan_to_num(-100.0)):
            digest.update((places / 2).round().to(torch.int64).numpy().tobytes())
        colours = self.images.double().mean(dim=(2, 3))
        digest.update((colours / 8).round().to(torch.int64).numpy().tobytes())
        return digest.hexdigest()[:16]

    def _draw(self) -> dict[str, np.ndarray]:
        made = []
        for label, number in progress(
            list(zip(self.labels.tolist(), self._numbers.tolist())), desc=f"drawing {self.split} sprites", unit="image"
        ):
            individual, pose_number = divmod(number, self.per_individual)
            key = (WORLDS["sprites"], self.seed, SPLITS.index(self.split), label, individual)
            drawn = DRAWN_BY[CLASS_NAMES[label]]
            made.append(portrait(drawn, key, pose_number, self.split, self.size, self.views, self.occlusion))
        names = [KEY_POINTS[CLASS_NAMES[label]] for label in self.labels.tolist()]
        nowhere = (float("nan"), float("nan"))
        return stacked(made) | {
            "keypoints": np.array([[p.marks.get(k, nowhere) for k in ks] for p, ks in zip(made, names)], np.float32),
            "seen": np.array([[p.seen.get(k, False) for k in ks] for p, ks in zip(made, names)]),
        }


def stacked(portraits: Iterable[Portrait]) -> dict[str, np.ndarray]:
    """Return images, boxes, packed masks, poses and visibilities of portraits as arrays for the cache."""
    portraits = list(portraits)
    return {
        "images": np.stack([p.image for p in portraits]).transpose(0, 3, 1, 2).copy(),
        "boxes": np.stack([p.box for p in portraits]),
        "masks": np.packbits(np.stack([p.mask for p in portraits]), axis=-1),
        "poses": np.array([(p.pose.size, p.pose.angle, p.pose.mirrored) for p in portraits], np.float32),
        "visibility": np.array([p.visibility for p in portraits], np.float32),
    }


def checked_number(n: int | None, few_shot: int | None, split: str, n_classes: int, usual: dict[str, int]) -> int:
    """Return the number of pictures that ``n`` or ``few_shot`` asks for."""
    if few_shot is None:
        return usual[split] if n is None else checked_int(n, "n", low=1)
    if split != "train":
        raise ValueError(message("few_shot", "None for validation and test", repr(few_shot), "Tests need many pictures."))
    if n is not None:
        raise ValueError(message("n", "None where `few_shot` is given", repr(n)))
    return n_classes * checked_int(few_shot, "few_shot", low=1)
