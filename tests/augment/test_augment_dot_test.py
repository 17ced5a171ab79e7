"""The dot test: every transform of ours passes, and it finds the mistakes it was made for."""

import math

import pytest
import torch
from torchvision import tv_tensors
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional

from course_utils.augment import dot_comparison
from course_utils.augment.chain import SpatialChain
from course_utils.augment.crops import IoUCrop, RandomCrop, RandomResizedCrop, Resize
from course_utils.augment.dot_comparison import LIBRARIES, compare_libraries, draw_disagreements
from course_utils.augment.dot_test import TOLERANCE, Dot, DotResult, centre_of_mass, dot_test, make_dot, measure_dot
from course_utils.augment.elastic import Elastic
from course_utils.augment.spatial import Affine, Flip, Perspective, Rotation

EXACT = {
    "flip": lambda: Flip(p=1),
    "flip, vertical": lambda: Flip("vertical", p=1),
    "half turn": lambda: Rotation((180, 180)),
    "quarter turn": lambda: Rotation((90, 90), expand=True),
    "crop": lambda: RandomCrop((10, 12), 2),
    "chain of exact moves": lambda: SpatialChain([Flip(), Rotation((180, 180)), RandomCrop((12, 15)), Flip("vertical")]),
}
SMOOTH = {
    "rotation": lambda: Rotation(60),
    "rotation, expanding": lambda: Rotation(60, expand=True),
    "affine": lambda: Affine(40, 0.1, (1.0, 1.6), 10),
    "perspective": lambda: Perspective(0.3),
    "elastic": lambda: Elastic(10, 4),
    "resize": lambda: Resize((31, 33)),
    "resized crop": lambda: RandomResizedCrop((20, 24), (0.6, 1)),
    "IoU crop": lambda: IoUCrop((24, 24), scale=(0.6, 1)),
    "chain": lambda: SpatialChain([Flip(), Rotation(30), Affine(10, 0, (1, 1.3), 5), RandomCrop((13, 16))]),
    "chain with elastic": lambda: SpatialChain([Rotation(30), Elastic(8, 4), Flip(), RandomResizedCrop((18, 20), (0.7, 1))]),
}


def far_from_the_border(result, margin=2.5):
    """Whether the dot is so far inside of the output that all of its light is there."""
    return result.image is not None and all(margin <= p <= n - margin for p, n in zip(result.point, reversed(result.size)))


@pytest.mark.parametrize("name", sorted(EXACT))
@pytest.mark.parametrize("seed", range(5))
def test_labels_stay_exactly_on_their_pixel(name, seed):
    generator = torch.Generator().manual_seed(seed)
    pixel = tuple(torch.randint(3, 10, (2,), generator=generator).tolist())
    torch.manual_seed(seed)
    result = dot_test(EXACT[name](), (14, 17), pixel)
    if result.image is None:
        pytest.skip("the dot left the canvas")
    assert result.disagreement < 1e-5 and result.mask_error == 0


@pytest.mark.parametrize("name", sorted(SMOOTH))
def test_labels_stay_on_their_pixel_within_a_quarter(name):
    """Bilinear reading spreads the dot: its centre of mass is known to a fraction of a pixel."""
    tested = 0
    for seed in range(30):
        torch.manual_seed(seed)
        pixel = tuple(torch.randint(4, 12, (2,)).tolist())
        transform = SMOOTH[name]()
        result = dot_test(transform, (16, 18), pixel)
        if not far_from_the_border(result):
            continue
        tested += 1
        assert result.disagreement < TOLERANCE, (seed, result)
        assert math.isnan(result.mask_error) or result.mask_error < 1.0
    assert tested >= 8


@pytest.mark.parametrize(
    ("theirs", "error"),
    [
        (lambda x: functional.rotate(x, 180), math.sqrt(2)),
        (lambda x: functional.rotate(x, 90, expand=True), 1.0),
        (lambda x: functional.resize(x, [16, 24]), math.sqrt(0.5)),
        (functional.horizontal_flip, 0.0),
    ],
)
def test_torchvision_mixes_two_conventions_for_key_points(theirs, error):
    """Given pixel indices: right under a flip, wrong under turns and resizing. The numbers of card 07."""
    result = dot_test(lambda sample: {key: theirs(value) for key, value in sample.items()}, convention="index")
    assert math.isclose(result.point_error, error, abs_tol=1e-5) and result.box_error < 1e-5


