"""The claims of the course, each with its experiment, the comparisons it consists of, and the smallest effect that counts.

A chapter that brings a method adds its claims here. The smallest effect is written down before the runs.
"""

from __future__ import annotations

from functools import partial

from course_utils.evidence import (
    ap_loss_claims,
    convention_claims,
    delf_claims,
    erasing_claims,
    label_safety_claims,
    landmark_claims,
    netvlad_claims,
    patch_shuffle_and_augmix_claims,
    vlad_claims,
)
from course_utils.evidence.ledger import CLAIMS, Claim, register

__all__ = ["CLAIMS"]

REVAUD = "J. Revaud et al., ICCV 2019"
DIGITS = "Here: 400 noisy 8 x 8 digits to learn from, 597 others to search in, a network of two layers, 200 steps."
# The third pair came later: validation had shown that triplets do better when their steps fade. Its test runs were not known.
AGAINST_TRIPLETS = [
    ("AP loss", name) for name in ("triplet, equal steps", "triplet, equal time", "triplet over all, equal steps")
]
DELF_PAPER = "H. Noh et al., ICCV 2017"
LANDMARKS = (
    "Here: generated photographs of 112 x 112 pixels, one world of monuments per seed, a small network in place of ResNet-50. "
    "All settings were chosen on validation splits of the first world."
)
PATCH_SHUFFLE = "G. Kang et al., 2017, arXiv:1707.07103"
AUGMIX = "D. Hendrycks et al., ICLR 2020, arXiv:1912.02781"
ROBUST_TOYS = (
    "Here: drawn toys of 32 pixels, six classes, a network of three convolutions; every arm has mirror and crop (the standard) and "
    "the same number of steps. Constants were chosen on validation images of seed 0, which is not among the seeds."
)
STREETS = "Here: generated towns, one district to learn from and another to search in, one town per seed."
TEN_DIGITS = "Here: ten 8 x 8 digits of each class to learn from, 1300 others to read, a network of four layers, 250 steps."
EIGHT_NUISANCES = (
    "Here: 1200 drawn toys of 32 pixels, six classes, seen the usual way; eight test sets that differ from it in one thing each."
)

