"""The street world: a town generated from a seed, seen by a camera that drives through it.

Every picture is a pure function of (seed, district, traversal, camera), to the byte and on every processor: see
``course_utils.data.steady``. Read the modules in this order:

====================  =========================================================================
``textures``          real pixels, cut from photographs: bricks, plaster, paving, leaves, lettering
``styles``            what the houses of a town have in common
``facades``           house fronts assembled from them
``sprites``           cars, people, trees, lamps: flat pictures that always face the camera
``districts``         blocks, streets and what stands along them
``ground``            the district from above: what one drives on, and the map
``weather``           seven conditions and four seasons: light, sky, shadows
``traversals``        one drive on one day: what moves, where the sun stands
``atlas``             all wall pictures at several resolutions
``scene``             walls, sky and ground of one view
``billboards``        the sprites in it
``photography``       exposure, blur, rain, noise
``renderer``          the camera: from a pose to a picture
``places``            database and query drives as a data set for place recognition
====================  =========================================================================

The idea of a town with few house styles (so that different places look alike), several conditions and noisy
positions follows the data sets of the papers that the course is about: Pittsburgh 250k and Tokyo 24/7.

The public names are re-exported by ``course_utils.data``.
"""
