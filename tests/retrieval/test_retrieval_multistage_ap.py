"""The listwise AP loss through multistage back-propagation: the gradient of the whole batch."""

import copy

import pytest
import torch
from torch import nn

from course_utils import retrieval
from course_utils.training import SmallCNN, fit, multistage_backward, multistage_descriptors


class Embedder(nn.Module):
    """Images (b, 3, 12, 12) -> unit vectors (b, 8)."""

    def __init__(self, body):
        super().__init__()
        self.body = body

    def forward(self, images):
        return nn.functional.normalize(self.body(images).mean((2, 3)), dim=1)


def group_norm_network():
    torch.manual_seed(0)
    layers = nn.Conv2d(3, 8, 3), nn.GroupNorm(2, 8), nn.ReLU(), nn.Dropout(0.2), nn.Conv2d(8, 8, 3)
    return Embedder(nn.Sequential(*layers)).double()


def batch_norm_network():
    model = Embedder(SmallCNN(dim=8, generator=torch.Generator().manual_seed(0))).double()
    images, _ = batch()
    model(images)  # running statistics of some batch
    return model


def batch(n=21, n_classes=4):
    generator = torch.Generator().manual_seed(1)
    labels = torch.arange(n) % n_classes
    colours = torch.randn(n_classes, 3, 1, 1, generator=generator, dtype=torch.float64)
    return colours[labels] + torch.randn(n, 3, 12, 12, generator=generator, dtype=torch.float64), labels


def listwise(labels, **options):
    loss = retrieval.ListwiseAPLoss(**options)
    return lambda descriptors: loss(*retrieval.score_lists(descriptors, labels))


def gradient(model):
    return torch.cat([p.grad.flatten() for p in model.parameters()])


@pytest.mark.parametrize("options", [{"n_bins": 5}, {"n_bins": 20}, {"n_bins": 10, "tie_aware": True}])
@pytest.mark.parametrize("chunk_size", [1, 4, 21])
def test_the_gradient_of_the_listwise_loss_is_that_of_one_pass(options, chunk_size):
    images, labels = batch()
    model, loss = group_norm_network().eval(), listwise(labels, **options)
    value = loss(model(images))
    value.backward()
    expected = gradient(model)
    assert float(expected.abs().max()) > 1e-4
    model.zero_grad()
    result = multistage_backward(model, images, loss, chunk_size)
    torch.testing.assert_close(gradient(model), expected, rtol=0, atol=1e-10)
    torch.testing.assert_close(result.loss, value.detach(), rtol=0, atol=1e-10)


def test_a_batch_norm_network_with_frozen_statistics_too():
    images, labels = batch()
    model, loss = batch_norm_network(), listwise(labels, n_bins=10)
    with pytest.raises(ValueError, match=r"'body.body.1' \(BatchNorm2d\) in training mode"):
        multistage_backward(model, images, loss, 4)
    twin = copy.deepcopy(model).eval()
    loss(twin(images)).backward()
    multistage_backward(model, images, loss, 4, batch_norm="frozen")
    torch.testing.assert_close(gradient(model), gradient(twin), rtol=0, atol=1e-10)


def test_small_batches_have_another_gradient_than_the_large_one():
    """What multistage is for: the mean over chunks is a loss of short lists."""
    images, labels = batch()
    model = group_norm_network().eval()
    multistage_backward(model, images, listwise(labels, n_bins=10), 7)
    large = gradient(model)
    model.zero_grad()
    for rows in torch.arange(21).split(7):
        (listwise(labels[rows], n_bins=10)(model(images[rows])) / 3).backward()
    assert float((gradient(model) - large).norm() / large.norm()) > 0.1


def test_training_with_multistage_lowers_the_loss():
    images, labels = batch()
    model, loss = group_norm_network(), listwise(labels, n_bins=10)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    step = lambda model, images: loss(multistage_descriptors(model, images, 8))  # noqa: E731
    result = fit(model, [images], step, optimizer, n_steps=30, generator=torch.Generator().manual_seed(0))
    assert result.losses[-1] < result.losses[0] - 0.1
