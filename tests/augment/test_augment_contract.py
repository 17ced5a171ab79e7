"""What every transform promises, whatever it does: run on each entry of ``all_transforms``."""

import copy
import multiprocessing
import pickle

import pytest
import torch
from all_transforms import FACTORIES
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from torchvision import tv_tensors
from torchvision.transforms import v2

NAMES = sorted(FACTORIES)
pytestmark = pytest.mark.parametrize("name", NAMES)


def pictures(*shape, dtype=torch.float32, seed=0):
    floats = torch.rand(*shape, generator=torch.Generator().manual_seed(seed))
    return floats if dtype == torch.float32 else (floats * 255).to(dtype)


def example(height=12, width=16):
    """Return one picture with two boxes (one leaves the frame), their masks, and three key points."""
    boxes = torch.tensor([[2.0, 3.0, 9.0, 8.0], [-4.0, 5.0, 6.0, height + 5.0]])
    masks = torch.zeros(2, height, width, dtype=torch.uint8)
    masks[0, 3:8, 2:9] = 1
    masks[1, 5:, :6] = 1
    size = (height, width)
    return {
        "image": tv_tensors.Image(pictures(3, height, width)),
        "boxes": tv_tensors.BoundingBoxes(boxes, format="XYXY", canvas_size=size),
        "masks": tv_tensors.Mask(masks),
        "points": tv_tensors.KeyPoints(torch.tensor([[2.5, 3.5], [8.5, 7.5], [-3.0, 20.0]]), canvas_size=size),
        "label": torch.tensor(4),
    }


class Pictures(Dataset):
    def __init__(self, transform):
        self.transform = transform

    def __len__(self):
        return 6

    def __getitem__(self, index):
        return self.transform(pictures(3, 12, 16, seed=index))


def called(transform, *inputs, seed=0):
    torch.manual_seed(seed)
    return transform(*inputs)


@pytest.mark.parametrize("dtype", [torch.float32, torch.uint8])
@pytest.mark.parametrize("channels", [1, 3])
def test_batches_and_single_images_keep_their_kind(name, dtype, channels):
    transform, images = FACTORIES[name](), pictures(4, channels, 12, 16, dtype=dtype)
    before = images.clone()
    batch, single = called(transform, images), called(transform, images[0])
    assert torch.equal(images, before), "the input was written into"
    assert batch.dtype == single.dtype == dtype
    assert batch.ndim == 4 and len(batch) == 4 and single.ndim == 3
    assert batch.shape[1:] == single.shape and batch.shape[1] == channels
    if dtype == torch.float32:
        assert bool(torch.isfinite(batch).all()) and float(batch.min()) >= 0 and float(batch.max()) <= 1


def test_the_seed_repeats_and_another_seed_differs_or_nothing_is_drawn(name):
    images = pictures(6, 3, 12, 16)
    first, second = called(FACTORIES[name](), images), called(FACTORIES[name](), images)
    assert torch.equal(first, second)
    state = torch.Generator().manual_seed(7)
    transform = FACTORIES[name]()
    draw = transform.draw(images, state)
    assert torch.equal(transform.replay(images, draw), transform.replay(images, draw))


@pytest.mark.parametrize("dtype", [torch.float32, torch.uint8])
@pytest.mark.parametrize("shape", [(5, 3, 12, 16), (3, 12, 16)])
def test_a_plain_tensor_takes_a_shorter_way_to_the_same_result(name, dtype, shape):
    images = pictures(*shape, dtype=dtype)
    marked = called(FACTORIES[name](), {"image": tv_tensors.Image(images)})["image"]
    plain = called(FACTORIES[name](), images)
    assert type(plain) is Tensor and torch.equal(plain, marked.as_subclass(Tensor))


@pytest.mark.parametrize("dtype", [torch.float32, torch.uint8])
def test_one_pixel_and_no_image_are_images_too(name, dtype):
    transform = FACTORIES[name]()
    assert called(transform, pictures(2, 3, 1, 1, dtype=dtype)).dtype == dtype
    empty = called(transform, pictures(0, 3, 12, 16, dtype=dtype))
    assert len(empty) == 0 and empty.ndim == 4


@pytest.mark.parametrize("height", [1, 2, 3, 5])
def test_thin_images_are_images_too(name, height):
    out = called(FACTORIES[name](), pictures(2, 3, height, 7))
    assert bool(torch.isfinite(out).all())


@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
def test_an_image_of_one_colour_gives_no_nan(name, value):
    assert bool(torch.isfinite(called(FACTORIES[name](), torch.full((2, 3, 12, 16), value))).all())


def test_targets_come_back_as_what_they_were(name):
    sample = example()
    before = copy.deepcopy(sample)
    out = called(v2.Compose([FACTORIES[name](), v2.Identity()]), sample)
    assert all(torch.equal(sample[key], before[key]) for key in sample), "a target was written into"
    assert out["label"] is sample["label"]
    size = tuple(out["image"].shape[-2:])
    for key in ("image", "boxes", "masks", "points"):
        assert type(out[key]) is type(sample[key]), key
    assert tuple(out["boxes"].canvas_size) == tuple(out["points"].canvas_size) == tuple(out["masks"].shape[-2:]) == size
    assert out["boxes"].ndim == 2 and out["boxes"].shape[1] == 4 and out["points"].shape[-1] == 2
    assert out["masks"].dtype == torch.uint8
    boxes = out["boxes"].as_subclass(Tensor)
    assert bool((boxes[:, 2:] >= boxes[:, :2]).all())


def test_a_batch_and_its_images_agree_about_targets(name):
    """The list form for detectors: as many boxes, masks and key points as images."""
    samples = [example() for _ in range(3)]
    images = torch.stack([s["image"].as_subclass(Tensor) for s in samples])
    targets = [{key: s[key] for key in ("boxes", "masks", "points")} for s in samples]
    out, moved = called(FACTORIES[name](), images, targets)
    assert len(moved) == len(out) == 3
    for target in moved:
        assert tuple(target["masks"].shape[-2:]) == tuple(out.shape[-2:])


def test_it_travels_to_data_loader_workers(name):
    transform = pickle.loads(pickle.dumps(FACTORIES[name]()))
    context = multiprocessing.get_context("fork")
    torch.manual_seed(0)
    loader = DataLoader(Pictures(transform), batch_size=2, num_workers=2, multiprocessing_context=context)
    batches = list(loader)
    assert len(batches) == 3 and all(len(batch) == 2 for batch in batches)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_it_runs_on_a_gpu(name):
    images = pictures(4, 3, 12, 16)
    transform = FACTORIES[name]()
    out = called(transform, images.cuda())
    assert out.is_cuda and bool(torch.isfinite(out).all())
