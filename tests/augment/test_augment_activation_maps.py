import numpy as np
import pytest
import torch
from sklearn.metrics import average_precision_score
from torch import nn
from torchvision.models import resnet18
from torchvision.ops import box_iou

from course_utils.augment.activation_maps import (
    boxes_from_maps,
    class_activation_maps,
    enlarged,
    feature_reader,
    maps_of,
    normalized_maps,
    piece_boxes,
)
from course_utils.augment.activation_strength import most_active_region, sorted_activations
from course_utils.augment.localisation import (
    THRESHOLDS,
    LocalisationSet,
    box_accuracy,
    judge_localisation,
    localisation_hits,
    max_box_accuracy,
    max_box_accuracy_v2,
    overlaps_of,
    pixel_average_precision,
)
from course_utils.training import SmallCNN


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def network():
    return SmallCNN(dim=12, n_classes=5, generator=seeded()).eval()


@pytest.fixture
def images():
    return torch.randn(6, 3, 24, 32, generator=seeded(1))


def rectangles(n=12, size=32, seed=0):
    """Return n boxes with whole corners, their masks, and maps that are 1 inside."""
    rng = np.random.default_rng(seed)
    first, side = rng.integers(0, 12, (n, 2)), rng.integers(6, 18, (n, 2))
    boxes = np.concatenate([first, first + side], 1).astype(float)
    masks = np.zeros((n, size, size), bool)
    for mask, (x1, y1, x2, y2) in zip(masks, boxes.astype(int)):
        mask[y1:y2, x1:x2] = True
    return boxes, masks


# ------------------------------------------------------------------------------------------------------------- the map


def test_the_mean_of_the_map_plus_the_bias_is_the_logit(network, images):
    with torch.no_grad():
        features, logits = network.features(images), network(images)
    for k in range(5):
        small = maps_of(features, network.classifier.weight, torch.full((6,), k))
        assert torch.allclose(small.mean((1, 2)) + network.classifier.bias[k], logits[:, k], atol=1e-5)


def test_a_loop_over_channels_gives_the_same_map(network, images):
    classes = torch.tensor([0, 1, 2, 3, 4, 0])
    maps = class_activation_maps(network, images, classes)
    features = network.features(images).detach()
    for i, k in enumerate(classes):
        small = sum(network.classifier.weight[k, c] * features[i, c] for c in range(12)).detach()
        assert torch.allclose(maps[i], enlarged(small[None], (24, 32))[0], atol=1e-5)


def test_one_bright_place_lights_the_map_there():
    features = torch.zeros(1, 2, 5, 5)
    features[0, 1, 3, 2] = 7.0
    small = maps_of(features, torch.tensor([[0.0, 0.0], [4.0, 2.0]]), torch.tensor([1]))
    assert small[0, 3, 2] == 14 and small.abs().sum() == 14


def test_without_classes_the_predicted_one_is_shown(network, images):
    predicted = network(images).argmax(1)
    assert torch.equal(class_activation_maps(network, images), class_activation_maps(network, images, predicted, batch_size=4))


def test_any_network_with_average_pooling_works_through_a_layer(images):
    network = resnet18(weights=None, num_classes=4).eval()
    maps = class_activation_maps(network, images[:2], torch.tensor([1, 3]), layer=network.layer4)
    with torch.no_grad(), feature_reader(network, network.layer4) as features_of:
        features = features_of(images[:2])
    assert torch.allclose(
        maps, enlarged(maps_of(features, network.fc.weight, torch.tensor([1, 3])), (24, 32)).detach(), atol=1e-5
    )
    assert not network.layer4._forward_hooks, "the hook is removed"


def test_the_hook_is_removed_after_a_failure(images):
    network = resnet18(weights=None, num_classes=4)
    with pytest.raises(ValueError, match="The layer must be the one that is averaged"):
        class_activation_maps(network, images[:2], torch.tensor([1, 3]), layer=network.conv1, classifier=nn.Linear(7, 4))
    assert not network.conv1._forward_hooks


def test_the_networks_mode_comes_back(network, images):
    network.train()
    class_activation_maps(network, images)
    assert network.training and network.body.training


def test_wrong_networks_and_classes_are_named(network, images):
    with pytest.raises(TypeError, match="`layer` must be given for a network without a method `features`"):
        class_activation_maps(resnet18(weights=None, num_classes=4), images)
    with pytest.raises(TypeError, match=r"`classifier` must be a torch.nn.Linear, but got NoneType"):
        class_activation_maps(SmallCNN(dim=8), images)
    with pytest.raises(ValueError, match=r"`classes` must be of shape \(6,\)"):
        class_activation_maps(network, images, torch.tensor([1]))
    with pytest.raises(ValueError, match="`batch_size`"):
        class_activation_maps(network, images, batch_size=0)
    assert class_activation_maps(network, images[:0]).shape == (0, 24, 32)


# -------------------------------------------------------------------------------------------------- from a map to a box


