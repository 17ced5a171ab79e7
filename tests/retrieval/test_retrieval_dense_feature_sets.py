"""Dense features on a pyramid: they stand where the descriptor says, on the scale that was asked for."""

import numpy as np
import pytest
import torch

from course_utils.retrieval import DenseRootSIFT, dense_feature_set, match_descriptors, verify_geometry


def noise(height=80, width=112, seed=0):
    return torch.rand(3, height, width, generator=torch.Generator().manual_seed(seed))


def test_at_scale_one_they_are_the_grid_of_rootsift():
    image, describer = noise(), DenseRootSIFT(cell=4, stride=8)
    features = dense_feature_set(image, 1000, scales=(1.0,), describer=describer, max_overlap=1.0)
    grid = describer(image)
    assert len(features) == grid.descriptors.shape[1]
    order = np.lexsort(features.points.T[::1])
    expected = np.lexsort((grid.centers.numpy() + 0.5).T)
    np.testing.assert_allclose(features.points[order], grid.centers.numpy()[expected] + 0.5)
    np.testing.assert_allclose(features.descriptors[order], grid.descriptors[0].numpy()[expected], atol=1e-6)


def test_scores_are_the_deviation_inside_the_box_and_run_downwards():
    features = dense_feature_set(noise(), 40, scales=(1.0,))
    grey = (torch.tensor([0.299, 0.587, 0.114])[:, None, None] * noise()).sum(0).numpy()
    for box, score in zip(features.boxes.astype(int), features.scores):
        assert score == pytest.approx(grey[box[1] : box[3], box[0] : box[2]].std(), abs=1e-5)
    assert (np.diff(features.scores) <= 0).all()


def test_boxes_grow_with_the_inverse_of_the_scale_and_lie_in_the_image():
    features = dense_feature_set(noise(96, 96), 2000, scales=(0.25, 0.5, 1.0), max_overlap=1.0)
    widths = features.boxes[:, 2] - features.boxes[:, 0]
    np.testing.assert_allclose(widths, 16 / features.scales, atol=1e-4)
    assert features.boxes.min() >= -1e-4 and features.boxes.max() <= 96 + 1e-4
    np.testing.assert_allclose(features.points, (features.boxes[:, :2] + features.boxes[:, 2:]) / 2, atol=1e-4)
    assert set(features.scales) == {0.25, 0.5, 1.0}


def test_suppression_leaves_no_two_boxes_that_overlap_more():
    from torchvision.ops import box_iou

    features = dense_feature_set(noise(), 300, max_overlap=0.25)
    overlap = box_iou(*[torch.from_numpy(features.boxes)] * 2).numpy() - np.eye(len(features))
    assert overlap.max() <= 0.25 + 1e-6
    assert len(features) < len(dense_feature_set(noise(), 3000, max_overlap=1.0))


def test_a_picture_and_its_double_move_together():
    image = torch.nn.functional.interpolate(noise(24, 24)[None], (96, 96), mode="bicubic").clamp(0, 1)[0]
    large = torch.nn.functional.interpolate(image[None], (192, 192), mode="bilinear")[0]
    a, b = dense_feature_set(image, 150, scales=(1.0,)), dense_feature_set(large, 150, scales=(0.5,))
    pairs = match_descriptors(a.descriptors, b.descriptors, 0.5).indices
    result = verify_geometry(a.points[pairs[:, 0]], b.points[pairs[:, 1]], 3.0)
    assert result.n_inliers > 0.9 * len(pairs) > 30
    np.testing.assert_allclose(result.transform, [[2, 0, 0], [0, 2, 0]], atol=0.15)


def test_uint8_is_read_as_float_and_a_flat_or_tiny_image_has_no_features():
    image = (255 * noise()).round().to(torch.uint8)
    a, b = dense_feature_set(image, 20), dense_feature_set(image.float() / 255, 20)
    np.testing.assert_allclose(a.points, b.points)
    assert len(dense_feature_set(torch.full((3, 64, 64), 0.5))) == 0
    assert len(dense_feature_set(noise(12, 12))) == 0 and dense_feature_set(noise(12, 12)).size == (12, 12)


@pytest.mark.parametrize(
    "call, kind, error",
    [
        (lambda: dense_feature_set(noise().numpy()), TypeError, "`image` must be a tensor of shape"),
        (lambda: dense_feature_set(noise()[:1]), ValueError, r"`image` must be a tensor of shape \(3, H, W\), but got shape"),
        (lambda: dense_feature_set(noise(), n_features=0), ValueError, "`n_features` must be an integer of at least 1"),
        (lambda: dense_feature_set(noise(), scales=()), ValueError, "`scales` must be at least one factor above 0"),
        (lambda: dense_feature_set(noise(), scales=(1.0, 0.0)), ValueError, "`scales` must be at least one factor above 0"),
        (lambda: dense_feature_set(noise(), max_overlap=0), ValueError, "`max_overlap` must be a finite number above 0"),
    ],
)
def test_bad_arguments_are_refused_by_name(call, kind, error):
    with pytest.raises(kind, match=error):
        call()
