# The public names in the order in which the course meets them; loaded when they are first used.
# chapter 13: draw, then change; colour and space
from .sampling import RandomTransform as RandomTransform
from .sampling import Draw as Draw
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
