"""What the corruptions are and how strong each severity is: the tables of CIFAR-10-C and ImageNet-C.

Two benchmarks fix the same corruptions for two sizes of image: CIFAR-10-C for 32 pixels, ImageNet-C for 224. For another
size, ``parameters`` takes the table of the nearer size (on a logarithmic scale, so 85 pixels is the border) and scales
every parameter that is a length in pixels. Strengths of noise and colour stay as they are.

Small images
    At 8 pixels a blur of one pixel removes most of the picture. Noise, brightness, contrast and JPEG still mean what they
    mean elsewhere; the others do not.

Left out
    ``frost`` adds crops of six photographs of ice, which the published code brings along and this course does not. Any
    comparison with published means has to leave frost out on both sides.

Source: D. Hendrycks, T. Dietterich, "Benchmarking Neural Network Robustness to Common Corruptions and Perturbations",
ICLR 2019, arXiv:1903.12261; parameters from the authors' repository ``hendrycks/robustness`` (``make_cifar_c.py`` and
``corruptions.py``).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

from course_utils.checks import checked_choice, checked_int, message

SEVERITIES = (1, 2, 3, 4, 5)
FAMILIES = ("noise", "blur", "weather", "digital")
SIZES = (32, 224)
BORDER = sqrt(SIZES[0] * SIZES[1])
"""Images smaller than this take the table for 32 pixels."""


@dataclass(frozen=True)
class Corruption:
    """One way to spoil an image, with its two tables.

    Attributes
    ----------
    name : str
    family : {"noise", "blur", "weather", "digital"}
    symbols : tuple of str
        Names of the parameters.
    small, large : tuple of five tuples
        Parameters of severities 1 to 5 for 32 and for 224 pixels.
    lengths : tuple of str
        Which of ``symbols`` are lengths in pixels.
    whole : tuple of str
        Which of ``symbols`` are whole numbers of at least 1.
    validation : bool
        One of the corruptions that the benchmark keeps for choosing constants.
    same_as : tuple of str
        Transforms of this course that do nearly the same: a model trained with one of them has seen this test before.
    """

    name: str
    family: str
    symbols: tuple[str, ...]
    small: tuple[tuple[float, ...], ...]
    large: tuple[tuple[float, ...], ...]
    lengths: tuple[str, ...] = ()
    whole: tuple[str, ...] = ()
    validation: bool = False
    same_as: tuple[str, ...] = ()


def _single(*values: float) -> tuple[tuple[float, ...], ...]:
    return tuple((value,) for value in values)


def _zooms(*lists: tuple[int, int, int]) -> tuple[tuple[float, ...], ...]:
    """Return lists of zooms from (first, last, step) in hundredths: ``arange`` with floats has one entry too many at times."""
    return tuple(tuple(i / 100 for i in range(first, last + 1, step)) for first, last, step in lists)


_ALL = (
    Corruption(
        "gaussian_noise",
        "noise",
        ("sigma",),
        _single(0.04, 0.06, 0.08, 0.09, 0.10),
        _single(0.08, 0.12, 0.18, 0.26, 0.38),
        same_as=("GaussianNoise", "ISONoise"),
    ),
    Corruption(
        "shot_noise",
        "noise",
        ("photons",),
        _single(500, 250, 100, 75, 50),
        _single(60, 25, 12, 5, 3),
        same_as=("GaussianNoise", "ISONoise"),
    ),
    Corruption(
        "impulse_noise", "noise", ("share",), _single(0.01, 0.02, 0.03, 0.05, 0.07), _single(0.03, 0.06, 0.09, 0.17, 0.27)
    ),
    Corruption(
        "defocus_blur",
        "blur",
        ("radius", "edge_sigma"),
        ((0.3, 0.4), (0.4, 0.5), (0.5, 0.6), (1.0, 0.2), (1.5, 0.1)),
        ((3.0, 0.1), (4.0, 0.5), (6.0, 0.5), (8.0, 0.5), (10.0, 0.5)),
        lengths=("radius", "edge_sigma"),
        same_as=("GaussianBlur",),
    ),
    Corruption(
        "glass_blur",
        "blur",
        ("sigma", "reach", "passes"),
        ((0.05, 1, 1), (0.25, 1, 1), (0.4, 1, 1), (0.25, 1, 2), (0.4, 1, 2)),
        ((0.7, 1, 2), (0.9, 2, 1), (1.0, 2, 3), (1.1, 3, 2), (1.5, 4, 2)),
        lengths=("sigma", "reach"),
        whole=("reach", "passes"),
        same_as=("GaussianBlur", "Elastic", "PatchShuffle"),
    ),
    Corruption(
        "motion_blur",
        "blur",
        ("radius", "sigma"),
        ((6, 1.0), (6, 1.5), (6, 2.0), (8, 2.0), (9, 2.5)),
        ((10, 3.0), (15, 5.0), (15, 8.0), (15, 12.0), (20, 15.0)),
        lengths=("radius", "sigma"),
        whole=("radius",),
        same_as=("MotionBlur",),
    ),
    Corruption(
        "zoom_blur",
        "blur",
        ("zooms",),
        _zooms((100, 106, 1), (100, 111, 1), (100, 115, 1), (100, 120, 1), (100, 125, 1)),
        _zooms((100, 111, 1), (100, 115, 1), (100, 120, 2), (100, 124, 2), (100, 130, 3)),
    ),
    Corruption(
        "snow",
        "weather",
        ("mean", "deviation", "zoom", "threshold", "radius", "sigma", "keep"),
        (
            (0.1, 0.2, 1.0, 0.6, 8, 3.0, 0.95),
            (0.1, 0.2, 1.0, 0.5, 10, 4.0, 0.9),
            (0.15, 0.3, 1.75, 0.55, 10, 4.0, 0.9),
            (0.25, 0.3, 2.25, 0.6, 12, 6.0, 0.85),
            (0.3, 0.3, 1.25, 0.65, 14, 12.0, 0.8),
        ),
        (
            (0.1, 0.3, 3.0, 0.5, 10, 4.0, 0.8),
            (0.2, 0.3, 2.0, 0.5, 12, 4.0, 0.7),
            (0.55, 0.3, 4.0, 0.9, 12, 8.0, 0.7),
            (0.55, 0.3, 4.5, 0.85, 12, 8.0, 0.65),
            (0.55, 0.3, 2.5, 0.85, 12, 12.0, 0.55),
        ),
        lengths=("radius", "sigma"),
        whole=("radius",),
        same_as=("Rain",),
    ),
    Corruption(
        "fog",
        "weather",
        ("amount", "decay"),
        ((0.2, 3.0), (0.5, 3.0), (0.75, 2.5), (1.0, 2.0), (1.5, 1.75)),
        ((1.5, 2.0), (2.0, 2.0), (2.5, 1.7), (2.5, 1.5), (3.0, 1.4)),
        same_as=("Fog",),
    ),
    Corruption(
        "brightness",
        "digital",
        ("lift",),
        _single(0.05, 0.1, 0.15, 0.2, 0.3),
        _single(0.1, 0.2, 0.3, 0.4, 0.5),
        same_as=("BrightnessJitter", "ColorJitter", "Gamma"),
    ),
    Corruption(
        "contrast",
        "digital",
        ("factor",),
        _single(0.75, 0.5, 0.4, 0.3, 0.15),
        _single(0.4, 0.3, 0.2, 0.1, 0.05),
        same_as=("ContrastJitter", "ColorJitter", "AutoContrast", "Equalize"),
    ),
    Corruption(
        "elastic_transform",
        "digital",
        ("alpha", "sigma", "affine"),
        tuple(
            tuple(32 * c for c in row)
            for row in ((0, 0, 0.08), (0.05, 0.2, 0.07), (0.08, 0.06, 0.06), (0.1, 0.04, 0.05), (0.1, 0.03, 0.03))
        ),
        tuple(
            tuple(244 * c for c in row)
            for row in ((2, 0.7, 0.1), (2, 0.08, 0.2), (0.05, 0.01, 0.02), (0.07, 0.01, 0.02), (0.12, 0.01, 0.02))
        ),
        lengths=("alpha", "sigma", "affine"),
        same_as=("Elastic", "Affine"),
    ),
    Corruption("pixelate", "digital", ("share",), _single(0.95, 0.9, 0.85, 0.75, 0.65), _single(0.6, 0.5, 0.4, 0.3, 0.25)),
    Corruption(
        "jpeg_compression",
        "digital",
        ("quality",),
        _single(80, 65, 58, 50, 40),
        _single(25, 18, 15, 10, 7),
        whole=("quality",),
        same_as=("JPEGCompression",),
    ),
    Corruption(
        "speckle_noise",
        "noise",
        ("sigma",),
        _single(0.06, 0.1, 0.12, 0.16, 0.2),
        _single(0.15, 0.2, 0.35, 0.45, 0.6),
        validation=True,
        same_as=("GaussianNoise", "ISONoise"),
    ),
    Corruption(
        "gaussian_blur",
        "blur",
        ("sigma",),
        _single(0.4, 0.6, 0.7, 0.8, 1.0),
        _single(1.0, 2.0, 3.0, 4.0, 6.0),
        lengths=("sigma",),
        validation=True,
        same_as=("GaussianBlur",),
    ),
    Corruption(
        "spatter",
        "weather",
        ("mean", "deviation", "sigma", "threshold", "strength", "mud_sigma"),
        (
            (0.62, 0.1, 0.7, 0.7, 0.5, 0.0),
            (0.65, 0.1, 0.8, 0.7, 0.5, 0.0),
            (0.65, 0.3, 1.0, 0.69, 0.5, 0.0),
            (0.65, 0.1, 0.7, 0.69, 0.0, 0.6),
            (0.65, 0.1, 0.5, 0.68, 0.0, 0.6),
        ),
        (
            (0.65, 0.3, 4.0, 0.69, 0.6, 0.0),
            (0.65, 0.3, 3.0, 0.68, 0.6, 0.0),
            (0.65, 0.3, 2.0, 0.68, 0.5, 0.0),
            (0.65, 0.3, 1.0, 0.65, 0.0, 1.5),
            (0.67, 0.4, 1.0, 0.65, 0.0, 1.5),
        ),
        lengths=("sigma", "mud_sigma"),
        validation=True,
        same_as=("RandomErasing",),
    ),
    Corruption(
        "saturate",
        "digital",
        ("factor", "lift"),
        ((0.3, 0.0), (0.1, 0.0), (1.5, 0.0), (2.0, 0.1), (2.5, 0.2)),
        ((0.3, 0.0), (0.1, 0.0), (2.0, 0.0), (5.0, 0.1), (20.0, 0.2)),
        validation=True,
        same_as=("SaturationJitter", "ColorJitter"),
    ),
)

CORRUPTIONS: dict[str, Corruption] = {corruption.name: corruption for corruption in _ALL}
"""Every corruption by name, the test corruptions in the benchmark's order, then the validation corruptions."""

