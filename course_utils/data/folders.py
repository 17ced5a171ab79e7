"""A folder of the reader's own pictures as a data set.

Holiday pictures are not tidy: they lie in nested folders, are turned by a flag in their EXIF data, come with alpha
channels, palettes or 16 bits, and one in a thousand is cut short. ``ImageFolder`` reads what can be read, brings it
to one size, and lists the rest with a reason instead of failing.

Convention: a picture is turned upright, scaled so that it just covers the wanted size, and cropped around its centre;
nothing is stretched. Transparent parts become white. 16-bit values are divided by 257, so that 65535 becomes 255.

Taught in ``01_vlad``, "your own pictures".
"""

from __future__ import annotations

import os
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError
from torch.utils.data import Dataset

from course_utils.checks import checked_int, message
from course_utils.profile import progress

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff")
MAX_PIXELS = 120_000_000
"""Pictures with more pixels are skipped before they are decoded: a few kilobytes can unpack to gigabytes."""


@dataclass(frozen=True, eq=False)
class FolderView:
    """One picture of an ``ImageFolder``: ``image`` uint8 ``(3, H, W)`` and the ``path`` of its file."""

    image: torch.Tensor
    path: Path


class ImageFolder(Dataset):
    """Every picture under a folder, at one size, in a stable order.

    Parameters
    ----------
    root : str or Path
        Searched with all its sub-folders; hidden files and folders are left out. Order: by path, compared folder by
        folder, the same on every platform.
    size : (int, int), default (96, 128)
        Height and width in pixels.

    Attributes
    ----------
    images : Tensor, uint8, ``(N, 3, H, W)``
    paths : list of Path
        ``paths[i]`` is the file of ``images[i]``.
    skipped : list of (Path, str)
        Files that look like pictures but cannot be used, each with the reason in words.

    Raises
    ------
    FileNotFoundError
        If ``root`` does not exist.
    NotADirectoryError
        If it is a file.
    ValueError
        If no picture in it can be used; the message says how many were tried and why the first one failed.
    """

    def __init__(self, root: str | os.PathLike[str], size: tuple[int, int] = (96, 128)) -> None:
        height, width = size
        self.size = (checked_int(height, "size[0]", low=1), checked_int(width, "size[1]", low=1))
        self.root = Path(root).expanduser()
        self.paths: list[Path] = []
        self.skipped: list[tuple[Path, str]] = []
        pictures = []
        for path in progress(find_pictures(self.root), desc="reading pictures", unit="file"):
            try:
                pictures.append(read_picture(path, self.size))
            except UnreadablePicture as error:
                self.skipped.append((path, str(error)))
            else:
                self.paths.append(path)
        if not pictures:
            raise ValueError(message("root", "a folder with pictures", self._what_was_found(), self._way_out()))
        self.images = torch.from_numpy(np.stack(pictures).transpose(0, 3, 1, 2).copy())

    def _what_was_found(self) -> str:
        if not self.skipped:
            return f"none under {self.root}"
        path, reason = self.skipped[0]
        return f"{len(self.skipped)} unusable file(s) under {self.root} (first: {path.name}: {reason})"

    @staticmethod
    def _way_out() -> str:
        return "Looked for " + ", ".join(SUFFIXES) + " in it and in its sub-folders."

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> FolderView:
        return FolderView(self.images[index], self.paths[index])

    def __repr__(self) -> str:
        height, width = self.size
        return f"ImageFolder({str(self.root)!r}: {len(self)} pictures of {height} x {width}, {len(self.skipped)} skipped)"


class UnreadablePicture(ValueError):
    """A file that cannot be used as a picture; the message is the reason."""


def find_pictures(root: Path) -> list[Path]:
    """Return the picture files under ``root``, ordered folder by folder.

    Raises
    ------
    FileNotFoundError, NotADirectoryError
        If ``root`` is missing or a file.
    """
    if not root.exists():
        raise FileNotFoundError(message("root", "an existing folder", repr(str(root))))
    if not root.is_dir():
        raise NotADirectoryError(message("root", "a folder", f"the file {str(root)!r}", "Give the folder around it."))
    found = []
    for folder, sub_folders, files in os.walk(root):  # symbolic links to folders are not followed: no loops
        sub_folders[:] = [name for name in sub_folders if not name.startswith(".")]
        found += [Path(folder) / name for name in files if name.lower().endswith(SUFFIXES) and not name.startswith(".")]
    return sorted(found, key=lambda path: path.relative_to(root).parts)


def read_picture(path: Path, size: tuple[int, int]) -> np.ndarray:
    """Return one picture as uint8 ``(H, W, 3)``: upright, RGB, covering ``size`` = (H, W), centre-cropped.

    Raises
    ------
    UnreadablePicture
        With the reason: empty, not a picture, cut short, too large, or unreadable.
    """
    height, width = size
    try:
        if path.stat().st_size == 0:
            raise UnreadablePicture("the file is empty")
        with warnings.catch_warnings(), Image.open(path) as picture:
            warnings.simplefilter("ignore")
            if picture.width * picture.height > MAX_PIXELS:
                raise UnreadablePicture(f"too large: {picture.width} x {picture.height} pixels, limit {MAX_PIXELS}")
            picture.draft(None, (2 * max(size), 2 * max(size)))  # lets the JPEG decoder skip detail; a no-op elsewhere
            upright = ImageOps.exif_transpose(_eight_bits(picture))
            return np.asarray(ImageOps.fit(_on_white(upright), (width, height), Image.Resampling.LANCZOS))
    except UnreadablePicture:
        raise
    except UnidentifiedImageError as error:
        raise UnreadablePicture("not a picture, or damaged at its beginning") from error
    except Image.DecompressionBombError as error:
        raise UnreadablePicture(f"too large: more than {MAX_PIXELS} pixels") from error
    except (OSError, EOFError) as error:
        raise UnreadablePicture(f"cut short or damaged ({error})") from error
    except (ValueError, SyntaxError, IndexError, TypeError, KeyError, OverflowError, MemoryError) as error:
        raise UnreadablePicture(f"damaged ({type(error).__name__}: {error})") from error


def _eight_bits(picture: Any) -> Any:
    """Bring 16-bit, 32-bit and floating pictures to 8 bits; PIL's own ``convert`` would clip them to white."""
    if not picture.mode.startswith(("I", "F")):
        return picture
    values = np.nan_to_num(np.asarray(picture, dtype=np.float64))
    if picture.mode == "F":
        scale = 255.0 if values.max(initial=0) <= 1 else 1.0
    else:
        scale = 1 / 257 if picture.mode.startswith("I;16") or values.max(initial=0) > 255 else 1.0
    eight = Image.fromarray(np.clip(np.rint(values * scale), 0, 255).astype(np.uint8))
    eight.info["exif"] = picture.info.get("exif", b"")
    return eight


def _on_white(picture: Any) -> Any:
    if "A" in picture.getbands() or "transparency" in picture.info:
        picture = picture.convert("RGBA")
        white = Image.new("RGBA", picture.size, (255, 255, 255, 255))
        picture = Image.alpha_composite(white, picture)
    return picture.convert("RGB")
