"""The label-mass court: do the labels of a mixer say what is in its images? Ours, other libraries', and formulas gone wrong.

**Problem.** A wrong label weight stops no training. The loss falls, the shapes fit, the tests of shapes pass. **Idea.** Give
every mixer images that *are* their labels (``label_mass_error``). Then the mean of the mixed image is the only right label, and
one number per mixer tells how far off it is.

Three formulas that went wrong in public are written again here, from what was reported about them:

* CutMix that keeps lam as it was drawn, although the box was cut off at the border;
* SmoothMix that gives the weight of the middle to the image around it;
* SmoothMix that takes the sum of the mask for its mean: the number of pixels is forgotten, and the weight is cut to 1.

kornia's ``RandomCutMixV2`` returns a number lambda and leaves the loss to the reader. Without its flag ``use_correct_lambda`` this
is the area of the box, the *opposite* of the paper's. Who writes the loss as in the paper gets it wrong; who writes it as kornia
writes it for its mixup gets it right, until the flag is set. All readings stand before the court.

Source: the course's card 08, section 0.

Taught in ``16_cutting_and_pasting``, step 5.
"""

from __future__ import annotations

import importlib.util
import random
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from course_utils.augment.cutmix import CutMix
from course_utils.augment.mixing import MixPlan, label_mass_error, soft_labels
from course_utils.augment.mixup import MixUp
from course_utils.augment.ricap import RICAP
from course_utils.augment.sampling import rows
from course_utils.augment.smoothmix import SmoothMix
from course_utils.checks import checked_int

Mix = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
N, SIZE, RIGHT = 6, (9, 12), 1e-5  # images; height and width; an error below this is rounding


@dataclass(frozen=True)
class CourtRow:
    """What the court found about one mixer.

    Attributes
    ----------
    library, mixer : str
    error : float or None
        The worst label of all draws, 0 to 1; None where the library is not installed.
    word : str
        What is wrong, or what is special.
    """

    library: str
    mixer: str
    error: float | None
    word: str = ""

    @property
    def is_right(self) -> bool:
        """Tell whether the error is rounding; False for a library that is not there."""
        return self.error is not None and self.error < RIGHT


def hold_court(draws: int = 50, seed: int = 0, more: Mapping[str, Mix] | None = None) -> list[CourtRow]:
    """Judge every mixer at hand by its worst label.

    Parameters
    ----------
    draws : int, default 50
        Batches for each mixer.
    seed : int, default 0
        Of torch, NumPy and ``random``, whose states are put back afterwards.
    more : mapping from name to mixer, optional
        Mixers of the reader, functions (images, labels) -> (images, soft labels).

    Returns
    -------
    list of CourtRow
        Ours, then the other libraries, then the formulas gone wrong, then ``more``.
    """
    draws = checked_int(draws, "draws", low=1)
    found = []
    for library, find in LIBRARIES.items():
        if library in INSTALLED_BY_NAME and importlib.util.find_spec(library) is None:
            found.append(CourtRow(library, "all", None, "not installed"))
            continue
        found += [CourtRow(library, name, _worst(mix, draws, seed), word) for name, (mix, word) in find().items()]
    return found + [CourtRow("yours", name, _worst(mix, draws, seed)) for name, mix in (more or {}).items()]


