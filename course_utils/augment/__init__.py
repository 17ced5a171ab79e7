"""Augmentation: more images from the ones at hand, with labels that stay true.

==============================  ==============================================================
``RandomTransform``             draws for every image of a batch; the base of what follows
==============================  ==============================================================

Names are loaded when they are first used, so that the first picture of a chapter need not wait for all of them.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
