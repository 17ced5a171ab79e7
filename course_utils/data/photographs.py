"""Real photographs that are already on the reader's disk, inside the wheels of scikit-learn and scikit-image.

Licences: scikit-learn ships its two photographs under CC BY 2.0, with the photographers named in
``sklearn/datasets/images/README.txt``; scikit-image states a licence for each picture in the docstring of its loading
function. ``photograph_credits`` repeats both, one sentence a picture; chapter ``00_start_here`` prints them.

Taught in ``00_start_here``.
"""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from course_utils.checks import checked_choice

if TYPE_CHECKING:
    import torch

_CC_BY = "from scikit-learn, licensed CC BY 2.0 (creativecommons.org/licenses/by/2.0)"
_FREE = "from scikit-image"

CREDITS: dict[str, str] = {
    "china": f"Pagoda by a lake, photograph by danielbuechele (flickr.com/photos/danielbuechele), {_CC_BY}.",
    "flower": f"Dahlia, photograph by vultilion (flickr.com/photos/vultilion), {_CC_BY}.",
    "astronaut": f"Portrait of astronaut Eileen Collins, photograph by NASA, public domain, {_FREE}.",
    "brick": f"Brick wall, CC0Textures (Bricks25), CC0, {_FREE}.",
    "camera": f"Man with a camera, photograph by Lav Varshney, CC0, {_FREE}.",
    "chelsea": f"The cat Chelsea, photograph by Stefan van der Walt, CC0, {_FREE}.",
    "coffee": f"Cup of coffee, photograph by Rachel Michetti, courtesy of Pikolo Espresso Bar, CC0, {_FREE}.",
    "coins": f"Greek coins from Pompeii, Brooklyn Museum Collection, no known copyright restrictions, {_FREE}.",
    "grass": f"Grass, DeviantArt texture by linolafett, CC0, {_FREE}.",
    "gravel": f"Gravel, CC0Textures (Gravel04), CC0, {_FREE}.",
    "hubble": f"Hubble eXtreme Deep Field, photograph by NASA, public domain, {_FREE}.",
    "ihc": f"Colonic glands with immunohistochemical staining, no known copyright restrictions, {_FREE}.",
    "moon": f"Surface of the moon, {_FREE}, distributed under its BSD licence.",
    "motorcycle": "Motorcycle, left image of the Middlebury 2014 stereo benchmark by D. Scharstein and others "
    f"(vision.middlebury.edu/stereo/data/scenes2014), {_FREE}.",
    "motorcycle_right": "Motorcycle, right image of the Middlebury 2014 stereo benchmark by D. Scharstein and others "
    f"(vision.middlebury.edu/stereo/data/scenes2014), {_FREE}.",
    "page": f"Scanned page of text, {_FREE}, distributed under its BSD licence.",
    "retina": f"Human retina, photograph by Mikael Häggström on Wikimedia Commons, CC0, {_FREE}.",
    "rocket": f"Launch of a Falcon 9 rocket, photograph by SpaceX, public domain, {_FREE}.",
    "text": f"Handwritten formulas, public domain, {_FREE}.",
}
"""One sentence per picture: what it shows, who made it, under which licence, which package brings it."""

_SKIMAGE_NAMES = {"hubble": "hubble_deep_field", "ihc": "immunohistochemistry"}
_SKIMAGE_FILES = {
    "hubble": "hubble_deep_field.jpg",
    "motorcycle": "motorcycle_left.png",
    "motorcycle_right": "motorcycle_right.png",
    "retina": "retina.jpg",
    "rocket": "rocket.jpg",
}


def photograph_names() -> list[str]:
    """Return the names that ``photograph`` knows, in alphabetical order."""
    return sorted(CREDITS)


def photograph_credits() -> dict[str, str]:
    """Return one credit sentence per photograph: content, author, licence, package."""
    return {name: CREDITS[name] for name in photograph_names()}


def photograph(name: str) -> torch.Tensor:
    """Return a photograph as uint8 ``(3, H, W)``, RGB; grey pictures have three equal channels.

    Parameters
    ----------
    name : str
        One of ``photograph_names()``.

    Raises
    ------
    ValueError
        If there is no photograph of that name; the message lists those there are.

    Examples
    --------
    >>> photograph("china").shape
    torch.Size([3, 427, 640])
    """
    import torch

    return torch.from_numpy(photograph_array(name).transpose(2, 0, 1).copy())


@cache
def photograph_array(name: str) -> np.ndarray:
    """Return a photograph as a read-only uint8 array ``(H, W, 3)``; needs no torch."""
    checked_choice(name, "name", photograph_names())
    array = np.ascontiguousarray(_rgb(_load(name)))
    array.setflags(write=False)
    return array


def _load(name: str) -> np.ndarray:
    file = _file(name)
    if file.exists():
        with Image.open(file) as picture:
            return np.asarray(picture)
    return _load_through_the_package(name)  # a wheel that is laid out differently


def _file(name: str) -> Path:
    """Return where the wheel keeps the picture; reading it there spares the import of the whole package."""
    package, folder, file = ("sklearn", "datasets/images", f"{name}.jpg") if name in ("china", "flower") else _skimage_file(name)
    spec = find_spec(package)
    return Path(spec.submodule_search_locations[0]) / folder / file if spec and spec.submodule_search_locations else Path(file)


def _skimage_file(name: str) -> tuple[str, str, str]:
    return "skimage", "data", _SKIMAGE_FILES.get(name, f"{name}.png")


def _load_through_the_package(name: str) -> np.ndarray:
    if name in ("china", "flower"):
        from sklearn.datasets import load_sample_image

        return load_sample_image(f"{name}.jpg")
    from skimage import data

    if name.startswith("motorcycle"):
        return data.stereo_motorcycle()[1 if name.endswith("right") else 0]
    return getattr(data, _SKIMAGE_NAMES.get(name, name))()


def _rgb(array: np.ndarray) -> np.ndarray:
    if array.ndim == 2:
        array = np.repeat(array[..., None], 3, axis=2)
    return array[..., :3].astype(np.uint8, copy=False)
