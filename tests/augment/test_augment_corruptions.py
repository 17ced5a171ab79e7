"""The corruption suite: SciPy, scikit-image, Pillow and plain loops as oracles, statistics, and every refusal."""

import io

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import ndimage
from skimage.color import hsv2rgb, rgb2hsv
from skimage.filters import gaussian

from course_utils.augment import corruptions
from course_utils.augment.corruptions import blur, digital, noise, tables, weather
from course_utils.augment.corruptions.corrupting import DRAWN, FUNCTIONS
from course_utils.augment.corruptions.spatter import canny_edges, relief, spatter

EVERY = (*corruptions.names, *corruptions.validation_names)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def pictures(n=4, channels=3, height=32, width=32, dtype=torch.float32, seed=0):
    """Smooth coloured pictures with an edge, so that blurs and shifts change something."""
    coarse = torch.rand(n, channels, 5, 5, generator=seeded(seed))
    smooth = torch.nn.functional.interpolate(coarse, size=(height, width), mode="bilinear", align_corners=True)
    smooth[..., : height // 2, width // 3 :] *= 0.4
    return (smooth * 255).to(dtype) if dtype == torch.uint8 else smooth.to(dtype)


def as_numpy(image):
    return image.permute(1, 2, 0).numpy().astype(np.float64)


def close(ours, theirs, atol=1e-5):
    np.testing.assert_allclose(as_numpy(ours), theirs, atol=atol)


# ----------------------------------------------------------------------------------------------------------- the lists


def test_there_are_fourteen_tests_in_the_order_of_the_benchmark_without_frost():
    benchmark = [name for name in corruptions.ALEXNET_ERRORS if name != "frost"]
    assert list(corruptions.names) == benchmark and len(benchmark) == 14
    assert [len(members) for members in corruptions.families.values()] == [3, 4, 2, 5]
    assert sorted(sum(corruptions.families.values(), ())) == sorted(corruptions.names)
    assert corruptions.validation_names == ("speckle_noise", "gaussian_blur", "spatter", "saturate")


def test_every_name_has_a_function_and_five_rows_in_both_tables():
    assert set(FUNCTIONS) == set(corruptions.CORRUPTIONS) == set(EVERY)
    for corruption in corruptions.CORRUPTIONS.values():
        for table in (corruption.small, corruption.large):
            assert len(table) == 5
            if corruption.symbols != ("zooms",):
                assert all(len(row) == len(corruption.symbols) for row in table)
        assert set(corruption.lengths) | set(corruption.whole) <= set(corruption.symbols)


@pytest.mark.parametrize("size, lengths", [(32, [7, 12, 16, 21, 26]), (224, [12, 16, 11, 13, 11])])
def test_the_lists_of_zooms_are_what_arange_gave_the_benchmark(size, lengths):
    stops = {32: [(1.06, 0.01), (1.11, 0.01), (1.16, 0.01), (1.21, 0.01), (1.26, 0.01)]}
    stops[224] = [(1.11, 0.01), (1.16, 0.01), (1.21, 0.02), (1.26, 0.02), (1.31, 0.03)]
    for severity, (stop, step), length in zip(corruptions.SEVERITIES, stops[size], lengths):
        zooms = corruptions.parameters("zoom_blur", severity, size)["zooms"]
        assert len(zooms) == length
        np.testing.assert_allclose(zooms, np.arange(1, stop, step), atol=1e-12)


def test_lengths_scale_with_the_size_and_strengths_do_not():
    assert corruptions.parameters("defocus_blur", 5, 64) == {"radius": 3.0, "edge_sigma": 0.2}
    assert corruptions.parameters("defocus_blur", 5, 112) == {"radius": 5.0, "edge_sigma": 0.25}
    assert corruptions.parameters("glass_blur", 4, 8) == {"sigma": 0.0625, "reach": 1, "passes": 2}
    assert corruptions.parameters("gaussian_noise", 3, 8) == corruptions.parameters("gaussian_noise", 3, 32)
    assert corruptions.parameters("snow", 1, 64)["radius"] == 16 and corruptions.parameters("snow", 1, 64)["zoom"] == 1.0
    assert corruptions.parameters("elastic_transform", 2, 32) == {"alpha": 1.6, "sigma": 6.4, "affine": 2.24}


def test_the_nearer_table_is_taken_unless_one_is_named():
    assert corruptions.parameters("contrast", 1, 84) == corruptions.parameters("contrast", 1, 32)
    assert corruptions.parameters("contrast", 1, 85) == corruptions.parameters("contrast", 1, 224)
    assert corruptions.parameters("contrast", 1, 32, table=224) == {"factor": 0.4}


# --------------------------------------------------------------------------------------------------------------- noise


@pytest.mark.parametrize("severity", corruptions.SEVERITIES)
def test_noise_at_mid_grey_has_the_mean_and_the_variance_of_its_formula(severity):
    grey = torch.full((20, 3, 64, 64), 0.5)
    expected = {
        "gaussian_noise": lambda sigma: sigma**2,
        "shot_noise": lambda photons: 0.5 / photons,
        "speckle_noise": lambda sigma: 0.25 * sigma**2,
    }
    for name, variance in expected.items():
        parameters = corruptions.parameters(name, severity)
        spoiled = FUNCTIONS[name](grey, **parameters, generator=seeded(severity)).double()
        wanted, n = variance(*parameters.values()), spoiled.numel()
        assert abs(float(spoiled.mean()) - 0.5) < 4 * (wanted / n) ** 0.5, name
        # the fourth moment of a Poisson number is a little above the normal one: 5 standard errors
        assert abs(float(spoiled.var()) / wanted - 1) < 5 * (2 / n) ** 0.5 * 1.1, name


def test_impulse_noise_hits_channels_one_by_one_half_of_them_white():
    grey = torch.full((20, 3, 64, 64), 0.5)
    spoiled = noise.impulse_noise(grey, 0.07, seeded())
    n = grey.numel()
    for value in (0.0, 1.0):
        assert abs(float((spoiled == value).float().mean()) - 0.035) < 4 * (0.035 / n) ** 0.5
    assert set(spoiled.unique().tolist()) == {0.0, 0.5, 1.0}
    assert bool(((spoiled != 0.5).sum(1) == 1).any()), "colours are hit one by one"


def test_shot_noise_of_black_is_black():
    assert bool((noise.shot_noise(torch.zeros(1, 3, 8, 8), 60, seeded()) == 0).all())


# --------------------------------------------------------------------------------------------------------------- blurs


@pytest.mark.parametrize("sigma", [0.05, 0.4, 1.0, 6.0])
@pytest.mark.parametrize("height, width", [(32, 32), (7, 40), (1, 1)])
def test_gaussian_blur_is_that_of_scikit_image(sigma, height, width):
    images = pictures(2, height=height, width=width)
    for image, blurred in zip(images, blur.gaussian_blur(images, sigma)):
        close(blurred, gaussian(as_numpy(image), sigma=sigma, channel_axis=-1))


def test_disc_kernels_have_sum_one_and_the_pixels_of_the_disc():
    for radius in (0.3, 1.0, 1.5, 3.0, 8.0, 10.0):
        kernel = blur.disc_kernel(radius, 0.5)
        assert kernel.shape[0] % 2 == 1 and float(kernel.sum()) == pytest.approx(1, abs=1e-6)
        assert torch.equal(kernel, kernel.T) and torch.equal(kernel, kernel.flip(0))
        sharp = blur.disc_kernel(radius, 1e-3)
        axis = np.arange(len(sharp)) - len(sharp) // 2
        np.testing.assert_array_equal(sharp.numpy() > 0, axis[:, None] ** 2 + axis**2 <= radius**2)


def test_disc_kernels_are_those_of_the_benchmark():
    cv2 = pytest.importorskip("cv2")
    for radius, edge in [(0.3, 0.4), (1.0, 0.2), (1.5, 0.1), (3.0, 0.1), (6.0, 0.5)]:
        axis = np.arange(-8, 9)
        disc = (axis[:, None] ** 2 + axis**2 <= radius**2).astype(np.float32)
        theirs = cv2.GaussianBlur(disc / disc.sum(), (3, 3), sigmaX=edge)
        ours = blur.disc_kernel(radius, edge).numpy()
        rest = (17 - len(ours)) // 2
        np.testing.assert_allclose(np.pad(ours, rest), theirs, atol=1e-6)


@pytest.mark.parametrize("radius", [0.5, 1.5, 4.0])
def test_defocus_is_a_convolution_with_the_disc_over_a_mirrored_border(radius):
    images = pictures(2, height=20, width=31)
    kernel = blur.disc_kernel(radius, 0.5).numpy().astype(np.float64)
    for image, blurred in zip(images, blur.defocus_blur(images, radius, 0.5)):
        close(blurred, ndimage.convolve(as_numpy(image), kernel[..., None], mode="mirror"))


@pytest.mark.parametrize("zoom", [1.0, 1.01, 1.06, 1.25, 1.75, 4.5])
@pytest.mark.parametrize("size", [32, 25, 3])
def test_the_centre_zoom_is_that_of_scipy(zoom, size):
    image = pictures(1, height=size, width=size)
    crop = int(np.ceil(size / zoom))
    top = (size - crop) // 2
    enlarged = ndimage.zoom(as_numpy(image[0])[top : top + crop, top : top + crop], (zoom, zoom, 1), order=1)
    trim = (len(enlarged) - size) // 2
    close(blur.centre_zoom(image, zoom)[0], enlarged[trim : trim + size, trim : trim + size])


def test_zoom_blur_is_the_mean_of_the_image_and_all_zooms():
    images = pictures(3, height=20, width=26)
    zooms = (1.0, 1.05, 1.1)
    expected = (images + sum(blur.centre_zoom(images, zoom) for zoom in zooms)) / 4
    torch.testing.assert_close(blur.zoom_blur(images, zooms), expected)


def glass_by_loop(image, offsets, reach, exchange):
    """Visit pixel after pixel; the published swap of two views of one array is written as it stands there."""
    x = image.copy()
    h, w = x.shape[:2]
    for field in offsets:  # one pass: (2, visits)
        visits = ((i, j) for i in range(h - reach, reach, -1) for j in range(w - reach, reach, -1))
        for (i, j), dy, dx in zip(visits, *field):
            a, b = (i, j), (i + dy, j + dx)
            if exchange == "copy":
                x[a], x[b] = x[b], x[a]
            else:
                x[a], x[b] = x[b].copy(), x[a].copy()
    return x


@pytest.mark.parametrize("exchange", ["copy", "swap"])
@pytest.mark.parametrize("reach, passes", [(1, 1), (1, 2), (2, 1), (3, 2)])
def test_glass_equals_the_visit_of_one_pixel_after_the_other(exchange, reach, passes):
    h, w = 13, 17
    images = pictures(2, height=h, width=w)
    source = blur.glass_sources(images, reach, passes, seeded(3), exchange)
    generator, visits = seeded(3), (h - 2 * reach) * (w - 2 * reach)
    offsets = [torch.randint(-reach, reach, (2, visits, 2), generator=generator) for _ in range(passes)]
    for k, image in enumerate(images):
        expected = glass_by_loop(as_numpy(image), [field[..., k].tolist() for field in offsets], reach, exchange)
        np.testing.assert_array_equal(as_numpy(image.flatten(1)[:, source[k]].view(3, h, w)), expected)


def test_the_published_glass_loses_colours_and_the_swap_keeps_them_all():
    images = pictures(3)
    everything = torch.arange(32 * 32)
    for exchange, keeps_all in (("swap", True), ("copy", False)):
        source = blur.glass_sources(images, 2, 1, seeded(), exchange)
        assert all(torch.equal(row.sort().values, everything) is keeps_all for row in source)


def test_the_swap_of_two_views_of_an_array_is_a_copy():
    x = np.array([[1, 2], [3, 4]])
    x[0], x[1] = x[1], x[0]
    np.testing.assert_array_equal(x, [[3, 4], [3, 4]])


def test_motion_blur_draws_an_angle_for_every_image():
    dot = torch.zeros(2, 1, 33, 33)
    dot[:, :, 16, 16] = 1
    first, second = blur.motion_blur(dot, 9, 2.5, seeded())
    assert not torch.equal(first, second)
    assert float(first.sum()) == pytest.approx(1, abs=1e-5)


# ------------------------------------------------------------------------------------------------------------- weather


def test_fog_over_one_grey_lies_between_its_two_limits():
    grey = torch.full((3, 3, 32, 32), 0.6)
    fogged = weather.fog(grey, 1.5, 1.75, seeded())
    for image in fogged:
        assert float(image.min()) == pytest.approx(0.6 * 0.6 / 2.1, abs=1e-6)  # no cloud
        assert float(image.max()) == pytest.approx(0.6, abs=1e-6)  # the thickest cloud
    assert not torch.equal(fogged[0], fogged[1])
    assert bool((weather.fog(torch.zeros(1, 3, 32, 32), 1.0, 2.0, seeded()) == 0).all()), "black stays black"


def test_snow_without_flakes_only_makes_the_picture_paler():
    images = pictures(2)
    pale = weather.snow(images, 0.1, 0.2, 1.0, 9.0, 8, 3.0, 0.8, seeded())
    grey = as_numpy(images[0]) @ np.array([0.299, 0.587, 0.114])
    expected = 0.8 * as_numpy(images[0]) + 0.2 * np.maximum(as_numpy(images[0]), 1.5 * grey[..., None] + 0.5)
    close(pale[0], expected)


def test_flakes_are_bright_and_the_second_layer_is_the_first_turned_round():
    grey = torch.full((4, 3, 32, 32), 0.25)
    flakes = weather.snow(grey, 0.3, 0.3, 1.25, 0.65, 14, 12.0, 1.0, seeded()) - 0.25
    assert float(flakes.min()) >= -1e-6 and float(flakes.max()) > 0.1
    torch.testing.assert_close(flakes, flakes.rot90(2, (2, 3)))
    assert torch.equal(flakes[:, 0], flakes[:, 2]), "snow is white"


def liquids(size, mean, deviation, sigma, threshold, n=10):
    """Return the layer of drops as whole levels, (n, 1, size, size)."""
    noise_layer = mean + deviation * torch.randn(n, 1, size, size, generator=seeded())
    layer = blur.gaussian_blur(noise_layer, sigma)
    return (torch.where(layer < threshold, 0.0, layer).clamp(0, 1) * 255).floor()


@pytest.mark.parametrize("size, layer", [(32, (0.62, 0.1, 0.7, 0.7)), (32, (0.65, 0.3, 1.0, 0.69)), (96, (0.65, 0.3, 3.0, 0.68))])
def test_edges_are_those_of_opencv_and_drops_are_lit_as_there(size, layer):
    cv2 = pytest.importorskip("cv2")
    depth = liquids(size, *layer)
    edges, light = canny_edges(depth), relief(depth)
    assert bool(edges.any())
    for k in range(len(depth)):
        levels = depth[k, 0].numpy().astype(np.uint8)
        theirs = cv2.Canny(levels, 50, 150)
        np.testing.assert_array_equal(edges[k].numpy(), theirs > 0)
        height = np.minimum(ndimage.distance_transform_edt(theirs == 0), 20).astype(np.float32)  # exact, OpenCV's are not
        height = cv2.equalizeHist(cv2.blur(height, (3, 3)).astype(np.uint8))
        lit = cv2.blur(cv2.filter2D(height, cv2.CV_8U, np.array([[-2, -1, 0], [-1, 1, 1], [0, 1, 2]])), (3, 3))
        distance = np.abs(light[k, 0].numpy() - lit)
        assert (distance > 0).mean() < 0.01 and distance.mean() < 0.1  # a mean on the border of two levels


def test_an_image_without_edges_between_others_is_flat_and_dry():
    depth = torch.cat([liquids(32, 0.65, 0.3, 1.0, 0.69, n=1), torch.zeros(1, 1, 32, 32)])
    assert torch.equal(relief(depth)[:1], relief(depth[:1]))
    assert not bool(canny_edges(depth)[1].any())
    images = pictures(2)
    assert torch.equal(spatter(images, 0.1, 0.01, 1.0, 0.7, 0.5, 0.0, seeded()), images), "no noise above the threshold"


def test_water_only_brightens_and_mud_covers_with_its_brown():
    grey = torch.full((6, 3, 32, 32), 0.5)
    water = spatter(grey, *corruptions.parameters("spatter", 3).values(), seeded()) - grey
    assert float(water.min()) >= 0 and float(water.amax()) == pytest.approx(0.5 * 238 / 255, abs=1e-5)
    brown, numbers = torch.tensor([63, 42, 20]) / 255, corruptions.parameters("spatter", 5).values()
    mud = spatter(grey, *numbers, seeded())
    cover = (0.5 - mud[:, :1]) / (0.5 - brown[0])
    assert bool(((cover.abs() < 1e-5) | (cover > 0.8 - 1e-5)).all()) and 0 < float((cover > 0.8).float().mean()) < 1
    torch.testing.assert_close(mud, 0.5 * (1 - cover) + cover * brown[:, None, None])
    one = spatter(grey[:, :1], *numbers, seeded())
    torch.testing.assert_close(one, 0.5 * (1 - cover) + cover * (brown @ torch.tensor([0.299, 0.587, 0.114])))


# ------------------------------------------------------------------------------------------------------------- digital


@pytest.mark.parametrize("size", [32, 224])
def test_brightness_and_saturation_are_those_of_hsv(size):
    images = pictures(2, height=16, width=16)
    images[0, :, 0, :4] = 0.0
    images[0, :, 1, :4] = 0.5
    for severity in corruptions.SEVERITIES:
        lift = corruptions.parameters("brightness", severity, size)["lift"]
        factor, add = corruptions.parameters("saturate", severity, size).values()
        for image in images:
            hsv = rgb2hsv(as_numpy(image))
            brighter, stronger = hsv.copy(), hsv.copy()
            brighter[..., 2] = np.clip(hsv[..., 2] + lift, 0, 1)
            stronger[..., 1] = np.clip(factor * hsv[..., 1] + add, 0, 1)
            close(digital.brightness(image[None], lift)[0], hsv2rgb(brighter), atol=2e-5)
            close(digital.saturate(image[None], factor, add)[0], hsv2rgb(stronger), atol=2e-5)


def test_grey_has_the_hue_red_when_saturation_is_lifted():
    red = digital.saturate(torch.full((1, 3, 2, 2), 0.5), 2.0, 0.1)[0, :, 0, 0]
    torch.testing.assert_close(red, torch.tensor([0.5, 0.45, 0.45]))


def test_contrast_keeps_the_mean_of_every_channel():
    images = pictures()
    flat = digital.contrast(images, 0.15)
    torch.testing.assert_close(flat.mean((2, 3)), images.mean((2, 3)))
    torch.testing.assert_close(flat.std((2, 3)), 0.15 * images.std((2, 3)))


@pytest.mark.parametrize("alpha, sigma, affine", [(0.0, 0.0, 2.56), (1.6, 6.4, 2.24), (3.2, 0.96, 0.96), (20.0, 40.0, 0.0)])
@pytest.mark.parametrize("height, width", [(32, 32), (24, 37)])
def test_elastic_deformation_follows_scipy_point_by_point(alpha, sigma, affine, height, width):
    images = pictures(2, height=height, width=width)
    ours = digital.elastic_transform(images, alpha, sigma, affine, seeded(5))
    generator = seeded(5)
    moves = (torch.rand(2, 3, 2, generator=generator) * 2 * affine - affine).double().numpy()
    field = (torch.rand(2, 2, height, width, generator=generator) * 2 - 1).double().numpy() if alpha else None
    y, x = np.mgrid[:height, :width].astype(np.float64)
    side, centre = min(height, width) // 3, np.array([width // 2, height // 2])
    points = centre + side * np.array([[1, 1], [1, -1], [-1, -1]])
    for k, image in enumerate(images):
        back = np.linalg.solve(np.c_[points + moves[k], np.ones(3)], points)
        from_x, from_y = np.moveaxis(np.stack([x, y, np.ones_like(x)], -1) @ back, -1, 0)
        channels = [ndimage.map_coordinates(c, [from_y, from_x], order=1, mode="mirror") for c in image.double().numpy()]
        if alpha:
            dx, dy = (alpha * ndimage.gaussian_filter(f, sigma, mode="reflect", truncate=3) for f in field[k])
            channels = [ndimage.map_coordinates(c, [y + dy, x + dx], order=1, mode="reflect") for c in channels]
        close(ours[k], np.stack(channels, -1), atol=2e-4)


def test_the_affine_part_moves_the_three_points_as_opencv_does():
    cv2 = pytest.importorskip("cv2")
    image = pictures(1)
    moves = torch.rand(1, 3, 2, generator=seeded(2)) * 4 - 2
    side, centre = 10, np.float32([16, 16])
    points = np.float32([centre + side, [centre[0] + side, centre[1] - side], centre - side])
    matrix = cv2.getAffineTransform(points, points + moves[0].numpy())
    theirs = cv2.warpAffine(as_numpy(image[0]).astype(np.float32), matrix, (32, 32), borderMode=cv2.BORDER_REFLECT_101)
    ours = digital.elastic_transform(image, 0.0, 0.0, 2.0, seeded(2))
    assert np.abs(as_numpy(ours[0]) - theirs).max() < 0.02  # OpenCV rounds positions to 1/32 pixel


@pytest.mark.parametrize("share", [0.95, 0.9, 0.85, 0.75, 0.65, 0.5, 0.25])
@pytest.mark.parametrize("height, width", [(32, 32), (17, 30), (224, 224), (1, 1)])
def test_pixelation_of_eight_bits_is_that_of_pillow(share, height, width):
    images = torch.randint(0, 256, (2, 3, height, width), generator=seeded(), dtype=torch.uint8)
    small = (max(1, int(width * share)), max(1, int(height * share)))
    for image, ours in zip(images, digital.pixelate(images, share)):
        picture = Image.fromarray(image.permute(1, 2, 0).numpy()).resize(small, Image.Resampling.BOX)
        theirs = np.asarray(picture.resize((width, height), Image.Resampling.BOX))
        np.testing.assert_array_equal(ours.permute(1, 2, 0).numpy(), theirs)


def test_pixelation_of_one_colour_is_the_identity():
    torch.testing.assert_close(digital.pixelate(torch.full((1, 3, 32, 32), 0.3), 0.65), torch.full((1, 3, 32, 32), 0.3))


@pytest.mark.parametrize("severity", corruptions.SEVERITIES)
def test_jpeg_is_that_of_pillow(severity):
    images = pictures(2, dtype=torch.uint8)
    quality = corruptions.parameters("jpeg_compression", severity)["quality"]
    for image, ours in zip(images, corruptions.corrupt(images, "jpeg_compression", severity)):
        file = io.BytesIO()
        Image.fromarray(image.permute(1, 2, 0).numpy()).save(file, "JPEG", quality=quality)
        theirs = np.asarray(Image.open(file)).astype(int)
        assert np.abs(ours.permute(1, 2, 0).numpy().astype(int) - theirs).max() <= 1


# --------------------------------------------------------------------------------------------------- all, through `corrupt`


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("dtype", [torch.float32, torch.uint8, torch.float16])
@pytest.mark.parametrize("channels", [1, 3])
def test_batches_and_single_images_keep_shape_dtype_and_range(name, dtype, channels):
    images = pictures(3, channels, dtype=dtype)
    before = images.clone()
    spoiled = corruptions.corrupt(images, name, 3, seeded())
    single = corruptions.corrupt(images[0], name, 3, seeded())
    assert torch.equal(images, before), "the input was written into"
    assert spoiled.shape == images.shape and single.shape == images[0].shape
    assert spoiled.dtype == single.dtype == dtype
    if dtype != torch.uint8:
        assert bool(torch.isfinite(spoiled).all()) and 0 <= float(spoiled.min()) and float(spoiled.max()) <= 1


@pytest.mark.parametrize("name", EVERY)
def test_the_seed_repeats_and_another_one_differs_where_something_is_drawn(name):
    images = pictures()
    first, again, other = (corruptions.corrupt(images, name, 5, seeded(seed)) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert torch.equal(first, other) == (name not in DRAWN)
    torch.manual_seed(4)
    unseeded = corruptions.corrupt(images, name, 5)
    torch.manual_seed(4)
    assert torch.equal(unseeded, corruptions.corrupt(images, name, 5)), "without a generator: torch's global one"


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (2, 2), (3, 5), (8, 8), (25, 28), (48, 40), (90, 100)])
@pytest.mark.parametrize("severity", [1, 5])
def test_every_size_is_accepted(name, shape, severity):
    spoiled = corruptions.corrupt(pictures(2, height=shape[0], width=shape[1]), name, severity, seeded())
    assert spoiled.shape[2:] == shape and bool(torch.isfinite(spoiled).all())


