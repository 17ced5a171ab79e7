"""DELF's network: attention, pooling, exact explanation, what the scores mean and what they do not."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from course_utils.retrieval import DELF, Attention, UniformAttention
from course_utils.retrieval.delf import unit
from course_utils.retrieval.torchvision_backbone import TorchvisionBackbone, imagenet_normalized
from course_utils.training import OrientedBackbone, SmallCNN


def small_delf(seed=0, n_classes=3, **options):
    g = torch.Generator().manual_seed(seed)
    return DELF(SmallCNN(6, generator=g), n_classes, **({"hidden": 5, "generator": g} | options))


def some_images(n=4, height=24, width=32, seed=0):
    return torch.randint(0, 256, (n, 3, height, width), dtype=torch.uint8, generator=torch.Generator().manual_seed(seed))


def reference_logits(delf, maps):
    """The formula of the module's docstring, cell by cell, in plain loops."""
    answers = []
    for image in maps.double():
        cells = image.flatten(1).T  # (N, D)
        total = torch.zeros(maps.shape[1], dtype=torch.float64)
        for cell in cells:
            hidden = delf.attention.hidden.weight[:, :, 0, 0].double() @ cell + delf.attention.hidden.bias.double()
            score = delf.attention.last.weight[0, :, 0, 0].double() @ hidden.clamp_min(0) + delf.attention.last.bias.double()
            total += torch.log1p(torch.exp(score)) * cell / cell.norm()
        answers.append(delf.classifier.weight.double() @ (total / len(cells)) + delf.classifier.bias.double())
    return torch.stack(answers)


def test_logits_are_the_formula_written_out_cell_by_cell():
    delf, maps = small_delf(), torch.randn(2, 6, 3, 4)
    torch.testing.assert_close(delf.attention_logits(maps).double(), reference_logits(delf, maps), atol=1e-5, rtol=1e-5)


def test_the_score_network_sees_unnormalised_features_and_the_mean_normalised_ones():
    delf, maps = small_delf(), torch.rand(1, 6, 2, 2)
    assert not torch.allclose(delf.scores(maps), delf.scores(3 * maps))
    uniform = small_delf(attention=UniformAttention())
    torch.testing.assert_close(uniform.attention_logits(maps), uniform.attention_logits(3 * maps))


def test_constant_attention_is_average_pooling_of_normalised_features():
    delf, maps = small_delf(attention=UniformAttention()), torch.randn(3, 6, 4, 5)
    expected = delf.classifier(F.normalize(maps, dim=1).mean((2, 3)))
    torch.testing.assert_close(delf.attention_logits(maps), expected)


def test_scores_times_t_with_weights_by_t_give_the_same_logits():
    delf, maps = small_delf(), torch.randn(2, 6, 3, 3)
    plain = delf.scores
    before = delf.attention_logits(maps)
    delf.scores = lambda m: 7.0 * plain(m)
    delf.classifier.weight.data /= 7.0
    torch.testing.assert_close(delf.attention_logits(maps), before)


def test_scores_are_not_negative_and_have_the_shape_of_the_map():
    scores = Attention(6, hidden=3)(100 * torch.randn(2, 6, 5, 7))
    assert scores.shape == (2, 5, 7)
    assert (scores >= 0).all()


def test_the_attention_stops_the_gradient_before_the_backbone():
    delf = small_delf()
    F.cross_entropy(delf(some_images()), torch.tensor([0, 1, 2, 0])).backward()
    assert all(p.grad is None for p in delf.backbone.parameters())
    assert all(p.grad is None for p in delf.descriptor_classifier.parameters())
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in delf.attention.parameters())
    assert delf.classifier.weight.grad is not None


def test_the_descriptor_stage_does_reach_the_backbone():
    delf = small_delf()
    F.cross_entropy(delf.descriptor_logits(delf.maps(some_images())), torch.tensor([0, 1, 2, 0])).backward()
    assert all(p.grad is not None for p in delf.backbone.parameters())
    assert all(p.grad is None for p in delf.attention.parameters())


def test_the_gradient_of_the_loss_is_the_one_of_finite_differences():
    delf, maps = small_delf().double(), torch.randn(2, 6, 3, 3, dtype=torch.float64)
    names = ["attention.hidden.weight", "attention.last.bias", "classifier.weight"]
    values = [dict(delf.named_parameters())[name].detach().clone().requires_grad_() for name in names]

    def loss(*given):
        logits = torch.func.functional_call(_Logits(delf), {f"delf.{n}": v for n, v in zip(names, given)}, (maps,))
        return F.cross_entropy(logits, torch.tensor([2, 0]))

    assert torch.autograd.gradcheck(loss, values, atol=1e-6)


class _Logits(nn.Module):
    def __init__(self, delf):
        super().__init__()
        self.delf = delf

    def forward(self, maps):
        return self.delf.attention_logits(maps)


@pytest.mark.parametrize("label", [None, 1])
def test_contributions_and_bias_sum_to_the_logit(label):
    delf, image = small_delf(batch_norm=True).train(), some_images(1)[0]
    parts = delf.explain(image, label)
    logits = delf.in_parts(delf, image[None])[0]
    assert parts.label == (int(logits.argmax()) if label is None else label)
    assert parts.logit == pytest.approx(float(logits[parts.label]), abs=1e-5)
    np.testing.assert_allclose(parts.contributions, parts.scores * parts.votes / parts.scores.size, atol=1e-15)
    assert parts.contributions.shape == (6, 8)
    assert delf.training


