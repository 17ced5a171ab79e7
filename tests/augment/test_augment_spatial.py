"""Flip, rotation, affine, perspective, crops and their chain: against torchvision, and against each other."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from torch import Tensor
from torchvision import tv_tensors
from torchvision.transforms import v2
from torchvision.transforms.v2 import InterpolationMode, functional

from course_utils.augment.chain import SpatialChain
from course_utils.augment.crops import IoUCrop, RandomCrop, RandomResizedCrop, Resize, WindowParams
from course_utils.augment.elastic import Elastic
from course_utils.augment.plan import box_corners
from course_utils.augment.sampling import rows
from course_utils.augment.spatial import (
    Affine,
    AffineParams,
    Flip,
    Perspective,
    PerspectiveParams,
    Rotation,
    RotationParams,
    SpatialTransform,
    homography,
)
from course_utils.augment.targets import boxes_from_masks

SIZES = [(32, 32), (24, 37), (9, 5)]
BILINEAR = InterpolationMode.BILINEAR


def pictures(*shape, dtype=torch.float32, seed=0):
    floats = torch.rand(*shape, generator=torch.Generator().manual_seed(seed))
    return floats if dtype == torch.float32 else (floats * 255).to(dtype)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def agree(transform, params, size, theirs, n=6):
    """Compare with torchvision, image by image: float within 1e-5, uint8 within one level, float64 within 1e-9."""
    images = pictures(n, 3, *size)
    exact = transform.apply(images.double(), params)
    floats = transform.apply(images, params)
    levels = transform.apply((images * 255).to(torch.uint8), params)
    for i in range(n):
        assert float((exact[i] - theirs(images[i].double(), i)).abs().max()) < 1e-9
        assert float((floats[i] - theirs(images[i], i)).abs().max()) < 1e-5
        assert int((levels[i].int() - theirs((images[i] * 255).to(torch.uint8), i).int()).abs().max()) <= 1


# ------------------------------------------------------------------------------------------------------------ torchvision


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("axis", ["horizontal", "vertical"])
def test_flip_is_torchvisions(axis, size):
    transform = Flip(axis, p=1)
    kernel = getattr(functional, f"{axis}_flip")
    agree(transform, transform.sample(6, (3, *size)), size, lambda image, i: kernel(image))


@pytest.mark.parametrize("size", SIZES)
def test_rotation_is_torchvisions_rotate(size):
    transform = Rotation(180)
    params = transform.sample(6, (3, *size), seeded())
    agree(transform, params, size, lambda image, i: functional.rotate(image, float(params.degrees[i]), BILINEAR))


def test_rotation_about_a_point_is_torchvisions():
    transform = Rotation(60, center=(10, 5))
    params = transform.sample(4, (3, 24, 37), seeded())
    agree(transform, params, (24, 37), lambda x, i: functional.rotate(x, float(params.degrees[i]), BILINEAR, center=[10, 5]), 4)


@pytest.mark.parametrize("size", SIZES)
def test_affine_is_torchvisions_affine(size):
    transform = Affine(180, translate=0.2, scale=(0.6, 1.5), shear=((-20, 20), (-10, 30)))
    params = transform.sample(6, (3, *size), seeded())

    def theirs(image, i):
        shift, shear = params.translate[i].tolist(), params.shear[i].tolist()
        return functional.affine(image, float(params.degrees[i]), shift, float(params.scale[i]), shear, BILINEAR)

    agree(transform, params, size, theirs)


@pytest.mark.parametrize("size", [(32, 32), (24, 37)])
def test_perspective_is_torchvisions_perspective(size):
    transform = Perspective(0.6)
    params = transform.sample(6, (3, *size), seeded())

    def theirs(image, i):
        return functional.perspective(image, params.start[i].int().tolist(), params.end[i].int().tolist(), BILINEAR)

    images = pictures(6, 3, *size)
    out = transform.apply(images, params)
    levels = transform.apply((images * 255).to(torch.uint8), params)
    for i in range(6):  # torchvision solves in float64 and keeps float32 coefficients
        assert float((out[i] - theirs(images[i], i)).abs().max()) < 2e-5
        assert int((levels[i].int() - theirs((images[i] * 255).to(torch.uint8), i).int()).abs().max()) <= 1


@pytest.mark.parametrize(("padding", "mode"), [("fill", "constant"), ("reflection", "symmetric"), ("border", "edge")])
def test_random_crop_is_torchvisions_pad_and_crop(padding, mode):
    transform = RandomCrop((20, 22), padding_pixels=(4, 3, 2, 1), padding=padding)
    params = transform.sample(6, (3, 24, 37), seeded())

    def theirs(image, i):
        x, y = params.window[i, :2].tolist()
        return functional.crop(functional.pad(image, [4, 3, 2, 1], padding_mode=mode), y + 3, x + 4, 20, 22)

    images = pictures(6, 3, 24, 37)
    for given_images in (images, (images * 255).to(torch.uint8)):
        out = transform.apply(given_images, params)
        assert all(torch.equal(out[i], theirs(given_images[i], i)) for i in range(6))


@pytest.mark.parametrize("dtype", [torch.float32, torch.uint8])
def test_large_images_take_another_way_to_the_same_pixels(dtype):
    images = pictures(5, 3, 70, 90, dtype=dtype)
    transform = RandomCrop((66, 80), padding_pixels=30, fill=[0.25, 0.5, 1] if dtype == torch.float32 else [9, 8, 7])
    params = transform.sample(5, (3, 70, 90), seeded())
    padded = torch.stack([functional.pad(image, [90] * 4, fill=transform.fill) for image in images])
    for i, (x1, y1, x2, y2) in enumerate(params.window.tolist()):
        assert torch.equal(transform.apply(images, params)[i], padded[i, :, y1 + 90 : y2 + 90, x1 + 90 : x2 + 90])
    torch.manual_seed(0)
    flip = Flip(p=0.5)
    draw = flip.draw(images)
    out = flip.replay(images, draw)
    assert 0 < int(draw.active.sum()) < 5
    assert torch.equal(out, torch.where(draw.active[:, None, None, None], images.flip(-1), images))
    far = RandomCrop((66, 80)).plan(WindowParams(torch.tensor([[200, 0, 280, 66]])), (70, 90))
    assert int(far.images(images[:1]).sum()) == 0, "a window beside the image is all colour"


@pytest.mark.parametrize("size", [(32, 32), (12, 50)])
def test_random_resized_crop_is_torchvisions_resized_crop(size):
    transform = RandomResizedCrop(size, scale=(0.1, 1))
    params = transform.sample(6, (3, 24, 37), seeded())
    images = pictures(6, 3, 24, 37)
    out = transform.apply(images, params)
    for i, (x1, y1, x2, y2) in enumerate(params.window.tolist()):
        theirs = functional.resized_crop(images[i], y1, x1, y2 - y1, x2 - x1, list(size), antialias=True)
        assert float((out[i] - theirs).abs().max()) < 1e-5


@pytest.mark.parametrize("size", [(16, 16), (50, 9)])
def test_resize_is_torchvisions_resize(size):
    images = pictures(2, 3, 24, 37)
    assert torch.allclose(Resize(size)(images), functional.resize(images, list(size), antialias=True), atol=1e-5)
    assert torch.allclose(
        Resize(size, antialias=False)(images), functional.resize(images, list(size), antialias=False), atol=1e-5
    )


def test_nearest_images_are_torchvisions():
    transform = Rotation(180, interpolation="nearest")
    params = transform.sample(6, (3, 32, 32), seeded())
    images = pictures(6, 3, 32, 32)
    out = transform.apply(images, params)
    differ = [float((out[i] != functional.rotate(images[i], float(params.degrees[i]))).float().mean()) for i in range(6)]
    assert max(differ) < 0.01  # ties between two pixels


def test_torchvisions_two_signs_of_rotation_are_ours_too():
    """``rotate`` turns counter-clockwise, ``affine`` clockwise: the top-middle pixel goes left, or right."""
    image = torch.zeros(1, 1, 5, 5)
    image[0, 0, 0, 2] = 1
    assert bool(Rotation((90, 90))(image)[0, 0, 2, 0] == 1)
    still = {"translate": 0, "scale": (1, 1), "shear": 0}
    assert bool(Affine((90, 90), **still)(image)[0, 0, 2, 4] == 1)


# -------------------------------------------------------------------------------------------------------------- group laws


@pytest.mark.parametrize("dtype", [torch.float32, torch.uint8])
def test_flips_and_quarter_turns_are_a_group_bit_by_bit(dtype):
    images = pictures(3, 3, 14, 14, dtype=dtype)
    h, v, turn = Flip(p=1), Flip("vertical", p=1), Rotation((90, 90))
    assert torch.equal(h(h(images)), images) and torch.equal(v(v(images)), images)
    assert torch.equal(h(v(images)), Rotation((180, 180))(images))
    assert torch.equal(turn(turn(turn(turn(images)))), images)
    assert torch.equal(turn(images), torch.rot90(images, 1, (2, 3)))


@pytest.mark.parametrize("transform", [
    Rotation((0, 0)), Affine((0, 0), 0, (1, 1), 0), Perspective(0.0), Elastic(0.0), Resize((9, 11)), RandomCrop((9, 11)),
    RandomResizedCrop((9, 11), (1, 1), (11 / 9, 11 / 9)), SpatialChain([]), Flip(p=0.0), SpatialChain([Flip(p=0.0), Elastic(0.0)]),
], ids=lambda t: type(t).__name__)  # fmt: skip
@pytest.mark.parametrize("dtype", [torch.float32, torch.uint8])
def test_identity_parameters_give_the_input_bit_by_bit(transform, dtype):
    images = pictures(3, 2, 9, 11, dtype=dtype)
    out = transform(images)
    assert torch.equal(out, images)


def test_crop_then_resize_is_the_resized_crop_as_a_matrix():
    window = torch.tensor([[3, 4, 15, 20]])
    crop = RandomCrop((16, 12)).plan(WindowParams(window), (24, 37))
    resize = Resize((30, 33))
    both = crop.then(resize.plan(resize.sample(1, (3, 16, 12)), (16, 12)))
    assert torch.allclose(both.matrix, RandomResizedCrop((30, 33)).plan(WindowParams(window), (24, 37)).matrix, atol=1e-12)


def test_the_determinant_of_affine_is_the_square_of_the_scale():
    transform = Affine(90, scale=(0.5, 2), shear=((-30, 30), (-30, 30)))
    params = transform.sample(20, (3, 16, 16), seeded())
    det = torch.linalg.det(transform.plan(params, (16, 16)).matrix)
    assert torch.allclose(det, params.scale.double() ** 2, rtol=1e-5)


def test_a_homography_takes_its_four_points_along():
    generator = seeded()
    start = torch.tensor([[0.0, 0], [10, 0], [10, 8], [0, 8]]).expand(30, 4, 2) + torch.rand(30, 4, 2, generator=generator) * 3
    end = start + torch.rand(30, 4, 2, generator=generator) * 3
    plan = Perspective().plan(PerspectiveParams(start, end), (16, 16))
    assert torch.allclose(plan.points(start), end, atol=1e-4)


def test_four_points_on_a_line_are_refused():
    line = torch.arange(8.0).view(1, 4, 2)
    with pytest.raises(ValueError, match="`start and end` must be four points, no three of them on one line"):
        homography(line, torch.tensor([[[0.0, 0], [1, 0], [1, 1], [0, 1]]]))


@pytest.mark.parametrize("size", [(1, 1), (2, 2), (7, 8), (100, 90)])
def test_perspective_of_full_distortion_keeps_the_canvas_before_the_horizon(size):
    """The four corners stay convex: then no point of the image has a third coordinate of 0."""
    transform = Perspective(1.0)
    params = transform.sample(2000, (3, *size), seeded())
    matrix = transform.plan(params, size).matrix
    assert bool(matrix.isfinite().all())
    w = matrix[:, None, 2, :2] @ params.start.transpose(1, 2) + matrix[:, 2:, 2:]
    assert float(w.min()) > 0
    reach = (params.end - params.start).abs().amax((0, 1))
    assert bool((reach <= torch.tensor([size[1] / 2, size[0] / 2])).all())


# ------------------------------------------------------------------------------------------------------------ distributions


def test_angles_are_uniform_and_differ_inside_a_batch():
    angles = Rotation((-20, 50)).sample(4000, (3, 8, 8), seeded()).degrees
    assert stats.kstest(angles.numpy(), stats.uniform(-20, 70).cdf).pvalue > 1e-3
    assert angles.unique().numel() > 3900


def test_the_gate_opens_at_the_rate_p():
    images = torch.arange(2.0).expand(4000, 1, 1, 2)
    torch.manual_seed(0)
    flipped = float((Flip(p=0.3)(images)[:, 0, 0, 0] == 1).float().mean())
    assert abs(flipped - 0.3) < 4 * math.sqrt(0.3 * 0.7 / 4000)


def test_the_crop_of_cifar_takes_each_of_its_81_places():
    window = RandomCrop(32, 4).sample(8100, (3, 32, 32), seeded()).window
    places = (window[:, 0] + 4) * 9 + window[:, 1] + 4
    counts = torch.bincount(places, minlength=81)
    assert len(counts) == 81 and stats.chisquare(counts.numpy()).pvalue > 1e-3


def test_the_shape_of_resized_crops_is_log_uniform():
    window = RandomResizedCrop(8, (0.05, 0.3)).sample(4000, (3, 2000, 2000), seeded()).window.double()
    w, h = (window[:, 2:] - window[:, :2]).unbind(1)
    low, high = math.log(3 / 4), math.log(4 / 3)
    assert stats.kstest((w / h).log().numpy(), stats.uniform(low, high - low).cdf).pvalue > 1e-3
    assert stats.kstest((w * h / 4e6).numpy(), stats.uniform(0.05, 0.25).cdf).pvalue > 1e-3
    assert bool((window >= 0).all() and (window <= 2000).all())


def test_an_impossible_shape_falls_back_to_the_middle_as_in_torchvision():
    """A strip of 4 x 100: no window of 90 % of the area has an allowed ratio."""
    for size in ((4, 100), (100, 4), (50, 50)):
        window = RandomResizedCrop(8, (1, 1), (0.75, 0.8)).sample(3, (3, *size), seeded()).window
        theirs = v2.RandomResizedCrop(8, (1, 1), (0.75, 0.8)).make_params([torch.zeros(3, *size)])
        top, left, height, width = (int(theirs[k]) for k in ("top", "left", "height", "width"))
        assert window.tolist() == [[left, top, left + width, top + height]] * 3


def test_one_draw_for_a_batch_is_one_draw():
    images = pictures(1, 3, 16, 16).expand(5, 3, 16, 16)
    torch.manual_seed(0)
    out = Rotation(90, per="batch")(images)
    assert all(torch.equal(out[0], image) for image in out[1:])
    assert not torch.equal(Rotation(90)(images)[0], Rotation(90)(images)[1])


# ---------------------------------------------------------------------------------------------------------------- canvases


@pytest.mark.parametrize("degrees", [0, 10, 45, 90, 137, 180, 270, 300])
def test_an_expanded_canvas_holds_the_turned_image_and_no_more(degrees):
    transform = Rotation((degrees, degrees), expand=True)
    plan = transform.plan(RotationParams(torch.tensor([float(degrees)])), (20, 31))
    corners = plan.points(box_corners(torch.tensor([0.0, 0, 31, 20])))[0]
    assert float(corners.min()) > -1e-3
    assert float(corners[:, 0].max()) < plan.size[1] + 1e-3 and float(corners[:, 1].max()) < plan.size[0] + 1e-3
    spread = corners.amax(0) - corners.amin(0)
    assert float(plan.size[1] - spread[0]) < 1 and float(plan.size[0] - spread[1]) < 1
    theirs = functional.rotate(torch.zeros(1, 20, 31), float(degrees), expand=True).shape
    assert 0 <= theirs[1] - plan.size[0] <= 1 and 0 <= theirs[2] - plan.size[1] <= 1


def test_a_range_of_angles_gets_one_canvas_for_all_of_them():
    transform = Rotation(180, expand=True)
    assert transform(pictures(7, 3, 12, 16)).shape == (7, 3, 20, 20)  # the diagonal of 12 x 16


def test_a_canvas_cannot_change_for_half_a_batch():
    torch.manual_seed(0)
    with pytest.raises(ValueError, match=r"`p` must be 1 where a transform changes the size of a batch, but got p = 0.5"):
        RandomCrop(8, p=0.5)(pictures(64, 3, 12, 12))
    assert RandomCrop(12, 2, p=0.5)(pictures(64, 3, 12, 12)).shape == (64, 3, 12, 12)


def test_a_window_larger_than_the_image_is_refused_or_padded():
    with pytest.raises(
        ValueError, match=r"`size` must be at most the padded image, but got \(20, 20\) for an image of \(12, 16\)"
    ):
        RandomCrop(20)(pictures(2, 3, 12, 16))
    assert RandomCrop(20, pad_if_needed=True)(pictures(2, 3, 12, 16)).shape == (2, 3, 20, 20)


# --------------------------------------------------------------------------------------------------------------- IoU crops


def scene(*corners, size=(40, 60)):
    image = tv_tensors.Image(pictures(3, *size))
    return {"image": image, "boxes": tv_tensors.BoundingBoxes(torch.tensor(corners), format="XYXY", canvas_size=size)}


def test_iou_crops_keep_their_promise():
    """Every window reaches its overlap with an object whose centre it holds; the others become zeros."""
    boxes = torch.tensor([[5.0, 5, 25, 30], [40, 10, 58, 30]])
    for option in (0.1, 0.5, 0.7):
        transform = IoUCrop(options=[option])
        window = transform.sample(100, (3, 40, 60), seeded(), boxes=[boxes] * 100).window.float()
        from torchvision.ops import box_iou

        overlap = box_iou(window, boxes)
        centres = (boxes[:, :2] + boxes[:, 2:]) / 2
        holds = ((centres > window[:, None, :2]) & (centres < window[:, None, 2:])).all(-1)
        assert bool(((overlap >= option) & holds).any(1).all())
        w, h = (window[:, 2:] - window[:, :2]).unbind(1)
        assert bool((w / h >= 0.5).all() and (w / h <= 2).all() and (w >= 17).all() and (w < 60).all())


def test_iou_crop_marks_boxes_whose_centre_is_cut_off():
    transform = IoUCrop(size=(20, 20))
    sample = scene([5.0, 5, 25, 25], [30.0, 10, 50, 30])
    moved = transform.apply_target(sample["boxes"], WindowParams(torch.tensor([[0, 0, 35, 40]])))
    assert moved[1].tolist() == [0, 0, 0, 0]
    assert torch.allclose(moved[0].as_subclass(Tensor), torch.tensor([5 * 20 / 35, 2.5, 25 * 20 / 35, 12.5]))


def test_iou_crop_without_boxes_or_with_the_option_one_leaves_the_image():
    image = pictures(3, 40, 60)
    assert torch.equal(IoUCrop()(image), image)
    sample = scene([5.0, 5, 25, 25])
    out = IoUCrop(options=[1.0])(sample)
    assert torch.equal(out["image"], sample["image"]) and torch.equal(out["boxes"], sample["boxes"])


def test_iou_crops_are_distributed_as_torchvisions():
    """Same rule, different drawing: the share of the area that the window keeps has the same distribution."""
    sample = scene([10.0, 8, 40, 30])
    ours = IoUCrop().sample(400, (3, 40, 60), seeded(), boxes=[sample["boxes"].as_subclass(Tensor)] * 400).window.double()
    area = (ours[:, 2:] - ours[:, :2]).prod(1)
    torch.manual_seed(0)
    theirs = [v2.RandomIoUCrop().make_params([sample["image"], sample["boxes"]]) for _ in range(400)]
    other = torch.tensor([float(p["height"] * p["width"]) if p else 2400.0 for p in theirs])
    assert stats.ks_2samp(area.numpy(), other.numpy()).pvalue > 1e-3


# ------------------------------------------------------------------------------------------------------------------ chains


def test_a_chain_of_one_is_its_transform():
    images = pictures(6, 3, 20, 20)
    for step in (Rotation(40), RandomResizedCrop(12), Elastic(8, 3), RandomCrop(12, 4)):
        params = step.sample(6, (3, 20, 20), seeded(5))
        chain = SpatialChain([step], antialias=step.antialias)
        assert torch.equal(chain.apply(images, chain.sample(6, (3, 20, 20), seeded(5))), step.apply(images, params))


def test_a_chain_of_exact_moves_is_one_after_the_other_bit_by_bit():
    images = pictures(8, 3, 16, 16, dtype=torch.uint8)
    steps = [Flip(p=0.5), Rotation((90, 90)), Flip("vertical", p=0.5), RandomCrop(12)]
    chain = SpatialChain(steps)
    drawn = chain.sample_steps(8, (3, 16, 16), seeded())
    fused = chain.fuse(drawn, (16, 16)).images(images)
    one_by_one = images
    for step, (active, params) in zip(steps, drawn):
        moved = step.apply(one_by_one, params)
        one_by_one = moved if bool(active.all()) else torch.where(active[:, None, None, None], moved, one_by_one)
    assert torch.equal(fused, one_by_one)
    assert 0 < int(drawn[0][0].sum()) < 8


def test_a_chain_reads_what_a_crop_would_have_cut_off():
    """Crop and turn: no empty corners, because the pixels beside the crop are there."""
    image = torch.ones(1, 1, 32, 32)
    middle = SpatialChain([RandomCropInTheMiddle(12), Rotation((45, 45))])(image)
    assert float(middle.min()) > 0.999
    assert float(v2.Compose([RandomCropInTheMiddle(12), Rotation((45, 45))])(image).min()) == 0


class RandomCropInTheMiddle(RandomCrop):
    def sample(self, n, shape, generator=None, device=None):
        start = torch.tensor([(shape[2] - self.size[1]) // 2, (shape[1] - self.size[0]) // 2])
        return WindowParams(torch.cat([start, start + torch.tensor(self.size[::-1])]).repeat(n, 1))


def test_the_gates_of_a_chain_open_one_by_one():
    chain = SpatialChain([Flip(p=0.3), Flip("vertical", p=0.8)])
    steps = chain.sample_steps(4000, (3, 4, 4), seeded())
    assert abs(float(steps[0][0].float().mean()) - 0.3) < 0.03 and abs(float(steps[1][0].float().mean()) - 0.8) < 0.03


def test_a_chain_swaps_left_and_right_once_for_each_mirror():
    pair = tv_tensors.KeyPoints(torch.tensor([[2.0, 3.0], [9.0, 3.0]]), canvas_size=(12, 12))
    one = SpatialChain([Flip(p=1), Rotation((10, 10))], mirror_pairs=[(0, 1)])
    two = SpatialChain([Flip(p=1), Flip("vertical", p=1)], mirror_pairs=[(0, 1)])
    assert float(one(torch.zeros(3, 12, 12), pair)[1][0, 0]) < 6, "the left one is left again"
    assert torch.allclose(two(torch.zeros(3, 12, 12), pair)[1].as_subclass(Tensor), torch.tensor([[10.0, 9.0], [3.0, 9.0]]))


def test_chains_refuse_what_is_no_spatial_transform():
    for step in (v2.RandomHorizontalFlip(), IoUCrop()):
        with pytest.raises(TypeError, match="`transforms` must be spatial transforms that do not look at boxes"):
            SpatialChain([step])


# ------------------------------------------------- mask, box and key points agree after any chain (tolerances: see below)


def moves():
    """One random spatial transform."""
    small = {"padding": "fill"}
    return st.sampled_from(
        [
            Flip(p=0.5),
            Flip("vertical", p=0.5),
            Rotation(180, **small),
            Rotation((90, 90), **small),
            Affine(30, 0.1, (0.8, 1.25), 15, **small),
            Perspective(0.2, **small),
            RandomCrop(80, 8),
            RandomResizedCrop((88, 96), (0.6, 1)),
            Resize((110, 90)),
        ]
    )


@settings(max_examples=60, deadline=None)
@given(st.lists(moves(), min_size=1, max_size=5), st.integers(0, 10**6), st.booleans())
def test_mask_box_and_key_points_agree_after_any_chain(steps, seed, fused):
    """A rectangle, its mask, its box and its outline as key points.

    Fused, the box is the hull of the key points: 1e-3. Step by step the hull is taken again at every step, so it can only grow:
    the key points stay inside. The mask is read at the nearest pixel: a pixel belongs to it if its centre does, so each side of
    the mask's own box is off by up to half a pixel for every reading, times what later steps magnify; and by up to one more at
    a corner that is sharper than a pixel.
    """
    height, width = 96, 96
    corner = torch.tensor([34.0, 30.0, 62.0, 58.0])
    mask = torch.zeros(1, height, width, dtype=torch.uint8)
    mask[0, 30:58, 34:62] = 1
    share = torch.arange(25)[:, None] / 25
    along = [a + share * (b - a) for a, b in zip(box_corners(corner), box_corners(corner).roll(-1, 0))]
    sample = {
        "image": tv_tensors.Image(mask.expand(3, -1, -1).float()),
        "boxes": tv_tensors.BoundingBoxes(corner[None], format="XYXY", canvas_size=(height, width)),
        "masks": tv_tensors.Mask(mask),
        "points": tv_tensors.KeyPoints(torch.cat(along), canvas_size=(height, width)),
    }
    torch.manual_seed(seed)
    out = (SpatialChain(steps) if fused else v2.Compose(list(steps)))(sample)
    size = torch.tensor([out["image"].shape[-1], out["image"].shape[-2]] * 2)
    box, points = out["boxes"][0].as_subclass(Tensor), out["points"].as_subclass(Tensor)
    hull = torch.cat([points.amin(0), points.amax(0)])
    grown = torch.cat([hull[:2] - box[:2], box[2:] - hull[2:]])
    assert float(grown.min()) > -1e-3, "a key point left its box"
    if fused:
        assert float(grown.max()) < 1e-3
    clipped = torch.minimum(hull.clamp(min=0), size)
    if bool(((clipped[2:] - clipped[:2]) < 4).any()):
        return  # almost nothing of the object is on the canvas
    visible = bool((hull >= 0).all() and (hull <= size).all())
    own = boxes_from_masks(out["masks"].as_subclass(Tensor))[0]
    if visible:
        tolerance = 1.6 if fused else 1.6 + 1.3 * (len(steps) - 1)
        assert float((own - hull).abs().max()) < tolerance
    bright = (out["image"][0] > 0.5).as_subclass(Tensor)[None]
    if fused and visible:
        assert float((boxes_from_masks(bright)[0] - own).abs().max()) <= 1, "image and mask were read at different places"


@pytest.mark.parametrize("degrees", [-45, -20, 10, 33, 45])
def test_the_mask_of_a_turned_polygon_is_the_polygon_of_its_turned_points(degrees):
    from skimage.draw import polygon2mask

    corners = torch.tensor([[30.0, 40], [90, 25], [100, 80], [60, 100], [35, 85]])

    def drawn(points):
        return torch.from_numpy(polygon2mask((128, 128), points.flip(1).numpy() - 0.5))

    mask = drawn(corners)
    transform = Rotation((degrees, degrees))
    plan = transform.plan(transform.sample(1, (1, 128, 128)), (128, 128))
    moved, again = plan.masks(mask[None], 0)[0], drawn(plan.points(corners)[0])
    assert float((moved & again).sum() / (moved | again).sum()) > 0.97
    assert float((boxes_from_masks(moved[None]) - boxes_from_masks(again[None])).abs().max()) <= 1


# ------------------------------------------------------------------------------------------------------------------ errors


@pytest.mark.parametrize(
    ("build", "error", "text"),
    [
        (lambda: Flip("diagonal"), ValueError, "`axis` must be one of 'horizontal', 'vertical'"),
        (lambda: Rotation((5, -5)), ValueError, r"`degrees` must be a number, or a range \(low, high\)"),
        (lambda: Rotation(-5), ValueError, "`degrees` must be a finite number of at least 0"),
        (lambda: Rotation(5, center=(1, 1), expand=True), ValueError, "`center` must be None together with expand=True"),
        (lambda: Rotation(5, padding="zeros"), ValueError, "`padding`"),
        (lambda: Rotation(5, hull="mask"), ValueError, "`hull`"),
        (lambda: Rotation(5, interpolation="bicubic"), ValueError, "`interpolation`"),
        (lambda: Affine(scale=(0, 1)), ValueError, "`scale` must be a finite number above 0, but got 0"),
        (lambda: Affine(translate=2), ValueError, "`translate`"),
        (lambda: Affine(shear=90), ValueError, "`shear` must be less than 90 degrees"),
        (lambda: Perspective(1.5), ValueError, "`distortion`"),
        (lambda: RandomCrop(0), ValueError, "`size`"),
        (lambda: RandomCrop((1, 2, 3)), ValueError, r"`size` must be one number, or \(height, width\)"),
        (lambda: RandomCrop(4, (1, 2)), ValueError, "`padding_pixels` must be one number, or four"),
        (lambda: RandomCrop(4, -1), ValueError, "`padding_pixels`"),
        (lambda: RandomResizedCrop(4, (0, 1)), ValueError, "`scale` must be a finite number above 0 and at most 1, but got 0"),
        (lambda: RandomResizedCrop(4, ratio=(0, 1)), ValueError, "`ratio` must be a finite number above 0, but got 0"),
        (lambda: IoUCrop(scale=(0.5, 1.5)), ValueError, "`scale`"),
        (lambda: IoUCrop(ratio=(-1, 1)), ValueError, "`ratio`"),
        (lambda: IoUCrop(options=[]), ValueError, "`options` must be at least one overlap"),
        (lambda: IoUCrop(options=[1.5]), ValueError, "`options`"),
        (lambda: IoUCrop(trials=0), ValueError, "`trials`"),
        (lambda: Rotation((1, 2, 3)), ValueError, "`degrees`"),
        (lambda: Rotation("a"), TypeError, "`degrees`"),
    ],
)
def test_arguments_outside_their_range_are_refused(build, error, text):
    with pytest.raises(error, match=text):
        build()


def test_shear_is_read_in_its_three_forms():
    assert Affine(shear=5).shear == ((-5, 5), (-5, 5))
    assert Affine(shear=(-3, 8)).shear == ((-3, 8), (0, 0))
    assert Affine(shear=((-3, 8), (1, 2))).shear == ((-3, 8), (1, 2))


def test_parameters_can_be_printed_picked_and_replayed():
    transform = Affine()
    images = pictures(4, 3, 16, 16)
    draw = transform.draw(images, seeded())
    assert isinstance(draw.params, AffineParams) and "degrees=tensor" in repr(draw.params)
    again = transform.apply(images[2:3], rows(draw.params, slice(2, 3)))
    assert torch.equal(transform.replay(images, draw)[2:3], again)


def test_a_transform_shows_what_is_not_the_default():
    assert repr(Rotation(10, fill=0.5)) == "Rotation(fill=0.5, degrees=(-10.0, 10.0), center=None, expand=False)"


def test_the_base_asks_for_a_plan():
    with pytest.raises(TypeError, match=r"abstract.*plan.*sample"):
        SpatialTransform()
