"""People who walk past several cameras, for person re-identification.

Every picture is a pure function of (split, seed, identity, camera, number, height), to the byte and on every processor: see
``course_utils.data.steady``. Read the modules in this order:

====================  =========================================================================
``wardrobe``          who somebody is: build, hair, clothes, bag
``walker``            how somebody walks: a jointed figure, seen from the front, back or side
``cameras``           what a camera does to everybody: light, colour, place, background
``dataset``           training people, and queries and galleries of people never trained on
====================  =========================================================================

The protocol is that of Market-1501 (L. Zheng et al., "Scalable Person Re-identification: A Benchmark", ICCV 2015). The public
names are re-exported by ``course_utils.data``.
"""

from course_utils.data.pedestrians.dataset import SPLITS as SPLITS
from course_utils.data.pedestrians.dataset import PedestrianPicture as PedestrianPicture
from course_utils.data.pedestrians.dataset import Pedestrians as Pedestrians