@pytest.mark.parametrize("name", EVERY)
def test_severity_zero_and_an_empty_batch_come_back_as_they_are(name):
    for images in (pictures(), pictures(dtype=torch.uint8), pictures()[0], torch.zeros(0, 3, 8, 8)):
        assert corruptions.corrupt(images, name, 0) is images
    assert len(corruptions.corrupt(torch.zeros(0, 3, 8, 8), name, 5)) == 0


@pytest.mark.parametrize("name", [name for name in EVERY if name not in ("pixelate", "jpeg_compression", "glass_blur")])
def test_eight_bits_are_cut_not_rounded(name):
    levels = pictures(dtype=torch.uint8)
    as_levels = corruptions.corrupt(levels, name, 2, seeded()).int()
    as_floats = corruptions.corrupt(levels.float() / 255, name, 2, seeded())
    assert torch.equal(as_levels, (as_floats * 255 + 1e-3).floor().int())


def test_one_colour_changes_only_where_colour_or_noise_is_added():
    levels = torch.full((2, 3, 32, 32), 77, dtype=torch.uint8)
    unchanged = {name for name in EVERY if torch.equal(corruptions.corrupt(levels, name, 3, seeded()), levels)}
    assert unchanged == {
        "defocus_blur", "glass_blur", "motion_blur", "zoom_blur", "gaussian_blur",
        "contrast", "elastic_transform", "pixelate", "saturate",
    }  # fmt: skip


