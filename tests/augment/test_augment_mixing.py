"""The core of all mixers: plans, partners, labels, masks, and what is refused."""

import pickle

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.data import DataLoader, TensorDataset, default_collate
from torchvision import tv_tensors
from torchvision.transforms import v2

from course_utils.augment import mixing
from course_utils.augment.mixing import MixDraw, Mixer, MixPlan, label_mass_error, soft_labels
from course_utils.augment.mixup import Lambda, MixUp, SamplePairing
from course_utils.augment.ways_of_mixing import MixedExample


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


class Stripes(Mixer):
    """Three images in turns, row by row: a mixer of the tests with more than two images."""

    n_images = 3

    def sample(self, n, shape, generator=None, device=None):
        return Lambda(torch.rand(n, generator=generator, device=device))

    def shares(self, params, shape):
        row = (torch.arange(shape[1]) + (3 * params.lam[:, None]).long()) % 3  # (n, H)
        return (row[:, None, None, :, None] == torch.arange(2)[:, None, None, None]).expand(-1, 2, 1, shape[1], shape[2])


class Thirds(Stripes):
    """Three images blended."""

    def shares(self, params, shape):
        lam = params.lam[:, None, None, None, None]
        return torch.cat([lam / 2, (1 - lam) / 3], dim=1)


class Backwards(Stripes):
    """As above, but the second image is read upside down."""

    def origins(self, params, shape):
        places = torch.arange(shape[1] * shape[2]).view(shape[1:])
        return torch.stack([places, places.flip(0), places]).expand(len(params.lam), -1, -1, -1)


# --- plans


@pytest.mark.parametrize("mixer", [Stripes, Thirds, Backwards])
def test_three_images_are_put_together_as_the_formula_says(mixer):
    images = torch.rand(5, 2, 6, 4, generator=generator(), dtype=torch.float64)
    drawn = mixer(num_classes=5).draw(images, generator(1))
    plan = drawn.plan
    expected = torch.zeros_like(images)
    last = 1 - plan.shares.double().sum(1, keepdim=True)
    shares = torch.cat([plan.shares.double(), last], dim=1).expand(5, 3, 1, 6, 4)
    for i in range(5):
        for j in range(3):
            source = images[plan.partners[i, j]]
            if plan.origins is not None:
                source = source.flatten(1)[:, plan.origins[i, j].flatten()].view(2, 6, 4)
            expected[i] += shares[i, j] * source
    torch.testing.assert_close(plan.images(images), expected, atol=1e-6, rtol=0)
    torch.testing.assert_close(plan.weights.double(), shares.mean((2, 3, 4)), atol=1e-6, rtol=0)


@pytest.mark.parametrize("mixer", [Stripes, Thirds, MixUp])
@pytest.mark.parametrize("size", [(9, 12), (5, 5), (1, 7)])
@pytest.mark.parametrize("per", ["sample", "batch"])
@pytest.mark.parametrize("pairing", ["ring", "permutation"])
def test_the_label_is_what_the_image_holds(mixer, size, per, pairing):
    torch.manual_seed(0)
    one = mixer(num_classes=6, p=0.7, per=per, pairing=pairing)
    assert max(label_mass_error(one, size=size) for _ in range(20)) < 1e-6


def test_weights_of_a_mask_in_float64_are_in_float64():
    plan = MixPlan(torch.tensor([[0, 1]]), torch.full((1, 1, 1, 2, 2), 0.3, dtype=torch.float64))
    assert plan.weights.dtype == torch.float64 and len(plan) == 1


def test_uint8_is_rounded_and_not_cut_off():
    images = torch.tensor([0, 255], dtype=torch.uint8)[:, None, None, None].expand(2, 1, 1, 1)
    plan = MixPlan(torch.tensor([[0, 1]]), torch.full((1, 1, 1, 1, 1), 0.499))
    assert plan.images(images).item() == 128  # 127.755
    assert plan.images(images).dtype == torch.uint8


def test_the_gradient_of_a_mask_reaches_every_image_that_it_shows():
    images = torch.rand(4, 1, 6, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: Thirds(num_classes=4).draw(x, generator(3)).plan.images(x), images)
    assert torch.autograd.gradcheck(lambda x: Backwards(num_classes=4).draw(x, generator(3)).plan.images(x), images)


