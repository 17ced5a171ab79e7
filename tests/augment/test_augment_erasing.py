import math
import re

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from torchvision import tv_tensors
from torchvision.transforms import v2

from course_utils.augment.erasing import (
    PAPER_RATIO,
    PAPER_SCALE,
    Cutout,
    Holes,
    RandomErasing,
    covered,
    draw_rectangles,
    visible_fraction,
    whole_pixels,
)
from course_utils.augment.filling import channel_means, constant_fill, random_bytes


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def drawn(n=40_000, size=(32, 32), scale=PAPER_SCALE, ratio=PAPER_RATIO, **options):
    regions = torch.tensor([[0, 0, *size]]).expand(n, -1)
    return draw_rectangles(regions, scale, ratio, generator=seeded(), **options).numpy()


def _reference_rectangles(n, size, scale, ratio, log=False, attempts=100, seed=0):
    """The rule of the paper, one image and one attempt after the other."""
    rng, out = np.random.default_rng(seed), np.zeros((n, 4), int)
    for k in range(n):
        for _ in range(attempts):
            area = rng.uniform(*scale) * size[0] * size[1]
            r = math.exp(rng.uniform(*np.log(ratio))) if log else rng.uniform(*ratio)
            h, w = round(math.sqrt(area * r)), round(math.sqrt(area / r))
            if h < size[0] and w < size[1]:
                out[k] = rng.integers(0, size[0] - h + 1), rng.integers(0, size[1] - w + 1), h, w
                break
    return out


def boxes_of(corners, size=(32, 32)):
    return tv_tensors.BoundingBoxes(torch.tensor(corners, dtype=torch.float32).reshape(-1, 4), format="XYXY", canvas_size=size)


# ------------------------------------------------------------------------------------------- the law of the rectangles


@pytest.mark.parametrize("log", [False, True])
@pytest.mark.parametrize("size", [(32, 32), (24, 48), (7, 5)])
def test_rectangles_follow_the_rule_of_the_paper(log, size):
    ours = drawn(size=size, ratio_sampling="log" if log else "paper")
    reference = _reference_rectangles(20_000, size, PAPER_SCALE, PAPER_RATIO, log)
    for column in range(4):
        counts = [np.bincount(table[:, column], minlength=size[0] + size[1]) for table in (ours, reference)]
        used = (counts[0] + counts[1]) > 10
        assert stats.chi2_contingency([c[used] for c in counts]).pvalue > 1e-4, "top left height width".split()[column]


def test_the_area_is_uniform_where_every_draw_fits():
    tables = drawn(20_000, (400, 400), scale=(0.05, 0.25), ratio=(0.8, 1.25))
    shares = tables[:, 2] * tables[:, 3] / 400**2
    assert stats.kstest(shares, stats.uniform(0.05, 0.20).cdf).statistic < 0.012


def test_uniform_ratios_favour_tall_rectangles_and_log_ratios_do_not():
    paper, log = drawn(size=(224, 224)), drawn(size=(224, 224), ratio_sampling="log")
    assert (paper[:, 2] > paper[:, 3]).mean() == pytest.approx(0.76, abs=0.01)
    assert (log[:, 2] > log[:, 3]).mean() == pytest.approx(0.497, abs=0.01)


def test_one_attempt_fits_in_95_of_100_draws_and_the_mean_area_is_a_fifth():
    one = drawn(attempts=1)
    fitting = one[:, 2] > 0
    assert fitting.mean() == pytest.approx(0.947, abs=0.005)
    assert (one[fitting, 2] * one[fitting, 3]).mean() / 32**2 == pytest.approx(0.201, abs=0.003)
    assert (drawn()[:, 2] > 0).all()


def test_log_rectangles_follow_torchvision():
    theirs = v2.RandomErasing(p=1.0, scale=(0.02, 0.33), ratio=(0.3, 3.3))
    torch.manual_seed(0)
    image = torch.zeros(3, 40, 30)
    table = np.array([[theirs.make_params([image])[k] for k in "ijhw"] for _ in range(4000)])
    ours = drawn(4000, (40, 30), (0.02, 0.33), (0.3, 3.3), ratio_sampling="log", attempts=10)
    for column in range(4):
        assert stats.ks_2samp(ours[:, column], table[:, column]).pvalue > 1e-4


