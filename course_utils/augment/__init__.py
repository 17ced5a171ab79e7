"""Augmentation: more images from the ones at hand, with labels that stay true.

==============================  ==============================================================
``RandomTransform``             draws for every image of a batch; the base of what follows
``ColorJitter``, ...            brightness, contrast, saturation, hue: another amount, another order for every image
``Gamma``, ``Equalize``, ...    tone curves and channels; ``colour`` holds the pure functions
``GaussianBlur``, ...           out of focus; ``MotionBlur``: camera shake, or a trail that moves the boxes
``GaussianNoise``, ...          noise of a given strength; ``ISONoise``: the photons and electrons of a sensor
``JPEGCompression``             at a random quality; ``transparent_jpeg`` shows every step, bit by bit the same
``Fog``, ``Rain``               weather; ``add_depth_fog`` hides what is far
``Flip``, ``Rotation``, ...     moves of pixels: image, boxes, masks and key points under one map
``SpatialChain``                several moves, one map: the image is read once
``GeometryPlan``                the map itself
``SanitizeTargets``             clip the boxes, drop what is hardly to be seen, labels and masks with it
``dot_test``                    does a label stay on its pixel? ``compare_libraries`` asks others too
chapter 14
``RandomErasing``, ``Cutout``   a rectangle, a square: hidden; ``aware="both"`` hides parts of objects too
``HideAndSeek``                 cells of a grid, each with its own coin; nothing at test time
``class_activation_maps``       where a classifier found its class; ``judge_localisation`` says how well
chapter 15
``Mixer``, ``MixPlan``          the core of all mixers: masks, places, and label weights that are the mean of the masks
``label_mass_error``            are the labels of a mixer right? Three lines that find the wrong ones
``MixUp``                       images and labels blended in one proportion
``SamplePairing``               images blended, labels not; ``PairingSchedule`` says when
``mixed_example``               sixteen ways of mixing by name; ``MixedExample`` is the same as a mixer
``ManifoldMixup``               the same inside of the network: what two images look like to a layer, blended
``decision_map``                what a network says about every point of the plane; ``intrusions``: mixed points on a wrong arm
chapter 16
``CutMix``                      a box of another image; the label counts what is left after the border cut it
``RICAP``                       four crops of four images, and a label of up to four classes
``SmoothMix``                   pasted without an edge; ``edge_strength`` measures the edges of the others
``Mosaic``                      for detectors: four images around a point, with all their boxes; no label is mixed
``hold_court``                  do labels say what is in the images? Our mixers, other libraries', formulas gone wrong
chapter 17
``PatchShuffle``                a new order for the pixels of small windows; ``FeaturePatchShuffle`` for maps
``AugMix``                      chains of operations, mixed by random weights; ``views`` makes a training batch
``JensenShannonLoss``           right on the clean image, and one answer on all its versions
chapter 18
``corruptions``                 14 ways to spoil a test set, five severities each; ``corruption_error``, mCE
``expected_calibration_error``  can the confidences be believed? ``calibration_null`` says what chance shows
``fit_temperature``             one number that makes them believable
==============================  ==============================================================

Names are loaded when they are first used, so that the first picture of a chapter need not wait for all of them.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