@pytest.mark.parametrize("size", [32, 224])
def test_severity_five_is_farther_from_the_picture_than_severity_one(size):
    images = pictures(6, height=size, width=size)
    for name in corruptions.names:
        distance = [float((corruptions.corrupt(images, name, s, seeded()) - images).abs().mean()) for s in (1, 5)]
        falls_by_construction = name == "elastic_transform"  # its affine part shrinks with the severity
        assert distance[1] > distance[0] or falls_by_construction, name


def test_a_batch_above_the_block_is_corrupted_in_parts(monkeypatch):
    from course_utils.augment.corruptions import corrupting

    images = pictures(5)
    whole = corruptions.corrupt(images, "zoom_blur", 3)
    monkeypatch.setattr(corrupting, "BLOCK", 2 * 3 * 32 * 32)
    torch.testing.assert_close(corruptions.corrupt(images, "zoom_blur", 3), whole)
    assert len(corruptions.corrupt(images, "gaussian_noise", 3, seeded()).flatten(1).std(1).unique()) == 5


def test_the_glass_option_reaches_the_glass():
    images = pictures()
    copy, swap = (corruptions.corrupt(images, "glass_blur", 5, seeded(), exchange=e) for e in ("copy", "swap"))
    assert not torch.equal(copy, swap)


