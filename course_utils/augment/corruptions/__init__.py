"""The corruption suite: 14 ways to spoil an image, each in five severities, for a whole batch at once.

The problem
    A network that is right on clean test images may fail in fog, out of focus, or after strong JPEG compression.
The idea
    Spoil the test images in fixed ways and count the errors. Nothing of this is shown in training, so the errors say how
    far what was learned carries.

==========================  ==================================================================
``names``, ``families``     the 14 test corruptions: noise, blur, weather, digital
``corrupt``                 one corruption, one severity
``suite``                   all of them, one after the other, from one seed
``parameters``              the numbers behind a severity, for any size of image
``corruption_error``        errors of a network: per corruption, per family, mean, relative
``mean_corruption_error``   the same against a baseline network: ImageNet's mCE
``CORRUPTIONS``             names, tables, and which transforms of this course do the same
==========================  ==================================================================

Conventions
    The tables are those of CIFAR-10-C (32 pixels) and ImageNet-C (224 pixels); ``tables`` says what is left out. Results
    are *like* these benchmarks: for a comparison with published numbers, take the published images.
    A severity is a number of its corruption: severity 3 of fog and severity 3 of blur have nothing in common.
    An augmentation that equals a test corruption makes the test circular: ``CORRUPTIONS[name].same_as`` names them.

Source: D. Hendrycks, T. Dietterich, ICLR 2019, arXiv:1903.12261.
"""

from course_utils.augment.corruptions.corrupting import Corrupted as Corrupted
from course_utils.augment.corruptions.corrupting import corrupt as corrupt
from course_utils.augment.corruptions.corrupting import generator_for as generator_for
from course_utils.augment.corruptions.corrupting import suite as suite
from course_utils.augment.corruptions.errors import ALEXNET_ERRORS as ALEXNET_ERRORS
from course_utils.augment.corruptions.errors import CorruptionError as CorruptionError
from course_utils.augment.corruptions.errors import MeanCorruptionError as MeanCorruptionError
from course_utils.augment.corruptions.errors import corruption_error as corruption_error
from course_utils.augment.corruptions.errors import mean_corruption_error as mean_corruption_error
from course_utils.augment.corruptions.tables import CORRUPTIONS as CORRUPTIONS
from course_utils.augment.corruptions.tables import SEVERITIES as SEVERITIES
from course_utils.augment.corruptions.tables import Corruption as Corruption
from course_utils.augment.corruptions.tables import families as families
from course_utils.augment.corruptions.tables import left_out as left_out
from course_utils.augment.corruptions.tables import names as names
from course_utils.augment.corruptions.tables import parameters as parameters
from course_utils.augment.corruptions.tables import validation_names as validation_names