# --- partners


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 12), st.integers(0, 10_000))
def test_in_a_ring_nobody_meets_itself_and_everybody_is_met_once(n, seed):
    partners = Stripes(num_classes=2).draw(torch.zeros(n, 1, 2, 2), generator(seed)).plan.partners
    assert torch.equal(partners[:, 0], torch.arange(n))
    assert torch.equal(partners[:, 1].sort().values, torch.arange(n))
    assert (partners[:, 1] != partners[:, 0]).all()
    if n > 2:
        assert (partners[:, 2] != partners[:, 0]).all() and (partners[:, 2] != partners[:, 1]).all()


def test_every_partner_is_as_likely_as_every_other():
    counts = torch.zeros(5, 5)
    for seed in range(3000):
        partners = MixUp(num_classes=2).draw(torch.zeros(5, 1, 1, 1), generator(seed)).plan.partners
        counts[torch.arange(5), partners[:, 1]] += 1
    expected = 3000 / 4
    off_diagonal = counts[~torch.eye(5, dtype=torch.bool)]
    assert counts.diagonal().sum() == 0 and (off_diagonal - expected).abs().max() < 5 * (expected * 0.75) ** 0.5


def test_a_permutation_has_one_fixed_point_on_average():
    mixer = MixUp(num_classes=2, pairing="permutation")
    fixed = [
        int((mixer.draw(torch.zeros(8, 1, 1, 1), generator(seed)).plan.partners[:, 1] == torch.arange(8)).sum())
        for seed in range(2000)
    ]
    assert np.mean(fixed) == pytest.approx(1, abs=0.12)


def test_an_image_that_meets_itself_stays_and_keeps_its_label():
    images = torch.rand(3, 2, 4, 4, generator=generator())
    itself = torch.arange(3)[:, None].expand(3, 2)
    mixer = MixUp(num_classes=3)
    drawn = MixDraw(torch.ones(3, dtype=torch.bool), mixer.plan(itself, Lambda(torch.tensor([0.1, 0.5, 0.9])), (2, 4, 4)))
    torch.testing.assert_close(mixer.replay(images, drawn), images)
    torch.testing.assert_close(mixer.replay_labels(itself[:, 0], drawn), torch.eye(3))


@pytest.mark.parametrize("pairing", ["ring", "permutation"])
def test_with_one_lambda_the_batch_holds_every_class_as_often_as_before(pairing):
    images, labels = torch.rand(12, 1, 2, 2), torch.tensor([0] * 6 + [1] * 4 + [2] * 2)
    _, soft = MixUp(num_classes=3, per="batch", pairing=pairing)(images, labels)
    torch.testing.assert_close(soft.sum(0), torch.tensor([6.0, 4.0, 2.0]))


# --- p, mode, replay


def test_the_probability_decides_for_each_image():
    images = torch.rand(4000, 1, 1, 1)
    active = MixUp(num_classes=2, p=0.3).draw(images, generator()).active
    assert float(active.float().mean()) == pytest.approx(0.3, abs=0.035)
    shared = [bool(MixUp(num_classes=2, p=0.3, per="batch").draw(images[:5], generator(s)).active.all()) for s in range(1000)]
    assert np.mean(shared) == pytest.approx(0.3, abs=0.07)
    one = MixUp(num_classes=2, p=0.3, per="batch").draw(images[:5], generator(0)).active
    assert one.all() or not one.any()


def test_images_that_are_not_mixed_come_back_bit_by_bit_with_their_label():
    images, labels = torch.rand(40, 2, 3, 3, generator=generator()), torch.arange(40) % 4
    mixer = MixUp(num_classes=4, p=0.5)
    drawn = mixer.draw(images, generator(1))
    assert 5 < int(drawn.active.sum()) < 35
    assert torch.equal(mixer.replay(images, drawn)[~drawn.active], images[~drawn.active])
    assert torch.equal(mixer.replay_labels(labels, drawn)[~drawn.active], torch.eye(4)[labels][~drawn.active])


@pytest.mark.parametrize("mixer", [MixUp(num_classes=3), SamplePairing(num_classes=3), Stripes(num_classes=3)])
def test_at_test_time_nothing_is_mixed(mixer):
    images, labels = torch.rand(6, 2, 3, 3), torch.arange(6) % 3
    mixer.eval()
    mixed, soft = mixer(images, labels)
    mixer.train()
    assert torch.equal(mixed, images) and torch.equal(soft, torch.eye(3)[labels])