def test_maps_are_normalised_each_by_itself_and_a_constant_one_is_zero():
    maps = normalized_maps(np.stack([np.array([[1.0, 3], [2, 5]]), np.full((2, 2), 9.0)]))
    assert maps[0].tolist() == [[0, 0.5], [0.25, 1]] and not maps[1].any()
    with pytest.raises(ValueError, match=r"`maps` must be finite, but got NaN or infinity \(first in row 1\)"):
        normalized_maps(np.array([[[0.0]], [[np.nan]]]))
    assert normalized_maps(np.zeros((0, 3, 3))).shape == (0, 3, 3)


def test_a_map_that_is_the_object_gives_its_box():
    boxes, masks = rectangles()
    for threshold in (0.0, 0.2, 0.99):
        assert np.array_equal(boxes_from_maps(masks.astype(float), threshold), boxes)


def test_a_constant_map_gives_the_whole_image():
    assert boxes_from_maps(np.full((1, 6, 9), 4.0)).tolist() == [[0, 0, 9, 6]]
    assert boxes_from_maps(np.zeros((0, 6, 9))).shape == (0, 4)


def test_the_largest_piece_counts_and_corners_do_not_join():
    one = np.zeros((8, 8))
    one[0:2, 0:2] = 1.0  # 4 pixels
    one[2:5, 2:4] = 0.9  # 6 pixels, touching the first at a corner only
    assert boxes_from_maps(one[None])[0].tolist() == [2, 2, 4, 5]
    assert piece_boxes(one, 0.2).tolist() == [[2, 2, 4, 5], [0, 0, 2, 2]]
    assert boxes_from_maps(one[None], 0.9)[0].tolist() == [0, 0, 2, 2], "the comparison is strict"


@pytest.mark.parametrize("threshold", [1.0, -0.1, float("nan")])
def test_thresholds_outside_the_maps_range_are_refused(threshold):
    with pytest.raises(ValueError, match="`threshold` must be"):
        boxes_from_maps(np.zeros((1, 4, 4)), threshold)


# --------------------------------------------------------------------------------------------------------- the measures


def test_overlaps_are_those_of_torchvision():
    rng = np.random.default_rng(0)
    first = rng.uniform(0, 20, (30, 2))
    boxes = np.concatenate([first, first + rng.uniform(0, 20, (30, 2))], 1)
    theirs = box_iou(torch.tensor(boxes[:10]), torch.tensor(boxes[10:])).numpy()
    assert np.allclose(overlaps_of(boxes[:10], boxes[10:]), theirs)
    assert overlaps_of(np.zeros((1, 4)), np.zeros((1, 4))).tolist() == [[0]]


def test_perfect_maps_reach_one_in_every_measure():
    boxes, masks = rectangles()
    maps = masks.astype(float)
    assert max_box_accuracy(maps, boxes) == max_box_accuracy_v2(maps, boxes) == pixel_average_precision(maps, masks) == 1.0
    half = LocalisationSet(maps[:6], boxes[:6])
    labels = np.array([0, 1, 2, 0, 1, 2])
    report = judge_localisation(half, LocalisationSet(maps[6:], boxes[6:], masks[6:], np.array([0, 1, 2, 0, 0, 0]), labels))
    assert (report.box_accuracy, report.fixed_accuracy, report.max_box_accuracy, report.pixel_ap) == (1, 1, 1, 1)
    assert report.top1 == pytest.approx(4 / 6), "two images carry the wrong label"


def test_constant_maps_give_the_whole_image_and_the_share_of_the_foreground():
    boxes, masks = rectangles()
    maps = np.zeros(masks.shape)
    whole = np.array([[0.0, 0, 32, 32]])
    expected = (overlaps_of(whole, boxes)[0] >= 0.3).mean()
    assert box_accuracy(maps, boxes, overlaps=(0.3,)).accuracy.tolist() == [[expected] * 100]
    assert pixel_average_precision(maps, masks) == pytest.approx(masks.mean())


def test_inverted_maps_rank_pixels_no_better_than_chance():
    boxes, masks = rectangles()
    assert pixel_average_precision(1.0 - masks, masks) <= masks.mean() + 1e-12


@pytest.mark.parametrize("ties", [False, True])
def test_the_pixel_measure_is_scikit_learns_average_precision(ties):
    rng = np.random.default_rng(0)
    _, masks = rectangles(5)
    maps = masks * 0.3 + rng.random(masks.shape)
    maps = np.round(maps * 6) / 6 if ties else maps
    scores = normalized_maps(maps)
    assert pixel_average_precision(maps, masks) == pytest.approx(
        average_precision_score(masks.ravel(), scores.ravel()), abs=1e-12
    )
    assert pixel_average_precision(torch.tensor(maps), torch.tensor(masks)) == pytest.approx(pixel_average_precision(maps, masks))


def test_the_best_threshold_moves_with_the_scale_of_the_maps_but_the_maximum_does_not():
    boxes, masks = rectangles(30)
    rng = np.random.default_rng(1)
    maps = normalized_maps(np.where(masks, 0.55, 0.4) + 0.06 * rng.random(masks.shape))
    squared = maps**2
    fixed = [localisation_hits(boxes_from_maps(m, 0.2), boxes).mean() for m in (maps, squared)]
    assert max_box_accuracy(maps, boxes) == max_box_accuracy(squared, boxes) == 1.0
    assert fixed[0] != fixed[1], "at one fixed threshold the same ranking of pixels is judged differently"
    assert pixel_average_precision(maps, masks) == pytest.approx(pixel_average_precision(squared, masks), abs=0.02)


