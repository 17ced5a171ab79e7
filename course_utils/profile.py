"""How big, on what, how loud: the profile, the threads, the device and the progress bars of a run.

Six environment variables steer a run; none of them changes a method:

====================  ==========================================================================
``COURSE_PROFILE``    ``quick`` (default: two laptop cores, what the tests run), ``full`` (the
                      papers' own settings) or ``gpu`` (``full`` on a graphics card)
``COURSE_DEVICE``     where networks are trained, such as ``cuda``; default: the profile's device
``COURSE_THREADS``    number of compute threads; default: the free cores, one inside a pytest-xdist
                      worker
``COURSE_PROGRESS``   ``0`` silences every progress bar
``COURSE_CACHE``      where computed results are kept between runs (see ``data.cache``)
``COURSE_DATA``       where real data sets lie that ``python -m data_scripts`` has fetched
====================  ==========================================================================
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

from course_utils.checks import checked_choice, message

if TYPE_CHECKING:
    import torch

PROFILES = ("quick", "full", "gpu")
LATER_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
"""What torch, faiss, scikit-learn and BLAS libraries read when they are loaded."""

T = TypeVar("T")


def current_profile() -> str:
    """Return the active profile: ``"quick"``, ``"full"`` or ``"gpu"``.

    Raises
    ------
    ValueError
        If ``COURSE_PROFILE`` holds anything else.
    """
    return checked_choice(os.environ.get("COURSE_PROFILE", "quick"), "COURSE_PROFILE", PROFILES)


def by_profile(quick: T, full: T, gpu: T | None = None) -> T:
    """Return the value for the active profile; ``gpu`` falls back to ``full``.

    >>> steps = by_profile(quick=200, full=30_000)
    """
    profile = current_profile()
    if profile == "quick":
        return quick
    return full if profile == "full" or gpu is None else gpu


def device() -> torch.device:
    """Return the device of this run: ``COURSE_DEVICE`` if it is set, the graphics card in the ``gpu`` profile, or the CPU.

    ``COURSE_DEVICE=cuda`` moves the trainings of another profile to the card and leaves their scale as it is.

    Raises
    ------
    ValueError
        If ``COURSE_DEVICE`` names no device of torch.
    RuntimeError
        If the profile is ``gpu`` and torch sees no graphics card.
    """
    import torch

    asked = os.environ.get("COURSE_DEVICE")
    if asked:
        try:
            return torch.device(asked)
        except RuntimeError:
            raise ValueError(message("COURSE_DEVICE", "a device of torch, such as cpu, cuda or cuda:1", repr(asked))) from None
    if current_profile() != "gpu":
        return torch.device("cpu")
    if torch.cuda.is_available():
        return torch.device("cuda")
    if torch.backends.mps.is_available():
        return torch.device("mps")
    raise RuntimeError("COURSE_PROFILE is 'gpu', but torch sees no graphics card. Use COURSE_PROFILE=full to run on the CPU.")


def n_threads() -> int:
    """Return the number of compute threads this process should use.

    Two workers that both take all cores slow each other down by an order of magnitude on small tensors, so a
    pytest-xdist worker takes one.

    Raises
    ------
    ValueError
        If ``COURSE_THREADS`` is not a positive integer.
    """
    asked = os.environ.get("COURSE_THREADS")
    if asked is not None:
        if not asked.isdecimal() or int(asked) < 1:
            raise ValueError(message("COURSE_THREADS", "a positive integer", repr(asked)))
        return int(asked)
    if "PYTEST_XDIST_WORKER" in os.environ:
        return 1
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # macOS, Windows
        return os.cpu_count() or 1


def use_threads(n: int | None = None) -> int:
    """Set the threads of torch, faiss and the BLAS libraries to ``n`` (default ``n_threads()``); return the number.

    Libraries that are loaded already are told; those that come later (torch takes seconds to load, and not every
    chapter needs it for its first picture) read the number from the environment.
    """
    import sys

    from threadpoolctl import threadpool_limits

    n = n_threads() if n is None else n
    for variable in LATER_THREADS:
        os.environ[variable] = str(n)
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(n)
    if "faiss" in sys.modules:
        sys.modules["faiss"].omp_set_num_threads(n)
    threadpool_limits(n)
    return n


def set_up() -> None:
    """Prepare a chapter: threads and figure style. The one call of every ``setup`` cell."""
    from course_utils.plotting import use_course_style

    use_threads()
    use_course_style()


def progress(iterable: Iterable[T] | None = None, **options: Any) -> Any:
    """Wrap ``iterable`` in a ``tqdm.auto`` bar; ``COURSE_PROGRESS=0`` silences it.

    ``options`` are tqdm's own (``desc``, ``total``, ``unit`` ...). A finished bar is removed, so that a
    notebook keeps only its results.
    """
    from tqdm.auto import tqdm

    options.setdefault("leave", False)
    options.setdefault("disable", os.environ.get("COURSE_PROGRESS", "1") == "0")
    return tqdm(iterable, **options)


def batches(n: int, size: int) -> Iterator[slice]:
    """Yield the slices that cut ``range(n)`` into pieces of at most ``size``.

    >>> list(batches(5, 2))
    [slice(0, 2, None), slice(2, 4, None), slice(4, 5, None)]
    """
    for start in range(0, n, size):
        yield slice(start, min(start + size, n))
