"""Claims about PatchShuffle and AugMix."""

from __future__ import annotations

from course_utils.evidence import patch_shuffle_and_augmix_claims
from course_utils.evidence.ledger import Claim, register

PATCH_SHUFFLE = "G. Kang et al., 2017, arXiv:1707.07103"
AUGMIX = "D. Hendrycks et al., ICLR 2020, arXiv:1912.02781"
ROBUST_TOYS = (
    "Here: drawn toys of 32 pixels, six classes, a network of three convolutions; every arm has mirror and crop (the standard) and "
    "the same number of steps. Constants were chosen on validation images of seed 0, which is not among the seeds."
)

for _key, _what, _pairs, _experiment in (
    (
        "augmix-corruptions",
        "Trained with AugMix and its consistency loss, a network makes fewer errors on corruptions that it never saw than one with "
        "the standard augmentation alone: over all corruptions, and over those that no operation of AugMix comes close to.",
        [
            ("AugMix with JS", "standard"),
            ("AugMix with JS, unseen", "standard, unseen"),
        ],
        patch_shuffle_and_augmix_claims.augmix_corruptions,
    ),
    (
        "augmix-consistency",
        "The consistency loss does more than the mixtures alone: fewer errors on corrupted images at the same number of steps.",
        [("AugMix with JS", "AugMix alone"), ("AugMix with JS, unseen", "AugMix alone, unseen")],
        patch_shuffle_and_augmix_claims.augmix_consistency,
    ),
):
    register(
        Claim(
            key=_key,
            source=f"{AUGMIX}, section 4",
            sentence=_what,
            experiment=_experiment,
            pairs=_pairs,
            smallest_effect=0.01,
            unit="accuracy on corrupted images",
            scale=f"{ROBUST_TOYS} 1200 training images.",
        )
    )
register(
    Claim(
        key="augmix-clean",
        source=f"{AUGMIX}, section 4",
        sentence="The gain on corrupted images costs nothing on clean ones: AugMix with its consistency loss is more accurate there, too.",
        experiment=patch_shuffle_and_augmix_claims.augmix_clean,
        pairs=[("AugMix with JS", "standard")],
        smallest_effect=0.01,
        unit="accuracy on clean images",
        scale=f"{ROBUST_TOYS} 1200 training images.",
    )
)
register(
    Claim(
        key="augmix-calibration",
        source=f"{AUGMIX}, section 4",
        sentence=(
            "Trained with AugMix and its consistency loss, a network's confidence fits its accuracy better on corrupted images "
            "than with the standard augmentation, and than with the mixtures alone."
        ),
        experiment=patch_shuffle_and_augmix_claims.augmix_calibration,
        pairs=[("AugMix with JS", "standard"), ("AugMix with JS", "AugMix alone")],
        smallest_effect=0.01,
        unit="1 - calibration error on corrupted images",
        scale=f"{ROBUST_TOYS} 1200 training images.",
    )
)
register(
    Claim(
        key="augmix-calibration-tempered",
        source="A claim of this course, about where the difference comes from",
        sentence=(
            "After a temperature fitted on clean validation images, the network trained with AugMix and its consistency loss is "
            "better calibrated on corrupted images than the one with the standard augmentation."
        ),
        experiment=patch_shuffle_and_augmix_claims.augmix_calibration_tempered,
        pairs=[("AugMix with JS", "standard")],
        smallest_effect=0.01,
        unit="1 - calibration error on corrupted images",
        scale=f"{ROBUST_TOYS} 1200 training images.",
    )
)
register(
    Claim(
        key="patch-shuffle-little-data",
        source=f"{PATCH_SHUFFLE}, experiments with part of the training set",
        sentence="With few training images PatchShuffle makes a network more accurate, on images and on feature maps.",
        experiment=patch_shuffle_and_augmix_claims.patch_shuffle_clean,
        pairs=[(arm, "none") for arm in ("on images", "on maps")],
        smallest_effect=0.01,
        unit="accuracy",
        scale=f"{ROBUST_TOYS} 20 training images of each class.",
    )
)
register(
    Claim(
        key="patch-shuffle-robustness",
        source=f"{PATCH_SHUFFLE}, robustness to noise and local changes",
        sentence="PatchShuffle makes a network more accurate under noise and under local changes of the image.",
        experiment=patch_shuffle_and_augmix_claims.patch_shuffle_robustness,
        pairs=[(f"{arm}, {test}", f"none, {test}") for test in ("noise", "local") for arm in ("on images", "on maps")],
        smallest_effect=0.01,
        unit="accuracy",
        scale=f"{ROBUST_TOYS} 20 training images of each class; local changes are the elastic and the pixelate corruption.",
    )
)
register(
    Claim(
        key="patch-shuffle-dose",
        source="A claim of this course, about how much is shuffled",
        sentence="With few training images, shuffling the windows of more than one image in twenty makes a network more accurate.",
        experiment=patch_shuffle_and_augmix_claims.patch_shuffle_doses,
        pairs=[(f"p = {p}", "p = 0.05") for p in (0.2, 0.5)],
        smallest_effect=0.01,
        unit="accuracy",
        scale=f"{ROBUST_TOYS} 20 training images of each class.",
    )
)
