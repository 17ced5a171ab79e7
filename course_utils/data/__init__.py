"""Pictures: real photographs that ship with the course's packages, the reader's own folders, and generated worlds.

Nothing here needs a download. In the order in which the course meets them:

- ``photograph``: real photographs from the wheels of scikit-learn and scikit-image, with their credits;
- ``StreetWorld``: database and query views of a generated town, for place recognition;
- ``district``, ``StreetRenderer``, ``Camera``: the town itself, to be walked through;
- ``SpriteScenes``: toys on a stage, with boxes and masks, for detection;
- ``Sprites``: one toy a picture with class, box, mask, key points and pose; few examples, odd views, things in the way;
- ``Creatures``: striped animals with coloured heads, for weakly supervised localisation;
- ``Pedestrians``: people who walk past four cameras, some with something in front, for re-identification;
- ``Landmarks``: unique monuments in streets that look alike, with masks and homographies; ``landmarks`` renders more;
- ``spirals``, ``moons``: two classes in the plane, where a decision can be drawn;
- ``ImageFolder``: a folder of the reader's own pictures;
- ``cached_arrays``: results kept on disk between runs;
- ``real_data``: the folder of a famous data set, if the reader has fetched it with ``python -m data_scripts``.

Names are loaded when they are first used, so that importing this room costs nothing.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