def test_the_suite_goes_through_all_copies_and_each_stands_alone():
    images = pictures(2, dtype=torch.uint8)
    copies = list(corruptions.suite(images, seed=3))
    assert [(c.name, c.severity) for c in copies] == [(n, s) for n in corruptions.names for s in corruptions.SEVERITIES]
    alone = next(iter(corruptions.suite(images, 3, only=["snow"], severities=[4])))
    assert torch.equal(alone.images, next(c.images for c in copies if (c.name, c.severity) == ("snow", 4)))
    other = next(iter(corruptions.suite(images, 4, only=["snow"], severities=[4])))
    assert not torch.equal(alone.images, other.images)
    assert torch.equal(
        copies[0].images, corruptions.corrupt(images, *copies[0][:2], corruptions.generator_for(3, *copies[0][:2]))
    )


def test_images_that_are_none_are_refused():
    good = pictures(2)
    for bad, words in [
        (good * 2, "values from .* in image 0"),
        (good - 1, "values in \\[0, 1\\]"),
        (torch.where(torch.arange(2)[:, None, None, None] == 1, torch.nan, good), "NaN in image 1"),
        (good[:, :2], "1 or 3 channels"),
        (good[0, 0], "shape"),
        (torch.zeros(2, 3, 0, 4), "pixel"),
    ]:
        with pytest.raises(ValueError, match=words):
            corruptions.corrupt(bad, "contrast", 1)
        with pytest.raises(ValueError, match=words):
            corruptions.suite(bad, 0)
    for bad in (good.numpy(), good.int()):
        with pytest.raises(TypeError, match="images"):
            corruptions.corrupt(bad, "contrast", 1)


