"""Claims about blends outside and inside of the network."""

from __future__ import annotations

from course_utils.evidence import manifold_mixup_claims
from course_utils.evidence.ledger import Claim, register

MANIFOLD_MIXUP = "V. Verma et al., ICML 2019, arXiv:1806.05236"
COURSE = "A claim of this course"
PLANE = (
    "Here: 200 points in the plane, 1000 to test on, a network 2-64-64-64-2, 800 steps of Adam on all points, no weight decay. "
    "Mixup with alpha 1; manifold mixup with alpha 2 in the first two hidden layers."
)

register(
    Claim(
        key="manifold-mixup-intrusion",
        source=f"{MANIFOLD_MIXUP}, section 1",
        sentence=(
            "On two spirals mixup costs accuracy, because blends of inputs fall on the wrong arm; blends inside of the network "
            "are more accurate than blends of inputs."
        ),
        experiment=manifold_mixup_claims.spirals_accuracy,
        pairs=[("none", "mixup"), ("manifold", "mixup"), ("manifold", "mixup, alpha 2")],
        smallest_effect=0.02,
        unit="accuracy on the spirals",
        scale=PLANE,
    )
)
register(
    Claim(
        key="manifold-mixup-no-harm",
        source=COURSE,
        sentence="On two spirals manifold mixup costs at most two points of accuracy against no mixing.",
        experiment=manifold_mixup_claims.spirals_accuracy,
        pairs=[("manifold", "none, less 2 points")],
        smallest_effect=0.0,
        unit="accuracy on the spirals",
        scale=PLANE,
    )
)
register(
    Claim(
        key="manifold-mixup-likelihood",
        source=f"{MANIFOLD_MIXUP}, section 5",
        sentence="With classes that overlap a little, manifold mixup makes the test points likelier than no mixing and than mixup.",
        experiment=manifold_mixup_claims.moons_likelihood,
        pairs=[("manifold", "none"), ("manifold", "mixup")],
        smallest_effect=0.02,
        unit="mean log-likelihood (nats) on the moons",
        scale=PLANE,
    )
)
register(
    Claim(
        key="manifold-mixup-unsure",
        source=f"{MANIFOLD_MIXUP}, section 1",
        sentence="Manifold mixup leaves a larger part of the plane where the network is at most 95 % sure.",
        experiment=manifold_mixup_claims.unsure_share,
        pairs=[("manifold, spirals", "none, spirals"), ("manifold, moons", "none, moons")],
        smallest_effect=0.05,
        unit="share of the plane with a confidence of at most 0.95",
        scale=PLANE,
    )
)
register(
    Claim(
        key="manifold-mixup-border",
        source=f"{MANIFOLD_MIXUP}, section 1",
        sentence="The border between the classes becomes smoother: measured as shorter, on the moons.",
        experiment=manifold_mixup_claims.border_shortness,
        pairs=[("manifold", "none")],
        smallest_effect=0.3,
        unit="minus the length of the border",
        scale=PLANE,
    )
)
register(
    Claim(
        key="manifold-mixup-flattening",
        source=f"{MANIFOLD_MIXUP}, section 3",
        sentence=(
            "Manifold mixup flattens what the network makes of a class: hidden tensors vary along fewer directions (participation "
            "ratio)."
        ),
        experiment=manifold_mixup_claims.flatness,
        pairs=[(f"manifold, layer {k}", f"none, layer {k}") for k in (1, 2, 3)],
        smallest_effect=0.2,
        unit="minus the number of directions",
        scale=f"{PLANE} On the spirals. The paper's theorem promises a class of two at most one direction less than a layer has units.",
    )
)
register(
    Claim(
        key="manifold-mixup-tightening",
        source=COURSE,
        sentence=(
            "What happens instead of flattening: in the second layer that is mixed, and behind it, the clouds of the classes become "
            "tighter, measured by the distance between them."
        ),
        experiment=manifold_mixup_claims.tightness,
        pairs=[(f"manifold, layer {k}", f"none, layer {k}") for k in (2, 3)],
        smallest_effect=0.05,
        unit="minus width over distance of the clouds",
        scale=f"{PLANE} On the spirals.",
    )
)