def test_in_continuous_coordinates_torchvisions_flips_are_wrong():
    flip = dot_test(v2.RandomHorizontalFlip(1.0), convention="continuous")
    turn = dot_test(v2.RandomRotation((180, 180)), convention="continuous")
    assert math.isclose(flip.point_error, 1.0, abs_tol=1e-6) and turn.point_error < 1e-5


def test_kornia_moves_boxes_by_one_pixel():
    pytest.importorskip("kornia")
    found = {r.operation: r for r in compare_libraries(libraries=["kornia"])}
    assert math.isclose(found["flip left-right"].box_error, 1.0, abs_tol=1e-4)
    assert found["flip left-right"].point_error < 1e-5 and found["crop"].box_error < 1e-5


def test_albumentations_resizes_key_points_as_indices():
    pytest.importorskip("albumentations")
    found = {r.operation: r for r in compare_libraries(libraries=["albumentations"])}
    assert math.isclose(found["resize to double"].point_error, math.sqrt(0.5), abs_tol=1e-4)
    assert found["rotate 180"].disagreement < 1e-4


def test_ours_agree_with_themselves_on_every_operation():
    results = compare_libraries((9, 13), (4, 3), libraries=["ours"])
    assert len(results) == 10 and all(r.agrees for r in results)


def test_libraries_that_are_not_installed_are_left_out(monkeypatch):
    monkeypatch.setattr(dot_comparison.importlib.util, "find_spec", lambda name: None if name == "kornia" else True)
    assert compare_libraries(libraries=["kornia"]) == []
    with pytest.raises(ValueError, match="`libraries` must be one of"):
        compare_libraries(libraries=["imgaug"])


@pytest.mark.parametrize("mutant", ["box from pixel centres", "key point as index", "image shifted"])
def test_the_dot_test_finds_a_label_that_is_off(mutant):
    """A flip with one mistake in it."""

    def flip(dot: Dot) -> Dot:
        width = dot.mask.shape[1]
        x1, y1, x2, y2 = dot.box[0].tolist()
        box = torch.tensor([[width - x2, y1, width - x1, y2]])
        point = torch.stack([width - dot.point[:, 0], dot.point[:, 1]], 1)
        image = dot.image.flip(-1)
        if mutant == "box from pixel centres":
            box = torch.tensor([[width - 1 - x2, y1, width - 1 - x1, y2]])
        elif mutant == "key point as index":
            point = torch.stack([width - 1 - dot.point[:, 0], dot.point[:, 1]], 1)
        else:
            image = image.roll(1, -1)
        return Dot(image, dot.mask.flip(-1), point, box)

    assert not measure_dot(flip).agrees


def test_a_dot_that_leaves_the_canvas_has_no_place():
    result = dot_test(Affine((0, 0), 0, (1, 1), 0), (8, 12), (0, 0))
    assert result.image == (0.5, 0.5)
    black = DotResult("ours", "crop", None, None, (1.0, 1.0), None)
    assert math.isnan(black.point_error) and math.isnan(black.disagreement) and not black.agrees
    assert centre_of_mass(torch.zeros(3, 3)) is None


def test_a_dot_is_one_pixel_with_its_labels():
    dot = make_dot((5, 7), (2, 1), "index")
    assert dot.point.tolist() == [[2.0, 1.0]] and dot.box.tolist() == [[2, 1, 3, 2]]
    assert float(dot.image.sum()) == 1 and float(dot.image[0, 1, 2]) == 1 and int(dot.mask[1, 2]) == 1
    with pytest.raises(ValueError, match=r"`pixel` must be \(column, row\) on a canvas of 7 x 5, but got \(7, 0\)"):
        make_dot((5, 7), (7, 0))
    with pytest.raises(ValueError, match="`convention` must be one of 'continuous', 'index'"):
        make_dot(convention="pixel")


def test_the_figure_marks_what_disagrees():
    wrong = DotResult("other", "turn", (1.0, 1.0), None, (2.0, 1.0), (1.0, 1.0))
    right = DotResult("ours", "turn", (1.0, 1.0), None, (1.0, 1.0), (1.0, 1.0))
    figure = draw_disagreements([right, wrong])
    texts = [t.get_text() for t in figure.axes[0].texts]
    assert texts.count("1.00") == 1 and texts.count("0.00") == 3 and {"ours", "other"} <= set(texts)
    assert len(figure.axes[0].patches) == 1


def test_dots_go_through_transforms_as_tv_tensors():
    seen = {}
    dot_test(lambda sample: seen.update(sample) or sample)
    assert isinstance(seen["box"], tv_tensors.BoundingBoxes) and seen["box"].canvas_size == (8, 12)
    assert set(LIBRARIES) == {"ours", "torchvision", "kornia", "albumentations"}