def test_names_severities_and_options_that_do_not_exist_are_refused():
    images = pictures(1)
    with pytest.raises(ValueError, match="photographs of ice"):
        corruptions.corrupt(images, "frost", 1)
    with pytest.raises(ValueError, match="name.*one of.*'fog'"):
        corruptions.suite(images, 0, only=["fogg"])
    for severity in (-1, 6):
        with pytest.raises(ValueError, match="severity"):
            corruptions.corrupt(images, "fog", severity)
    with pytest.raises(TypeError, match="severity"):
        corruptions.corrupt(images, "fog", 2.5)
    with pytest.raises(ValueError, match="severity"):
        corruptions.parameters("fog", 0)
    with pytest.raises(ValueError, match="severities"):
        corruptions.suite(images, 0, severities=[9])
    with pytest.raises(ValueError, match="table"):
        corruptions.corrupt(images, "fog", 1, table=64)
    with pytest.raises(ValueError, match="size"):
        corruptions.parameters("fog", 1, size=0)
    with pytest.raises(ValueError, match="exchange"):
        corruptions.corrupt(images, "glass_blur", 1, exchange="move")
    with pytest.raises(ValueError, match="seed"):
        corruptions.suite(images, -1)


def test_augmentations_that_equal_a_test_are_named_as_this_course_names_them():
    from course_utils import augment

    known = set(augment.__all__)
    named = {transform for c in tables.CORRUPTIONS.values() for transform in c.same_as}
    assert {"GaussianNoise", "JPEGCompression", "Fog"} <= named
    assert named <= known, named - known


