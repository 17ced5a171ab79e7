"""The methods behind the course *Representation Learning 2*.

A package of rooms, one floor above the other; imports run downward only.

=====  =====================================================================
floor  rooms
=====  =====================================================================
3      ``explore`` (widgets), ``learn`` (exercises, syllabus), ``evidence``
       (the claim ledger)
2      ``retrieval``: VLAD, NetVLAD, mining, index, recall
1      ``training`` (backbones, fit loop, paired comparison), ``data``
       (embedded pictures, the street world, image folders, cache)
0      ``checks``, ``profile``, ``plotting``
=====  =====================================================================

Importing the package loads none of them: ``from course_utils import retrieval``
loads what it needs.
"""

__version__ = "0.1.0"