def test_a_draw_can_be_replayed_and_the_inputs_are_left_alone():
    images, labels = torch.rand(7, 2, 3, 3), torch.arange(7) % 3
    before = images.clone()
    mixer = MixUp(num_classes=3, p=0.5)
    drawn = mixer.draw(images, generator(4))
    assert torch.equal(mixer.replay(images, drawn), mixer.replay(images, drawn))
    mixer(images, labels)
    assert torch.equal(images, before)


def test_a_batch_of_one_has_no_partner():
    image = torch.rand(1, 3, 4, 4)
    mixed, soft = Stripes(num_classes=3)(image, torch.tensor([1]))
    assert torch.equal(mixed, image) and torch.equal(soft, torch.eye(3)[[1]])


# --- labels


def test_labels_become_probabilities_and_soft_ones_stay():
    assert torch.equal(soft_labels(torch.tensor([1, 0], dtype=torch.uint8), 2), torch.tensor([[0.0, 1.0], [1.0, 0.0]]))
    soft = torch.tensor([[0.25, 0.75]], dtype=torch.float64)
    assert soft_labels(soft) is soft and soft_labels(torch.tensor([[0, 1]])).dtype == torch.float32


def test_soft_labels_are_mixed_as_they_are():
    images, soft = torch.rand(4, 1, 2, 2), torch.softmax(torch.randn(4, 3, generator=generator()), 1)
    mixer = MixUp(num_classes=3)
    drawn = mixer.draw(images, generator(2))
    lam = drawn.plan.weights[:, :1]
    torch.testing.assert_close(mixer.replay_labels(soft, drawn), lam * soft + (1 - lam) * soft[drawn.plan.partners[:, 1]])


@pytest.mark.parametrize(
    ("labels", "n", "error", "text"),
    [
        (torch.tensor([0, 5]), 3, ValueError, "from 0 to 2, but got 5 for image 1"),
        (torch.tensor([0, -1]), 3, ValueError, "-1 for image 1"),
        (torch.tensor([0, 1]), None, ValueError, "`num_classes` must be given"),
        (torch.tensor([0.5, 1.2]), 3, TypeError, "linear"),
        (torch.tensor([[0.5, 0.2]]), 2, ValueError, "sum 0.7"),
        (torch.tensor([[1.5, -0.5]]), 2, ValueError, "not negative"),
        (torch.tensor([[torch.nan, 1.0]]), 2, ValueError, "nan"),
        (torch.tensor([[1.0, 1.0]]), 2, ValueError, "several classes at once"),
        (torch.tensor([[1.0, 0.0]]), 3, ValueError, r"shape \(B, 3\)"),
        (torch.tensor([True, False]), 2, TypeError, "dtype torch.bool"),
        (torch.zeros(2, 2, 2), 2, TypeError, "shape"),
        ([0, 1], 2, TypeError, "list"),
    ],
)
def test_labels_that_must_not_be_mixed_are_refused(labels, n, error, text):
    with pytest.raises(error, match=text):
        soft_labels(labels, n)


# --- class masks and other targets


def test_class_masks_are_cut_as_the_images_are():
    images = torch.rand(5, 3, 6, 4, generator=generator())
    masks = tv_tensors.Mask(images[:, 0] * 100)  # a mask that says which pixel it belongs to
    torch.manual_seed(2)
    mixed, _, cut = Backwards(num_classes=5)(images, torch.arange(5), masks)
    assert isinstance(cut, tv_tensors.Mask)
    torch.testing.assert_close(cut.as_subclass(torch.Tensor), mixed[:, 0] * 100)
    torch.manual_seed(2)
    _, _, deep = Backwards(num_classes=5)(images, torch.arange(5), tv_tensors.Mask(masks[:, None]))
    assert torch.equal(deep[:, 0], cut)


@pytest.mark.parametrize("mixer", [MixUp(num_classes=2), MixedExample("random_elements", num_classes=2)])
def test_class_masks_are_not_blended(mixer):
    images, masks = torch.rand(4, 2, 3, 3), tv_tensors.Mask(torch.zeros(4, 3, 3, dtype=torch.long))
    with pytest.raises(ValueError, match="one-hot masks"):
        mixer(images, torch.zeros(4, dtype=torch.long), masks)