# ------------------------------------------------------------------------------------------------------------ the errors


def test_alexnet_measured_by_itself_is_exactly_one_hundred():
    result = corruptions.mean_corruption_error(corruptions.ALEXNET_ERRORS, corruptions.ALEXNET_ERRORS, 0.4, 0.4)
    assert result.mean == 100.0 and result.relative == pytest.approx(100.0)
    assert set(result.per_corruption.values()) == {100.0}


def test_two_corruptions_by_hand():
    errors = {"fog": [0.1, 0.2, 0.3, 0.4, 0.5], "contrast": [0.2, 0.2, 0.2, 0.2, 0.7]}
    baseline = {"fog": [0.6] * 5, "contrast": [0.4] * 5}
    result = corruptions.corruption_error(errors, clean=0.1)
    assert result.per_corruption == pytest.approx({"fog": 0.3, "contrast": 0.3})
    assert result.mean == pytest.approx(0.3) and result.relative == pytest.approx(0.2)
    assert result.per_family == pytest.approx({"weather": 0.3, "digital": 0.3})
    assert result.not_monotone == ()
    mce = corruptions.mean_corruption_error(errors, baseline, clean=0.1, baseline_clean=0.2)
    assert mce.per_corruption == pytest.approx({"fog": 50.0, "contrast": 75.0})
    assert mce.mean == pytest.approx(62.5)
    assert mce.relative == pytest.approx(100 * np.mean([0.2 / 0.4, 0.2 / 0.2]))


