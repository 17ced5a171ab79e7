# The public names in the order in which the course meets them; loaded when they are first used.
# chapter 01: describe, aggregate, whiten, search, judge
from .local_features import DenseRootSIFT as DenseRootSIFT
from .local_features import LocalFeatures as LocalFeatures
from .vlad import VLAD as VLAD
from .vlad import ResidualSums as ResidualSums
from .vlad import normalize_vlad as normalize_vlad
from .regions import RegionVLAD as RegionVLAD
from .regions import multi_vlad_regions as multi_vlad_regions
from .whitening import PCAWhitening as PCAWhitening
from .pipeline import DenseVLAD as DenseVLAD
from .index import Index as Index
from .index import SearchResult as SearchResult
from .recall import recall_at_n as recall_at_n
from .recall import RecallAtN as RecallAtN
from .recall import positives_within as positives_within
from .geography import local_metres as local_metres
from .recall import suppress_groups as suppress_groups
from .recall import suppress_radius as suppress_radius
from .recall import suppress_same as suppress_same
from .recall import panorama_shortlist as panorama_shortlist
from .recall import localisation_error as localisation_error
from .recall import LocalisationError as LocalisationError
from .recall import pooled_precision_recall as pooled_precision_recall
from .recall import PrecisionRecall as PrecisionRecall

# chapter 02: learn to aggregate
from .netvlad import NetVLAD as NetVLAD
from .netvlad import alpha_from_gaps as alpha_from_gaps
from .netvlad import assignment_gaps as assignment_gaps
from .ranking_loss import WeaklySupervisedRankingLoss as WeaklySupervisedRankingLoss
from .ranking_loss import RankingTerms as RankingTerms
from .mining import TupleMiner as TupleMiner
from .mining import MinedTuple as MinedTuple
from .place_network import PlaceNetwork as PlaceNetwork
from .place_network import MaxPooling as MaxPooling
from .place_network import train_place_network as train_place_network
from .place_network import PlaceTraining as PlaceTraining
from .attribution import attribute_similarity as attribute_similarity
from .attribution import SimilarityAttribution as SimilarityAttribution

# chapter 03: attentive local features, and geometry
from .local_feature_set import LocalFeatureSet as LocalFeatureSet
from .receptive_field import receptive_field as receptive_field
from .receptive_field import ReceptiveField as ReceptiveField
from .receptive_field_probe import probe_receptive_field as probe_receptive_field
from .receptive_field_probe import gradient_shares as gradient_shares
from .delf import DELF as DELF
from .delf import Attention as Attention
from .delf import UniformAttention as UniformAttention
from .delf import LogitParts as LogitParts
from .landmark_backbone import LandmarkBackbone as LandmarkBackbone
from .delf_training import train_delf as train_delf
from .delf_training import train_descriptors as train_descriptors
from .delf_training import train_attention as train_attention
from .delf_training import DelfTraining as DelfTraining
from .attention_quality import attention_quality as attention_quality
from .attention_quality import AttentionQuality as AttentionQuality
from .dense_feature_sets import dense_feature_set as dense_feature_set
from .matching import match_descriptors as match_descriptors
from .matching import DescriptorMatches as DescriptorMatches
from .geometric_verification import verify_geometry as verify_geometry
from .geometric_verification import GeometricVerification as GeometricVerification
from .geometric_verification import affine_trials as affine_trials
from .geometric_verification import AffineTrials as AffineTrials
from .geometric_verification import ransac_trials as ransac_trials
from .geometric_verification import fit_affine as fit_affine
from .geometric_verification import apply_affine as apply_affine
from .reranking import rerank as rerank
from .reranking import Reranking as Reranking
from .local_index import LocalIndex as LocalIndex
from .local_index import LocalRetrieval as LocalRetrieval
from .local_index import ImageMatches as ImageMatches

# chapter 04: recognise landmarks among pictures of anything
from .recognition_metrics import global_average_precision as global_average_precision
from .recognition_metrics import recognition_ranking as recognition_ranking
from .recognition_metrics import rank_answers as rank_answers
from .recognition_metrics import RecognitionRanking as RecognitionRanking
from .landmark_retrieval_metrics import mean_average_precision_at_k as mean_average_precision_at_k
from .landmark_retrieval_metrics import retrieval_at_k as retrieval_at_k
from .landmark_retrieval_metrics import MeanAveragePrecisionAtK as MeanAveragePrecisionAtK
from .revisited import revisited_protocol as revisited_protocol
from .revisited import RevisitedGroundTruth as RevisitedGroundTruth
from .revisited import RevisitedResult as RevisitedResult
from .revisited import junk_adjusted_ranks as junk_adjusted_ranks
from .landmark_recognition import LandmarkRecognizer as LandmarkRecognizer
from .landmark_recognition import Shortlist as Shortlist

# chapter 05: judge a ranked list, and a set of boxes
from .precision_recall import precision_recall_curve as precision_recall_curve
from .precision_recall import PrecisionRecallCurve as PrecisionRecallCurve
from .average_precision import average_precision as average_precision
from .average_precision import mean_average_precision as mean_average_precision
from .average_precision import MeanAveragePrecision as MeanAveragePrecision
from .average_precision import CONVENTIONS as CONVENTIONS
from .average_precision import chance_average_precision as chance_average_precision
from .average_precision import mean_average_precision_at_r as mean_average_precision_at_r
from .average_precision import r_precision as r_precision
from .detection_metrics import detection_average_precision as detection_average_precision
from .detection_matching import match_detections as match_detections
from .detection_matching import DetectionMatches as DetectionMatches
from .detection_metrics import detection_mean_average_precision as detection_mean_average_precision
from .detection_metrics import DetectionMeanAveragePrecision as DetectionMeanAveragePrecision

# chapter 06: average precision as the loss
from .score_lists import score_lists as score_lists
from .score_lists import ScoreLists as ScoreLists
from .listwise_ap_loss import ListwiseAPLoss as ListwiseAPLoss
from .ranking_losses import FastAPLoss as FastAPLoss
from .ranking_losses import SmoothAPLoss as SmoothAPLoss
from .ranking_losses import BlackboxAPLoss as BlackboxAPLoss
from .ranking_losses import TripletListLoss as TripletListLoss

# chapter 14: find a person again in another camera
from .reidentification import reidentification as reidentification
from .reidentification import Reidentification as Reidentification