def test_global_descriptors_are_unit_vectors_in_any_batch_size():
    delf, images = small_delf(), some_images(5)
    vectors = delf.describe(images, batch_size=2)
    assert vectors.shape == (5, 6)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(delf.describe(images[3:4]), vectors[3:4], atol=1e-5)
    assert len(delf.describe(images[:0])) == 0


def test_looking_changes_neither_modes_nor_statistics():
    delf = small_delf(batch_norm=True).train()
    delf.backbone.body[1].eval()
    before = {name: value.clone() for name, value in delf.state_dict().items()}
    delf.describe(some_images())
    delf.score_maps(some_images())
    delf.predict(some_images())
    delf.explain(some_images()[0])
    assert delf.training
    assert not delf.backbone.body[1].training
    assert all(torch.equal(value, before[name]) for name, value in delf.state_dict().items())


def test_predictions_are_the_largest_logits():
    delf, images = small_delf(), some_images(6)
    np.testing.assert_array_equal(delf.predict(images), delf.in_parts(delf, images).argmax(1).numpy())


def test_features_of_length_zero_and_of_half_precision_do_no_harm():
    maps = torch.zeros(1, 4, 2, 2, dtype=torch.float16)
    assert not unit(maps).any()
    maps[0, :, 0, 0] = 60000  # its length does not fit into float16
    np.testing.assert_allclose(unit(maps)[0, :, 0, 0], 0.5, atol=1e-3)
    assert torch.isfinite(small_delf(dim=4).attention.to(torch.float16)(torch.zeros(1, 4, 2, 2, dtype=torch.float16))).all()


def test_a_network_in_bfloat16_agrees_with_float32_up_to_its_rounding():
    delf, maps = small_delf(), torch.randn(3, 6, 4, 4)
    expected = delf.attention_logits(maps)
    answer = delf.to(torch.bfloat16).attention_logits(maps.to(torch.bfloat16))
    assert answer.dtype == torch.bfloat16
    torch.testing.assert_close(answer.float(), expected, atol=0.05, rtol=0.05)


def test_the_compiled_head_is_the_head_in_one_graph():
    delf, maps = small_delf(), torch.randn(2, 6, 3, 4)
    compiled = torch.compile(delf.attention_logits, backend="aot_eager", fullgraph=True)
    torch.testing.assert_close(compiled(maps), delf.attention_logits(maps))


def test_the_same_generator_builds_the_same_network_and_leaves_the_global_stream_alone():
    torch.manual_seed(5)
    state = torch.get_rng_state()
    one, two = small_delf(seed=3), small_delf(seed=3)
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), two.parameters()))


def test_the_receptive_field_belongs_to_the_backbone():
    assert DELF(OrientedBackbone(4), 2).receptive_field.size == 28
    with pytest.raises(ValueError, match="interpolates"):
        _ = DELF(nn.Sequential(nn.Conv2d(3, 4, 3), nn.Upsample(scale_factor=2)), 2, dim=4).receptive_field


def test_a_torchvision_network_works_without_its_weights():
    delf = DELF.from_torchvision("resnet18", n_classes=4, layer="layer3", hidden=8, generator=torch.Generator().manual_seed(0))
    assert delf.dim == 256
    assert delf.receptive_field.stride == 16
    features = delf.extract(some_images(1, 64, 80)[0], scales=(0.5, 1.0), max_features=5)
    assert features.descriptors.shape == (5, 256)
    assert delf(some_images(1, 64, 64)).shape == (1, 4)


def test_imagenet_normalisation_is_torchvisions_own():
    from torchvision.models import ResNet50_Weights

    image = some_images(1, 224, 224)
    preset = ResNet50_Weights.DEFAULT.transforms(crop_size=224, resize_size=224)
    torch.testing.assert_close(imagenet_normalized(image), preset(image), atol=1e-5, rtol=1e-5)


def test_bad_arguments_are_refused_by_name():
    with pytest.raises(TypeError, match=r"`backbone` must be a torch.nn.Module"):
        DELF(lambda x: x, 2)
    with pytest.raises(ValueError, match="`dim` must be given where the backbone has no `dim`"):
        DELF(nn.Conv2d(3, 4, 3), 2)
    with pytest.raises(ValueError, match="`n_classes` must be an integer of at least 2"):
        DELF(SmallCNN(4), 1)
    with pytest.raises(ValueError, match="`label` must be an integer between 0 and 2"):
        small_delf().explain(some_images()[0], 3)
    with pytest.raises(ValueError, match="`image` must be a tensor of shape"):
        small_delf().explain(some_images())
    with pytest.raises(ValueError, match="`images` must be a tensor of shape"):
        small_delf().describe(some_images()[0])
    with pytest.raises(TypeError, match=r"`images` must be a torch.Tensor"):
        small_delf().describe(some_images().numpy())
    with pytest.raises(ValueError, match="`name` must be one of"):
        TorchvisionBackbone("resnet51", "layer3")
    with pytest.raises(ValueError, match="`layer` must be a layer of resnet18"):
        TorchvisionBackbone("resnet18", "layer9")
    with pytest.raises(ValueError, match="`layer` must be one with a feature map"):
        TorchvisionBackbone("resnet18", "flatten")
