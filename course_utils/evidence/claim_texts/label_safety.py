"""Claims about the safety of an augmentation: which change keeps the label, and which imitates the nuisance."""

from __future__ import annotations

from course_utils.evidence import label_safety_claims
from course_utils.evidence.ledger import Claim, register

TEN_DIGITS = "Here: ten 8 x 8 digits of each class to learn from, 1300 others to read, a network of four layers, 250 steps."
EIGHT_NUISANCES = (
    "Here: 1200 drawn toys of 32 pixels, six classes, seen the usual way; eight test sets that differ from it in one thing each."
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