def test_a_corruption_counts_by_its_ratio_to_the_baseline_not_by_its_size():
    errors, baseline = {"fog": [0.8] * 5, "contrast": [0.1] * 5}, {"fog": [0.8] * 5, "contrast": [0.2] * 5}
    assert corruptions.mean_corruption_error(errors, baseline).mean == pytest.approx(75.0)


def test_the_ratio_is_of_sums_and_not_a_mean_of_ratios():
    errors, baseline = {"fog": [0.1, 0.1, 0.1, 0.1, 0.1]}, {"fog": [0.01, 0.1, 0.1, 0.1, 0.19]}
    assert corruptions.mean_corruption_error(errors, baseline).mean == pytest.approx(100.0)


def test_the_forms_of_the_errors_are_equivalent():
    rows = {"fog": [0.1, 0.2, 0.3, 0.4, 0.5], "snow": [0.3, 0.2, 0.2, 0.2, 0.2]}
    pairs = {(name, s): rows[name][s - 1] for s in (5, 3, 1, 2, 4) for name in rows}
    a, b = corruptions.corruption_error(rows), corruptions.corruption_error(pairs)
    assert a.per_severity == b.per_severity and a.mean == b.mean and np.isnan(a.relative)
    assert a.not_monotone == ("snow",)
    means = {"fog": 0.3, "snow": 0.22}
    assert corruptions.mean_corruption_error(rows, means).mean == pytest.approx(100.0)


