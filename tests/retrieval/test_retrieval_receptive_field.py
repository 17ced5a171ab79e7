"""The receptive field by recursion against the gradient probe, published numbers, and the networks of the course."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import nn
from torchvision import models, ops

from course_utils.retrieval import ReceptiveField, gradient_shares, probe_receptive_field, receptive_field
from course_utils.training import OrientedBackbone, SmallCNN


def numbers(field):
    return field.size, field.stride, field.padding


def thin_vgg(config):
    """VGG's layers with an eighth of its channels: the field does not depend on their number."""
    return models.vgg.make_layers([c if c == "M" else c // 8 for c in models.vgg.cfgs[config]], batch_norm=False)


def slim_resnet(blocks):
    """ResNet-50's windows with the strides of TF-slim: in the LAST unit of a block, not in the first."""
    layers = [nn.Conv2d(3, 2, 7, stride=2, padding=3), nn.MaxPool2d(3, stride=2, padding=1)]
    for n_units, stride in blocks:
        for unit in range(n_units):
            s = stride if unit == n_units - 1 else 1
            layers += [nn.Conv2d(2, 2, 1), nn.Conv2d(2, 2, 3, stride=s, padding=1), nn.ReLU(), nn.Conv2d(2, 2, 1)]
    return nn.Sequential(*layers)


# ---------------------------------------------------------------------------------------------- published numbers


def test_resnet50_of_torchvision_has_267_16_133_by_recursion_and_by_gradient():
    network = models.resnet50()
    assert numbers(receptive_field(network, "layer3")) == (267, 16, 133)
    assert numbers(probe_receptive_field(network, "layer3", size=352)) == (267, 16, 133)


def test_vgg16_conv5_3_has_196_16_90_by_recursion_and_by_gradient():
    layers = thin_vgg("D")
    assert isinstance(layers[28], nn.Conv2d)
    assert numbers(receptive_field(layers, "28")) == (196, 16, 90)
    assert receptive_field(layers, layers[28]) == receptive_field(layers[:29])
    assert numbers(probe_receptive_field(layers, "28")) == (196, 16, 90)


def test_tf_slim_resnet50_has_the_numbers_of_the_official_delf_code():
    block3, block4 = [(3, 2), (4, 2), (6, 2)], [(3, 2), (4, 2), (6, 2), (3, 1)]
    assert numbers(receptive_field(slim_resnet(block3))) == (291, 32, 145)
    assert numbers(receptive_field(slim_resnet(block4))) == (483, 32, 241)


@pytest.mark.parametrize(
    ("network", "layer", "published"),
    [(models.densenet121, "features", 2071), (models.inception_v3, "Mixed_7c", 1311), (models.mobilenet_v2, "features", 491)],
)
def test_fields_published_by_araujo_and_others(network, layer, published):
    options = {"init_weights": False} if network is models.inception_v3 else {}
    assert receptive_field(network(**options), layer).size == published


# ---------------------------------------------------------------------------------------------- recursion and probe


@pytest.mark.parametrize("network", [OrientedBackbone(4, n_free=1, width=14), SmallCNN(4)], ids=["OrientedBackbone", "SmallCNN"])
def test_the_networks_of_the_course_agree_with_the_probe(network):
    assert receptive_field(network) == probe_receptive_field(network)


def test_the_oriented_backbone_counts_its_pooling_and_its_contrast_window():
    # conv 5, pool 2, conv 3, pool 2, contrast 3, conv 3: 1 + 4 + 1 + 2*2 + 2 + 4*2 + 4*2
    field = receptive_field(OrientedBackbone(4))
    assert numbers(field) == (28, 4, 2 + 2 * 1 + 4 * 1 + 4 * 1)
    assert field.statistics == ("mean",)  # the floor of the contrast, an average over the image


class Branches(nn.Module):
    """A residual block whose long branch is a random stack, with functional and in-place calls."""

    def __init__(self, kernel, dilation):
        super().__init__()
        self.long = nn.Conv2d(3, 3, kernel, padding=dilation * (kernel // 2), dilation=dilation)
        self.short = nn.Conv2d(3, 3, 3, padding=1)

    def forward(self, x):
        out = F.relu_(self.long(x))
        out += self.short(x)
        return torch.cat([out, x], 1)[:, 1:4]


layer = st.one_of(
    st.tuples(st.just("conv"), st.integers(1, 5), st.integers(1, 2), st.integers(0, 2), st.integers(1, 2)),
    st.tuples(st.just("max"), st.integers(2, 3), st.integers(1, 2), st.integers(0, 1), st.just(1)),
    st.tuples(st.just("avg"), st.integers(2, 3), st.integers(1, 2), st.integers(0, 1), st.just(1)),
    st.tuples(st.just("branches"), st.sampled_from([1, 3, 5]), st.just(1), st.just(0), st.integers(1, 2)),
    st.tuples(st.just("replicate"), st.sampled_from([3, 5]), st.integers(1, 2), st.integers(0, 2), st.just(1)),
)


def built(layers):
    made = []
    for kind, k, s, p, d in layers:
        made += {
            "conv": lambda k=k, s=s, p=p, d=d: [nn.Conv2d(3, 3, k, s, p, d), nn.BatchNorm2d(3), nn.ReLU(inplace=True)],
            "max": lambda k=k, s=s, p=p: [nn.MaxPool2d(k, s, p)],
            "avg": lambda k=k, s=s, p=p: [nn.AvgPool2d(k, s, p)],
            "branches": lambda k=k, d=d: [Branches(k, d)],
            "replicate": lambda k=k, s=s, p=p: [nn.Conv2d(3, 3, k, s, p, padding_mode="replicate"), nn.ReLU()],
        }[kind]()
    return nn.Sequential(*made)


@given(layers=st.lists(layer, min_size=1, max_size=4))
@settings(max_examples=60, deadline=None)
def test_random_stacks_agree_with_the_probe(layers):
    network = built(layers)
    assert receptive_field(network) == probe_receptive_field(network)


@given(layers=st.lists(layer.filter(lambda one: one[0] in ("conv", "max", "avg")), min_size=1, max_size=8))
@settings(max_examples=60, deadline=None)
def test_plain_stacks_agree_with_the_recursion_written_out(layers):
    size, stride, padding = 1, 1, 0
    for _kind, k, s, p, d in layers:
        size, padding, stride = size + d * (k - 1) * stride, padding + p * stride, stride * s
    assume(size <= 96)  # the picture's shorter side
    assert numbers(receptive_field(built(layers))) == (size, stride, padding)


def test_slices_and_one_sided_padding_move_the_field():
    class Shifted(nn.Module):
        def forward(self, x):
            return F.avg_pool2d(F.pad(x, (1, 0, 1, 0)), 3)[:, :, 1::2, 1::2]

    field = receptive_field(Shifted())
    assert numbers(field) == (3, 6, -2)
    assert probe_receptive_field(Shifted()) == field


def test_squeeze_and_excitation_and_group_norm_are_listed_and_left_out():
    network = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), ops.SqueezeExcitation(8, 2), nn.GroupNorm(2, 8))
    field = receptive_field(network)
    assert numbers(field) == (3, 1, 1)
    assert field.statistics == ("mean", "native_group_norm")


def test_the_network_is_left_as_it_was():
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)).train()
    network[1].eval()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    receptive_field(network)
    probe_receptive_field(network)
    assert network.training
    assert not network[1].training
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert not any(part._forward_hooks for part in network.modules())
    assert all(p.grad is None for p in network.parameters())


