"""Claims about erasing: Random Erasing, Cutout, Hide-and-Seek."""

from __future__ import annotations

from course_utils.evidence import erasing_claims
from course_utils.evidence.ledger import Claim, register

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
        unit="activation",
        scale="Here: a network of four layers with batch norm in place of a ResNet-18. " + HIDING,
    )
)
register(
    Claim(
        key="cutout-targeted",
        source=CUTOUT + ", the authors' first try",
        sentence=(
            "Hiding what excites the network most, image by image and step by step, does better than hiding a random square: as a "
            "square of the same side on that region, and as the whole region."
        ),
        experiment=erasing_claims.targeted,
        pairs=[(name, "random square") for name in ("square on the most active region", "most active region")],
        smallest_effect=0.01,
        unit="accuracy",
        scale="Here: drawn toys of 32 pixels, six classes, 200 training images of each, a small network, squares of 8 pixels. "
        + HIDING,
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
