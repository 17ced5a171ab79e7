"""Augmentation: more images from the ones at hand, with labels that stay true.

==============================  ==============================================================
``RandomTransform``             draws for every image of a batch; the base of what follows
chapter 14
``RandomErasing``, ``Cutout``   a rectangle, a square: hidden; ``aware="both"`` hides parts of objects too
``HideAndSeek``                 cells of a grid, each with its own coin; nothing at test time
``class_activation_maps``       where a classifier found its class; ``judge_localisation`` says how well
==============================  ==============================================================

Names are loaded when they are first used, so that the first picture of a chapter need not wait for all of them.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