def test_half_precision_networks_have_the_same_field():
    assert numbers(receptive_field(SmallCNN(4).to(torch.bfloat16))) == (20, 4, 8)


# ---------------------------------------------------------------------------------------------- boxes and centres


def test_centres_of_a_resnet_cell_lie_on_the_pixel_sixteen_times_its_index():
    field = receptive_field(models.resnet18(), "layer3")
    assert field.stride == 16
    centers = field.centers(3, 4).reshape(3, 4, 2)
    np.testing.assert_array_equal(centers[2, 3], [16 * 3 + 0.5, 16 * 2 + 0.5])


def test_boxes_are_the_published_formula_with_the_end_instead_of_the_last_pixel():
    field = ReceptiveField(291, 32, 145)
    boxes = field.boxes(2, 3).reshape(2, 3, 4)
    row, column = 1, 2
    np.testing.assert_array_equal(boxes[row, column], [32 * 2 - 145, 32 * 1 - 145, 32 * 2 - 145 + 291, 32 * 1 - 145 + 291])


@given(st.integers(1, 40), st.integers(1, 9), st.integers(-5, 20), st.floats(0.1, 4))
def test_key_points_scale_with_the_image(size, stride, padding, scale):
    field = ReceptiveField(size, stride, padding)
    np.testing.assert_allclose(field.centers(3, 2, scale), field.centers(3, 2) / scale, rtol=1e-5, atol=1e-4)
    np.testing.assert_allclose(field.boxes(3, 2, scale), field.boxes(3, 2) / scale, rtol=1e-5, atol=1e-4)


def test_two_scales_stretch_rows_and_columns_each_by_its_own():
    centers = ReceptiveField(1, 2, 0).centers(2, 2, scale=(0.5, 2.0))
    np.testing.assert_allclose(centers[3], [2.5 / 2.0, 2.5 / 0.5])


def test_a_map_without_cells_has_no_boxes():
    assert ReceptiveField(3, 1, 1).boxes(0, 5).shape == (0, 4)


