"""The six pictures of the pipeline bench: four toys whose class survives a mirror, a road sign and a digit that do not.

A class is what a picture *reads as*. A toy car stays a car in a mirror and on its head. A sign that points to the left points
to the right in a mirror, and a six on its head is a nine. The bench measures this on every outcome: three points of the
picture (a centre, one above it, one to the right of it) move with the pixels, and the picture is read in the frame that they
span afterwards.

Taught in ``13_colour_and_space``.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor
from torchvision import tv_tensors

from course_utils import data
from course_utils.checks import checked_choice

SIZE = 96
"""Height and width of every picture."""
SPLIT, N_TOYS = "validation", 30
TOYS = {"car": 25, "person": 16, "boat": 24, "cup": 2}
"""Which toys of ``data.Sprites(SPLIT, n=N_TOYS, size=SIZE)`` are on the bench."""
NAMES = (*TOYS, "sign", "six")
SIDES = ((3, 4), (5, 6))
"""Key points that are the left and the right one of a pair."""
_FINER = 4  # drawn so many times larger, then averaged


@dataclass(frozen=True, eq=False)
class BenchPicture:
    """A picture and everything that has to move with it.

    Attributes
    ----------
    name : str
        One of ``NAMES``.
    image : Tensor, uint8, ``(3, SIZE, SIZE)``
    label : str
        What it reads as.
    box : BoundingBoxes, float32, ``(1, 4)``
    mask : Mask, bool, ``(SIZE, SIZE)``
    keypoints : KeyPoints, float32, ``(7, 2)``
        NaN where there is no such point; ``SIDES`` are left and right.
    frame : Tensor, float32, ``(3, 2)``
        The object's centre, a point above it and a point to the right of it.
    reads : callable
        ``reads(degrees, mirrored) -> str``: what the picture reads as after a turn (counter-clockwise as seen).
    """

    name: str
    image: Tensor
    label: str
    box: tv_tensors.BoundingBoxes
    mask: tv_tensors.Mask
    keypoints: tv_tensors.KeyPoints
    frame: Tensor
    reads: Callable[[float, bool], str]

    def targets(self) -> dict[str, Tensor]:
        """Return box, mask and key points as one object of a detection sample: the first axis counts objects."""
        points = tv_tensors.KeyPoints(self.keypoints.as_subclass(Tensor)[None], canvas_size=(SIZE, SIZE))
        return {"boxes": self.box, "masks": tv_tensors.Mask(self.mask.as_subclass(Tensor)[None]), "keypoints": points}


@cache
def picture(name: str) -> BenchPicture:
    """Return a picture of the bench by its name.

    Raises
    ------
    ValueError
        If there is no such picture.

    Examples
    --------
    >>> picture("sign").label, picture("sign").image.shape
    ('turn left', torch.Size([3, 96, 96]))
    """
    checked_choice(name, "name", NAMES)
    if name in TOYS:
        toy = data.Sprites(SPLIT, n=N_TOYS, size=SIZE)[TOYS[name]]
        return _with_frame(name, toy.image, name, toy.mask, toy.keypoints, lambda _degrees, _mirrored: name)
    return _sign() if name == "sign" else _six()


def read_frame(moved: np.ndarray) -> tuple[float, bool]:
    """Return turn (degrees, counter-clockwise as seen, -180 to 180) and mirroring of a moved frame (3, 2).

    Examples
    --------
    >>> read_frame(np.array([[5.0, 5.0], [5.0, 4.0], [4.0, 5.0]]))  # right became left
    (0.0, True)
    >>> read_frame(np.array([[5.0, 5.0], [4.0, 5.0], [5.0, 4.0]]))  # a quarter turn to the left
    (90.0, False)
    """
    up, right = moved[1] - moved[0], moved[2] - moved[0]
    mirrored = right[0] * up[1] - right[1] * up[0] > 0  # y runs downwards
    degrees = math.degrees(math.atan2(-up[0], -up[1]))
    return degrees + 0.0, bool(mirrored)


def read_sign(degrees: float, mirrored: bool) -> str:
    """Return what a sign that points to the left reads as after a turn.

    >>> read_sign(0, False), read_sign(10, True), read_sign(-90, False)
    ('turn left', 'turn right', 'straight on')
    """
    direction = (180 + degrees) % 360 if not mirrored else degrees % 360  # where the arrow points, counter-clockwise
    return ("turn right", "straight on", "turn left", "turn back")[round(direction / 90) % 4]


def read_six(degrees: float, mirrored: bool) -> str:
    """Return what a six reads as after a turn.

    >>> read_six(20, False), read_six(175, False), read_six(0, True)
    ('six', 'nine', 'no digit')
    """
    if mirrored:
        return "no digit"
    return "six" if abs(degrees) < 60 else "nine" if abs(degrees) > 120 else "no digit"


def _sign() -> BenchPicture:
    side = SIZE * _FINER
    rows = np.linspace(0, 1, side)[:, None, None]
    sky = (1 - rows) * np.array([120.0, 170.0, 215.0]) + rows * np.array([205.0, 222.0, 230.0])
    board = Image.fromarray(np.broadcast_to(sky, (side, side, 3)).astype(np.uint8))
    plate = Image.new("L", (side, side), 0)
    for surface, grey in ((board, (96, 96, 100)), (plate, None)):
        draw = ImageDraw.Draw(surface)
        post, disc = (182, 230, 202, 384), (80, 40, 304, 264)
        if grey is not None:
            draw.polygon([(0, 330), (384, 300), (384, 384), (0, 384)], fill=(112, 138, 84))
            draw.rectangle(post, fill=grey)
            draw.ellipse(disc, fill=(245, 245, 245))
            draw.ellipse((88, 48, 296, 256), fill=(0, 82, 165))
            draw.polygon(
                [(104, 152), (176, 92), (176, 130), (276, 130), (276, 174), (176, 174), (176, 212)], fill=(245, 245, 245)
            )
        else:
            draw.ellipse(disc, fill=255)
    points = torch.full((7, 2), float("nan"))
    points[0], points[1] = torch.tensor([26.0, 38.0]), torch.tensor([69.0, 38.0])  # tip and tail of the arrow
    return _with_frame("sign", _averaged(board), "turn left", _covered(plate), points, read_sign)


def _six() -> BenchPicture:
    from sklearn.datasets import load_digits

    digits = load_digits()
    ink = digits.images[np.flatnonzero(digits.target == 6)[3]]  # (8, 8), 0 to 16
    large = Image.fromarray((ink * 15.9).astype(np.uint8)).resize((72, 72), Image.Resampling.BICUBIC)
    strength = np.zeros((SIZE, SIZE), np.float64)
    strength[12:84, 12:84] = np.asarray(large) / 255.0
    ground, light = np.array([38.0, 44.0, 66.0]), np.array([248.0, 232.0, 170.0])
    pixels = ground + strength[..., None] * (light - ground)
    points = torch.full((7, 2), float("nan"))
    rows, columns = np.nonzero(strength > 0.5)
    points[0] = torch.tensor([columns[rows == rows.min()].mean() + 0.5, rows.min() + 0.5])  # where the pen begins
    image = torch.from_numpy(pixels.round().astype(np.uint8)).permute(2, 0, 1).contiguous()
    return _with_frame("six", image, "six", torch.from_numpy(strength > 0.5), points, read_six)


def _averaged(board: Image.Image) -> Tensor:
    small = np.asarray(board.resize((SIZE, SIZE), Image.Resampling.BOX))
    return torch.from_numpy(small.copy()).permute(2, 0, 1).contiguous()


def _covered(plate: Image.Image) -> Tensor:
    return torch.from_numpy(np.asarray(plate.resize((SIZE, SIZE), Image.Resampling.BOX)) > 127)


def _with_frame(
    name: str, image: Tensor, label: str, mask: Tensor, keypoints: Tensor, reads: Callable[[float, bool], str]
) -> BenchPicture:
    mask = mask.as_subclass(Tensor)
    rows, columns = mask.nonzero().unbind(1)
    x1, x2, y1, y2 = (float(v) for v in (columns.min(), columns.max() + 1, rows.min(), rows.max() + 1))
    centre = torch.tensor([(x1 + x2) / 2, (y1 + y2) / 2])
    canvas = (SIZE, SIZE)
    return BenchPicture(
        name,
        image,
        label,
        tv_tensors.BoundingBoxes(torch.tensor([[x1, y1, x2, y2]]), format="XYXY", canvas_size=canvas),
        tv_tensors.Mask(mask),
        tv_tensors.KeyPoints(keypoints.as_subclass(Tensor).clone(), canvas_size=canvas),
        torch.stack([centre, centre - torch.tensor([0.0, 4.0]), centre + torch.tensor([4.0, 0.0])]),
        reads,
    )