def test_a_box_that_overlaps_any_true_box_counts_and_the_border_belongs_to_it():
    truth = [np.array([[0.0, 0, 4, 4], [20, 20, 30, 30]]), np.array([[0.0, 0, 10, 10]]), np.array([[0.0, 0, 10, 10]])]
    boxes = np.array([[21.0, 20, 30, 30], [0, 0, 10, 5], [0, 0, 10, 4.9]])
    assert localisation_hits(boxes, truth).tolist() == [True, True, False]


def test_the_second_version_takes_the_best_piece_and_three_overlaps():
    boxes, masks = rectangles(8)
    maps = masks * 0.8
    maps[:, 27:, :] = 1.0  # a larger stripe below every object
    maps[:, 26, :] = 0.0
    clear = boxes[:, 3] <= 26
    assert clear.sum() >= 3
    assert max_box_accuracy(maps[clear], boxes[clear]) < 1.0
    assert max_box_accuracy_v2(maps[clear], boxes[clear]) == 1.0
    loose = box_accuracy(maps, boxes, overlaps=(0.3, 0.5, 0.7), pieces="all").accuracy
    assert (np.diff(loose, axis=0) <= 0).all(), "a stricter overlap accepts fewer"


def test_the_judge_takes_its_threshold_from_validation_images_only():
    boxes, masks = rectangles(20)
    soft = np.where(masks, 1.0, 0.5)
    soft[:, 0, 0] = 0.0
    low, high = LocalisationSet(masks.astype(float) * 1.0, boxes), LocalisationSet(soft, boxes, masks)
    report = judge_localisation(high, low)
    assert 0.5 <= report.threshold < 1.0 and report.box_accuracy == 1.0
    swapped = judge_localisation(low, high)
    assert swapped.threshold == pytest.approx(0.49, abs=0.01), "every threshold is right there: the middle one is taken"
    assert swapped.box_accuracy < swapped.max_box_accuracy == 1.0
    assert swapped.top1 is None and report.pixel_ap is None and swapped.pixel_ap is not None
    assert swapped.max_box_accuracy_v2 == max_box_accuracy_v2(high.maps, boxes)
    assert np.array_equal(swapped.curve.accuracy, box_accuracy(high.maps, boxes).accuracy)


def test_measures_name_what_is_wrong():
    boxes, masks = rectangles(3)
    maps = masks.astype(float)
    with pytest.raises(ValueError, match="`truth` must be one entry for each of 3 images, but got 2 entries"):
        box_accuracy(maps, boxes[:2])
    with pytest.raises(ValueError, match=r"`truth\[1\]` must be at least one true box"):
        localisation_hits(boxes, [boxes[:1], np.zeros((0, 4)), boxes[2:]])
    with pytest.raises(ValueError, match="`maps` must be of at least one image"):
        box_accuracy(maps[:0], boxes[:0])
    with pytest.raises(ValueError, match="`pieces`"):
        box_accuracy(maps, boxes, pieces="some")
    with pytest.raises(ValueError, match="`masks` must be of shape"):
        pixel_average_precision(maps, masks[:2])
    with pytest.raises(ValueError, match="`masks` must be with at least one pixel"):
        pixel_average_precision(maps, masks & False)
    with pytest.raises(ValueError, match="`overlap`"):
        localisation_hits(boxes, boxes, 0.0)
    assert len(THRESHOLDS) == 100 and THRESHOLDS[20] == 0.2


# --------------------------------------------------------------------------------------------------------- Cutout inside


def test_sorted_activations_are_a_loop_over_images(network, images):
    layers = {"early": network.body[2], "late": network.body[-1]}
    curves = sorted_activations(network, images, layers, batch_size=4)
    early = network.body[:3](images).detach().flatten(1).abs().numpy()
    assert np.allclose(curves["early"], np.mean([np.sort(row)[::-1] for row in early], axis=0), atol=1e-5)
    assert list(curves) == ["early", "late"] and (np.diff(curves["late"]) <= 0).all()
    assert not network.body[2]._forward_hooks
    with pytest.raises(ValueError, match="`images` must be at least one image"):
        sorted_activations(network, images[:0], layers)


def test_the_most_active_region_is_where_the_strongest_channel_is_above_its_mean():
    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.zeros(1))

        def features(self, images):
            return torch.stack([images[:, 0], 3 * images[:, 1]], 1)

    images = torch.zeros(2, 2, 8, 8)
    images[0, 0, :2] = 1.0
    images[0, 1, 5:, 5:] = 1.0
    mask = most_active_region(Two(), images)
    expected = torch.zeros(8, 8, dtype=torch.bool)
    expected[5:, 5:] = True
    assert torch.equal(mask[0, 0], expected) and not mask[1].any()
