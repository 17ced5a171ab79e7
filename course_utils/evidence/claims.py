"""The claims of the course, each with its experiment, the comparisons it consists of, and the smallest effect that counts.

A chapter that brings a method adds its claims here. The smallest effect is written down before the runs.
"""

from __future__ import annotations

from course_utils.evidence import netvlad_claims, vlad_claims
from course_utils.evidence.ledger import CLAIMS, Claim, register

__all__ = ["CLAIMS"]

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
