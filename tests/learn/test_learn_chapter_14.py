"""The judges of chapter 14: right answers of several makes, and the likely mistakes by name."""

import numpy as np
import pytest
import torch
from scipy import ndimage
from skimage import measure

from course_utils import augment, learn
from course_utils.learn import chapter_14

# --- 14-1


def by_counting(size, length):
    total = 0
    for y in range(size):
        for x in range(size):
            rows = len([i for i in range(y - length // 2, y - length // 2 + length) if 0 <= i < size])
            total += rows * len([j for j in range(x - length // 2, x - length // 2 + length) if 0 <= j < size])
    return total / size**4


def by_masks(size, length):
    starts = torch.arange(size) - length // 2
    i = torch.arange(size)
    return float(((i >= starts[:, None]) & (i < starts[:, None] + length)).double().mean() ** 2)


@pytest.mark.parametrize("answer", [chapter_14.masked_share, by_counting, by_masks])
def test_right_shares_are_accepted(answer):
    found = learn.check("14-1", answer)
    assert found.outcome == "right" and "19.1 %" in found.sentence, found.sentence


def by_drawing(size, length):
    first = np.random.default_rng(0).integers(0, size, (20_000, 2)) - length // 2
    return (np.minimum(first + length, size) - np.maximum(first, 0)).prod(1).mean() / size**2


def sides(size, length):
    return [min(c - length // 2 + length, size) - max(c - length // 2, 0) for c in range(size)]


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (lambda s, n: (n / s) ** 2, "as if no square stuck out"),
        (lambda s, n: (min(n, s) / s) ** 2, "never sticks out"),
        (lambda s, n: np.mean(sides(s, n)) / s, "share of one row"),
        (lambda s, n: np.mean(np.square(sides(s, n))) / s**2, "drawn independently"),
        (lambda s, n: (np.mean([min(c + n // 2, s) - max(c - n // 2, 0) for c in range(s)]) / s) ** 2, "an odd side is exact"),
        (lambda s, n: 1 - chapter_14.masked_share(s, n), "what stays visible"),
        (lambda s, n: s * s * chapter_14.masked_share(s, n), "number of hidden pixels"),
        (lambda s, n: 100 * chapter_14.masked_share(s, n), "in percent"),
        (lambda s, n: by_drawing(s, n), "Near, but not exact"),
        (lambda s, n: 0.25, "`share(32, 16)` gives 0.250000, expected 0.1914"),
        (lambda s, n: [1, 2], "shape"),
        (0.19, "must be a function"),
        (lambda s, n: 1 / 0, "ZeroDivisionError"),
    ],
)
def test_wrong_shares_are_named(answer, text):
    found = learn.check("14-1", answer)
    assert found.outcome == "not yet" and text in found.text, found.text


# --- 14-2


@pytest.mark.parametrize(
    "answer",
    [
        chapter_14.hidden_value,
        lambda images: augment.channel_means(torch.tensor(images)),
        lambda images: [np.mean([image[c] for image in images]) for c in range(3)],
    ],
)
def test_right_hidden_values_are_accepted(answer):
    found = learn.check("14-2", answer)
    assert found.outcome == "right", found.sentence


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (lambda images: np.zeros(3), "Black is far"),
        (lambda images: np.full(3, 0.5), "Mid-grey"),
        (lambda images: np.full(3, images.mean()), "One number for all channels"),
        (lambda images: np.median(images, axis=(0, 2, 3)), "median"),
        (lambda images: images[0].mean((1, 2)), "first image"),
        (lambda images: 255 * images.mean((0, 2, 3)), "levels up to 255"),
        (lambda images: images.mean((0, 2, 3)) + 0.01, "answers"),
        (lambda images: images.mean(), "should have the shape"),
    ],
)
def test_wrong_hidden_values_are_named(answer, text):
    found = learn.check("14-2", answer)
    assert found.outcome == "not yet" and text in found.text, found.text


# --- 14-3


def by_package(map_, threshold):
    return augment.boxes_from_maps(map_[None], threshold)[0]


def by_skimage(map_, threshold):
    spread = np.ptp(map_)
    normalised = (map_ - map_.min()) / spread if spread else np.zeros(map_.shape)
    found = measure.regionprops(measure.label(normalised > threshold, connectivity=1))
    if not found:
        return torch.tensor([0, 0, map_.shape[1], map_.shape[0]])
    top, left, bottom, right = max(found, key=lambda piece: piece.area).bbox
    return torch.tensor([left, top, right, bottom])


def by_single_precision_and_objects(map_, threshold):
    """Another order of the same steps: compare with a level of the map, and rank the pieces by their pixels."""
    map_ = map_.astype(np.float32)
    level = map_.min() + threshold * (map_.max() - map_.min())
    labels, n = ndimage.label(map_ > level)
    if not n:
        return 0, 0, map_.shape[1], map_.shape[0]
    rows, columns = ndimage.find_objects(labels)[int(np.argmax(ndimage.sum_labels(labels > 0, labels, range(1, n + 1))))]
    return columns.start, rows.start, columns.stop, rows.stop


@pytest.mark.parametrize("answer", [chapter_14.box_of, by_package, by_skimage, by_single_precision_and_objects])
def test_right_boxes_are_accepted(answer):
    found = learn.check("14-3", answer)
    assert found.outcome == "right", found.sentence


@pytest.mark.parametrize(
    ("slip", "text"),
    [
        ({"end": 0}, "add one to the last row"),
        ({"largest": False}, "only the largest connected piece"),
        ({"corners": True}, "share an edge"),
        ({"strict": False}, "strict"),
        ({"normalise": False}, r"brought to [0, 1]"),
        ({"swap": True}, "Rows and columns are exchanged"),
        ({"empty": "none"}, "constant map"),
        ({"low": False}, "take its minimum off first"),
        ({"brightest": True}, "brightest pixel"),
        ({"sides": True}, "two corners"),
    ],
)
def test_wrong_boxes_are_named(slip, text):
    found = learn.check("14-3", lambda map_, threshold: chapter_14._box(map_, threshold, **slip))
    assert found.outcome == "not yet" and text in found.text, found.text


def test_the_maps_hold_every_trap():
    pairs = chapter_14.maps_and_thresholds()
    expected = np.array([chapter_14.box_of(*pair) for pair in pairs])
    for rule in chapter_14.BOX_TRAPS.values():
        assert (np.array([rule(*pair) for pair in pairs]) != expected).any()


def test_each_exercise_has_three_hints_and_a_stub_is_not_attempted():
    def stub(size, length):
        return None

    for key in ("14-1", "14-2", "14-3"):
        assert len({learn.hint(key, level).text for level in (1, 2, 3)}) == 3
        assert learn.check(key, stub).outcome == "not attempted"