@settings(max_examples=60, deadline=None)
@given(
    top=st.integers(-5, 9),
    left=st.integers(-5, 9),
    height=st.integers(0, 40),
    width=st.integers(0, 40),
    low=st.floats(0, 1),
    seed=st.integers(0, 999),
)
def test_a_rectangle_never_leaves_its_region(top, left, height, width, low, seed):
    region = torch.tensor([[top, left, height, width]]).expand(8, -1)
    out = draw_rectangles(region, (low, 1.0), (0.2, 5.0), generator=seeded(seed))
    for t, x, h, w in out.tolist():
        assert (h, w) == (0, 0) or (top <= t and left <= x and t + h <= top + height and x + w <= left + width)
        assert h < max(height, 1) and w < max(width, 1)


def test_a_region_that_no_rectangle_fits_stays_whole():
    image = torch.rand(3, 16, 16, generator=seeded())
    assert torch.equal(RandomErasing(p=1.0, scale=(1.0, 1.0), ratio=(1.0, 1.0))(image), image)
    thin = torch.rand(3, 1, 16, generator=seeded())
    assert torch.equal(RandomErasing(p=1.0)(thin), thin)


def test_several_rectangles_share_the_area():
    params = RandomErasing(p=1.0, scale=(0.3, 0.3), ratio=(1.0, 1.0), count=3).sample(50, (3, 100, 100), seeded())
    areas = params.rectangles[..., 2] * params.rectangles[..., 3]
    assert areas.shape == (50, 3) and bool(((areas - 1000).abs() < 40).all())


# -------------------------------------------------------------------------------------------------------------- filling


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32, torch.float64, torch.float16])
@pytest.mark.parametrize("value", ["black", "white", "mean", 0.25, (0.1, 0.5, 0.9)])
def test_constants_fill_the_rectangles_and_nothing_else(dtype, value):
    images = torch.rand(6, 3, 20, 30, generator=seeded())
    images = (images * 255).to(dtype) if dtype == torch.uint8 else images.to(dtype)
    erase = RandomErasing(p=1.0, value=value)
    draw = erase.draw(images, seeded())
    out = erase.replay(images, draw)
    named = {"black": [0.0] * 3, "white": [1.0] * 3, "mean": erase.mean, 0.25: [0.25] * 3}
    constants = torch.tensor(named.get(value, value), dtype=torch.float64)
    levels = (constants * 255).round() if dtype == torch.uint8 else constants
    for image, erased, (top, left, height, width) in zip(images, out, draw.params.rectangles[:, 0].tolist()):
        expected = v2.functional.erase(image, top, left, height, width, levels.to(dtype)[:, None, None])
        assert torch.equal(erased, expected)


def test_uint8_and_float_images_get_the_same_noise():
    levels = torch.randint(0, 256, (4, 3, 24, 24), dtype=torch.uint8, generator=seeded())
    erase = RandomErasing(p=1.0)
    draw = erase.draw(levels, seeded(1))
    floats = erase.replay(levels.float() / 255, draw)
    assert torch.allclose(floats * 255, erase.replay(levels, draw).float(), atol=1e-4)
    assert erase.replay(levels.double() / 255, draw).dtype == torch.float64


