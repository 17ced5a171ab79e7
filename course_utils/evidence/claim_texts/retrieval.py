"""Claims about retrieval: VLAD, NetVLAD, DELF, the AP loss, conventions of mAP, recognition of landmarks."""

from __future__ import annotations

from functools import partial

from course_utils.evidence import ap_loss_claims, convention_claims, delf_claims, landmark_claims, netvlad_claims, vlad_claims
from course_utils.evidence.ledger import Claim, register

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
STREETS = "Here: generated towns, one district to learn from and another to search in, one town per seed."

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
LANDMARK_QUERIES = (
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
        scale=LANDMARK_QUERIES + " 60 landmarks, long-tailed.",
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
        scale=LANDMARK_QUERIES + " An index of 30 other landmarks, six images of each, among 200 empty streets.",
    )
)
