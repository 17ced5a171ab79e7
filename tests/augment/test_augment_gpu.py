"""Everything of ``course_utils.augment`` on a graphics card: the same numbers give the same images as on the processor.

Needs torch, torchvision, NumPy, SciPy, lazy_loader and pytest; skipped where there is no card.
"""

from dataclasses import fields, is_dataclass, replace

import pytest
import torch
from all_transforms import FACTORIES
from torch import nn
from torchvision import tv_tensors

from course_utils.augment import calibration_null, corruptions, expected_calibration_error, fit_temperature

DEVICE = "cuda"
NAMES = sorted(FACTORIES)
CORRUPTIONS = (*corruptions.names, *corruptions.validation_names)
DRAWS_ITS_NOISE_ON_THE_DEVICE = ("ISONoise", "ISONoise, HLS")
"""Their parameters are seeds, and a seed stands for other noise on another kind of device."""

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")


def pictures(dtype=torch.float32, n=6, height=40, width=56):
    """Smooth pictures with noise, in multiples of 1/255: exact in every dtype that a decoder returns."""
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand(n, 3, 6, 6, generator=generator)
    smooth = nn.functional.interpolate(coarse, size=(height, width), mode="bilinear")
    levels = (smooth * 235 + torch.rand(n, 3, height, width, generator=generator) * 20).to(torch.uint8)
    return levels if dtype == torch.uint8 else (levels.float() / 255).to(dtype)


def moved(value, device):
    """Return parameters with every tensor in them on the device."""
    if isinstance(value, torch.Tensor):
        return value.to(device)
    if is_dataclass(value):
        return replace(value, **{f.name: moved(getattr(value, f.name), device) for f in fields(value) if f.init})
    if isinstance(value, (list, tuple)) and not hasattr(value, "_fields"):
        return type(value)(moved(part, device) for part in value)
    return value


def drawn(name, images, seed=1):
    transform = FACTORIES[name]()
    return transform, transform.draw(images, torch.Generator().manual_seed(seed))


def assert_nearly_all_equal(there, here, step):
    """Within 1e-4; where a value is rounded to a level on the way, one pixel in a hundred may fall on the other side."""
    assert there.shape == here.shape and there.dtype == here.dtype
    distance = (there.cpu().double() - here.double()).abs()
    assert float((distance > step).double().mean()) < 0.01, f"{float(distance.max()):.4g} at most"


@pytest.mark.parametrize("name", [name for name in NAMES if name not in DRAWS_ITS_NOISE_ON_THE_DEVICE])
@pytest.mark.parametrize("dtype", [torch.float32, torch.uint8])
def test_the_same_numbers_give_the_same_images(name, dtype):
    images = pictures(dtype)
    transform, draw = drawn(name, images)
    there = transform.replay(images.to(DEVICE), moved(draw, DEVICE))
    assert there.device.type == DEVICE
    assert_nearly_all_equal(there, transform.replay(images, draw), 1e-4 if dtype == torch.float32 else 1)


@pytest.mark.parametrize("name", NAMES)
def test_numbers_drawn_on_the_device_repeat_with_its_generator(name):
    images, transform = pictures().to(DEVICE), FACTORIES[name]()
    first, second = (transform.replay(images, transform.draw(images, torch.Generator(DEVICE).manual_seed(3))) for _ in range(2))
    assert first.device.type == DEVICE and bool(torch.isfinite(first).all())
    torch.testing.assert_close(first, second, atol=1e-4, rtol=0)  # sums on a card have no fixed order


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_goes_in_and_comes_out(name, dtype):
    images = pictures(dtype).to(DEVICE)
    transform = FACTORIES[name]()
    draw = transform.draw(images, torch.Generator(DEVICE).manual_seed(3))
    half = transform.replay(images, draw)
    assert half.dtype == dtype and bool(torch.isfinite(half).all())
    assert 0 <= float(half.min()) and float(half.max()) <= 1
    single = transform.replay(images.float(), draw)
    assert_nearly_all_equal(half.float(), single.cpu(), torch.finfo(dtype).eps)


@pytest.mark.parametrize("name", NAMES)
def test_targets_stay_on_the_device_and_move_as_on_the_processor(name):
    here = example("cpu")
    transform, draw = drawn(name, here["image"][None].as_subclass(torch.Tensor))
    there = example(DEVICE)
    params = {"shape": (1, 3, 40, 56), "counts": {kind: 1 for kind in map(type, here.values())}}
    for key in ("boxes", "masks", "points"):
        on_cpu = transform.transform(here[key], {**params, "draw": draw, "seen": {type(here[key]): 0}})
        on_device = transform.transform(there[key], {**params, "draw": moved(draw, DEVICE), "seen": {type(here[key]): 0}})
        assert on_device.device.type == DEVICE and type(on_device) is type(on_cpu)
        assert_nearly_all_equal(on_device.as_subclass(torch.Tensor), on_cpu.as_subclass(torch.Tensor), 1e-3)


def example(device):
    size = (40, 56)
    masks = torch.zeros(1, *size, dtype=torch.uint8)
    masks[0, 10:30, 8:40] = 1
    boxes, points = torch.tensor([[8.0, 10.0, 40.0, 30.0]]), torch.tensor([[9.5, 11.5], [39.5, 29.5]])
    return {
        "image": tv_tensors.Image(pictures(n=1)[0].to(device)),
        "boxes": tv_tensors.BoundingBoxes(boxes.to(device), format="XYXY", canvas_size=size),
        "masks": tv_tensors.Mask(masks.to(device)),
        "points": tv_tensors.KeyPoints(points.to(device), canvas_size=size),
    }


@pytest.mark.parametrize("name", CORRUPTIONS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.uint8])
def test_corruptions_with_a_generator_of_the_processor_are_the_same_everywhere(name, dtype):
    images = pictures(dtype, height=32, width=32)
    here = corruptions.corrupt(images, name, 4, torch.Generator().manual_seed(0))
    there = corruptions.corrupt(images.to(DEVICE), name, 4, torch.Generator().manual_seed(0))
    assert there.device.type == DEVICE
    assert_nearly_all_equal(there, here, {torch.float32: 1e-4, torch.float16: 2e-3, torch.uint8: 1}[dtype])


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_corruptions_draw_on_the_device_too(name):
    images = pictures(height=32, width=32).to(DEVICE)
    for generator in (None, torch.Generator(DEVICE).manual_seed(0)):
        assert bool(torch.isfinite(corruptions.corrupt(images, name, 5, generator)).all())


def test_calibration_takes_tensors_from_the_device():
    logits = 3 * torch.randn(200, 5, generator=torch.Generator().manual_seed(0))
    labels = torch.arange(200) % 5
    here, there = ((x.softmax(1), y) for x, y in ((logits, labels), (logits.to(DEVICE), labels.to(DEVICE))))
    assert expected_calibration_error(*there).nll == pytest.approx(expected_calibration_error(*here).nll, abs=1e-5)
    assert calibration_null(there[0], random_state=0).mean == pytest.approx(
        calibration_null(here[0], random_state=0).mean, abs=1e-4
    )
    on_device, on_cpu = fit_temperature(logits.to(DEVICE), labels.to(DEVICE)), fit_temperature(logits, labels)
    assert on_device.temperature == pytest.approx(on_cpu.temperature, rel=1e-6)