def test_random_fill_draws_all_256_levels_equally_often():
    levels = random_bytes((100, 3, 32, 33), seeded())
    assert levels.shape == (100, 3, 32, 33) and levels.dtype == torch.uint8
    assert stats.chisquare(torch.bincount(levels.flatten().int(), minlength=256).numpy()).pvalue > 1e-3
    by_place = levels.flatten()[: levels.numel() // 8 * 8].view(-1, 8).double().mean(0)
    assert bool(((by_place - 127.5).abs() < 1).all()), "the eight bytes of a word"


def test_normal_fill_has_the_mean_and_deviation_asked_for():
    erase = RandomErasing(p=1.0, value="normal", mean=(0.3, 0.5, 0.6), std=(0.05, 0.1, 0.05))
    images = torch.zeros(60, 3, 32, 32)
    draw = erase.draw(images, seeded())
    out, mask = erase.replay(images, draw), covered(draw.params.rectangles, 32, 32)[:, 0]
    for channel, (mean, std) in enumerate(zip(erase.mean, erase.std)):
        values = out[:, channel][mask]
        assert float(values.mean()) == pytest.approx(mean, abs=0.005) and float(values.std()) == pytest.approx(std, abs=0.005)
    assert erase.replay((images * 255).to(torch.uint8), draw).dtype == torch.uint8


def test_a_grey_image_gets_the_mean_of_three_constants():
    grey = constant_fill((0.2, 0.4, 0.9), torch.zeros(1, 1, 2, 2))
    assert float(grey) == pytest.approx(0.5)
    with pytest.raises(ValueError, match="`value` must be one number or one for each of 5 channels, but got 3 numbers"):
        RandomErasing(p=1.0, value="mean")(torch.zeros(5, 8, 8))


def test_the_training_mean_of_a_channel_is_in_the_unit_range():
    images = torch.randint(0, 256, (5, 3, 7, 6), dtype=torch.uint8, generator=seeded())
    assert channel_means(images) == pytest.approx((images.double() / 255).mean((0, 2, 3)).tolist())
    assert channel_means(images.float() / 255) == pytest.approx(channel_means(images), abs=1e-6)
    with pytest.raises(ValueError, match="`images` must be a batch"):
        channel_means(torch.zeros(0, 3, 4, 4))


# ------------------------------------------------------------------------------------------- images, objects, detection


def test_each_image_of_a_batch_has_its_own_coin_and_rectangle():
    images = torch.zeros(2000, 1, 16, 16)
    draw = RandomErasing(p=0.5).draw(images, seeded())
    assert int(draw.active.sum()) == pytest.approx(1000, abs=90)
    assert len(torch.unique(draw.params.rectangles[:, 0], dim=0)) > 500
    same = RandomErasing(p=1.0, per="batch").draw(images[:50], seeded()).params.rectangles
    assert bool((same == same[:1]).all())


def test_object_aware_erasing_stays_inside_every_box():
    erase = RandomErasing(p=1.0, value="white", aware="object")
    corners = [[2.5, 3.0, 14.2, 15.0], [16.0, 10.0, 31.0, 31.5], [-6.0, 20.0, 9.0, 40.0]]
    for seed in range(20):
        torch.manual_seed(seed)
        out, boxes = erase(torch.zeros(3, 32, 32), boxes_of(corners))
        assert torch.equal(boxes, boxes_of(corners)), "the boxes stay"
        rows, columns = (out[0] > 0).nonzero(as_tuple=True)
        inside = [(columns >= x1) & (columns + 1 <= x2) & (rows >= y1) & (rows + 1 <= y2) for x1, y1, x2, y2 in corners]
        assert len(rows) and bool(torch.stack(inside).any(0).all())
        assert all(bool(one.any()) for one in inside), "every object loses something"


def test_every_object_has_its_own_coin():
    erase = RandomErasing(p=0.3, aware="object")
    boxes = [torch.tensor([[0.0, 0, 20, 20], [5, 5, 30, 30]])] * 3000
    found = erase.sample(3000, (3, 32, 32), seeded(), boxes=boxes).rectangles[..., 2] > 0
    assert found.double().mean(0).tolist() == pytest.approx([0.3, 0.3], abs=0.03)
    assert float((found[:, 0] & found[:, 1]).double().mean()) == pytest.approx(0.09, abs=0.02), "independent"


def test_both_ways_draw_in_the_image_and_in_the_object():
    erase = RandomErasing(p=1.0, aware="both")
    regions = erase.sample(500, (3, 32, 32), seeded(), boxes=[torch.tensor([[0.0, 0, 8, 8]])] * 500).rectangles
    assert regions.shape == (500, 2, 4)
    assert int((regions[:, 1, :2] + regions[:, 1, 2:]).max()) <= 8 < int((regions[:, 0, :2] + regions[:, 0, 2:]).max())


def test_a_batch_with_a_list_of_targets_uses_each_images_own_boxes():
    corners = [[[0.0, 0, 10, 10]], [[20.0, 20, 31, 31], [0, 20, 12, 32]], []]
    targets = [{"boxes": boxes_of(c), "labels": torch.arange(len(c))} for c in corners]
    torch.manual_seed(0)
    out, moved = RandomErasing(p=1.0, value="white", aware="object")(torch.zeros(3, 3, 32, 32), targets)
    assert bool((out[0, :, :10, :10] > 0).any()) and float(out[0].sum()) == float(out[0, :, :10, :10].sum())
    assert bool((out[1, :, 20:, 20:] > 0).any()) and bool((out[1, :, 20:, :12] > 0).any()) and not out[1, :, :20].any()
    assert not out[2].any(), "no object, nothing to erase"
    assert all(torch.equal(m["boxes"], t["boxes"]) for m, t in zip(moved, targets))


def test_boxes_without_area_or_outside_lose_nothing():
    corners = torch.tensor([[5.0, 5, 5, 9], [40, 40, 50, 50], [3, 3, 3.9, 9]])
    assert bool((whole_pixels(corners, 32, 32)[:, 2:].prod(1) == 0).all())
    image = torch.rand(3, 32, 32, generator=seeded())
    out, _ = RandomErasing(p=1.0, aware="object")(image, boxes_of(corners.tolist()))
    assert torch.equal(out, image)


def test_other_box_formats_mean_the_same_boxes():
    erase = RandomErasing(p=1.0, value="white", aware="object")
    box = boxes_of([[4, 6, 20, 28]])
    other = v2.functional.convert_bounding_box_format(box, new_format="CXCYWH")
    outs = []
    for form in (box, other):
        torch.manual_seed(3)
        outs.append(erase(torch.zeros(3, 32, 32), form)[0])
    assert torch.equal(*outs)


def test_the_visible_share_is_the_share_of_a_fine_grid():
    rng = np.random.default_rng(0)
    for _ in range(20):
        rectangles = torch.tensor(np.column_stack([rng.integers(0, 10, (3, 2)), rng.integers(0, 9, (3, 2))]))
        first = rng.integers(-8, 40, (4, 2)) / 4
        boxes = np.column_stack([first, first + rng.integers(0, 50, (4, 2)) / 4])  # on a grid of quarter pixels
        mask = covered(rectangles[None], 12, 14)[0, 0].numpy().repeat(4, 0).repeat(4, 1)
        for box, seen in zip(boxes, visible_fraction(torch.tensor(boxes), rectangles, (12, 14)).tolist()):
            x1, y1, x2, y2 = np.clip(np.round(box * 4).astype(int), 0, [56, 48, 56, 48])
            part = mask[y1:y2, x1:x2]
            assert seen == pytest.approx(1 - part.mean() if part.size else 0.0, abs=1e-9)


def test_hardly_visible_boxes_become_empty_and_sanitising_drops_them_with_their_labels():
    erase = RandomErasing(p=1.0, min_visible=0.3)
    boxes = boxes_of([[4, 4, 14, 14], [8, 4, 18, 14], [20, 20, 30, 30]])
    params = Holes(torch.tensor([[[0, 0, 16, 12]]]))
    kept = erase.apply_target(boxes, params)
    assert (kept[:, 2:] - kept[:, :2]).prod(1).tolist() == [0, 100, 100]
    left = v2.SanitizeBoundingBoxes()({"boxes": kept, "labels": torch.tensor([7, 8, 9])})
    assert left["labels"].tolist() == [8, 9]
    assert torch.equal(RandomErasing().apply_target(boxes, params), boxes), "the paper's way: every box stays"


def test_presets_hold_the_papers_settings():
    assert RandomErasing.preset("classification").scale == (0.02, 0.4)
    detection = RandomErasing.preset("detection", min_visible=0.3)
    assert (detection.scale, detection.aware, detection.min_visible) == ((0.02, 0.2), "both", 0.3)
    person = RandomErasing.preset("reidentification")
    assert (person.p, person.scale, person.value, person.aware) == (0.5, (0.02, 0.2), "random", "image")
    with pytest.raises(ValueError, match="`task` must be one of 'classification', 'detection', 'reidentification'"):
        RandomErasing.preset("segmentation")


def test_it_takes_part_in_a_v2_pipeline_with_masks_and_points_unchanged():
    sample = {
        "image": tv_tensors.Image(torch.randint(0, 256, (3, 32, 32), dtype=torch.uint8, generator=seeded())),
        "masks": tv_tensors.Mask(torch.ones(1, 32, 32, dtype=torch.uint8)),
        "points": tv_tensors.KeyPoints(torch.tensor([[3.0, 4.0]]), canvas_size=(32, 32)),
    }
    torch.manual_seed(0)
    out = v2.Compose([RandomErasing(p=1.0), v2.ToDtype(torch.float32, scale=True)])(sample)
    assert out["image"].dtype == torch.float32 and torch.equal(out["masks"], sample["masks"])
    assert torch.equal(out["points"], sample["points"])


@pytest.mark.parametrize(
    ("arguments", "kind", "text"),
    [
        ({"p": 1.5}, ValueError, "`p` must be a finite number between 0 and 1"),
        ({"scale": (0.5, 0.1)}, ValueError, "`scale` must be a range (low, high) between 0 and 1 with low <= high"),
        ({"scale": (0.1, 1.1)}, ValueError, "`scale`"),
        ({"scale": 0.3}, TypeError, "`scale` must be a range (low, high)"),
        ({"ratio": (0.0, 1.0)}, ValueError, "`ratio` must be a finite number above 0"),
        ({"value": "grey"}, ValueError, "`value` must be one of 'random', 'mean', 'black', 'white', 'normal'"),
        ({"value": 128}, ValueError, "`value` must be a finite number between 0 and 1"),
        ({"value": ()}, TypeError, "`value` must be a sequence of numbers"),
        ({"ratio_sampling": "linear"}, ValueError, "`ratio_sampling`"),
        ({"count": 0}, ValueError, "`count`"),
        ({"aware": "box"}, ValueError, "`aware` must be one of 'image', 'object', 'both'"),
        ({"min_visible": 2.0}, ValueError, "`min_visible`"),
        ({"attempts": 0}, ValueError, "`attempts`"),
        ({"mean": (0.1, float("nan"), 0.2)}, ValueError, "`mean`"),
        ({"std": 0.2}, TypeError, "`std`"),
        ({"aware": "object", "per": "batch"}, ValueError, "`per` must be 'sample' where objects are erased"),
    ],
)
def test_wrong_arguments_are_named(arguments, kind, text):
    with pytest.raises(kind, match=re.escape(text)):
        RandomErasing(**arguments)


def test_boxes_with_nan_and_normalised_images_are_refused():
    with pytest.raises(ValueError, match="`boxes` must be finite corners"):
        RandomErasing(p=1.0, aware="object")(torch.zeros(3, 8, 8), boxes_of([[0, 0, float("nan"), 4]], (8, 8)))
    with pytest.raises(ValueError, match="Normalise with mean and deviation after the augmentation"):
        RandomErasing(p=1.0)(torch.full((3, 8, 8), -0.5))


# --------------------------------------------------------------------------------------------------------------- Cutout


def masked(size, length, n=60_000, **options):
    holes = Cutout(length, **options).sample(n, (3, *size), seeded()).rectangles
    return (holes[..., 2] * holes[..., 3]).double() / (size[0] * size[1])


def expected_side(size, length):
    centres = np.arange(size)
    return (np.minimum(centres - length // 2 + length, size) - np.maximum(centres - length // 2, 0)).mean()


def test_a_square_of_16_masks_19_percent_of_32_pixels_not_25():
    shares = masked((32, 32), 16)
    assert float(shares.mean()) == pytest.approx((expected_side(32, 16) / 32) ** 2, abs=0.001)
    assert float(shares.mean()) == pytest.approx(0.191, abs=0.001)
    assert float((shares == 0.25).double().mean()) == pytest.approx(17**2 / 32**2, abs=0.01), "28 % lose the full square"


@pytest.mark.parametrize(("size", "length"), [((32, 32), 8), ((20, 40), 10), ((9, 11), 5), ((6, 6), 20)])
def test_the_mean_masked_share_is_the_product_of_the_mean_sides(size, length):
    expected = np.prod([expected_side(side, length) / side for side in size])
    assert float(masked(size, length).mean()) == pytest.approx(expected, abs=0.002)


@pytest.mark.parametrize("length", [1, 2, 5, 8, 16])
def test_the_square_of_every_centre_is_the_papers_and_an_odd_side_is_exact(length):
    holes = Cutout(length).sample(40_000, (3, 12, 10), seeded()).rectangles[:, 0]
    found = {tuple(row) for row in holes.tolist()}
    expected = set()
    for y in range(12):
        for x in range(10):
            top, left = max(0, y - length // 2), max(0, x - length // 2)
            bottom, right = min(12, y - length // 2 + length), min(10, x - length // 2 + length)
            expected.add((top, left, bottom - top, right - left))
    assert found == expected


def test_inside_squares_are_complete_and_uniform():
    holes = Cutout(6, overhang=False).sample(60_000, (3, 12, 10), seeded()).rectangles[:, 0]
    assert bool((holes[:, 2:] == 6).all())
    places = torch.bincount(holes[:, 0] * 5 + holes[:, 1], minlength=35)
    assert len(places) == 35 and stats.chisquare(places.numpy()).pvalue > 1e-3


def test_half_of_the_images_stay_whole_where_p_is_half():
    images = torch.ones(2000, 1, 8, 8)
    torch.manual_seed(0)
    out = Cutout(4, overhang=False, value="black", p=0.5)(images)
    whole = (out == 1).flatten(1).all(1)
    assert float(whole.double().mean()) == pytest.approx(0.5, abs=0.04)
    assert bool((out[~whole].sum((1, 2, 3)) == 48).all())


def test_several_holes_cover_their_union():
    images = torch.ones(300, 3, 20, 20)
    cut = Cutout(6, n_holes=3, value="black")
    draw = cut.draw(images, seeded())
    out = cut.replay(images, draw)
    for image, rectangles in zip(out, draw.params.rectangles.tolist()):
        expected = torch.ones(20, 20)
        for top, left, height, width in rectangles:
            expected[top : top + height, left : left + width] = 0
        assert torch.equal(image[0], expected)


def test_normalised_images_take_the_papers_zero():
    normalised = torch.randn(4, 3, 16, 16, generator=seeded())
    torch.manual_seed(0)
    out = Cutout(8, value=0.0)(normalised)
    changed = out != normalised
    assert bool(changed.any()) and not out[changed].any()


def test_a_hole_larger_than_the_image_covers_all_there_is():
    assert not Cutout(50, overhang=False, value="black")(torch.ones(3, 6, 9)).any()


@pytest.mark.parametrize(
    ("arguments", "kind", "text"),
    [
        ({"length": 0}, ValueError, "`length` must be an integer of at least 1"),
        ({"length": 2.5}, TypeError, "`length`"),
        ({"n_holes": 0}, ValueError, "`n_holes`"),
        ({"value": "random"}, ValueError, "`value` must be one of 'mean', 'black', 'white'"),
        ({"mean": 0.5}, TypeError, "`mean`"),
    ],
)
def test_cutout_names_wrong_arguments(arguments, kind, text):
    with pytest.raises(kind, match=text):
        Cutout(**arguments)
