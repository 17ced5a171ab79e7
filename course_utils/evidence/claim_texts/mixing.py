"""Claims about mixed images and labels."""

from __future__ import annotations

from course_utils.evidence import mixing_claims as experiments
from course_utils.evidence.ledger import Claim, register

FEW_TOYS = (
    f"Here: drawn toys of 32 pixels, six classes, {experiments.PER_CLASS} training images of each, a network of three convolutions, "
    f"{experiments.STEPS} steps; every arm has mirror and crop. The papers train on 50,000 images for 200 epochs and more. "
    "Constants were chosen on validation images of seed 0, which is not among the seeds."
)
PAPERS = "H. Zhang et al., ICLR 2018; S. Yun et al., ICCV 2019; R. Takahashi et al., ACML 2018; J.-H. Lee et al., CVPRW 2020"

register(
    Claim(
        key="mixing-accuracy",
        source=PAPERS,
        sentence="Mixing images and labels makes a network more accurate, at the same number of steps.",
        experiment=experiments.mixers_accuracy,
        pairs=[(arm, "none") for arm in experiments.MIXERS],
        smallest_effect=0.01,
        unit="accuracy",
        scale=FEW_TOYS,
    )
)
register(
    Claim(
        key="mixing-likelihood",
        source=PAPERS,
        sentence="Mixing images and labels makes a network give a higher probability to the right class (geometric mean over the images).",
        experiment=experiments.mixers_likelihood,
        pairs=[(arm, "none") for arm in experiments.MIXERS],
        smallest_effect=0.01,
        unit="probability of the right class",
        scale=FEW_TOYS,
    )
)
register(
    Claim(
        key="mixing-overconfidence",
        source="S. Thulasidasan et al., NeurIPS 2019, arXiv:1905.11001",
        sentence="Mixing lowers the confidence of a network, measured from its accuracy: without mixing it is above.",
        experiment=experiments.mixers_overconfidence,
        pairs=[("none", arm) for arm in experiments.MIXERS],
        smallest_effect=0.02,
        unit="confidence minus accuracy",
        scale=FEW_TOYS,
    )
)
register(
    Claim(
        key="mixing-sample-pairing",
        source="H. Inoue, 2018, arXiv:1801.02929",
        sentence="SamplePairing with its schedule makes a network more accurate, and the schedule is needed.",
        experiment=experiments.sample_pairing,
        pairs=[("with schedule", "none"), ("with schedule", "always on")],
        smallest_effect=0.01,
        unit="accuracy",
        scale=FEW_TOYS,
    )
)
register(
    Claim(
        key="mixing-ways",
        source="C. Summers, M. J. Dinneen, WACV 2019, arXiv:1805.11272",
        sentence="Every way of mixing makes a network more accurate.",
        experiment=experiments.ways_of_mixing,
        pairs=[(way, "none") for way in experiments.WAYS],
        smallest_effect=0.01,
        unit="accuracy",
        scale=FEW_TOYS,
    )
)
for _key, _unit, _experiment in (
    ("mixing-mistakes", "accuracy", experiments.label_mistakes),
    ("mixing-mistakes-likelihood", "probability of the right class", experiments.label_mistakes_likelihood),
):
    register(
        Claim(
            key=_key,
            source="A claim of this course, about mistakes in public code",
            sentence=(
                "Labels that follow the images are better than labels of the box before it is cut off, and both are better than "
                "exchanged labels."
            ),
            experiment=_experiment,
            pairs=[
                ("CutMix", "CutMix, raw lambda"),
                ("CutMix, raw lambda", "CutMix, labels exchanged"),
                ("SmoothMix", "SmoothMix, labels exchanged"),
            ],
            smallest_effect=0.01,
            unit=_unit,
            scale=FEW_TOYS,
        )
    )
register(
    Claim(
        key="mixing-length",
        source="A claim of this course, about the length of the training",
        sentence="With twice as many steps, mixing costs less accuracy, or gains more.",
        experiment=experiments.longer_training,
        pairs=[
            (f"{arm}, {experiments.LENGTHS[2]} steps", f"{arm}, {experiments.LENGTHS[1]} steps")
            for arm in experiments.LENGTH_ARMS
        ],
        smallest_effect=0.02,
        unit="accuracy with mixing minus without",
        scale=FEW_TOYS.replace(f"{experiments.STEPS} steps", "200, 400 and 800 steps"),
    )
)
