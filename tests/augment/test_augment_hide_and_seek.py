import numpy as np
import pytest
import torch
from scipy import stats
from torchvision.transforms import v2

from course_utils.augment.filling import channel_means
from course_utils.augment.hide_and_seek import HiddenCells, HideAndSeek, hidden_pixels


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def _reference_mask(size, hidden, height, width):
    """Cell by cell, image by image."""
    mask = np.zeros((len(size), height, width), bool)
    for k, side in enumerate(size):
        if side == 0:
            continue
        for a in range(-(-height // side)):
            for b in range(-(-width // side)):
                mask[k, a * side : (a + 1) * side, b * side : (b + 1) * side] = hidden[k, a, b]
    return mask


@pytest.mark.parametrize("shape", [(12, 12), (13, 9), (5, 30), (1, 1)])
@pytest.mark.parametrize("cell_sizes", [(4,), (0, 3, 4, 7), (50,)])
def test_the_cells_are_those_of_a_loop_and_the_border_cuts_the_last_ones(shape, cell_sizes):
    params = HideAndSeek(cell_sizes).sample(40, (3, *shape), seeded())
    expected = _reference_mask(params.cell_sizes.tolist(), params.hidden.numpy(), *shape)
    assert np.array_equal(hidden_pixels(params, *shape)[:, 0].numpy(), expected)


@pytest.mark.parametrize("p_hide", [0.0, 0.3, 0.5, 1.0])
def test_every_cell_has_its_own_coin(p_hide):
    hidden = HideAndSeek((4,), p_hide=p_hide).sample(4000, (3, 16, 16), seeded()).hidden
    assert hidden.shape == (4000, 4, 4)
    assert hidden.double().mean(0).flatten().tolist() == pytest.approx([p_hide] * 16, abs=0.035)
    counts = torch.bincount(hidden.flatten(1).sum(1), minlength=17).numpy()
    expected = stats.binom(16, p_hide).pmf(np.arange(17)) * 4000
    likely = expected > 5
    assert np.abs(counts - expected)[likely].max() < 5 * np.sqrt(expected.max()) and counts[expected < 1e-6].sum() == 0


def test_mixed_sizes_are_equally_likely_and_zero_hides_nothing():
    params = HideAndSeek((0, 4, 8), p_hide=1.0).sample(6000, (3, 16, 16), seeded())
    counts = torch.bincount(params.cell_sizes, minlength=9)[[0, 4, 8]]
    assert stats.chisquare(counts.numpy()).pvalue > 1e-3
    assert torch.equal(hidden_pixels(params, 16, 16).flatten(1).all(1), params.cell_sizes > 0)
    assert torch.equal(hidden_pixels(params, 16, 16).flatten(1).any(1), params.cell_sizes > 0)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
def test_hidden_cells_show_the_mean_pixel_and_the_others_stay(dtype):
    images = torch.rand(20, 3, 12, 12, generator=seeded())
    images = (images * 255).to(dtype) if dtype == torch.uint8 else images
    hide = HideAndSeek((4,), mean=channel_means(images))
    draw = hide.draw(images, seeded(1))
    out, mask = hide.replay(images, draw), hidden_pixels(draw.params, 12, 12).expand(-1, 3, -1, -1)
    assert torch.equal(out[~mask], images[~mask])
    unit = out.double() / (255 if dtype == torch.uint8 else 1)
    for channel, mean in enumerate(hide.mean):
        assert bool(((unit[:, channel][mask[:, channel]] - mean).abs() < 0.003).all())


def test_only_the_mean_leaves_the_expected_first_answer_as_it_is_at_test_time():
    """Independent pixels, one random filter; the oracle of the paper's section 3.3."""
    images = torch.rand(4000, 3, 8, 8, generator=seeded()) ** 2
    weights = torch.randn(1, 3, 3, 3, generator=seeded(1)) + 0.5
    test_time = torch.nn.functional.conv2d(images, weights).flatten(1).mean(1)

    def gap(value):
        hide = HideAndSeek((4,), value=value)
        trained = torch.nn.functional.conv2d(hide.replay(images, hide.draw(images, seeded(2))), weights).flatten(1).mean(1)
        difference = trained - test_time
        return float(difference.mean() / (difference.std() / len(images) ** 0.5))  # in standard errors

    assert abs(gap(channel_means(images))) < 3
    assert abs(gap("black")) > 30 and abs(gap("white")) > 30


def test_nothing_is_hidden_at_test_time():
    hide = HideAndSeek((4,), p_hide=1.0, value="black")
    image = torch.rand(3, 12, 12, generator=seeded())
    pipeline = v2.Compose([hide, v2.Identity()])
    assert not pipeline(image).any()
    hide.eval()
    assert pipeline(image) is image
    out, label = hide(image, 3)
    assert out is image and label == 3
    layers = torch.nn.Sequential(HideAndSeek((4,), p_hide=1.0, value="black"), v2.Identity())
    assert not layers(image).any() and layers.eval()(image) is image


def test_one_draw_for_the_whole_batch_is_possible():
    params = HideAndSeek((2, 4), per="batch").draw(torch.zeros(9, 1, 16, 16), seeded()).params
    assert bool((params.hidden == params.hidden[:1]).all()) and len(params.cell_sizes.unique()) == 1


def test_each_image_of_a_batch_gets_its_own_grid_otherwise():
    hidden = HideAndSeek((4,)).draw(torch.zeros(50, 1, 16, 16), seeded()).params.hidden
    assert len(torch.unique(hidden.flatten(1), dim=0)) > 45


def test_cells_can_be_chosen_by_hand():
    hidden = torch.tensor([[[True, False], [False, True]]])
    mask = hidden_pixels(HiddenCells(torch.tensor([3]), hidden), 5, 4)[0, 0]
    assert mask.int().tolist() == [[1, 1, 1, 0]] * 3 + [[0, 0, 0, 1]] * 2


def test_normalised_images_take_zero_as_the_official_code_does():
    images = torch.randn(6, 3, 8, 8, generator=seeded())
    out = HideAndSeek((4,), value=0.0)(images)
    assert bool(((out == images) | (out == 0)).all()) and bool((out == 0).any())


@pytest.mark.parametrize(
    ("arguments", "kind", "text"),
    [
        ({"cell_sizes": ()}, TypeError, "`cell_sizes` must be a sequence of at least one side"),
        ({"cell_sizes": 4}, TypeError, "`cell_sizes`"),
        ({"cell_sizes": (4, -1)}, ValueError, "`cell_sizes` must be an integer of at least 0"),
        ({"p_hide": 1.2}, ValueError, "`p_hide` must be a finite number between 0 and 1"),
        ({"value": "random"}, ValueError, "`value` must be one of 'mean', 'black', 'white'"),
        ({"value": 7}, ValueError, "`value`"),
        ({"mean": (2.0,)}, ValueError, "`mean`"),
        ({"p": -0.1}, ValueError, "`p`"),
    ],
)
def test_wrong_arguments_are_named(arguments, kind, text):
    with pytest.raises(kind, match=text):
        HideAndSeek(**arguments)