def _worst(mix: Mix, draws: int, seed: int) -> float:
    with _seeded(seed):
        return max(label_mass_error(mix, N, SIZE) for _ in range(draws))


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Let three global generators start from ``seed``, and put them back afterwards."""
    numpy_state, python_state = np.random.get_state(), random.getstate()  # noqa: NPY002 - timm draws from it
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        np.random.seed(seed)  # noqa: NPY002
        random.seed(seed)
        try:
            yield
        finally:
            np.random.set_state(numpy_state)  # noqa: NPY002
            random.setstate(python_state)


# ------------------------------------------------------------------------------------------------------------ the mixers


def _ours() -> dict[str, tuple[Mix, str]]:
    mixers = {
        "MixUp": MixUp(num_classes=N),
        "CutMix": CutMix(num_classes=N),
        "CutMix, one box a batch": CutMix(num_classes=N, per="batch"),
        "RICAP": RICAP(num_classes=N),
        "SmoothMix, circle": SmoothMix(num_classes=N),
        "SmoothMix, square": SmoothMix("square", num_classes=N),
    }
    return {name: (mixer, "") for name, mixer in mixers.items()}


def _torchvision() -> dict[str, tuple[Mix, str]]:
    from torchvision.transforms import v2

    return {"MixUp": (v2.MixUp(num_classes=N), ""), "CutMix": (v2.CutMix(num_classes=N), "")}


def _timm() -> dict[str, tuple[Mix, str]]:
    from timm.data import Mixup

    found: dict[str, tuple[Mix, str]] = {}
    for mode in ("batch", "pair", "elem"):
        for name, alphas in {"Mixup": (1.0, 0.0), "CutMix": (0.0, 1.0)}.items():
            mixer = Mixup(*alphas, mode=mode, label_smoothing=0, num_classes=N)
            found[f"{name}, {mode}"] = (lambda x, y, mixer=mixer: mixer(x.clone(), y), "")
    usual = Mixup(0.0, 1.0, mode="elem", num_classes=N)
    found["CutMix, its defaults"] = (lambda x, y: usual(x.clone(), y), "smooths labels by 0.1, by design")
    return found


def _kornia() -> dict[str, tuple[Mix, str]]:
    import kornia.augmentation as K

    def reading(mixer: Any, own_is_lambda: bool) -> Mix:
        def mix(images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
            mixed, triple = mixer(images, labels)
            own, other, lam = triple.reshape(-1, 3).unbind(1)
            first, second = (F.one_hot(one.long(), N).double() for one in (own, other))
            weight = (lam if own_is_lambda else 1 - lam).double()[:, None]
            return mixed, weight * first + (1 - weight) * second

        return mix

    keys = {"data_keys": ["input", "class"]}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        default = K.RandomCutMixV2(**keys)
    correct = K.RandomCutMixV2(**keys, use_correct_lambda=True)
    return {
        "RandomMixUpV2": (reading(K.RandomMixUpV2(**keys), False), ""),
        "RandomCutMixV2": (reading(default, True), "its lambda is the area of the box, the opposite of the paper's"),
        "RandomCutMixV2, read as its mixup": (reading(default, False), "right only without the flag"),
        "RandomCutMixV2, correct lambda": (reading(correct, True), ""),
    }


def _gone_wrong() -> dict[str, tuple[Mix, str]]:
    def wrong(mixer: Any, weigh: Callable[[MixPlan, Any], Tensor]) -> Mix:
        def mix(images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
            n, shape = len(images), tuple(images.shape[1:])
            partners = torch.stack([torch.arange(n), torch.arange(n).roll(1)], dim=1)
            params = rows(mixer.sample(1, shape), torch.zeros(n, dtype=torch.long))  # one draw a batch, as these codes do
            plan = mixer.plan(partners, params, shape)
            own = weigh(plan, params).to(torch.float32)
            weights = torch.stack([own, 1 - own], dim=1)
            return plan.images(images), MixPlan(partners, plan.shares, label_weights=weights).labels(soft_labels(labels, N))

        return mix

    def summed(plan: MixPlan, _: Any) -> Tensor:
        return plan.shares.sum((1, 2, 3, 4)).clamp(max=1)

    return {
        "CutMix, lam as it was drawn": (wrong(CutMix(), lambda _, params: params.lam), "the border cut the box, not the label"),
        "SmoothMix, labels exchanged": (wrong(SmoothMix(), lambda plan, _: plan.weights[:, 1]), "the middle is the other image"),
        "SmoothMix, H W forgotten": (wrong(SmoothMix(), summed), "the sum of the mask is not its mean"),
    }


LIBRARIES: dict[str, Callable[[], dict[str, tuple[Mix, str]]]] = {
    "course": _ours,
    "torchvision": _torchvision,
    "timm": _timm,
    "kornia": _kornia,
    "gone wrong": _gone_wrong,
}
INSTALLED_BY_NAME = ("torchvision", "timm", "kornia")
