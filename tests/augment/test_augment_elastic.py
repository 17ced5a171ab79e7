"""Elastic deformation: the field's statistics, torchvision's image, and where the labels go."""

import math
import warnings

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy.ndimage import gaussian_filter
from torch import Tensor
from torchvision import tv_tensors
from torchvision.transforms.v2 import functional

from course_utils.augment.elastic import Elastic, ElasticParams, ring_gaussian, smoothed
from course_utils.augment.targets import boxes_from_masks


def pictures(*shape, dtype=torch.float32, seed=0):
    floats = torch.rand(*shape, generator=torch.Generator().manual_seed(seed))
    return floats if dtype == torch.float32 else (floats * 255).to(dtype)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def test_the_field_is_scipys_gaussian_of_noise_on_a_torus():
    noise = torch.rand(2, 20, 30, dtype=torch.float64, generator=seeded()) * 2 - 1
    ours = smoothed(noise, 2.0)
    for field, own in zip(noise.numpy(), ours.numpy()):
        assert np.allclose(own, gaussian_filter(field, 2.0, mode="wrap", truncate=12), atol=1e-10)


@pytest.mark.parametrize(("alpha", "sigma"), [(34, 4), (10, 2), (30, 3)])
def test_the_spread_of_the_field_is_the_closed_form_at_every_pixel(alpha, sigma):
    """Deviation ``0.577 alpha / (2 sigma sqrt(pi))``, in the corner as in the middle."""
    field = Elastic(alpha, sigma).sample(3000, (3, 24, 24), seeded()).displacement
    expected = alpha / math.sqrt(3) / (2 * sigma * math.sqrt(math.pi))
    assert abs(float(field.std()) / expected - 1) < 0.03
    for pixel in (field[:, :, 0, 0], field[:, :, 12, 12], field[:, :, 23, 5]):
        assert abs(float(pixel.std()) / expected - 1) < 0.05
        assert abs(float(pixel.mean())) < 4 * expected / math.sqrt(6000)


def test_mirrored_noise_would_move_the_border_more():
    """Why the torus: with the reflection of torchvision the corner has about twice the spread of the middle."""
    noise = torch.rand(2000, 1, 25, 25, generator=seeded()) * 2 - 1
    field = functional.gaussian_blur(noise, [23, 23], [3.0, 3.0])
    assert float(field[:, 0, 0, 0].std()) > 1.5 * float(field[:, 0, 12, 12].std())


def test_a_width_beyond_the_image_moves_all_pixels_alike():
    ring = ring_gaussian(5, 50.0, torch.float64)
    assert torch.allclose(ring, torch.full((5, 5), 0.2, dtype=torch.float64), atol=1e-9)
    assert torch.allclose(ring_gaussian(9, 1.5).sum(1), torch.ones(9))


@pytest.mark.parametrize("size", [(32, 32), (20, 33)])
def test_the_image_is_torchvisions_for_the_same_field(size):
    """torchvision counts in halves of the canvas: its field is ours times 2 / W and 2 / H."""
    transform = Elastic()
    params = transform.sample(4, (3, *size), seeded())
    images = pictures(4, 3, *size)
    out = transform.apply(images, params)
    levels = transform.apply((images * 255).to(torch.uint8), params)
    for i in range(4):
        field = (params.displacement[i] * torch.tensor([2 / size[1], 2 / size[0]]).view(2, 1, 1)).permute(1, 2, 0)[None]
        assert float((out[i] - functional.elastic(images[i], field)).abs().max()) < 1e-5
        theirs = functional.elastic((images[i] * 255).to(torch.uint8), field)
        assert int((levels[i].int() - theirs.int()).abs().max()) <= 1


def test_points_land_where_the_output_shows_them():
    """``q + D(q) = p`` to a thousandth of a pixel; the first step alone, torchvision's, misses by much more."""
    transform = Elastic(24, 4)
    params = transform.sample(50, (3, 32, 32), seeded())
    plan = transform.plan(params, (32, 32))
    points = pictures(50, 40, 2, seed=1) * 26 + 3
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = plan.points(points)
    grid = found * (2 / 32) - 1
    shown = found + F.grid_sample(params.displacement, grid[:, None], padding_mode="border", align_corners=False)[:, :, 0].mT
    assert float((shown - points).abs().max()) < 1e-3
    one_step = points - F.grid_sample(params.displacement, (points / 16 - 1)[:, None], align_corners=False)[:, :, 0].mT
    assert float((one_step - found).norm(dim=-1).max()) > 0.3


def test_a_label_on_a_fold_warns_and_the_plan_knows_the_image():
    x = torch.arange(32) + 0.5
    wave = 3 * torch.sin(2 * math.pi * x / 8).expand(32, 32)
    params = ElasticParams(torch.stack([wave, 0 * wave])[None])
    transform = Elastic()
    points = tv_tensors.KeyPoints(pictures(50, 2) * 32, canvas_size=(32, 32))
    assert transform.plan(params, (32, 32)).folds().tolist() == [True]
    with pytest.warns(UserWarning, match="points have no place of their own"):
        transform.apply_target(points, params)


def test_weak_fields_seldom_fold_and_strong_ones_often():
    def rate(alpha):
        transform = Elastic(alpha, 4)
        return float(transform.plan(transform.sample(400, (3, 32, 32), seeded()), (32, 32)).folds().float().mean())

    assert rate(20) == 0 and rate(34) < 0.05 < rate(40)


def test_the_box_of_a_bent_rectangle_is_the_box_of_its_mask():
    """The outline is bent, so four corners do not suffice: it is followed in sixteen steps a side."""
    transform = Elastic(60, 8)
    mask = torch.zeros(1, 96, 96, dtype=torch.uint8)
    mask[0, 30:60, 25:70] = 1
    box = tv_tensors.BoundingBoxes([[25.0, 30, 70, 60]], format="XYXY", canvas_size=(96, 96))
    for seed in range(20):
        params = transform.sample(1, (3, 96, 96), seeded(seed))
        moved = transform.apply_target(box, params).as_subclass(Tensor)
        own = boxes_from_masks(transform.apply_target(tv_tensors.Mask(mask), params).as_subclass(Tensor))
        assert float((moved - own).abs().max()) < 1.01  # nearest sampling; a bent side touches a pixel row in a point


def test_strength_can_be_drawn_for_every_image():
    field = Elastic((0.0, 40.0), 3).sample(200, (3, 16, 16), seeded()).displacement
    spread = field.flatten(1).std(1)
    assert float(spread.min()) < 0.2 and float(spread.max()) > 1.5


def test_fields_of_another_size_are_refused():
    transform = Elastic()
    with pytest.raises(ValueError, match=r"`params` must be fields of size \(8, 8\), but got \(16, 16\)"):
        transform.plan(transform.sample(1, (3, 16, 16)), (8, 8))


@pytest.mark.parametrize(
    ("arguments", "text"),
    [((-1.0,), "`alpha`"), (((-1.0, 2.0),), "`alpha` must be a finite number of at least 0"), ((5.0, 0.0), "`sigma`")],
)
def test_wrong_strengths_are_refused(arguments, text):
    with pytest.raises(ValueError, match=text):
        Elastic(*arguments)