names: tuple[str, ...] = tuple(c.name for c in _ALL if not c.validation)
"""The 14 test corruptions, in the benchmark's order."""

validation_names: tuple[str, ...] = tuple(c.name for c in _ALL if c.validation)
"""Corruptions for choosing constants; they are in no mean."""

families: dict[str, tuple[str, ...]] = {
    family: tuple(c.name for c in _ALL if c.family == family and not c.validation) for family in FAMILIES
}
"""The test corruptions of each family."""

left_out: dict[str, str] = {"frost": "it needs six photographs of ice"}
"""Corruptions of the benchmark that are not here, and why."""


def parameters(name: str, severity: int, size: int = 32, table: int | None = None) -> dict[str, float | tuple[float, ...]]:
    """Return the parameters of a corruption for images of ``size`` pixels.

    Taught in ``18_does_it_help``.

    Parameters
    ----------
    name : str
        One of ``names`` or ``validation_names``.
    severity : int
        1 to 5.
    size : int, default 32
        Shorter side of the images, in pixels.
    table : {32, 224}, optional
        Benchmark whose numbers are taken; by default the one nearer to ``size``.

    Returns
    -------
    dict
        From the names of the parameters to their values; ``zooms`` is a tuple.

    Raises
    ------
    TypeError, ValueError
        For an unknown name (frost says why), severity or table, or a size below 1.

    Examples
    --------
    >>> parameters("motion_blur", 3)
    {'radius': 6, 'sigma': 2.0}
    >>> parameters("motion_blur", 3, size=64)
    {'radius': 12, 'sigma': 4.0}
    >>> parameters("motion_blur", 3, size=224)
    {'radius': 15, 'sigma': 8.0}
    """
    corruption = checked_corruption(name)
    severity = checked_int(severity, "severity", low=1, high=5)
    size = checked_int(size, "size", low=1)
    table = (SIZES[0] if size < BORDER else SIZES[1]) if table is None else checked_choice(table, "table", SIZES)
    row = (corruption.small if table == SIZES[0] else corruption.large)[severity - 1]
    if corruption.symbols == ("zooms",):
        return {"zooms": row}
    values = {}
    for symbol, value in zip(corruption.symbols, row):
        value = value * size / table if symbol in corruption.lengths else value
        values[symbol] = max(1, round(value)) if symbol in corruption.whole else float(value)
    return values


def checked_corruption(name: str) -> Corruption:
    """Return the corruption of that name, or say why there is none."""
    if name in left_out:
        raise ValueError(message("name", "a corruption that this course has", f"{name!r}, which is left out: {left_out[name]}"))
    return CORRUPTIONS[checked_choice(name, "name", CORRUPTIONS)]
