"""The claim ledger: what the papers say, run here with seeds, recorded and judged.

``show(key)`` draws a recorded claim in a chapter; ``make evidence`` runs the ledger again. The claims stand in
``evidence.claim_texts``, their experiments in one module per chapter.

``affinity``, ``diversity`` and ``train_with`` measure one augmentation, ``recorded_trials`` and its neighbours read what the recorded
runs say about all of them, and ``recommend`` finds out within a budget which one helps on ``ToyPictures`` or ``FolderPictures``.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
