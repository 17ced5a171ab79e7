"""Sprite scenes: toys on a stage, with boxes, masks and what is hidden, for everything that detects or augments.

Every scene is a pure function of (split, seed, index, size), to the byte and on every processor: see
``course_utils.data.steady``. Read the modules in this order:

====================  =========================================================================
``drawing``           a vector drawing in its own units, and how it becomes pixels
``objects``           six kinds of toys: boat, car, cup, house, person, tree
``distractors``       six more that belong to no class
``backgrounds``       stages and desks cut from real photographs, different ones in every split
``composition``       one scene: places, shadows, light, and the truth
``scenes``            the scenes as a data set
====================  =========================================================================

Which object it is (``objects``: a drawing from a stream of random numbers) and how it is seen (``drawing.Pose``) are kept
apart, so the same individual can be drawn in another pose.

The public names are re-exported by ``course_utils.data``.
"""
