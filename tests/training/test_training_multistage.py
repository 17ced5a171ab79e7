"""Multistage back-propagation: exact, and refused where it could not be."""

import copy
import signal

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.utils.checkpoint import checkpoint

from course_utils import profile
from course_utils.training import fit, multistage_backward, multistage_descriptors
from course_utils.training.two_passes import _random_state, _set_random_state

EXACT = 1e-12  # the card asks for 1e-10


def all_pairs(descriptors):
    """A loss in which every image meets every other one."""
    return (descriptors @ descriptors.T).logsumexp((0, 1))


def network(seed=0, dropout=0.0, norm=None):
    """Images (b, 3, 6, 6) -> (b, 4), in float64."""
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Conv2d(3, 6, 3),
        norm or nn.GroupNorm(2, 6),
        nn.ReLU(),
        nn.Dropout(dropout),
        nn.AdaptiveAvgPool2d(2),
        nn.Flatten(),
        nn.Linear(24, 4),
    ).double()


def images(n=7, seed=1):
    return torch.randn(n, 3, 6, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def gradients(model):
    return {name: None if p.grad is None else p.grad.clone() for name, p in model.named_parameters()}


def single_pass(model, batch, loss=all_pairs):
    """The oracle: a fresh copy of the network, one forward, one backward."""
    twin = copy.deepcopy(model)
    twin.zero_grad()
    descriptors = torch.cat([twin(image[None]) for image in batch]) if isinstance(batch, list) else twin(batch)
    value = loss(descriptors)
    value.backward()
    return value.detach(), descriptors.detach(), gradients(twin)


def assert_equal_gradients(found, expected, tolerance=EXACT):
    assert found.keys() == expected.keys()
    for name, gradient in expected.items():
        if gradient is None:
            assert found[name] is None, name
        else:
            torch.testing.assert_close(found[name], gradient, rtol=0, atol=tolerance, msg=lambda m, n=name: f"{n}: {m}")


def by_backward(model, batch, chunk_size, loss=all_pairs, **options):
    multistage_backward(model, batch, loss, chunk_size, **options)


def by_descriptors(model, batch, chunk_size, loss=all_pairs, **options):
    loss(multistage_descriptors(model, batch, chunk_size, **options)).backward()


BOTH = pytest.mark.parametrize("run", [by_backward, by_descriptors])


# --- exact


@BOTH
@pytest.mark.parametrize("chunk_size", [1, 2, 3, 7, 100])
def test_gradients_equal_those_of_one_pass(run, chunk_size):
    model = network()
    expected = single_pass(model, images())
    assert max(float(g.abs().max()) for g in expected[2].values()) > 1e-2
    run(model, images(), chunk_size)
    assert_equal_gradients(gradients(model), expected[2])


@settings(max_examples=25, deadline=None)
@given(n=st.integers(1, 9), chunk_size=st.integers(1, 12), seed=st.integers(0, 1000))
def test_gradients_equal_those_of_one_pass_for_every_size(n, chunk_size, seed):
    model = network(seed)
    expected = single_pass(model, images(n, seed))
    by_backward(model, images(n, seed), chunk_size)
    assert_equal_gradients(gradients(model), expected[2])


@pytest.mark.parametrize(("chunk_size", "n_chunks"), [(1, 7), (2, 4), (3, 3), (7, 1), (100, 1)])
def test_the_result_holds_loss_descriptors_and_number_of_chunks(chunk_size, n_chunks):
    model = network()
    value, descriptors, _ = single_pass(model, images())
    result = multistage_backward(model, images(), all_pairs, chunk_size)
    assert result.n_chunks == n_chunks
    assert result.loss.shape == () and not result.loss.requires_grad and not result.descriptors.requires_grad
    torch.testing.assert_close(result.loss, value, rtol=0, atol=EXACT)
    torch.testing.assert_close(result.descriptors, descriptors, rtol=0, atol=EXACT)


@BOTH
def test_images_of_different_sizes_go_one_by_one(run):
    model, seen = network(), []
    model.register_forward_hook(lambda module, given, output: seen.append(tuple(given[0].shape)))
    batch = [image[:, : 4 + i % 3, : 6 - i % 2] for i, image in enumerate(images(5))]
    expected = single_pass(model, batch)[2]
    seen.clear()
    run(model, batch, 2)
    assert_equal_gradients(gradients(model), expected)
    assert seen == [(1, *image.shape) for image in batch] * 2
    model.zero_grad()
    run(model, tuple(batch), 2)
    assert_equal_gradients(gradients(model), expected)


@BOTH
def test_gradients_add_up_as_backward_does(run):
    model = network()
    one, two = single_pass(model, images(seed=1))[2], single_pass(model, images(seed=2))[2]
    run(model, images(seed=1), 3)
    run(model, images(seed=2), 3)
    assert_equal_gradients(gradients(model), {name: one[name] + two[name] for name in one})


@BOTH
def test_checkpointed_chunks_give_the_same_gradient(run):
    model = network(dropout=0.4)
    torch.manual_seed(5)
    chunks = [checkpoint(model, images()[rows], use_reentrant=False) for rows in profile.batches(7, 3)]
    all_pairs(torch.cat(chunks)).backward()
    expected, after = gradients(model), torch.rand(1)
    model.zero_grad()
    torch.manual_seed(5)
    run(model, images(), 3)
    assert_equal_gradients(gradients(model), expected)
    assert torch.rand(1) == after


@BOTH
def test_a_chunk_can_itself_be_checkpointed(run):
    class Thrifty(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = network()

        def forward(self, x):
            return checkpoint(self.inner, x, use_reentrant=False)

    model = Thrifty()
    expected = single_pass(model.inner, images())[2]
    run(model, images(), 3)
    assert_equal_gradients(gradients(model.inner), expected)


@BOTH
def test_shared_and_frozen_parameters(run):
    class Shared(nn.Module):
        def __init__(self):
            super().__init__()
            torch.manual_seed(0)
            self.one = nn.Linear(5, 5).double()
            self.frozen = nn.Linear(5, 5).double().requires_grad_(False)
            self.unused = nn.Linear(5, 5).double()

        def forward(self, x):
            return self.one(torch.tanh(self.frozen(self.one(x))))

    model = Shared()
    batch = torch.randn(6, 5, dtype=torch.float64)
    expected = single_pass(model, batch)[2]
    run(model, batch, 4)
    assert_equal_gradients(gradients(model), expected)
    assert model.frozen.weight.grad is None and model.unused.weight.grad is None


@BOTH
def test_parameters_of_the_loss_learn_too_also_if_they_are_the_networks(run):
    model, proxies = network(), torch.randn(4, 3, dtype=torch.float64, requires_grad=True)
    loss = lambda d: ((d @ proxies).logsumexp(1) + (d @ model[-1].weight).logsumexp(1)).square().sum()  # noqa: E731
    loss(model(images())).backward()
    expected, expected_proxies = gradients(model), proxies.grad.clone()
    model.zero_grad()
    proxies.grad = None
    run(model, images(), 3, loss)
    assert_equal_gradients(gradients(model), expected)
    torch.testing.assert_close(proxies.grad, expected_proxies, rtol=0, atol=EXACT)


@BOTH
@pytest.mark.parametrize("as_list", [False, True])
def test_images_that_ask_for_a_gradient_get_it(run, as_list):
    model, batch = network(), images()
    one = batch.clone().requires_grad_()
    all_pairs(model(one)).backward()
    model.zero_grad()
    two = [image.clone().requires_grad_() for image in batch] if as_list else batch.clone().requires_grad_()
    run(model, two, 3)
    found = torch.stack([image.grad for image in two]) if as_list else two.grad
    torch.testing.assert_close(found, one.grad, rtol=0, atol=EXACT)


@BOTH
def test_one_image_twice_in_a_sequence(run):
    model, image = network(), images(1)[0].requires_grad_()
    all_pairs(model(torch.stack([image] * 3))).backward()
    expected, expected_image = gradients(model), image.grad.clone()
    model.zero_grad()
    image.grad = None
    run(model, [image] * 3, 2)
    assert_equal_gradients(gradients(model), expected)
    torch.testing.assert_close(image.grad, expected_image, rtol=0, atol=EXACT)


def test_images_with_a_graph_of_their_own():
    model, gain = network(), torch.tensor(2.0, dtype=torch.float64, requires_grad=True)
    all_pairs(model(images() * gain)).backward()
    expected = gain.grad.clone()
    gain.grad = None
    by_descriptors(model, images() * gain, 3)
    torch.testing.assert_close(gain.grad, expected, rtol=0, atol=EXACT)
    with pytest.raises(ValueError, match="multistage_descriptors"):
        by_backward(model, images() * gain, 3)


def test_hooks_fire_per_chunk_or_once():
    model, calls = network(), []
    model[0].weight.register_hook(lambda gradient: calls.append(gradient.clone()))
    by_backward(model, images(), 3)
    assert len(calls) == 3
    torch.testing.assert_close(sum(calls), model[0].weight.grad, rtol=0, atol=EXACT)
    total = model[0].weight.grad.clone()
    calls.clear()
    model.zero_grad()
    by_descriptors(model, images(), 3)
    assert len(calls) == 1
    torch.testing.assert_close(calls[0], total, rtol=0, atol=EXACT)


@BOTH
def test_a_hook_that_changes_the_gradient_changes_it_once(run):
    model, batch = network(), images().requires_grad_()
    for tensor in (model[0].weight, model[-1].bias, batch):
        tensor.register_hook(lambda gradient: 3 * gradient)
    all_pairs(model(batch)).backward()
    expected, expected_images = gradients(model), batch.grad.clone()
    model.zero_grad()
    batch.grad = None
    run(model, batch, 3)
    assert_equal_gradients(gradients(model), expected)
    torch.testing.assert_close(batch.grad, expected_images, rtol=0, atol=EXACT)


def test_gradients_can_be_asked_for_without_backward_and_twice():
    model, batch = network(), images().requires_grad_()
    one = torch.autograd.grad(all_pairs(model(batch)), [*model.parameters(), batch])
    loss = all_pairs(multistage_descriptors(model, batch, 3))
    for _ in range(2):
        two = torch.autograd.grad(loss, [*model.parameters(), batch], retain_graph=True)
        torch.testing.assert_close(two, one, rtol=0, atol=EXACT)
    assert all(gradient is None for gradient in gradients(model).values())


# --- the same conditions in both passes


@BOTH
def test_dropout_draws_the_same_numbers_in_both_passes(run):
    model = network(dropout=0.5)
    torch.manual_seed(11)
    chunks = torch.cat([model(images()[rows]) for rows in profile.batches(7, 3)])  # as evaluated: one draw per chunk
    all_pairs(chunks).backward()
    expected, after = gradients(model), torch.rand(3)
    model.zero_grad()
    torch.manual_seed(11)
    run(model, images(), 3)
    assert_equal_gradients(gradients(model), expected)
    torch.testing.assert_close(torch.rand(3), after)  # and the stream ends where one pass leaves it


def test_a_loss_that_draws_goes_on_from_where_stage_one_ended():
    model = network(dropout=0.5)
    noisy = lambda d: all_pairs(d + torch.randn_like(d))  # noqa: E731
    torch.manual_seed(3)
    noisy(torch.cat([model(images()[rows]) for rows in profile.batches(7, 3)])).backward()
    expected, after = gradients(model), torch.rand(1)
    model.zero_grad()
    torch.manual_seed(3)
    by_backward(model, images(), 3, noisy)
    assert_equal_gradients(gradients(model), expected)
    assert torch.rand(1) == after


def test_generators_of_devices_are_noted_and_set_back(monkeypatch):
    states = {"cuda:0": torch.tensor([1]), "cuda:1": torch.tensor([2])}

    class Module:
        @staticmethod
        def get_rng_state(device):
            return states[str(device)]

        @staticmethod
        def set_rng_state(state, device):
            states[str(device)] = state

    monkeypatch.setattr(torch, "get_device_module", lambda device: Module)
    noted = _random_state([torch.device("cuda:0"), torch.device("cuda:1")])
    one = torch.rand(1)
    states.update({"cuda:0": torch.tensor([7]), "cuda:1": torch.tensor([8])})
    _set_random_state(noted)
    assert states == {"cuda:0": torch.tensor([1]), "cuda:1": torch.tensor([2])}
    assert torch.rand(1) == one


@BOTH
def test_autocast_is_the_same_in_both_passes(run):
    model, batch, seen = network().float(), images().float(), []
    model[0].register_forward_hook(lambda module, given, output: seen.append(output.dtype))
    with torch.autocast("cpu", torch.bfloat16):
        loss = all_pairs(model(batch).float())
    loss.backward()
    expected = gradients(model)
    model.zero_grad()
    seen.clear()
    if run is by_backward:
        with torch.autocast("cpu", torch.bfloat16):
            by_backward(model, batch, 3, lambda d: all_pairs(d.float()))
    else:
        with torch.autocast("cpu", torch.bfloat16):
            loss = all_pairs(multistage_descriptors(model, batch, 3).float())
        loss.backward()  # outside, as `fit` does
    assert seen == [torch.bfloat16] * 6
    scale = max(float(g.abs().max()) for g in expected.values())
    assert_equal_gradients(gradients(model), expected, tolerance=0.02 * scale)


def test_the_mode_of_the_network_is_used_as_it_is():
    model = network(dropout=0.5).eval()
    expected = single_pass(model, images())[2]
    by_backward(model, images(), 3)
    assert_equal_gradients(gradients(model), expected)
    assert not any(layer.training for layer in model.modules())


def test_gradients_are_computed_even_where_they_are_switched_off():
    model = network()
    expected = single_pass(model, images())[2]
    with torch.no_grad():
        by_backward(model, images(), 3)
        assert not multistage_descriptors(model, images(), 3).requires_grad
    assert_equal_gradients(gradients(model), expected)


# --- layers that look at several images


@BOTH
@pytest.mark.parametrize("norm", [nn.BatchNorm2d(6), nn.SyncBatchNorm(6), nn.BatchNorm2d(6, momentum=None)])
def test_batch_norm_in_training_mode_is_refused_by_name(run, norm):
    model = network(norm=norm)
    with pytest.raises(ValueError, match=r"batch norm '1' \(.*BatchNorm.*frozen.*eval.*GroupNorm"):
        run(model, images(), 3)
    assert all(gradient is None for gradient in gradients(model).values())


def test_a_bare_batch_norm_is_refused_too():
    with pytest.raises(ValueError, match="a BatchNorm1d in training mode"):
        by_backward(nn.BatchNorm1d(4), torch.randn(6, 4), 2)


@BOTH
def test_frozen_batch_norm_uses_its_statistics_and_leaves_them(run):
    model = network(norm=nn.BatchNorm2d(6))
    model[1].running_mean.uniform_(-1, 1)
    model[1].running_var.uniform_(0.5, 2)
    buffers = {name: buffer.clone() for name, buffer in model.named_buffers()}
    twin = copy.deepcopy(model)
    twin[1].eval()
    expected = single_pass(twin, images())[2]
    run(model, images(), 3, batch_norm="frozen")
    assert_equal_gradients(gradients(model), expected)
    assert float(model[1].weight.grad.abs().max()) > 0
    assert all(layer.training for layer in model.modules())
    for name, buffer in model.named_buffers():
        assert torch.equal(buffer, buffers[name]), name


def test_frozen_batch_norm_is_in_training_mode_again_after_an_error():
    model = network(norm=nn.BatchNorm2d(6))
    with pytest.raises(ZeroDivisionError):
        by_backward(model, images(), 3, lambda d: 1 / 0, batch_norm="frozen")
    model[0].register_forward_pre_hook(lambda module, given: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        by_backward(model, images(), 3, batch_norm="frozen")
    assert all(layer.training for layer in model.modules())


@pytest.mark.parametrize("mode", ["train", "eval"])
@pytest.mark.parametrize("option", ["refuse", "frozen"])
def test_batch_norm_without_running_statistics_is_refused_in_every_mode(mode, option):
    model = getattr(network(norm=nn.BatchNorm2d(6, track_running_stats=False)), mode)()
    with pytest.raises(ValueError, match="has no running statistics"):
        by_backward(model, images(), 3, batch_norm=option)


def test_batch_norm_in_evaluation_mode_is_welcome():
    model = network(norm=nn.BatchNorm2d(6))
    model[1].eval()
    expected = single_pass(model, images())[2]
    by_backward(model, images(), 3)
    assert_equal_gradients(gradients(model), expected)


@BOTH
def test_instance_norm_is_exact_and_its_statistics_move_in_the_first_pass_only(run):
    model = network(norm=nn.InstanceNorm2d(6, affine=True, track_running_stats=True))
    expected = single_pass(model, images())[2]
    twin = copy.deepcopy(model)
    for rows in profile.batches(7, 3):
        twin(images()[rows])
    run(model, images(), 3)
    assert_equal_gradients(gradients(model), expected)
    for (name, found), (_, once) in zip(model.named_buffers(), twin.named_buffers()):
        torch.testing.assert_close(found, once, msg=name)
    assert float(model[1].running_mean.abs().max()) > 0


@BOTH
def test_a_network_that_changes_between_the_passes_is_refused(run):
    class Own(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner, self.generator = network(), torch.Generator().manual_seed(0)

        def forward(self, x):
            return self.inner(x) * torch.rand(1, generator=self.generator, dtype=x.dtype)

    model = Own()
    with pytest.raises(RuntimeError, match="other descriptors in stage 3"):
        run(model, images(), 3)
    assert all(gradient is None for gradient in gradients(model).values())


def test_a_changed_weight_between_descriptors_and_backward_is_noticed():
    model = network()
    loss = all_pairs(multistage_descriptors(model, images(), 3))
    with torch.no_grad():
        model[-1].weight.mul_(1.01)
    with pytest.raises(RuntimeError, match="was changed in between"):
        loss.backward()


def test_the_random_stream_is_put_back_when_stage_three_fails():
    model, calls = network(dropout=0.5), []

    def fail(module, given):
        calls.append(1)
        if len(calls) == 5:  # the second chunk of stage 3
            raise ZeroDivisionError

    model.register_forward_pre_hook(fail)
    torch.manual_seed(0)
    for rows in profile.batches(7, 3):
        nn.functional.dropout(torch.zeros(len(images()[rows]), 6, 4, 4, dtype=torch.float64), 0.5)
    after = torch.rand(1)
    torch.manual_seed(0)
    with pytest.raises(ZeroDivisionError):
        by_backward(model, images(), 3)
    assert torch.rand(1) == after


# --- refused


def test_a_loss_that_is_nan_is_refused_before_any_gradient():
    model = network()
    with pytest.raises(FloatingPointError, match="The loss is nan"):
        by_backward(model, images(), 3, lambda d: all_pairs(d) * torch.nan)
    assert all(gradient is None for gradient in gradients(model).values())


def test_a_gradient_that_is_nan_is_refused_with_its_row():
    model = network()

    def rooted(descriptors):
        return ((descriptors - descriptors.detach() * torch.tensor([0, 0, 1, 0, 0, 0, 0])[:, None]) ** 2).sum(1).sqrt().sum()

    assert bool(torch.isfinite(rooted(model(images()))))
    with pytest.raises(FloatingPointError, match=r"for descriptor 2 \(and 0 more\)"):
        by_backward(model, images(), 3, rooted)
    assert all(gradient is None for gradient in gradients(model).values())


class Returning(nn.Module):
    """A network with a weight and a given output."""

    def __init__(self, output):
        super().__init__()
        self.weight, self.output = nn.Parameter(torch.ones(1)), output

    def forward(self, x):
        return self.output(x * self.weight)


@pytest.mark.parametrize(
    ("changes", "error", "text"),
    [
        ({"model": lambda x: x}, TypeError, "`model` must be a torch.nn.Module, but got function. Wrap"),
        ({"model": Returning(lambda x: (x, x))}, TypeError, "one tensor of descriptors .* type tuple"),
        ({"model": Returning(lambda x: {"a": x})}, TypeError, "type dict"),
        ({"model": Returning(lambda x: x[:, None])}, ValueError, r"shape \(3, 1, 4\) for 3 images. Pool"),
        ({"model": Returning(lambda x: x[:1])}, ValueError, r"shape \(1, 4\) for 3 images"),
        ({"model": Returning(lambda x: x[:, :0])}, ValueError, r"shape \(3, 0\) for 3 images"),
        ({"model": Returning(lambda x: x.long())}, TypeError, "torch.int64"),
        ({"model": Returning(lambda x: x[:, : len(x)])}, ValueError, "3 and 1 numbers"),
        ({"model": Returning(lambda x: x.detach())}, ValueError, "reach the descriptors.*no_grad"),
        ({"model": nn.Linear(4, 2).requires_grad_(False)}, ValueError, "parameter that learns.*needs no stages"),
        ({"images": torch.zeros(0, 4)}, ValueError, "at least one image"),
        ({"images": torch.zeros(4)}, ValueError, r"`image\[None\]`"),
        ({"images": []}, ValueError, "empty sequence"),
        ({"images": [[1.0, 2.0]]}, TypeError, "list at 0"),
        ({"images": "images"}, TypeError, "got str"),
        ({"images": 5}, TypeError, "got int"),
        ({"chunk_size": 0}, ValueError, "`chunk_size` must be an integer of at least 1"),
        ({"chunk_size": 2.0}, TypeError, "`chunk_size`"),
        ({"batch_norm": "ignore"}, ValueError, "one of 'refuse', 'frozen'"),
        ({"loss": 3}, TypeError, "`loss` must be a function"),
        ({"loss": lambda d: d.sum().item()}, TypeError, "returns float"),
        ({"loss": lambda d: d.sum(1)}, ValueError, r"a scalar, but got shape \(7,\)"),
        ({"loss": lambda d: d.detach().sum()}, ValueError, "does not depend on them"),
        ({"loss": lambda d: torch.ones(1, requires_grad=True).sum()}, ValueError, "does not depend on them"),
    ],
)
def test_bad_input_is_refused_with_its_name(changes, error, text):
    arguments = {"model": nn.Linear(4, 2), "images": torch.randn(7, 4), "loss": all_pairs, "chunk_size": 3, **changes}
    with pytest.raises(error, match=text):
        multistage_backward(**arguments)


def test_a_sequence_with_a_wrong_descriptor_is_refused():
    with pytest.raises(ValueError, match=r"shape \(2, 4\) for 1 image\."):
        by_backward(Returning(lambda x: torch.cat([x, x])), [torch.zeros(4)] * 3, 2)
    with pytest.raises(ValueError, match="4 and 5 numbers"):
        by_backward(Returning(lambda x: x), [torch.zeros(4), torch.zeros(5)], 2)


def test_a_frozen_network_still_gives_descriptors():
    frozen, proxy = network().requires_grad_(False), torch.ones(4, dtype=torch.float64, requires_grad=True)
    descriptors = multistage_descriptors(frozen, images(), 3)
    (descriptors @ proxy).square().sum().backward()
    assert not descriptors.requires_grad and proxy.grad is not None


def test_second_derivatives_are_refused():
    model = network()
    loss = all_pairs(multistage_descriptors(model, images(), 3))
    (gradient,) = torch.autograd.grad(loss, [model[0].weight], create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        gradient.sum().backward()


def test_the_progress_bar_counts_both_passes(monkeypatch):
    bars = []
    real = profile.progress

    def spy(*arguments, **options):
        bars.append(real(*arguments, **{**options, "disable": False, "delay": 1000}))
        return bars[-1]

    monkeypatch.setattr(profile, "progress", spy)
    by_backward(network(), images(), 2)
    assert [(bar.n, bar.total) for bar in bars] == [(8, 8)]


# --- inside `fit`


def labelled_batches(n=6):
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(5, 3, 6, 6, dtype=torch.float64, generator=generator) for _ in range(n)]


def weights(model):
    return torch.cat([p.detach().flatten() for p in model.parameters()])


def trained(step, model=None, **options):
    model = network() if model is None else model
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    result = fit(model, labelled_batches(), step, optimizer, n_epochs=1, generator=torch.Generator().manual_seed(1), **options)
    return weights(model), result


def multistage_step(model, batch):
    return all_pairs(multistage_descriptors(model, batch, 2))


def chunked_step(model, batch):
    """The same without a second pass: the dropout of one draw per chunk, the graph of all chunks."""
    return all_pairs(torch.cat([model(batch[rows]) for rows in profile.batches(len(batch), 2)]))


@pytest.mark.parametrize("clip_norm", [None, 0.05])
def test_training_with_fit_is_the_same_training(clip_norm):
    expected, one = trained(chunked_step, network(dropout=0.3), clip_norm=clip_norm)
    found, two = trained(multistage_step, network(dropout=0.3), clip_norm=clip_norm)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-9)
    torch.testing.assert_close(two.losses, one.losses, rtol=0, atol=1e-9)
    assert not torch.allclose(expected, trained(chunked_step, network(dropout=0.3))[0]) or clip_norm is None


def test_training_with_fit_can_be_interrupted_and_resumed(tmp_path):
    expected, _ = trained(multistage_step, network(dropout=0.3))
    calls = []

    def stopping(model, batch):
        calls.append(1)
        if len(calls) == 3:
            signal.raise_signal(signal.SIGINT)
        return multistage_step(model, batch)

    options = {"checkpoint": tmp_path / "training.pt"}
    with pytest.raises(KeyboardInterrupt, match="after step 3"):
        trained(stopping, network(dropout=0.3), **options)
    found, result = trained(multistage_step, network(dropout=0.3), **options)
    assert result.n_steps == 6 and torch.equal(found, expected)


def test_gradient_scaling_reaches_stage_three():
    model = network()
    (1024 * all_pairs(multistage_descriptors(model, images(), 3))).backward()
    expected = single_pass(model, images())[2]
    assert_equal_gradients({n: g / 1024 for n, g in gradients(model).items()}, expected)


def test_fit_without_an_optimizer_runs_the_three_stages_in_the_step():
    model = network()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)

    def step(model, batch):
        optimizer.zero_grad()
        result = multistage_backward(model, batch, all_pairs, 2)
        optimizer.step()
        return result.loss

    fit(model, labelled_batches(), step, None, n_epochs=1, also_saved={"adam": optimizer})
    torch.testing.assert_close(weights(model), trained(chunked_step)[0], rtol=0, atol=1e-9)
