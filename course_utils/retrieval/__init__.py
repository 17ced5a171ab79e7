"""Retrieval: from local features to a ranked list, and how to judge it."""

# Chapter 01: local features, aggregation, whitening, search, evaluation
from course_utils.retrieval.attribution import SimilarityAttribution, attribute_similarity
from course_utils.retrieval.geography import local_metres
from course_utils.retrieval.index import Index, SearchResult
from course_utils.retrieval.local_features import DenseRootSIFT, LocalFeatures
from course_utils.retrieval.mining import MinedTuple, TupleMiner

# Chapter 02: learned aggregation, weak supervision, mining, attribution
from course_utils.retrieval.netvlad import NetVLAD, alpha_from_gaps, assignment_gaps
from course_utils.retrieval.pipeline import DenseVLAD
from course_utils.retrieval.place_network import MaxPooling, PlaceNetwork, PlaceTraining, train_place_network
from course_utils.retrieval.ranking_loss import RankingTerms, WeaklySupervisedRankingLoss
from course_utils.retrieval.recall import (
    LocalisationError,
    PrecisionRecall,
    RecallAtN,
    localisation_error,
    panorama_shortlist,
    pooled_precision_recall,
    positives_within,
    recall_at_n,
    suppress_groups,
    suppress_radius,
    suppress_same,
)
from course_utils.retrieval.regions import RegionVLAD, multi_vlad_regions
from course_utils.retrieval.vlad import VLAD, ResidualSums, normalize_vlad
from course_utils.retrieval.whitening import PCAWhitening

__all__ = [
    "VLAD",
    "DenseRootSIFT",
    "DenseVLAD",
    "Index",
    "LocalFeatures",
    "LocalisationError",
    "MaxPooling",
    "MinedTuple",
    "NetVLAD",
    "PCAWhitening",
    "PlaceNetwork",
    "PlaceTraining",
    "PrecisionRecall",
    "RankingTerms",
    "RecallAtN",
    "RegionVLAD",
    "ResidualSums",
    "SearchResult",
    "SimilarityAttribution",
    "TupleMiner",
    "WeaklySupervisedRankingLoss",
    "alpha_from_gaps",
    "assignment_gaps",
    "attribute_similarity",
    "local_metres",
    "localisation_error",
    "multi_vlad_regions",
    "normalize_vlad",
    "panorama_shortlist",
    "pooled_precision_recall",
    "positives_within",
    "recall_at_n",
    "suppress_groups",
    "suppress_radius",
    "suppress_same",
    "train_place_network",
]
