"""Landmarks: unique monuments in streets that look alike, with class, mask and homography, for chapters 03 and 04.

Every picture is a pure function of (seed, split, label, number of the view, size). Read the modules in this order:

====================  =========================================================================
``planes``            the camera, and the homography of a flat picture that stands in the world
``identity``          what makes a monument unique: kind, form, colours, ornament, inscription
``ornaments``         medallions, rose windows, clocks, stars: pieces of photographs
``masonry``           a wall, a column, a dome, a window: the painter's vocabulary
``monuments``         seven kinds of monuments, painted on a canvas of 224 x 224 pixels
``statues``           what may stand on a plinth
``town``              the streets that all classes share: houses, sky, ground, things in front
``plans``             one photograph before it is taken: camera, light, houses, people
``views``             the photograph, and the truth about it
``dataset``           the splits
====================  =========================================================================

The layout follows Google Landmarks v2 (T. Weyand, A. Araujo, B. Cao, J. Sim, CVPR 2020, arXiv:2004.01804): long-tailed
training classes, an index of other classes, and queries that mostly show no landmark at all.

The public names are re-exported by ``course_utils.data``.
"""

from course_utils.data.landmarks.dataset import CLASS_RANGES as CLASS_RANGES
from course_utils.data.landmarks.dataset import SPLITS as SPLITS
from course_utils.data.landmarks.dataset import Landmarks as Landmarks
from course_utils.data.landmarks.dataset import LandmarkView as LandmarkView
from course_utils.data.landmarks.dataset import class_name as class_name
from course_utils.data.landmarks.dataset import correspondences as correspondences
from course_utils.data.landmarks.dataset import rendered_view as rendered_view
from course_utils.data.landmarks.identity import KINDS as KINDS
from course_utils.data.landmarks.identity import kind_of as kind_of
from course_utils.data.landmarks.monuments import CANVAS as CANVAS
from course_utils.data.landmarks.monuments import canvas_of as canvas_of
