"""Retrieval: from local features to a ranked list, and how to judge it.

================================  ==============================================================
chapter 01
``DenseRootSIFT``                 local descriptors on a grid
``VLAD``, ``RegionVLAD``          one vector per image, or per rectangle of an image
``PCAWhitening``                  fewer and decorrelated numbers
``DenseVLAD``                     the three in one object
``Index``                         search, exact and compressed
``recall_at_n`` and others        is the right place among the first N?
chapter 02
``NetVLAD``                       VLAD whose assignment can be learned
``WeaklySupervisedRankingLoss``   learn from positions
``TupleMiner``                    which images to learn from
``PlaceNetwork``                  backbone and NetVLAD, ``train_place_network`` trains it
``attribute_similarity``          which pixels and words make two images similar
chapter 03
``LocalFeatureSet``               vectors with a place, a size and a score
``receptive_field``               which pixels a cell sees, by recursion; ``probe_receptive_field`` measures it
``DELF``                          local features with a learned attention; ``train_delf`` trains it
``match_descriptors``             nearest neighbours between two images
``verify_geometry``               do the matches move together?
``rerank``                        geometry on a shortlist
``LocalIndex``                    local features of a million images
chapter 04
``global_average_precision``      one list of answers for a whole test set; ``recognition_ranking`` shows it
``mean_average_precision_at_k``   mAP@100 of landmark retrieval
``revisited_protocol``            easy, medium and hard on Oxford and Paris, with junk
================================  ==============================================================

Names are loaded when they are first used, so that the first picture of a chapter need not wait for all of them.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
