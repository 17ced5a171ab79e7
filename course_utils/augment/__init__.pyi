# The public names in the order in which the course meets them; loaded when they are first used.
# chapter 13: draw, then change; colour and space
from .sampling import RandomTransform as RandomTransform
from .sampling import Draw as Draw
from .colour_jitter import BrightnessJitter as BrightnessJitter
from .colour_jitter import ContrastJitter as ContrastJitter
from .colour_jitter import SaturationJitter as SaturationJitter
from .colour_jitter import HueJitter as HueJitter
from .colour_jitter import ColorJitter as ColorJitter
from .tones import Gamma as Gamma
from .tones import Posterize as Posterize
from .tones import Solarize as Solarize
from .equalise import Equalize as Equalize
from .tones import AutoContrast as AutoContrast
from .tones import Grayscale as Grayscale
from .tones import ChannelShuffle as ChannelShuffle
from .tones import Invert as Invert
from .tones import Sharpness as Sharpness
from .tones import PCAColorNoise as PCAColorNoise
from .blur import GaussianBlur as GaussianBlur
from .blur import MotionBlur as MotionBlur
from .noise import GaussianNoise as GaussianNoise
from .noise import ISONoise as ISONoise
from .jpeg import JPEGCompression as JPEGCompression
from .jpeg import transparent_jpeg as transparent_jpeg
from .jpeg import JPEGSteps as JPEGSteps
from .jpeg import jpeg_sizes as jpeg_sizes
from .weather import Fog as Fog
from .weather import add_depth_fog as add_depth_fog
from .weather import Rain as Rain
from . import colour as colour
from .plan import GeometryPlan as GeometryPlan
from .spatial import SpatialTransform as SpatialTransform
from .spatial import Flip as Flip
from .spatial import Rotation as Rotation
from .crops import RandomCrop as RandomCrop
from .crops import RandomResizedCrop as RandomResizedCrop
from .spatial import Affine as Affine
from .spatial import Perspective as Perspective
from .crops import IoUCrop as IoUCrop
from .crops import Resize as Resize
from .elastic import Elastic as Elastic
from .elastic import smoothed as smoothed
from .chain import SpatialChain as SpatialChain
from .targets import move_target as move_target
from .targets import SanitizeTargets as SanitizeTargets
from .targets import COCO_PAIRS as COCO_PAIRS
from .targets import swap_pairs as swap_pairs
from .targets import clip_boxes as clip_boxes
from .targets import visibility as visibility
from .targets import points_inside as points_inside
from .targets import boxes_from_masks as boxes_from_masks
from .dot_test import dot_test as dot_test
from .dot_test import measure_dot as measure_dot
from .dot_test import Dot as Dot
from .dot_test import DotResult as DotResult
from .dot_comparison import compare_libraries as compare_libraries
from .dot_comparison import draw_disagreements as draw_disagreements

# chapter 14: erasing
from .erasing import RandomErasing as RandomErasing
from .erasing import Cutout as Cutout
from .erasing import Holes as Holes
from .erasing import draw_rectangles as draw_rectangles
from .erasing import covered as covered
from .erasing import visible_fraction as visible_fraction
from .hide_and_seek import HideAndSeek as HideAndSeek
from .hide_and_seek import HiddenCells as HiddenCells
from .filling import channel_means as channel_means
from .activation_strength import sorted_activations as sorted_activations
from .activation_strength import most_active_region as most_active_region
from .activation_maps import class_activation_maps as class_activation_maps
from .activation_maps import normalized_maps as normalized_maps
from .activation_maps import boxes_from_maps as boxes_from_maps
from .localisation import localisation_hits as localisation_hits
from .localisation import box_accuracy as box_accuracy
from .localisation import max_box_accuracy as max_box_accuracy
from .localisation import max_box_accuracy_v2 as max_box_accuracy_v2
from .localisation import pixel_average_precision as pixel_average_precision
from .localisation import judge_localisation as judge_localisation
from .localisation import LocalisationSet as LocalisationSet
from .localisation import LocalisationReport as LocalisationReport

# chapter 15: blend images, and their labels
from .mixing import Mixer as Mixer
from .mixing import MixPlan as MixPlan
from .mixing import MixDraw as MixDraw
from .mixing import label_mass_error as label_mass_error
from .mixing import soft_labels as soft_labels
from .mixup import MixUp as MixUp

# chapter 16: cut images, and paste their labels

# chapter 17: shuffle what is near, mix what was changed
from .patch_shuffle import PatchShuffle as PatchShuffle
from .patch_shuffle import FeaturePatchShuffle as FeaturePatchShuffle
from .patch_shuffle import PatchShuffleParams as PatchShuffleParams
from .patch_shuffle import random_orders as random_orders
from .patch_shuffle import shuffle_windows as shuffle_windows
from .patch_shuffle import windows_of as windows_of
from .augmix import AugMix as AugMix
from .augmix import AugMixParams as AugMixParams
from .augmix import mix_chains as mix_chains
from .jensen_shannon import JensenShannonLoss as JensenShannonLoss
from .jensen_shannon import ConsistencyTerms as ConsistencyTerms
from .jensen_shannon import jensen_shannon_divergence as jensen_shannon_divergence

# chapter 18: does it help?
from . import corruptions as corruptions
from .calibration import expected_calibration_error as expected_calibration_error
from .calibration import CalibrationError as CalibrationError
from .calibration import calibration_null as calibration_null
from .calibration import NullBand as NullBand
from .calibration import reliability as reliability
from .calibration import Reliability as Reliability
from .calibration import fit_temperature as fit_temperature
from .calibration import Temperature as Temperature
