"""Have we seen this person before? Queries and a gallery of people whom no training has shown.

Person re-identification is retrieval with a twist: the query's own camera does not count. A picture of the same person by
the same camera is neither right nor wrong but **junk**, because a system that recognises the background would find it. The
layout and the protocol follow Market-1501 (L. Zheng, L. Shen, L. Tian, S. Wang, J. Wang, Q. Tian, "Scalable Person
Re-identification: A Benchmark", ICCV 2015). As in real streets, something stands in front of some of the people asked for.

Taught in ``14_erasing``.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

import numpy as np
import torch
from PIL import Image, ImageFilter
from torch import Tensor
from torch.utils.data import Dataset
from torchvision import tv_tensors

from course_utils.checks import checked_choice, checked_float, checked_int, message
from course_utils.data.cache import cached_arrays
from course_utils.data.occluders import checked_occlusion, occluder
from course_utils.data.pedestrians.cameras import N_CAMERAS, WORLD, backdrop, camera_of, taken
from course_utils.data.pedestrians.walker import FACINGS, walker
from course_utils.data.pedestrians.wardrobe import outfit
from course_utils.data.sprite_scenes.composition import Light, Toy, modelling, throw_shadow
from course_utils.data.sprite_scenes.drawing import Pose, rendered
from course_utils.data.street_world.textures import stream
from course_utils.profile import progress

GENERATOR_VERSION = 1
"""Part of every cache key: raise it when the look of the pictures changes."""


@dataclass(frozen=True)
class _Split:
    """Which people, how many pictures by every camera, which part of the photographs, the usual share of hidden people."""

    people: tuple[int, int]
    views: int
    first_view: int
    photographs: str
    occluded: float = 0.0


_SPLITS = {
    "train": _Split((0, 60), 3, 0, "train"),
    "validation_query": _Split((60, 100), 1, 0, "validation", 0.5),
    "validation_gallery": _Split((60, 100), 2, 1, "validation"),
    "query": _Split((100, 180), 1, 0, "test", 0.5),
    "gallery": _Split((100, 180), 2, 1, "test"),
}
SPLITS: tuple[str, ...] = tuple(_SPLITS)


@dataclass(frozen=True, eq=False)
class PedestrianPicture:
    """One picture.

    Attributes
    ----------
    image : Tensor, uint8, ``(3, H, H / 2)``
    identity : int
        Who it is, unique over all splits.
    camera : int
    occluded : bool
        Something stands in front.
    box : BoundingBoxes, float32, ``(1, 4)``
        Left, top, right, bottom of the person inside the frame, also where something hides a part.
    mask : Mask, bool, ``(H, H / 2)``
        Visible pixels of the person.
    """

    image: Tensor
    identity: int
    camera: int
    occluded: bool
    box: tv_tensors.BoundingBoxes
    mask: tv_tensors.Mask


class Pedestrians(Dataset):
    """Pictures of people who walk past four cameras.

    Parameters
    ----------
    split : {"train", "validation_query", "validation_gallery", "query", "gallery"}
        60 people to learn from, 40 others for every choice, 80 others for the test. Three training pictures by every camera;
        one query by every camera; two gallery pictures by every camera.
    seed : int, default 0
        People, cameras and pictures.
    height : int, default 64
        In pixels, even, at least 32; the width is half of it.
    occlusion : float, default 0.4
        Share of the box that something hides where a query is occluded, up to 0.9.
    occluded_share : float, optional
        Chance that a query is occluded. Default 0.5 for queries, and 0 elsewhere: training people and galleries have nothing
        in front. Otherwise the pictures are equal to those without.
    n_people : int, optional
        Only the first so many people of the split. Default: all of them.

    Attributes
    ----------
    images : Tensor, uint8, ``(N, 3, height, height / 2)``
    identities, cameras : Tensor, int64, ``(N,)``
    occluded : Tensor, bool, ``(N,)``
    boxes : Tensor, float32, ``(N, 4)``
    masks : Tensor, bool, ``(N, height, height / 2)``
    n_cameras : int
    description : str

    Raises
    ------
    TypeError, ValueError
        If an argument is of the wrong kind or out of range, or something is to stand in front of training people.

    Notes
    -----
    Drawn once (2 to 4 ms a picture), then read from ``data.cache_folder()``.

    Examples
    --------
    >>> people = Pedestrians("query", n_people=3, height=48)
    >>> people
    Pedestrians('query', seed=0: 12 images of 48 x 24, 3 people, 4 cameras)
    >>> picture = people[5]
    >>> picture.identity, picture.camera, picture.image.shape
    (101, 1, torch.Size([3, 48, 24]))
    """

    def __init__(
        self,
        split: str = "train",
        seed: int = 0,
        height: int = 64,
        occlusion: float = 0.4,
        occluded_share: float | None = None,
        n_people: int | None = None,
    ) -> None:
        self.split = checked_choice(split, "split", SPLITS)
        layout = _SPLITS[split]
        self.seed = checked_int(seed, "seed", low=0)
        self.height = checked_int(height, "height", low=32)
        if height % 2:
            raise ValueError(message("height", "even: the width is half of it", str(height)))
        self.occlusion = checked_occlusion(occlusion, layout.photographs if layout.photographs != "train" else "test")
        share = layout.occluded if occluded_share is None else checked_float(occluded_share, "occluded_share", low=0, high=1)
        if share and split == "train":
            raise ValueError(
                message("occluded_share", "0 for training people", str(share), "Hide things while training with `augment`.")
            )
        self.occluded_share = share if self.occlusion else 0.0
        first, last = layout.people
        n_people = last - first if n_people is None else checked_int(n_people, "n_people", low=1, high=last - first)
        self.n_cameras = N_CAMERAS
        index = torch.arange(n_people * N_CAMERAS * layout.views)
        self.identities = first + index // (N_CAMERAS * layout.views)
        self.cameras = index // layout.views % N_CAMERAS
        self._numbers = layout.first_view + index % layout.views
        key = (
            f"version {GENERATOR_VERSION}, {split}, seed {seed}, {n_people} people, height {height}, "
            f"occlusion {self.occlusion} of {self.occluded_share}"
        )
        arrays = cached_arrays(f"pedestrians-{split}-{seed}", key, self._draw)
        self.images, self.boxes = torch.from_numpy(arrays["images"]), torch.from_numpy(arrays["boxes"])
        self.masks = torch.from_numpy(np.unpackbits(arrays["masks"], axis=-1, count=height // 2).astype(bool))
        self.occluded = torch.from_numpy(arrays["occluded"])

    @property
    def description(self) -> str:
        """Two sentences: whom the pictures show, and how many people have something in front."""
        people = len(self.identities.unique())
        return (
            f"{len(self)} drawn pictures of {people} people by {self.n_cameras} cameras, {self.height} x {self.height // 2} "
            f"pixels ({self.split} split, seed {self.seed}). Something stands in front of {int(self.occluded.sum())} of them."
        )

    def __len__(self) -> int:
        return len(self.identities)

    def __getitem__(self, index: int) -> PedestrianPicture:
        index = range(len(self))[index]  # raises IndexError beyond the end, so that iteration stops
        canvas = (self.height, self.height // 2)
        return PedestrianPicture(
            image=self.images[index],
            identity=int(self.identities[index]),
            camera=int(self.cameras[index]),
            occluded=bool(self.occluded[index]),
            box=tv_tensors.BoundingBoxes(self.boxes[index : index + 1], format="XYXY", canvas_size=canvas),
            mask=tv_tensors.Mask(self.masks[index]),
        )

    def __repr__(self) -> str:
        return (
            f"Pedestrians({self.split!r}, seed={self.seed}: {len(self)} images of {self.height} x {self.height // 2}, "
            f"{len(self.identities.unique())} people, {self.n_cameras} cameras)"
        )

    def fingerprint(self) -> str:
        """Return a short hash of what the data set holds, rounded so that platforms agree.

        It covers sizes, identities, cameras, who is occluded, box edges to 2 pixels, and the mean colour of every image to 8
        grey levels.
        """
        digest = hashlib.sha256()
        digest.update(repr((self.split, self.seed, self.height, self.occlusion, self.identities.tolist())).encode())
        digest.update(repr((self.cameras.tolist(), self.occluded.tolist())).encode())
        digest.update((self.boxes / 2).round().to(torch.int64).numpy().tobytes())
        colours = self.images.double().mean(dim=(2, 3))
        digest.update((colours / 8).round().to(torch.int64).numpy().tobytes())
        return digest.hexdigest()[:16]

    def _draw(self) -> dict[str, np.ndarray]:
        items = list(zip(self.identities.tolist(), self.cameras.tolist(), self._numbers.tolist()))
        made = [
            photographed(self.seed, *item, self.split, self.height, self.occlusion, self.occluded_share)
            for item in progress(items, desc=f"photographing {self.split} people", unit="image")
        ]
        return {
            "images": np.stack([image for image, *_ in made]).transpose(0, 3, 1, 2).copy(),
            "masks": np.packbits(np.stack([mask for _, mask, *_ in made]), axis=-1),
            "boxes": np.stack([box for *_, box, _ in made]),
            "occluded": np.array([occluded for *_, occluded in made]),
        }


def photographed(
    seed: int, identity: int, camera: int, number: int, split: str, height: int, occlusion: float, occluded_share: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray, bool]:
    """Return image ``(H, W, 3)``, mask ``(H, W)``, box ``(4,)`` and whether something is in front, for one picture.

    A pure function of its arguments. Where the chance of something in front is larger, the same pictures have something in
    front, and more of them.
    """
    width, photographs = height // 2, _SPLITS[split].photographs
    person, lens = outfit(stream(WORLD, seed, 2, identity)), camera_of(seed, camera)
    key = (WORLD, seed, 3, identity, camera, number)
    r = stream(*key, 0)
    facing = FACINGS[int(r.choice(3, p=lens.facings))]
    drawing = walker(person, facing, r.uniform(0, 2 * np.pi))
    x0, y0, x1, y1 = drawing.extent()
    size = lens.share * person.height * height * r.uniform(0.94, 1.06) * max(x1 - x0, y1 - y0)
    pose = Pose(size, float(np.clip(r.normal(0, 0.03), -0.09, 0.09)), bool(r.random() < 0.5))
    light = Light((1.0, 1.0, 1.0), r.uniform(-0.8, 0.8), 0.45, 1.2, 0.0)
    sprite = rendered(drawing, pose, stream(WORLD, seed, 4, identity), (r.random(), r.random()))
    sprite = replace(sprite, colour=sprite.colour * modelling(sprite.alpha, 0.4 * size, light)[..., None])
    foot = height * r.uniform(0.93, 0.985)
    middle = width * r.uniform(0.42, 0.58)
    toy = Toy(sprite, 0, round(foot - sprite.foot[0]), round(middle - sprite.foot[1]), foot, sprite.area)
    picture = backdrop(r, lens, photographs, height, width)
    (rows, columns), outer = _windows(toy, height, width)
    shadow = np.ones((height, height, 3), np.float32)
    throw_shadow(shadow, toy, light, height, flat=False)
    picture *= shadow[:, :width]
    alpha = np.zeros((height, width), np.float32)
    alpha[rows, columns] = sprite.alpha[outer]
    picture[rows, columns] = sprite.colour[outer] + (1 - sprite.alpha[outer][..., None]) * picture[rows, columns]
    whole = alpha > 0.5
    down, across = np.flatnonzero(whole.any(axis=1)), np.flatnonzero(whole.any(axis=0))
    box = np.array([across[0], down[0], across[-1] + 1, down[-1] + 1], np.float32)
    hides = stream(*key, 1)
    occluded = bool(hides.random() < occluded_share)
    if occluded:
        thing = occluder(hides, tuple(box.tolist()), occlusion, photographs, height, width)
        picture = thing.colour + (1 - thing.alpha[..., None]) * picture
        alpha = alpha * (1 - thing.alpha)
    if lens.blur * height / 64 > 0.15:
        soft = Image.fromarray(np.clip(picture + 0.5, 0, 255).astype(np.uint8))
        picture = np.asarray(soft.filter(ImageFilter.GaussianBlur(lens.blur * height / 64)), np.float32)
    return taken(picture, lens, r), alpha > 0.5, box, occluded


def _windows(toy: Toy, height: int, width: int) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Return the part of the frame that the figure lies in, and the part of the figure that lies in the frame."""
    high, wide = toy.sprite.alpha.shape
    y0, y1, x0, x1 = max(0, toy.top), min(height, toy.top + high), max(0, toy.left), min(width, toy.left + wide)
    inner = slice(y0, max(y0, y1)), slice(x0, max(x0, x1))
    return inner, (slice(y0 - toy.top, max(y0, y1) - toy.top), slice(x0 - toy.left, max(x0, x1) - toy.left))
