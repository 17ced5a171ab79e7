"""Floor 1: small networks, one training loop, and fair comparisons.

===========================  ==========================================================
``OrientedBackbone``         features from a first layer that sees edges and colours
``SmallCNN``                 a plain convolutional network, with or without classifier
``standardize``              images with zero mean and unit deviation
``in_parts``                 use a network that is not being trained, a part of the inputs at a time
``fit``                      the training loop: seed, early stop, interrupt, resume
``paired_comparison``        is A better than B, seed by seed?
``CenterNet``                a detector that learns in seconds: objects are peaks of heat maps
``train_detector``           its training
``multistage_backward``      the exact gradient of a batch larger than memory
``multistage_descriptors``   the same for use inside ``fit``
``SavedForBackward``         bytes that autograd keeps for the backward pass
``choosing``                 module: Holm's correction, visible effects, the luck of the best of many
``optional_stopping``        module: what looking after every seed costs
``trial``                    module: an augmentation with what was measured about it
===========================  ==========================================================
"""

from course_utils.training.backbones import OrientedBackbone, SmallCNN, drawing_from, standardize
from course_utils.training.comparison import PairedComparison, paired_comparison
from course_utils.training.detector import CenterNet, train_detector
from course_utils.training.evaluation import evaluating, in_parts
from course_utils.training.fit import FitResult, fit
from course_utils.training.memory import SavedForBackward
from course_utils.training.multistage import MultistageResult, multistage_backward, multistage_descriptors

__all__ = [
    "CenterNet",
    "FitResult",
    "MultistageResult",
    "OrientedBackbone",
    "PairedComparison",
    "SavedForBackward",
    "SmallCNN",
    "drawing_from",
    "evaluating",
    "fit",
    "in_parts",
    "multistage_backward",
    "multistage_descriptors",
    "paired_comparison",
    "standardize",
    "train_detector",
]