def test_errors_that_do_not_compare_are_refused():
    full = {"fog": [0.1] * 5}
    for bad, words in [
        ({}, "empty"),
        ({"fog": [0.1] * 4}, "five errors"),
        ({("fog", 1): 0.1}, "severities 1 to 5"),
        ({("fog", 1): 0.1, "snow": [0.1] * 5}, "keys of one kind"),
        ({"fog": [0.1, 0.1, np.nan, 0.1, 0.1]}, "finite"),
        ({"fog": [0.1, 0.1, 1.1, 0.1, 0.1]}, "between 0 and 1"),
        ({"fog": [10.0] * 5}, "between 0 and 1"),
    ]:
        with pytest.raises(ValueError, match=words):
            corruptions.corruption_error(bad)
        with pytest.raises(ValueError, match=words):
            corruptions.mean_corruption_error(bad, full)
    with pytest.raises(TypeError, match="mapping"):
        corruptions.corruption_error([0.1] * 5)
    with pytest.raises(ValueError, match="clean"):
        corruptions.corruption_error(full, clean=1.5)
    with pytest.raises(ValueError, match="same corruptions.*frost"):
        corruptions.mean_corruption_error({n: 0.1 for n in corruptions.names}, corruptions.ALEXNET_ERRORS)
    with pytest.raises(ValueError, match="nothing to divide"):
        corruptions.mean_corruption_error(full, {"fog": [0.0] * 5})
    with pytest.raises(ValueError, match="more errors than on clean"):
        corruptions.mean_corruption_error(full, {"fog": [0.1] * 5}, 0.05, 0.1)
    with pytest.raises(ValueError, match="both given"):
        corruptions.mean_corruption_error(full, full, clean=0.1)
