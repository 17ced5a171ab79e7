"""Dense RootSIFT against the definition, its symmetries, and kornia."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from course_utils.retrieval import DenseRootSIFT


def textured(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(*shape[:-2], shape[-2] // 4 + 2, shape[-1] // 4 + 2, generator=generator)
    if coarse.ndim == 2:
        return torch.nn.functional.interpolate(coarse[None, None], size=shape[-2:], mode="bilinear")[0, 0]
    flat = coarse.reshape(-1, 1, *coarse.shape[-2:])
    return torch.nn.functional.interpolate(flat, size=shape[-2:], mode="bilinear").reshape(shape)


def reference_histogram(grey, left, top, cell, pooling):
    """The definition, pixel by pixel: Lowe's trilinear histogram (4, 4, 8) of one patch, before normalisation."""
    height, width = grey.shape
    histogram = np.zeros((4, 4, 8))
    for y in range(height):
        for x in range(width):
            dx = (grey[y, min(x + 1, width - 1)] - grey[y, max(x - 1, 0)]) / 2
            dy = (grey[min(y + 1, height - 1), x] - grey[max(y - 1, 0), x]) / 2
            position = math.atan2(dy, dx) % (2 * math.pi) * 8 / (2 * math.pi)
            low, share = math.floor(position), position - math.floor(position)
            for i in range(4):
                for j in range(4):
                    v = abs(y - (top + cell * (i + 0.5) - 0.5))
                    u = abs(x - (left + cell * (j + 0.5) - 0.5))
                    if pooling == "triangle":
                        weight = max(0, 1 - u / cell) * max(0, 1 - v / cell)
                    else:
                        weight = float(u < cell / 2 and v < cell / 2)
                    histogram[i, j, low % 8] += weight * (1 - share) * math.hypot(dx, dy)
                    histogram[i, j, (low + 1) % 8] += weight * share * math.hypot(dx, dy)
    return histogram.ravel()


@pytest.mark.parametrize("pooling", ["triangle", "box"])
def test_a_descriptor_is_its_definition_pixel_by_pixel(pooling):
    grey = textured(18, 22)
    features = DenseRootSIFT(cell=4, stride=2, pooling=pooling)(grey)
    assert features.grid == (2, 4)
    h = reference_histogram(grey.numpy().astype(float), left=4, top=2, cell=4, pooling=pooling)  # row 1, column 2
    h = np.minimum(h / np.linalg.norm(h), 0.2)
    np.testing.assert_allclose(features.descriptors[0, 1 * 4 + 2].numpy(), np.sqrt(h / h.sum()), atol=1e-5)
    np.testing.assert_allclose(features.centers[6].numpy(), [4 + 8 - 0.5, 2 + 8 - 0.5])


@pytest.mark.parametrize("size", [(32, 40), (33, 45), (30, 31)])
@pytest.mark.parametrize("pooling", ["triangle", "box"])
def test_rotating_the_image_by_180_degrees_permutes_the_bins(size, pooling):
    image = textured(3, *size)
    sift = DenseRootSIFT(cell=3, stride=4, pooling=pooling, root=False)  # the root magnifies differences of 1e-10
    plain, turned = sift(image), sift(image.flip(-1, -2))
    h = turned.descriptors[0].flip(0).reshape(-1, 4, 4, 8).flip(1, 2).roll(4, dims=3)
    torch.testing.assert_close(h.reshape(-1, 128), plain.descriptors[0], atol=1e-5, rtol=0)


@settings(max_examples=20, deadline=None)
@given(gain=st.floats(0.2, 4.0), offset=st.floats(-2.0, 2.0))
def test_brightness_and_contrast_leave_the_descriptors_unchanged(gain, offset):
    image = textured(24, 24)
    sift = DenseRootSIFT(cell=4, stride=4)
    expected, actual = sift(image), sift(gain * image + offset)
    torch.testing.assert_close(actual.descriptors, expected.descriptors, atol=2e-4, rtol=0)


@pytest.mark.parametrize("root", [True, False])
def test_descriptors_have_unit_length_and_no_negative_entry(root):
    features = DenseRootSIFT(root=root)(textured(2, 3, 32, 32))
    assert bool(features.valid.all())
    torch.testing.assert_close(features.descriptors.norm(dim=-1), torch.ones(2, features.descriptors.shape[1]))
    assert features.descriptors.min() >= 0


def test_inner_product_of_rootsift_is_the_hellinger_kernel_of_sift():
    image = textured(32, 48)
    root, plain = (DenseRootSIFT(root=root, clip=1.0)(image).descriptors[0] for root in (True, False))
    a = plain / plain.sum(1, keepdim=True)
    expected = (a[:, None] * a[None]).sqrt().sum(-1)
    torch.testing.assert_close(root @ root.T, expected, atol=1e-5, rtol=0)


def test_no_entry_of_sift_exceeds_the_clip_by_more_than_the_second_normalisation():
    edge = torch.zeros(16, 16)
    edge[:, 8:] = 1  # one orientation only: without the clip one direction takes everything
    clipped = DenseRootSIFT(root=False)(edge).descriptors[0, 0]
    free = DenseRootSIFT(root=False, clip=1.0)(edge).descriptors[0, 0]
    assert clipped.max() < free.max()
    used = clipped[clipped > 0]
    assert bool((used <= 0.2 / torch.minimum(free, torch.tensor(0.2)).norm() + 1e-6).all())


