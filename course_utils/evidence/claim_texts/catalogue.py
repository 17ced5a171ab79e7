"""Claims about the whole catalogue of augmentations."""

from __future__ import annotations

from course_utils.evidence import catalogue
from course_utils.evidence import catalogue_claims as experiments
from course_utils.evidence.ledger import Claim, register
from course_utils.evidence.mixing_claims import PER_CLASS

TOYS = (
    f"Here: drawn toys of 32 pixels, six classes, {PER_CLASS} training images of each, a network of three convolutions, "
    f"{catalogue.STEPS} steps; every arm has mirror and crop. Strengths and steps were fixed before the recorded seeds."
)
USUAL = f"{TOYS} Strength {catalogue.USUAL:g}."
TRADEOFF = "R. Gontijo-Lopes et al., 2020, arXiv:2002.08973"

register(
    Claim(
        key="catalogue-choice",
        source="A claim of this course, about choosing",
        sentence=(
            f"The one of {len(catalogue.arms())} augmentations and strengths that is best on validation images makes a network more "
            "accurate on test images."
        ),
        experiment=experiments.everything,
        pairs=[(experiments.CHOSEN, experiments.NONE)],
        smallest_effect=0.01,
        unit="accuracy",
        scale=TOYS,
    )
)
register(
    Claim(
        key="catalogue-tuned-on-test",
        source="A claim of this course, about choosing",
        sentence="The best of many on the test images is reported as better than it is on new images.",
        experiment=experiments.tuned_on_test,
        pairs=[(experiments.REPORTED, experiments.ON_NEW)],
        smallest_effect=0.01,
        unit="accuracy",
        scale=f"{TOYS} Each half of the test images chooses once and is the new images once.",
    )
)
register(
    Claim(
        key="affinity-and-diversity-together",
        source=TRADEOFF,
        sentence="Affinity and diversity together foretell what an augmentation gains; neither does alone.",
        experiment=experiments.two_numbers,
        pairs=[("both", "affinity alone"), ("both", "diversity alone")],
        smallest_effect=0.05,
        unit="share of the variance foretold",
        scale=f"{TOYS} Quadratic functions of the two numbers; every augmentation is foretold from all the others.",
    )
)
register(
    Claim(
        key="static-augmentation-accuracy",
        source=TRADEOFF,
        sentence="Augmenting every image once, before the training, is worse than drawing anew in every step.",
        experiment=experiments.static_accuracy,
        pairs=[("new draws", "drawn once")],
        smallest_effect=0.01,
        unit="accuracy",
        scale=f"{USUAL} Mean over {', '.join(experiments.MOVING)}.",
    )
)
register(
    Claim(
        key="static-augmentation-diversity",
        source=TRADEOFF,
        sentence="Augmenting every image once has less diversity.",
        experiment=experiments.static_diversity,
        pairs=[("new draws", "drawn once")],
        smallest_effect=0.01,
        unit="diversity in nats",
        scale=f"{USUAL} Mean over {', '.join(experiments.MOVING)}.",
    )
)
register(
    Claim(
        key="slingshot",
        source=TRADEOFF,
        sentence="Switching a strong augmentation off before the end recovers what it cost, or more.",
        experiment=experiments.slingshot,
        pairs=[("switched off", "always on"), ("switched off", experiments.NONE)],
        smallest_effect=0.01,
        unit="accuracy",
        scale=f"{TOYS} Full strength, off after two thirds of the steps; mean over {', '.join(experiments.MOVING)}.",
    )
)
register(
    Claim(
        key="catalogue-nuisances",
        source="A claim of this course, about nuisances",
        sentence="An augmentation helps where it imitates a change that training never showed, and less elsewhere.",
        experiment=experiments.nuisances,
        pairs=[
            ("the nuisance it imitates", experiments.NONE),
            ("the nuisance it imitates", "other nuisances"),
        ],
        smallest_effect=0.01,
        unit="gain in accuracy",
        scale=f"{USUAL} Mean over {len(experiments.MATCHES)} augmentations that imitate one of {len(catalogue.NUISANCES)} nuisances.",
    )
)
register(
    Claim(
        key="catalogue-robustness",
        source="D. Hendrycks, T. Dietterich, ICLR 2019, arXiv:1903.12261; D. Hendrycks et al., ICLR 2020, arXiv:1912.02781",
        sentence="Augmentation makes a network more accurate under damage that the augmentation does not imitate.",
        experiment=experiments.family_robustness,
        pairs=[(family, experiments.NONE) for family in experiments.families()],
        smallest_effect=0.01,
        unit="gain in accuracy under unseen damage",
        scale=f"{USUAL} Mean over the augmentations of a family, and over the corruptions that the augmentation does not equal.",
    )
)
register(
    Claim(
        key="catalogue-calibration",
        source="C. Guo et al., ICML 2017, arXiv:1706.04599; S. Thulasidasan et al., NeurIPS 2019, arXiv:1905.11001",
        sentence="Augmentation makes a network better calibrated.",
        experiment=experiments.family_calibration,
        pairs=[(family, experiments.NONE) for family in experiments.families()],
        smallest_effect=0.01,
        unit="1 minus calibration error",
        scale=f"{USUAL} Calibration error minus what chance shows; mean over the augmentations of a family.",
    )
)
