"""Detection in small: where are the toys of this scene, and what are they?

A photograph of a table with toys raises every question of a detection benchmark at a size that a laptop renders in
seconds: several objects of several classes, objects that hide each other or leave the frame, things that belong to no
class, and a truth that is known exactly, because the scene was drawn. The layout of the truth follows torchvision's
detection models (boxes, labels) and PASCAL VOC (``difficult``: M. Everingham, L. Van Gool, C. Williams, J. Winn, A.
Zisserman, "The PASCAL Visual Object Classes Challenge", IJCV 2010).

Three conventions are worth a second look:

- A **box** is the extent of the *visible* part inside the frame (the modal box), in continuous coordinates: a mask whose
  last column is 30 has a right edge of 31. Width is right minus left, without "+ 1".
- **Visibility** is the area of the visible mask divided by the area of the whole toy, inside and outside the frame.
- An object is **difficult** if its visibility is below 0.35 or less than half of it lies inside the frame.

Taught in ``05_mean_average_precision``.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset
from torchvision import tv_tensors

from course_utils.checks import checked_choice, checked_int
from course_utils.data.cache import cached_arrays
from course_utils.data.occluders import checked_occlusion
from course_utils.data.sprite_scenes.backgrounds import QUARTERS
from course_utils.data.sprite_scenes.composition import composed
from course_utils.data.sprite_scenes.objects import CLASS_NAMES
from course_utils.profile import progress

GENERATOR_VERSION = 1
"""Part of every cache key: raise it when the look of the scenes changes."""
N_IMAGES = {"train": 600, "validation": 100, "test": 200}
"""Number of scenes unless another one is asked for."""
DIFFICULT_VISIBILITY = 0.35
"""An object that is less visible than this is difficult."""
DIFFICULT_INSIDE = 0.5
"""So is one of which a smaller share lies inside the frame."""


@dataclass(frozen=True, eq=False)
class SpriteScene:
    """One scene and the truth about its ``n`` objects, from the far one to the near one.

    Attributes
    ----------
    image : Tensor, uint8, ``(3, H, W)``
    boxes : BoundingBoxes, float32, ``(n, 4)``
        Left, top, right, bottom of the visible part, in pixels, continuous (see the module's text).
    labels : Tensor, int64, ``(n,)``
        Index into ``SpriteScenes.class_names``.
    masks : Mask, bool, ``(n, H, W)``
        Visible pixels; no two masks overlap.
    visibility : Tensor, float32, ``(n,)``
        Share of the whole object that is visible, above 0 and at most 1.
    difficult : Tensor, bool, ``(n,)``
    """

    image: Tensor
    boxes: tv_tensors.BoundingBoxes
    labels: Tensor
    masks: tv_tensors.Mask
    visibility: Tensor
    difficult: Tensor


class SpriteScenes(Dataset):
    """Scenes with one to six toys of six classes.

    Parameters
    ----------
    split : {"train", "validation", "test"}
        Splits share no object and no pixel of a background.
    seed : int, default 1
    n_images : int, optional
        Default: 600, 100 and 200. Scene ``i`` is the same for every ``n_images``.
    size : int, default 96
        Height and width of the images in pixels, at least 32; toys are 12 to 48 pixels long at 96, else in proportion.
    occlusion : float, default 0
        Share of the box of every object that something hides, up to 0.9; validation and test only. What hides it is cut from
        photographs that no training scene uses. Boxes are those of what is still visible; an object that is hidden
        altogether is not in the truth. The rest of the scene is equal to the one without.

    Attributes
    ----------
    images : Tensor, uint8, ``(N, 3, size, size)``
    instances : Tensor, uint8, ``(N, size, size)``
        0 for the background, ``k + 1`` where object ``k`` is visible.
    class_names : tuple of str
    description : str

    Raises
    ------
    TypeError, ValueError
        If an argument is of the wrong kind, there is no such split, or training scenes are to be occluded.

    Notes
    -----
    Drawn once (about 6 ms a scene), then read from ``data.cache_folder()``. To feed a ``DataLoader``, pass
    ``collate_fn=list``: scenes have different numbers of objects.

    Examples
    --------
    >>> scenes = SpriteScenes("validation", n_images=4)
    >>> scenes
    SpriteScenes('validation', seed=1: 4 images of 96 x 96, ... objects of 6 classes)
    >>> scene = scenes[0]
    >>> scene.image.shape, scene.boxes.shape[1], scene.masks.shape[1:]
    (torch.Size([3, 96, 96]), 4, torch.Size([96, 96]))
    """

    def __init__(
        self, split: str = "train", seed: int = 1, n_images: int | None = None, size: int = 96, occlusion: float = 0.0
    ) -> None:
        self.split = checked_choice(split, "split", tuple(QUARTERS))
        self.seed = checked_int(seed, "seed", low=0)
        self.n_images = N_IMAGES[split] if n_images is None else checked_int(n_images, "n_images", low=1)
        self.size = checked_int(size, "size", low=32)
        self.occlusion = checked_occlusion(occlusion, split)
        self.class_names = CLASS_NAMES
        key = f"version {GENERATOR_VERSION}, {split}, seed {seed}, {self.n_images} images, size {size}"
        key += f", occlusion {self.occlusion}" if self.occlusion else ""
        arrays = cached_arrays(f"sprite-scenes-{split}-{seed}", key, self._draw)
        self.images = torch.from_numpy(arrays["images"])
        self.instances = torch.from_numpy(arrays["instances"])
        self._start = arrays["start"].tolist()
        self._boxes, self._labels = torch.from_numpy(arrays["boxes"]), torch.from_numpy(arrays["labels"])
        self._visibility, self._inside = torch.from_numpy(arrays["visibility"]), torch.from_numpy(arrays["inside"])
        self._difficult = (self._visibility < DIFFICULT_VISIBILITY) | (self._inside < DIFFICULT_INSIDE)

    @property
    def objects(self) -> list[dict[str, Tensor]]:
        """The truth per image as torchvision's detection models take it, for a metric or a loss.

        Each entry holds ``boxes (n, 4)``, ``labels (n,)``, ``difficult (n,)`` and ``area (n,)``, the visible pixels.
        """
        return [
            {
                "boxes": s.boxes.as_subclass(Tensor),
                "labels": s.labels,
                "difficult": s.difficult,
                "area": s.masks.sum((1, 2)).float(),
            }
            for s in self
        ]

    @property
    def description(self) -> str:
        """Three sentences: what is in the pictures, how many objects of each class, how many are difficult."""
        counts = torch.bincount(self._labels, minlength=len(self.class_names)).tolist()
        named = ", ".join(f"{n} {name}" for name, n in zip(self.class_names, counts))
        return (
            f"{len(self)} drawn scenes of toys on grounds cut from real photographs, {self.size} x {self.size} pixels "
            f"({self.split} split, seed {self.seed}). They hold {len(self._labels)} objects: {named}. "
            f"{int(self._difficult.sum())} of them are difficult: hidden by more than "
            f"{100 * (1 - DIFFICULT_VISIBILITY):.0f} percent, or more than half outside the frame."
        )

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> SpriteScene:
        index = range(len(self))[index]  # raises IndexError beyond the end, so that iteration stops
        mine = slice(self._start[index], self._start[index + 1])
        numbers = torch.arange(1, mine.stop - mine.start + 1, dtype=torch.uint8)
        boxes = tv_tensors.BoundingBoxes(self._boxes[mine], format="XYXY", canvas_size=(self.size, self.size))
        return SpriteScene(
            image=self.images[index],
            boxes=boxes,
            labels=self._labels[mine],
            masks=tv_tensors.Mask(self.instances[index] == numbers[:, None, None]),
            visibility=self._visibility[mine],
            difficult=self._difficult[mine],
        )

    def __repr__(self) -> str:
        return (
            f"SpriteScenes({self.split!r}, seed={self.seed}: {len(self)} images of {self.size} x {self.size}, "
            f"{len(self._labels)} objects of {len(self.class_names)} classes)"
        )

    def fingerprint(self) -> str:
        """Return a short hash of what the data set holds, rounded so that platforms agree.

        It covers sizes, labels, box edges to 2 pixels, and the mean colour of every fifth image to 8 grey levels.
        """
        digest = hashlib.sha256()
        digest.update(repr((self.split, self.seed, self.size, len(self), self._start)).encode())
        digest.update(f"occlusion {self.occlusion}".encode() if self.occlusion else b"")
        digest.update(self._labels.numpy().tobytes())
        digest.update((self._boxes / 2).round().to(torch.int64).numpy().tobytes())
        colours = self.images[::5].double().mean(dim=(2, 3))
        digest.update((colours / 8).round().to(torch.int64).numpy().tobytes())
        return digest.hexdigest()[:16]

    def _draw(self) -> dict[str, np.ndarray]:
        scenes = [
            composed(self.split, self.seed, index, self.size, self.occlusion)
            for index in progress(range(self.n_images), desc=f"drawing {self.split} scenes", unit="scene")
        ]
        return {
            "images": np.stack([scene.image for scene in scenes]).transpose(0, 3, 1, 2).copy(),
            "instances": np.stack([scene.instances for scene in scenes]),
            "start": np.cumsum([0, *(len(scene.labels) for scene in scenes)]),
            "labels": np.concatenate([scene.labels for scene in scenes]),
            "boxes": np.concatenate([scene.boxes for scene in scenes]),
            "visibility": np.concatenate([scene.visibility for scene in scenes]),
            "inside": np.concatenate([scene.inside for scene in scenes]),
        }
