"""Another processor on this one: environment variables that switch instruction sets off in a new process.

NumPy, OpenBLAS, torch and oneDNN look at the processor when they are loaded and choose their code for it. A learner's
laptop chooses differently from the machine that stored the outputs, and sums and elementary functions then differ in
their last bits. What repeats here under another choice has a good chance of repeating there.
"""

from __future__ import annotations

import numpy as np

_WITHOUT_AVX512 = {
    "OPENBLAS_CORETYPE": "Haswell",
    "ATEN_CPU_CAPABILITY": "avx2",
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "MKL_ENABLE_INSTRUCTIONS": "AVX2",
}
_WITHOUT_ANYTHING = {
    "OPENBLAS_CORETYPE": "Nehalem",
    "ATEN_CPU_CAPABILITY": "default",
    "ONEDNN_MAX_CPU_ISA": "SSE41",
    "MKL_ENABLE_INSTRUCTIONS": "SSE4_2",
}


def a_step_down() -> dict[str, str]:
    """Return the settings of the next simpler processor: AVX2 where there is AVX-512, else ``the_simplest``."""
    newest = [name for name in _extensions() if name.startswith(("AVX512", "X86_V4"))]
    return {"NPY_DISABLE_CPU_FEATURES": " ".join(newest), **_WITHOUT_AVX512} if newest else the_simplest()


def the_simplest() -> dict[str, str]:
    """Return the settings under which nothing is used that not every processor of this kind has; ``{}`` if there is no choice."""
    every = _extensions()
    if not every:
        return {}
    x86 = any(name.startswith(("AVX", "X86", "SSE", "FMA")) for name in every)
    return {"NPY_DISABLE_CPU_FEATURES": " ".join(every), **(_WITHOUT_ANYTHING if x86 else {})}


def _extensions() -> list[str]:
    """Instruction sets that NumPy uses on this processor beyond those that it requires."""
    return list(np.show_config(mode="dicts")["SIMD Extensions"].get("found", []))