register(
    Claim(
        key="vlad-normalisations",
        source="H. Jégou et al., CVPR 2010 and TPAMI 2012; R. Arandjelović and A. Zisserman, CVPR 2013",
        sentence=(
            "Aggregated differences beat word counts, which beat the mean descriptor; "
            "and among the normalisations of VLAD, intra beats the power law, which beats none."
        ),
        experiment=vlad_claims.normalisations,
        pairs=[("bag of words", "mean pooling"), ("plain", "bag of words"), ("SSR", "plain"), ("intra", "SSR")],
        smallest_effect=0.01,
        unit="Recall@1",
        scale=STREETS,
    )
)
register(
    Claim(
        key="whitening-too-few",
        source="H. Jégou and O. Chum, ECCV 2012, the other way round",
        sentence=(
            "Whitening helps when it is learned from many images; learned from hardly more images than dimensions it hurts, "
            "and a softer power or shrinkage repairs part of the damage."
        ),
        experiment=vlad_claims.whitening_with_too_few_vectors,
        pairs=[("no whitening", "whitened"), ("softer power", "whitened"), ("shrinkage", "whitened")],
        smallest_effect=0.01,
        unit="Recall@1",
        scale=STREETS,
    )
)
register(
    Claim(
        key="netvlad-weak-supervision",
        source="R. Arandjelović et al., CVPR 2016, Table 1 and Figure 5",
        sentence=(
            "Trained from positions alone, NetVLAD finds more places than the same network untrained, than hard VLAD on the "
            "same features, and than max pooling trained the same way."
        ),
        experiment=netvlad_claims.weak_supervision,
        pairs=[
            ("NetVLAD trained", "NetVLAD untrained"),
            ("NetVLAD trained", "hard VLAD"),
            ("NetVLAD trained", "max pooling trained"),
        ],
        smallest_effect=0.05,
        unit="Recall@1",
        scale=STREETS + " Training, model choice and test use three districts without a common place.",
    )
)
register(
    Claim(
        key="delf-attention-mass",
        source=DELF_PAPER + ", section 4.2 and Figure 4",
        sentence=(
            "Attention trained from image labels puts more of its mass on the landmark of held-out photographs than its area "
            "alone would give, and more than the length of the features does."
        ),
        experiment=delf_claims.attention_mass,
        pairs=[("attention", "area"), ("attention", "feature norm")],
        smallest_effect=0.02,
        unit="share of the mass on the landmark",
        scale=LANDMARKS,
    )
)
register(
    Claim(
        key="delf-attention-order",
        source="A claim of this course, about the strongest baseline",
        sentence="Attention ranks the cells on the landmark before the others better than the length of the features does.",
        experiment=delf_claims.attention_order,
        pairs=[("attention", "feature norm")],
        smallest_effect=0.02,
        unit="area under the ROC curve",
        scale=LANDMARKS,
    )
)
register(
    Claim(
        key="delf-attention-pooling",
        source=DELF_PAPER + ", section 4.2",
        sentence="A classifier on attention-weighted features names more held-out landmarks than one on their plain average.",
        experiment=delf_claims.attention_pooling,
        pairs=[("attention pooling", "average pooling")],
        smallest_effect=0.05,
        unit="accuracy",
        scale=LANDMARKS + " Both classifiers stand on the same frozen network.",
    )
)
register(
    Claim(
        key="delf-stages",
        source=DELF_PAPER + ", section 6 and Figure 6",
        sentence=(
            "For retrieval of landmarks never trained on, fine-tuning the descriptors helps, attention helps, "
            "and attention helps more than fine-tuning."
        ),
        experiment=delf_claims.stages,
        pairs=[
            ("fine-tuned, attention", "not fine-tuned, attention"),
            ("fine-tuned, attention", "fine-tuned, average"),
            ("not fine-tuned, attention", "fine-tuned, average"),
        ],
        smallest_effect=0.02,
        unit="mAP",
        scale=LANDMARKS
        + " Here: one global vector per image. The paper starts from ImageNet weights, this network from random ones.",
    )
)
register(
    Claim(
        key="delf-reranking",
        source=DELF_PAPER + ", sections 5 and 6",
        sentence="Re-ranking the first 50 results of the global descriptor by RANSAC inliers of local features raises mAP.",
        experiment=delf_claims.reranking,
        pairs=[("re-ranked by inliers", "global descriptor")],
        smallest_effect=0.02,
        unit="mAP",
        scale=LANDMARKS + " Queries and index show landmarks never trained on, among 200 streets without one.",
    )
)
register(
    Claim(
        key="ap-loss-beats-triplet",
        source=REVAUD + ", comparison with the triplet loss",
        sentence=(
            "Trained on the listwise AP loss, the same network retrieves better than trained on triplets, "
            "at equal steps and at equal time."
        ),
        experiment=ap_loss_claims.ap_against_triplet,
        pairs=AGAINST_TRIPLETS,
        smallest_effect=0.02,
        unit="mAP",
        scale=DIGITS
        + " Both losses with the best settings on a validation part. The training images can be learned by heart here;"
        " the paper trains on large photographs that cannot.",
    )
)
register(
    Claim(
        key="ap-loss-beats-triplet-fresh-noise",
        source=REVAUD + ", comparison with the triplet loss",
        sentence="The same, where the noise is new at every step and nothing can be learned by heart.",
        experiment=partial(ap_loss_claims.ap_against_triplet, noise="fresh"),
        pairs=AGAINST_TRIPLETS,
        smallest_effect=0.02,
        unit="mAP",
        scale=DIGITS + " New noise at every step. Both losses with the best settings on a validation part.",
    )
)
register(
    Claim(
        key="ap-loss-bins",
        source=REVAUD + ", the opposite of its remark on parameters",
        sentence="In a batch of 40 the number of bins matters: three are too few and a hundred too many.",
        experiment=partial(ap_loss_claims.number_of_bins, batch=40),
        pairs=[("10 bins", "3 bins"), ("10 bins", "100 bins")],
        smallest_effect=0.02,
        unit="mAP",
        scale=DIGITS
        + " New noise at every step. The paper calls its loss insensitive to the number of bins; its batches hold 4,096 images.",
    )
)
register(
    Claim(
        key="ap-loss-bins-large-batch",
        source=REVAUD + ", the opposite of its remark on parameters",
        sentence="In a batch of 200 the number of bins matters as well.",
        experiment=partial(ap_loss_claims.number_of_bins, batch=200),
        pairs=[("10 bins", "3 bins"), ("10 bins", "100 bins")],
        smallest_effect=0.02,
        unit="mAP",
        scale=DIGITS + " New noise at every step. The paper calls its loss insensitive to the number of bins:"
        " where 10 bins are not better than 100, this run agrees with it.",
    )
)
for _key, _noise, _scale in (
    (
        "ap-loss-batch-size",
        "fixed",
        " The training images can be learned by heart, which more steps on larger batches do faster.",
    ),
    ("ap-loss-batch-size-fresh-noise", "fresh", " New noise at every step, so that nothing can be learned by heart."),
):
    register(
        Claim(
            key=_key,
            source=REVAUD + ", effect of the batch size",
            sentence="A larger batch retrieves better, in training and in test, at equal steps and at equal images seen.",
            experiment=partial(ap_loss_claims.batch_sizes, noise=_noise),
            pairs=[
                (f"{part}, equal {equal}, B = {larger}", f"{part}, equal {equal}, B = {smaller}")
                for part in ("training", "test")
                for equal in ("steps", "images")
                for larger, smaller in ((40, 16), (200, 40))
            ],
            smallest_effect=0.02,
            unit="mAP",
            scale=DIGITS.replace(", 200 steps", "") + _scale + " The paper goes up to 4,096 images a batch.",
        )
    )
