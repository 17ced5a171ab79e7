"""The count of saved bytes: against counts by hand, and what it says about multistage back-propagation."""

import gc

import pytest
import torch
from torch import nn

from course_utils.training import SavedForBackward, multistage_backward, multistage_descriptors


def saved_by(function):
    """Run a function; return the counter and the result, which keeps its graph."""
    with SavedForBackward() as saved:
        result = function()
    return saved, result


def test_linear_relu_linear_keeps_the_hidden_layer_once():
    model, x = nn.Sequential(nn.Linear(10, 20), nn.ReLU(), nn.Linear(20, 5)), torch.randn(8, 10)
    saved, out = saved_by(lambda: model(x))
    assert saved.current == saved.peak == 8 * 20 * 4  # the ReLU's output, which is the second layer's input
    out.sum().backward()
    assert (saved.current, saved.peak) == (0, 8 * 20 * 4)


def test_convolutions_keep_their_inputs():
    model = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.Tanh(), nn.Conv2d(4, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(72, 1))
    saved, _out = saved_by(lambda: model(torch.randn(5, 3, 8, 8)))
    made_inside = 5 * 3 * 64  # the images
    tanh = 5 * 4 * 64  # output of tanh, input of the second convolution
    relu = 5 * 2 * 36  # output of the ReLU, and as a view input of the linear layer
    assert saved.peak == 4 * (made_inside + tanh + relu)


def test_pooling_keeps_its_input_and_eight_bytes_for_each_place():
    x = torch.randn(2, 3, 8, 8, requires_grad=True)
    saved, _out = saved_by(lambda: nn.functional.max_pool2d(x * 1.0, 2))
    assert saved.peak == 2 * 3 * 64 * 4 + 2 * 3 * 16 * 8


def test_a_storage_counts_once_and_as_a_whole():
    w = torch.ones(100, requires_grad=True)

    def views():
        a = w.exp()  # saved by exp
        return a * a + a[:10].sin().sum() + a.view(10, 10).cos().sum()  # and five times more

    saved, out = saved_by(views)
    assert saved.peak == 100 * 4
    part = torch.ones(1000, requires_grad=True)
    saved, out = saved_by(lambda: (part * 2)[:3].sin())
    assert saved.peak == 1000 * 4  # a small view keeps the whole block alive
    del out
    assert saved.current == 0


def test_what_was_there_before_does_not_count():
    model, x = nn.Linear(10, 5), torch.randn(8, 10)
    assert saved_by(lambda: model(x))[0].peak == 0  # input and weight
    assert saved_by(lambda: model(x[2:4].view(-1, 10)))[0].peak == 0  # a view of the input
    assert saved_by(lambda: model(x * 1))[0].peak == 8 * 10 * 4
    outside = (x @ model.weight.T).exp()
    assert saved_by(lambda: outside.sin())[0].peak == 0
    assert outside.sum().backward() is None  # a graph from outside is none of its business


def test_bytes_follow_the_dtype():
    model = nn.Sequential(nn.Linear(10, 20), nn.ReLU(), nn.Linear(20, 5))
    x = torch.randn(8, 10)
    with torch.autocast("cpu", torch.bfloat16):
        saved, _out = saved_by(lambda: model(x))
    casts = (8 * 10 + 5 * 20) * 2  # input and second weight as new blocks; nobody asks for the gradient of the input
    assert saved.peak == casts + 8 * 20 * 2
    model.double()
    assert saved_by(lambda: model(x.double()))[0].peak == (8 * 10 + 8 * 20) * 8


def test_the_count_falls_when_the_graph_is_freed_without_backward():
    w = torch.ones(50, requires_grad=True)
    with SavedForBackward() as saved:
        out = w.exp().sin().cos()
        assert saved.current == 2 * 50 * 4
        del out
        assert saved.current == 0
        torch.ones(10, requires_grad=True).exp()
        assert saved.current == 0
    assert saved.peak == 2 * 50 * 4