@pytest.mark.parametrize(
    ("inputs", "error", "text"),
    [
        (
            lambda x, y: (x, y, tv_tensors.BoundingBoxes(torch.zeros(1, 4), format="XYXY", canvas_size=(3, 3))),
            TypeError,
            "Mosaic",
        ),
        (lambda x, y: (x, y, tv_tensors.KeyPoints(torch.zeros(1, 2), canvas_size=(3, 3))), TypeError, "KeyPoints"),
        (lambda x, y: (x[0], y), TypeError, "no partner"),
        (lambda x, y: (x,), TypeError, "1 inputs"),
        (lambda x, y: (x, y[:2]), ValueError, "one for each of the 4 images"),
        (lambda x, y: (x.long(), y), TypeError, "uint8 or floating"),
        (lambda x, y: (x[:, :0], y), ValueError, "at least one channel"),
        (lambda x, y: (x, y, tv_tensors.Mask(torch.zeros(4, 2, 2))), ValueError, "`masks` must be shape"),
        (lambda x, y: (torch.where(x == x[1, 0, 0, 0], torch.inf, x), y), ValueError, "infinity in image 1"),
        (lambda x, y: (torch.where(x == x[3, 1, 2, 0], torch.nan, x), y), ValueError, "NaN or infinity in image 3"),
    ],
)
def test_inputs_that_do_not_fit_are_refused(inputs, error, text):
    images, labels = torch.rand(4, 2, 3, 3, generator=generator()), torch.tensor([0, 1, 1, 0])
    with pytest.raises(error, match=text):
        MixUp(num_classes=2)(*inputs(images, labels))


def test_large_finite_values_are_not_taken_for_infinity():
    mixing.check_finite(torch.full((4, 1, 2, 2), 3e38))
    mixing.check_finite(torch.full((4, 1, 2, 2), 6e4, dtype=torch.float16))


def test_wrong_arguments_are_named():
    for arguments, text in (
        ({"p": 2}, "`p`"),
        ({"per": "image"}, "`per`"),
        ({"pairing": "roll"}, "`pairing`"),
        ({"num_classes": 0}, "`num_classes`"),
    ):
        with pytest.raises(ValueError, match=text):
            MixUp(**arguments)


# --- the protocol of torchvision


def test_it_takes_lists_image_tensors_and_compositions():
    images, labels = tv_tensors.Image(torch.rand(4, 2, 3, 3)), torch.arange(4)
    mixed, soft = v2.Compose([v2.Identity(), MixUp(num_classes=4)])([images, labels])
    assert isinstance(mixed, tv_tensors.Image) and soft.shape == (4, 4)


def test_it_works_in_the_collate_function_of_a_loader():
    mixer = MixUp(num_classes=5)
    data = TensorDataset(torch.rand(20, 2, 3, 3), torch.arange(20) % 5)
    loader = DataLoader(data, batch_size=8, collate_fn=lambda batch: mixer(*default_collate(batch)))
    shapes = [(tuple(x.shape), tuple(y.shape)) for x, y in loader]
    assert shapes == [((8, 2, 3, 3), (8, 5))] * 2 + [((4, 2, 3, 3), (4, 5))]


def test_a_mixer_is_pickled_with_its_settings():
    twin = pickle.loads(pickle.dumps(MixUp(0.4, num_classes=3, p=0.2, per="batch")))
    assert repr(twin) == repr(MixUp(0.4, num_classes=3, p=0.2, per="batch"))


# --- the oracle itself


@pytest.mark.parametrize(
    ("wrong", "least"),
    [
        (lambda x, y: (x.roll(1, 0), torch.eye(6)[y]), 0.99),
        (lambda x, y: (0.7 * x + 0.3 * x.roll(1, 0), 0.3 * torch.eye(6)[y] + 0.7 * torch.eye(6)[y.roll(1)]), 0.39),
        (lambda x, y: (0.7 * x + 0.3 * x.roll(1, 0), 0.7 * torch.eye(6)[y] + 0.3 * torch.eye(6)[y.roll(2)]), 0.29),
    ],
)
def test_wrong_labels_have_a_mass_error(wrong, least):
    assert label_mass_error(wrong) > least