register(
    Claim(
        key="convention-flips",
        source="A claim of this course, about every table that is decided by a point",
        sentence=(
            "Of two systems whose step mAPs lie within one point of each other, another convention or a cut-off prefers the other "
            "one in more than one case out of twenty."
        ),
        experiment=convention_claims.convention_flips,
        pairs=[("trapezoid", "step again"), ("11-point", "step again"), ("MAP@R", "step again"), ("AP@5", "step again")],
        smallest_effect=0.05,
        unit="share of close pairs with another winner",
        scale="Here: random projections of digit images to 12 numbers, 200 queries, 10 relevant items in a database of 100.",
    )
)
LANDMARKS = (
    "Here: generated landmarks of 112 x 112 pixels, one town per seed; 120 queries with a landmark and 480 streets without one. "
    "Dense VLAD makes the shortlist, dense RootSIFT the matches; nothing is trained."
)
register(
    Claim(
        key="inliers-as-confidence",
        source="T. Weyand et al., CVPR 2020, and H. Noh et al., ICCV 2017: inliers as the score of an answer",
        sentence=(
            "Where most queries show no landmark, geometric inliers are a better confidence than similarity, with the labels as "
            "they are; with labels by inliers, too, GAP rises further."
        ),
        experiment=landmark_claims.confidence,
        pairs=[
            ("inliers for the confidence", "similarity"),
            ("inliers for both", "inliers for the confidence"),
        ],
        smallest_effect=0.05,
        unit="GAP",
        scale=LANDMARKS + " 60 landmarks, long-tailed.",
    )
)
register(
    Claim(
        key="gap-moves-more-than-map",
        source="A claim of this course, about what geometry changes",
        sentence="The same inliers raise GAP, which compares queries, by more than mAP@100, which looks at each query by itself.",
        experiment=landmark_claims.both_metrics,
        pairs=[("gain in GAP", "no change"), ("gain in GAP", "gain in mAP@100")],
        smallest_effect=0.05,
        unit="gain",
        scale=LANDMARKS + " An index of 30 other landmarks, six images of each, among 200 empty streets.",
    )
)
register(
    Claim(
        key="label-safety-helps",
        source="A claim of this course, after C. Shorten and T. Khoshgoftaar, 2019, on the safety of an augmentation",
        sentence="With ten digits of each class, a transform that keeps what a digit means raises the accuracy on other digits.",
        experiment=label_safety_claims.safe_transforms,
        pairs=[(name, "none") for name in ("small affine", "shift by a pixel", "rotation by 15")],
        smallest_effect=0.01,
        unit="accuracy",
        scale=TEN_DIGITS,
    )
)
register(
    Claim(
        key="label-safety-hurts",
        source="A claim of this course, after C. Shorten and T. Khoshgoftaar, 2019, on the safety of an augmentation",
        sentence="A transform that turns some digits into others lowers the accuracy.",
        experiment=label_safety_claims.unsafe_transforms,
        pairs=[("none", name) for name in label_safety_claims.UNSAFE],
        smallest_effect=0.01,
        unit="accuracy",
        scale=TEN_DIGITS,
    )
)
register(
    Claim(
        key="label-safety-turned-six",
        source="A claim of this course",
        sentence="A network that has seen upright digits reads many a 6 that stands on its head as a 9, and a 9 as a 6.",
        experiment=label_safety_claims.turned_sixes,
        pairs=[(f"{a} read as {b}, half a turn", f"{a} read as {b}, upright") for a, b in ((6, 9), (9, 6))],
        smallest_effect=0.2,
        unit="share of the digits",
        scale=TEN_DIGITS,
    )
)
register(
    Claim(
        key="label-safety-two-questions",
        source="A claim of this course",
        sentence="One and the same hue jitter helps with the question which digit it is, and harms with the question which colour it has.",
        experiment=label_safety_claims.two_questions,
        pairs=[
            ("which digit, hue jitter", "which digit, no jitter"),
            ("which colour, no jitter", "which colour, hue jitter"),
        ],
        smallest_effect=0.05,
        unit="accuracy",
        scale=TEN_DIGITS,
    )
)
register(
    Claim(
        key="augmentation-matches-nuisance",
        source="A claim of this course",
        sentence="An augmentation helps against the change that it imitates, and more than against changes that it does not.",
        experiment=label_safety_claims.augmentation_nuisance,
        pairs=[("own nuisance", "no augmentation"), ("own nuisance", "other nuisances")],
        smallest_effect=0.05,
        unit="gain in accuracy",
        scale=EIGHT_NUISANCES,
    )
)
register(
    Claim(
        key="augmentation-nuisance-matrix",
        source="A claim of this course",
        sentence="Every augmentation helps against the change that it imitates.",
        experiment=label_safety_claims.toy_accuracies,
        pairs=[(f"{name} | {views}", f"none | {views}") for name, views in label_safety_claims.NUISANCES.items()],
        smallest_effect=0.02,
        unit="accuracy",
        scale=EIGHT_NUISANCES,
    )
)
RANDOM_ERASING = "Z. Zhong et al., AAAI 2020"
CUTOUT = "T. DeVries and G. W. Taylor, 2017"
HIDING = (
    "All arms share the images, the start, the order of the batches and the number of steps, and mirror and shift their "
    "images at random. Holes show the mean pixel. Constants were chosen on training and validation images of seed 0, which is "
    "not among these seeds."
)
for _task, _what, _unit, _section, _experiment, _scale in (
    (
        "classification",
        "names more toys",
        "accuracy",
        "image classification and robustness to occlusion",
        erasing_claims.classification,
        "Here: drawn toys of 32 pixels, six classes, 200 training images of each, a small network.",
    ),
    (
        "detection",
        "detects toys with a higher mAP",
        "mAP at IoU 0.5",
        "object detection",
        erasing_claims.detection,
        "Here: drawn scenes of 96 pixels, a small CenterNet from random weights; erasing in image and objects (I+ORE).",
    ),
    (
        "reid",
        "finds people never trained on with a higher mAP",
        "mAP",
        "person re-identification",
        erasing_claims.reidentification,
        "Here: drawn people of 48 x 24 pixels, 60 to learn from, 80 others by four cameras to find; the queries' own camera does not count.",
    ),
):
    register(
        Claim(
            key=f"erasing-{_task}-occlusion",
            source=f"{RANDOM_ERASING}, {_section}",
            sentence=(
                f"Trained with Random Erasing, the same network {_what}: where something hides a part of them, and where nothing does."
            ),
            experiment=_experiment,
            pairs=[(f"Random Erasing, {test}", f"none, {test}") for test in ("occluded", "clean")],
            smallest_effect=0.01,
            unit=_unit,
            scale=f"{_scale} What hides them is cut from photographs that no training image uses. {HIDING}",
        )
    )