def test_the_count_is_right_after_the_block_has_ended():
    w = torch.ones(50, requires_grad=True)
    saved, out = saved_by(lambda: w.exp().sin())
    assert saved.current == 50 * 4
    _other = w.exp()
    assert saved.peak == saved.current == 50 * 4  # what happens outside is not counted
    out.sum().backward(retain_graph=True)
    assert saved.current == 50 * 4
    out.sum().backward()
    assert saved.current == 0


def test_nothing_is_kept_without_a_graph():
    model, x = nn.Sequential(nn.Linear(10, 20), nn.ReLU()), torch.randn(8, 10)
    with torch.no_grad():
        assert saved_by(lambda: model(x))[0].peak == 0
    assert saved_by(lambda: x.exp().sin())[0].peak == 0


def test_gradients_and_second_derivatives_are_those_without_the_counter():
    torch.manual_seed(0)
    model, x = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1)).double(), torch.randn(5, 4).double()

    def penalty():
        inner = x.clone().requires_grad_()
        (gradient,) = torch.autograd.grad(model(inner).sum(), inner, create_graph=True)
        model.zero_grad()
        gradient.square().sum().backward()
        return [p.grad.clone() for p in model.parameters() if p.grad is not None]

    expected = penalty()
    saved, found = saved_by(penalty)
    assert all(torch.equal(a, b) for a, b in zip(found, expected)) and len(found) == len(expected)
    gc.collect()
    assert saved.peak > 0 and saved.current == 0


def test_a_tensor_changed_after_it_was_saved_is_refused_as_without_the_counter():
    def changed():
        y = torch.ones(3, requires_grad=True).exp()
        z = y * y
        y.add_(1)
        z.sum().backward()

    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        changed()
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        saved_by(changed)


def test_an_operation_in_place_is_fine():
    linear, x = nn.Linear(4, 6), torch.randn(3, 4)
    saved, out = saved_by(lambda: torch.relu_(linear(x)))
    assert saved.peak == 3 * 6 * 4
    out.sum().backward()
    assert saved.current == 0


def test_an_error_inside_closes_the_counter_and_one_block_is_enough():
    w = torch.ones(5, requires_grad=True)
    saved = SavedForBackward()
    with pytest.raises(ZeroDivisionError), saved:
        1 / 0  # noqa: B018
    out = w.exp()
    assert saved.peak == 0 and out.requires_grad
    with pytest.raises(RuntimeError, match="used before"), saved:
        pass


# --- multistage


def network():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.AvgPool2d(2), nn.Conv2d(8, 8, 3), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 4),
    )  # fmt: skip


def all_pairs(descriptors):
    return (descriptors @ descriptors.T).logsumexp((0, 1))


def peak(function):
    saved, _ = saved_by(function)
    assert saved.current == 0
    return saved.peak


@pytest.mark.parametrize("by_descriptors", [False, True])
def test_one_pass_grows_with_the_batch_and_multistage_with_the_chunk(by_descriptors):
    model, images = network(), torch.randn(64, 3, 16, 16)

    def multistage(n, chunk_size):
        if by_descriptors:
            return peak(lambda: all_pairs(multistage_descriptors(model, images[:n], chunk_size)).backward())
        return peak(lambda: multistage_backward(model, images[:n], all_pairs, chunk_size) and None)

    one = peak(lambda: model(images[:1]).sum().backward())
    for n in (8, 16, 64):
        assert peak(lambda n=n: model(images[:n]).sum().backward()) == n * one
    loss_graph = peak(lambda: all_pairs(torch.randn(64, 4, requires_grad=True)).backward())
    assert multistage(64, 8) == multistage(32, 8) == multistage(16, 8) == 8 * one
    assert multistage(64, 16) == 16 * one
    assert multistage(64, 1) == max(one, loss_graph) == loss_graph  # then the loss needs the most
    assert peak(lambda: all_pairs(model(images)).backward()) >= 64 * one + loss_graph