def test_flat_patches_are_zero_and_not_valid():
    image = torch.full((3, 32, 64), 0.5)
    image[:, :, 40:] = textured(3, 32, 24)
    features = DenseRootSIFT(cell=4, stride=16)(image)
    valid = features.valid[0].reshape(features.grid)
    assert not valid[:, 0].any() and valid[:, -1].all()
    assert bool((features.descriptors[0][~features.valid[0]] == 0).all())
    assert [len(x) for x in features.as_list()] == [int(features.valid.sum())]


def test_contrast_floor_takes_sensor_noise_for_flat():
    noise = 0.5 + 1e-4 * torch.rand(1, 32, 32)
    assert not DenseRootSIFT()(noise).valid.any()
    assert DenseRootSIFT(contrast_floor=0.0)(noise).valid.all()


def test_an_image_smaller_than_a_patch_has_no_descriptors():
    features = DenseRootSIFT(cell=4)(torch.rand(2, 3, 15, 40))
    assert features.descriptors.shape == (2, 0, 128) and features.grid == (0, 0) and features.centers.shape == (0, 2)
    assert [x.shape for x in features.as_list()] == [(0, 128)] * 2


def test_uint8_and_float_grey_and_colour_agree():
    grey = (textured(1, 24, 32) * 255).byte()
    sift = DenseRootSIFT()
    expected = sift(grey).descriptors
    torch.testing.assert_close(sift(grey.float() / 255).descriptors, expected, atol=1e-5, rtol=0)
    torch.testing.assert_close(sift(grey.expand(3, -1, -1)).descriptors, expected, atol=1e-4, rtol=0)
    torch.testing.assert_close(sift(grey[0].double() / 255).descriptors, expected, atol=1e-5, rtol=0)


def test_a_batch_gives_what_its_images_give_one_by_one():
    images = (textured(19, 3, 24, 28) * 255).byte()
    sift = DenseRootSIFT(cell=3, stride=5)
    together = sift(images).descriptors
    torch.testing.assert_close(together, torch.cat([sift(image).descriptors for image in images]), atol=1e-6, rtol=0)


def test_several_cell_sizes_stand_one_after_the_other():
    image = textured(3, 40, 48)
    both = DenseRootSIFT(cell=(3, 5), stride=6)(image)
    single = [DenseRootSIFT(cell=c, stride=6)(image) for c in (3, 5)]
    assert both.grids == (single[0].grid, single[1].grid)
    torch.testing.assert_close(both.descriptors, torch.cat([s.descriptors for s in single], 1))
    assert both.sizes.unique().tolist() == [12.0, 20.0]
    with pytest.raises(ValueError, match="2 grids, one per cell size; read `grids`"):
        both.grid  # noqa: B018


def test_kornia_agrees_up_to_its_other_pooling_window():
    kornia = pytest.importorskip("kornia")
    image = textured(1, 1, 64, 64)
    ours = DenseRootSIFT(cell=4, stride=4)(image)
    theirs = kornia.feature.DenseSIFTDescriptor(8, 4, 4, rootsift=True, clipval=0.2, stride=1, padding=1)(image)[0].detach()
    x, y = (ours.centers + 0.5).long().T - 5  # its grid starts at the first patch's corner
    inside = (x >= 0) & (x < theirs.shape[2]) & (y >= 0) & (y < theirs.shape[1])
    other = theirs[:, y[inside], x[inside]].T.reshape(-1, 8, 4, 4).permute(0, 2, 3, 1)  # it counts (bin, row, column)

    def agreement(h):
        return float((ours.descriptors[0, inside].reshape(-1, 4, 4, 8) * h).sum((1, 2, 3)).mean())

    assert inside.sum() > 50
    assert agreement(other) > 0.9
    assert agreement(other.roll(1, dims=3)) < 0.8 and agreement(other.transpose(1, 2)) < 0.8  # another order would show


@pytest.mark.parametrize(
    ("bad", "error", "text"),
    [
        (np.zeros((3, 32, 32)), TypeError, "`images` must be a torch.Tensor, but got ndarray"),
        (torch.zeros(3, 32, 32, dtype=torch.int64), TypeError, "uint8, or floating point"),
        (torch.zeros(2, 4, 32, 32), ValueError, r"of shape \(B, C, H, W\).*shape \(2, 4, 32, 32\)"),
        (torch.full((2, 3, 32, 32), float("nan")), ValueError, "NaN or infinity in image 0"),
    ],
)
def test_wrong_images_are_refused_in_words(bad, error, text):
    with pytest.raises(error, match=text):
        DenseRootSIFT()(bad)


@pytest.mark.parametrize(
    ("parameters", "text"),
    [({"cell": 0}, "`cell`"), ({"cell": ()}, "empty sequence"), ({"stride": 0}, "`stride`"), ({"pooling": "gauss"}, "`pooling`")],
)
def test_wrong_parameters_are_refused_in_words(parameters, text):
    with pytest.raises(ValueError, match=text):
        DenseRootSIFT(**parameters)