register(
    Claim(
        key="erasing-fill",
        source=RANDOM_ERASING + ", four ways to fill",
        sentence="Random Erasing that fills with random values does better than one that fills with the mean pixel.",
        experiment=erasing_claims.fills,
        pairs=[(f"Random Erasing, random fill, {test}", f"Random Erasing, {test}") for test in ("clean", "occluded")],
        smallest_effect=0.01,
        unit="accuracy",
        scale="Here: drawn toys of 32 pixels, six classes, 200 training images of each, a small network. "
        + HIDING.replace("Holes show the mean pixel. ", ""),
    )
)
register(
    Claim(
        key="cutout-size-curve",
        source=CUTOUT + ", the search for the side",
        sentence=(
            "The error over the side of Cutout's square has a valley: a side between the ends, chosen on validation images, is "
            "better than no square and better than one of three quarters of the image."
        ),
        experiment=erasing_claims.cutout_sizes,
        pairs=[("best inner side", "Cutout 0"), ("best inner side", "Cutout 24")],
        smallest_effect=0.01,
        unit="accuracy",
        scale="Here: drawn toys of 32 pixels, six classes, 200 training images of each, a small network. " + HIDING,
    )
)
register(
    Claim(
        key="cutout-activations",
        source=CUTOUT + ", analysis of activations",
        sentence=(
            "After training with Cutout the first layer answers more strongly, and in the last layer more units answer beside the "
            "strongest tenth."
        ),
        experiment=erasing_claims.activations,
        pairs=[("first layer, Cutout", "first layer, none"), ("last layer, tail, Cutout", "last layer, tail, none")],
        smallest_effect=0.01,
        unit="mean activation",
        scale="Here: a network of four layers with batch norm in place of a ResNet-18. " + HIDING,
    )
)
register(
    Claim(
        key="hide-and-seek-localisation",
        source="K. K. Singh and Y. J. Lee, ICCV 2017; questioned by J. Choe et al., CVPR 2020",
        sentence=(
            "Class activation maps localise better after training with Hide-and-Seek: by boxes at a threshold chosen on "
            "validation images, by boxes at the best threshold of every overlap, and pixel by pixel."
        ),
        experiment=erasing_claims.localisation,
        pairs=[(f"Hide-and-Seek, {measure}", f"none, {measure}") for measure in ("GT-known Loc", "MaxBoxAccV2", "PxAP")],
        smallest_effect=0.02,
        unit="share",
        scale="Here: drawn animals of 32 pixels, four classes that head and body both give away. " + HIDING,
    )
)
register(
    Claim(
        key="hide-and-seek-fixed-threshold",
        source="K. K. Singh and Y. J. Lee, ICCV 2017",
        sentence="With the fixed threshold of a fifth of the maximum, boxes from the same maps are better after Hide-and-Seek.",
        experiment=erasing_claims.localisation,
        pairs=[("Hide-and-Seek, fixed threshold", "none, fixed threshold")],
        smallest_effect=0.02,
        unit="GT-known Loc",
        scale="Here: drawn animals of 32 pixels, four classes that head and body both give away. " + HIDING,
    )
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
