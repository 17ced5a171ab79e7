"""One toy a picture: classification with box, mask, key points and pose, for everything that augments.

Every picture is a pure function of (split, seed, index, size) and of how it is asked to be seen, to the byte and on every
processor: see ``course_utils.data.steady``. The toys, their materials and the stages are those of
``course_utils.data.sprite_scenes``. Read the modules in this order:

====================  =========================================================================
``views``             how the toys of a set are seen: the usual way, or with one nuisance wide
``portrait``          one picture and the truth about it
``dataset``           the splits, few-shot training sets, occluded test sets
``creatures``         striped animals with coloured heads, for weakly supervised localisation
====================  =========================================================================

The public names are re-exported by ``course_utils.data``.
"""

from course_utils.data.sprites.creatures import CreaturePicture as CreaturePicture
from course_utils.data.sprites.creatures import Creatures as Creatures
from course_utils.data.sprites.dataset import KEY_POINTS as KEY_POINTS
from course_utils.data.sprites.dataset import PAIRS as PAIRS
from course_utils.data.sprites.dataset import SpritePicture as SpritePicture
from course_utils.data.sprites.dataset import Sprites as Sprites
from course_utils.data.sprites.views import VIEWS as VIEWS
from course_utils.data.sprites.views import Views as Views
