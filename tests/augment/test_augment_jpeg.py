"""JPEG: the tensor codec equals libjpeg bit by bit, tables of the standard, file size against quality."""

from __future__ import annotations

import io
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy.fft import dctn

from course_utils import augment
from course_utils.augment.jpeg import (
    CHROMINANCE,
    COSINES,
    LUMINANCE,
    block_dct,
    block_idct,
    dct_matrix,
    halve,
    jpeg_compress,
    jpeg_sizes,
    quantisation_tables,
    to_rgb,
    to_ycbcr,
    transparent_jpeg,
)
from course_utils.data import photograph

pytestmark = pytest.mark.filterwarnings("ignore:The image decoding and encoding:DeprecationWarning")
QUALITIES = (1, 5, 10, 30, 50, 75, 90, 95, 100)


def levels(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randint(0, 256, shape, generator=torch.Generator().manual_seed(seed), dtype=torch.uint8)


def in_pillow(image: torch.Tensor, quality: int, subsampling: int = 2) -> torch.Tensor:
    array = image.permute(1, 2, 0).numpy()
    file = io.BytesIO()
    Image.fromarray(array if len(image) == 3 else array[..., 0]).save(file, "JPEG", quality=quality, subsampling=subsampling)
    decoded = np.array(Image.open(file))
    return torch.from_numpy(decoded if decoded.ndim == 3 else decoded[..., None]).permute(2, 0, 1)


def portrait(height: int, width: int) -> torch.Tensor:
    return photograph("astronaut")[:, 40 : 40 + height, 180 : 180 + width].contiguous()


# ----------------------------------------------------------------------------------------------------------- exactness


@pytest.mark.parametrize("size", [(64, 64), (45, 81), (33, 47), (16, 7), (7, 5), (3, 4), (1, 1), (1, 40)])
def test_the_tensor_codec_equals_libjpeg_bit_by_bit(size):
    for image in (portrait(*size), levels(3, *size)):
        batch = image.expand(len(QUALITIES), -1, -1, -1).contiguous()
        quality = torch.tensor(QUALITIES)
        exact = jpeg_compress(batch, quality)
        assert torch.equal(transparent_jpeg(batch, quality).images, exact)
        assert torch.equal(exact, torch.stack([in_pillow(image, q) for q in QUALITIES]))


@pytest.mark.parametrize("size", [(64, 64), (45, 81), (7, 5), (1, 1)])
def test_full_colour_resolution_equals_pillow_bit_by_bit(size):
    for image in (portrait(*size), levels(3, *size)):
        for quality in QUALITIES:
            steps = transparent_jpeg(image[None], quality, subsampling="4:4:4")
            assert torch.equal(steps.images[0], in_pillow(image, quality, subsampling=0))


def test_grey_images_have_one_plane_and_equal_pillow():
    image = portrait(50, 61)[:1]
    for quality in (10, 50, 90):
        steps = transparent_jpeg(image[None], quality)
        assert len(steps.coefficients) == len(steps.tables) == 1
        assert torch.equal(steps.images[0], in_pillow(image, quality))
        assert torch.equal(jpeg_compress(image[None], quality)[0], in_pillow(image, quality))


@settings(max_examples=25, deadline=None)
@given(height=st.integers(1, 40), width=st.integers(1, 40), quality=st.integers(1, 100), seed=st.integers(0, 1000))
def test_both_codecs_agree_on_any_size_and_quality(height, width, quality, seed):
    images = levels(2, 3, height, width, seed=seed)
    assert torch.equal(transparent_jpeg(images, quality).images, jpeg_compress(images, quality))


def test_each_image_of_a_batch_has_its_own_quality():
    images, quality = levels(4, 3, 20, 30), torch.tensor([5, 40, 70, 100])
    batch = transparent_jpeg(images, quality).images
    for i in range(4):
        assert torch.equal(batch[i], in_pillow(images[i], int(quality[i])))


def test_floats_are_rounded_to_256_levels_and_come_back_as_floats():
    images = levels(2, 3, 20, 20)
    floats = images.float() / 255
    for codec in (jpeg_compress, lambda x, q: transparent_jpeg(x, q).images):
        assert torch.equal(codec(floats, 50), codec(images, 50).float() / 255)
        assert codec(floats.half(), 50).dtype == torch.float16


# ------------------------------------------------------------------------------------------------------------ the steps


def test_tables_are_those_of_the_standard_and_those_that_pillow_writes():
    luminance, chrominance = quantisation_tables(torch.tensor([50]))
    assert luminance[0].tolist() == [list(row) for row in LUMINANCE]
    assert chrominance[0].tolist() == [list(row) for row in CHROMINANCE]
    for quality in (1, 7, 35, 49, 50, 51, 80, 95, 100):
        file = io.BytesIO()
        Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(file, "JPEG", quality=quality)
        written = Image.open(file).quantization
        ours = quantisation_tables(torch.tensor([quality]))
        for k in (0, 1):
            # Pillow lists the entries row by row
            assert list(written[k]) == ours[k][0].flatten().tolist()


def test_steps_shrink_with_quality_and_end_at_one():
    luminance, chrominance = quantisation_tables(torch.arange(1, 101))
    for table in (luminance, chrominance):
        assert bool((table.diff(dim=0) <= 0).all())
        assert table[-1].unique().tolist() == [1]
        assert int(table.min()) == 1 and int(table.max()) == 255


def test_the_whole_number_cosines_are_the_dct():
    matrix = dct_matrix()
    assert float((matrix @ matrix.T - torch.eye(8)).abs().max()) < 1e-6
    whole = torch.tensor(COSINES) / (8192 * math.sqrt(8))
    assert float((whole - matrix).abs().max()) < 1e-4


def test_coefficients_are_the_dct_of_the_blocks():
    plane = levels(2, 16, 24).float() - 128
    ours = block_dct(plane)
    assert ours.shape == (2, 2, 3, 8, 8)
    for n in range(2):
        for row in range(2):
            for column in range(3):
                block = plane[n, 8 * row : 8 * row + 8, 8 * column : 8 * column + 8].numpy()
                # libjpeg rounds twice on its way: to 1/11 of a level, then to 1/8
                np.testing.assert_allclose(ours[n, row, column].numpy(), dctn(block, norm="ortho"), atol=0.3)
    assert float((block_idct(ours) - plane).abs().max()) <= 1


def test_colour_transform_and_back_loses_at_most_the_rounding():
    pixels = levels(2, 3, 30, 30).float()
    ycbcr = to_ycbcr(pixels)
    assert float((to_rgb(ycbcr) - pixels).abs().max()) <= 2
    expected = torch.stack(
        [torch.from_numpy(np.array(Image.fromarray(x.permute(1, 2, 0).byte().numpy()).convert("YCbCr"))) for x in pixels]
    )
    assert float((ycbcr - expected.permute(0, 3, 1, 2)).abs().max()) <= 1
    grey = torch.arange(256.0).view(1, 1, 16, 16).expand(1, 3, 16, 16)
    assert torch.equal(to_ycbcr(grey)[:, 0], grey[:, 0]) and to_ycbcr(grey)[:, 1:].unique().tolist() == [128]


def test_halving_takes_means_and_breaks_ties_in_turn():
    plane = torch.tensor([[[0.0, 2.0, 0.0, 2.0], [0.0, 0.0, 0.0, 0.0]]])  # both means are 0.5
    assert halve(plane).tolist() == [[[0.0, 1.0]]]


def test_the_steps_fit_together():
    image = portrait(32, 48)[None]
    steps = transparent_jpeg(image, 30)
    assert [c.shape for c in steps.coefficients] == [(1, 4, 6, 8, 8), (1, 2, 3, 8, 8), (1, 2, 3, 8, 8)]
    for coefficients, stored, table in zip(steps.coefficients, steps.levels, steps.tables):
        assert torch.equal(stored, stored.round())
        rest = coefficients - stored * table[:, None, None]
        assert bool((rest.abs() <= table[:, None, None] / 2).all())
    kept = sum(int((level != 0).sum()) for level in steps.levels) / sum(level.numel() for level in steps.levels)
    assert float(steps.surviving[0]) == pytest.approx(kept)


# ------------------------------------------------------------------------------------------------- quality, size, error


def test_better_quality_keeps_more_coefficients_in_larger_files_with_less_error():
    image = portrait(128, 128)
    quality = torch.tensor([5, 20, 40, 60, 80, 95])
    batch = image.expand(6, -1, -1, -1).contiguous()
    steps = transparent_jpeg(batch, quality)
    error = (steps.images.float() - batch.float()).pow(2).flatten(1).mean(1)
    sizes = jpeg_sizes(batch, quality)
    assert bool((steps.surviving.diff() > 0).all())
    assert bool((sizes.diff() > 0).all()) and sizes.dtype == torch.int64
    assert bool((error.diff() < 0).all())
    # tables, headers and Huffman codes take about 600 bytes; a picture without detail needs little more
    assert int(jpeg_sizes(torch.full((1, 3, 8, 8), 128, dtype=torch.uint8), 50)) < 700


def test_compressing_twice_at_one_quality_changes_little():
    image = portrait(64, 64)[None]
    once = jpeg_compress(image, 50)
    twice = jpeg_compress(once, 50)
    first, second = ((a.float() - b.float()).abs().mean() for a, b in ((once, image), (twice, once)))
    assert float(second) < 0.3 * float(first)


# -------------------------------------------------------------------------------------------------------- the transform


def test_both_codecs_of_the_transform_give_the_same_pixels():
    images = levels(5, 3, 18, 20)
    transform = augment.JPEGCompression((10, 95))
    params = transform.sample(5, (3, 18, 20), torch.Generator().manual_seed(0))
    assert len(params.quality.unique()) > 1
    other = augment.JPEGCompression((10, 95), codec="tensor")
    assert torch.equal(transform.apply(images, params), other.apply(images, params))


def test_qualities_are_uniform_with_both_ends():
    quality = augment.JPEGCompression((30, 34)).sample(5000, (3, 8, 8), torch.Generator().manual_seed(0)).quality
    counts = quality.bincount(minlength=35)[30:]
    assert float((counts - 1000).abs().max()) < 4 * 28.3
    assert augment.JPEGCompression(40).sample(3, (3, 8, 8)).quality.tolist() == [40] * 3


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: jpeg_compress(levels(1, 3, 8, 8), 0), "`quality` must be at least 1 and at most 100, but got 0"),
        (lambda: jpeg_compress(levels(2, 3, 8, 8), torch.tensor([50.0, 50.5])), "`quality` must be a whole number.*image 1"),
        (lambda: transparent_jpeg(levels(1, 4, 8, 8), 50), "images with 1 or 3 channels, but got 4"),
        (lambda: transparent_jpeg(levels(1, 3, 8, 8), 50, "4:1:1"), "`subsampling` must be one of"),
        (lambda: augment.JPEGCompression((60, 40)), "`quality` must be an integer between 60 and 100"),
        (lambda: augment.JPEGCompression(codec="mpeg"), "`codec` must be one of 'libjpeg', 'tensor'"),
    ],
)
def test_bad_arguments_are_refused_by_name(call, text):
    with pytest.raises(ValueError, match=text):
        call()


def test_empty_batches_pass():
    empty = levels(0, 3, 9, 10)
    assert jpeg_compress(empty, 50).shape == empty.shape and jpeg_sizes(empty, 50).shape == (0,)
    steps = transparent_jpeg(empty, 50)
    assert steps.images.shape == empty.shape and steps.surviving.shape == (0,)
