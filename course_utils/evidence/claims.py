"""The claims of the course, each with its experiment, the comparisons it consists of, and the smallest effect that counts.

A chapter that brings a method adds its claims to a module of ``claim_texts``, which is imported here. The smallest effect is
written down before the runs.
"""

from __future__ import annotations

from course_utils.evidence.claim_texts import (  # noqa: F401
    catalogue,
    erasing,
    label_safety,
    manifold_mixup,
    mixing,
    patch_shuffle_and_augmix,
    retrieval,
)
from course_utils.evidence.ledger import CLAIMS

__all__ = ["CLAIMS"]
