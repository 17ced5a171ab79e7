"""The landmark photographs: what they promise, whether their truth is true, and what they depend on."""

import numpy as np
import pytest
import torch
from torchvision import tv_tensors

from course_utils import data

N = 60


@pytest.fixture(scope="module")
def views(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COURSE_CACHE", str(tmp_path_factory.mktemp("landmarks")))
        yield data.Landmarks("train", n_images=N)


# -- the data set ---------------------------------------------------------------------------------------------------------
def test_every_attribute_has_its_promised_shape_and_type(views):
    assert views.images.shape == (N, 3, 112, 112) and views.images.dtype == torch.uint8
    assert views.masks.shape == (N, 112, 112) and views.masks.dtype == torch.bool
    assert views.labels.shape == (N,) and views.labels.dtype == torch.int64
    assert views.homographies.shape == (N, 3, 3) and views.homographies.dtype == torch.float64
    for view, label in zip(views, views.labels.tolist()):
        assert view.label == label and isinstance(view.label, int)
        assert view.image.shape == (3, 112, 112) and isinstance(view.mask, tv_tensors.Mask) and view.mask.dtype == torch.bool
        assert view.homography.shape == (3, 3) and view.homography[2, 2] == 1
        with pytest.raises(AttributeError):
            view.label = 3


def test_a_street_without_a_landmark_has_no_label_no_mask_and_no_homography():
    empty = data.Landmarks("distractor", n_images=3)
    assert empty.labels.tolist() == [-1, -1, -1] and not empty.masks.any() and empty.homographies.isnan().all()
    assert empty.n_classes == 0 and np.asarray(empty.images.float().std()) > 20