def test_the_effective_field_is_narrower_than_the_field():
    network = nn.Sequential(*[nn.Conv2d(1, 1, 3, padding=1) for _ in range(8)])
    (share,) = gradient_shares(network, size=40)
    row = share.share.sum(1)
    assert np.count_nonzero(row) == receptive_field(network).size == 17
    assert share.share.sum() == pytest.approx(1)
    deviation = np.sqrt((row * (np.arange(40) - share.cell) ** 2).sum())
    assert deviation == pytest.approx(np.sqrt(8 * 2 / 3), rel=1e-5)  # eight windows of variance 2/3 each


# ---------------------------------------------------------------------------------------------- refusals


class Broken(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.convolution, self.function = nn.Conv2d(3, 4, 3, padding=1), function

    def forward(self, x):
        return self.function(self.convolution(x))


@pytest.mark.parametrize(
    ("function", "text"),
    [
        (lambda x: F.interpolate(x, scale_factor=2), "`upsample_nearest2d`, which interpolates"),
        (lambda x: F.conv_transpose2d(x, torch.ones(4, 4, 3, 3)), "is transposed: it interpolates"),
        (lambda x: nn.Linear(96, 5)(x), "`view`, which regroups the positions, as a linear layer"),
        (lambda x: x.flatten(1), "`view`, which regroups the positions, as a linear layer"),
        (lambda x: x @ torch.ones(1, 4, 96, 96), "is a matrix product: it mixes all positions"),
        (lambda x: x.transpose(2, 3), "moves rows and columns"),
        (lambda x: x.permute(0, 2, 3, 1), "moves rows and columns"),
        (lambda x: x.flip(3), "changes the grid of positions"),
        (lambda x: F.adaptive_avg_pool2d(x, 7), "pools to a fixed grid"),
        (lambda x: x.mean((2, 3)), "depends on the whole image"),
        (lambda x: F.adaptive_max_pool2d(x, 1), "depends on the whole image"),
        (lambda x: x + F.avg_pool2d(x, 3, 2, 1)[:, :, :1, :1], "changes the grid of positions"),
        (lambda x: F.avg_pool2d(x, (1, 3), 1, (0, 1)), "must be one with a square receptive field"),
        (lambda x: x + F.avg_pool2d(x, 2, 2).repeat(1, 1, 2, 2), "Name an earlier layer"),
        (lambda x: torch.zeros(1, 4, 8, 8), "does not depend on the picture"),
        (lambda x: x[:, :, ::2, ::2] + x[:, :, :80, :48], "Branches of strides 2 and 1 meet"),
    ],
)
def test_what_has_no_receptive_field_is_refused_by_name(function, text):
    with pytest.raises(ValueError, match=text):
        receptive_field(Broken(function))


def test_layers_that_are_not_there_are_refused():
    network = SmallCNN(4, n_classes=3)
    with pytest.raises(ValueError, match="`layer` must be a part of the network"):
        receptive_field(network, "body.99")
    with pytest.raises(ValueError, match="`layer` must be a part of the network"):
        receptive_field(network, nn.ReLU())
    with pytest.raises(TypeError, match=r"`network` must be a torch.nn.Module, but got function"):
        receptive_field(lambda x: x)
    unused = Broken(lambda x: x)
    unused.spare = nn.Conv2d(3, 3, 1)
    with pytest.raises(ValueError, match="a layer that the network calls"):
        receptive_field(unused, "spare")
    with pytest.raises(ValueError, match="a layer that returns one tensor"):
        receptive_field(Broken(lambda x: (x, x)))


def test_bad_numbers_are_refused():
    field = ReceptiveField(3, 1, 1)
    with pytest.raises(ValueError, match="`scale` must be a finite number above 0"):
        field.centers(2, 2, 0.0)
    with pytest.raises(ValueError, match="`scale` must be a number or a pair"):
        field.centers(2, 2, (1.0, 1.0, 1.0))
    with pytest.raises(ValueError, match="`h` must be an integer of at least 0"):
        field.boxes(-1, 2)
    with pytest.raises(ValueError, match="`size` must be an integer of at least 1"):
        ReceptiveField(0, 1, 1)
    with pytest.raises(ValueError, match="`example` must be a tensor of shape"):
        receptive_field(SmallCNN(4), example=torch.zeros(3, 8, 8))


def test_the_probe_says_when_its_picture_is_too_small():
    with pytest.raises(ValueError, match="The gradient touches the border"):
        probe_receptive_field(SmallCNN(4), size=20)
    with pytest.raises(ValueError, match="large enough for the cells asked for"):
        probe_receptive_field(SmallCNN(4), size=4)
    with pytest.raises(ValueError, match="no gradient at all"):
        gradient_shares(Broken(lambda x: torch.zeros(1, 4, 8, 8, requires_grad=True)), size=16)
