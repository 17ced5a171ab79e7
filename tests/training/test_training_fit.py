"""The training loop: what it promises about seeds, best weights, interrupts, resuming and errors."""

import signal

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from course_utils.training import SmallCNN, fit


class Noisy(nn.Module):
    """A small network with everything that has state: dropout, batch norm, weights."""

    def __init__(self, seed=0):
        super().__init__()
        g = torch.Generator().manual_seed(seed)
        self.one, self.norm, self.two = nn.Linear(3, 8), nn.BatchNorm1d(8), nn.Linear(8, 1)
        for p in self.parameters():
            p.data = torch.randn(p.shape, generator=g) * 0.3

    def forward(self, x):
        return self.two(nn.functional.dropout(torch.relu(self.norm(self.one(x))), 0.3, self.training))


def data(n=40, seed=1):
    x = torch.randn(n, 3, generator=torch.Generator().manual_seed(seed))
    return TensorDataset(x, x.sum(1, keepdim=True))


def loader(generator=None, **options):
    return DataLoader(data(), batch_size=8, shuffle=True, generator=generator, **options)


def square(model, batch):
    return (model(batch[0]) - batch[1]).square().mean()


def adam(model, lr=1e-2):
    return torch.optim.Adam(model.parameters(), lr=lr)


def weights(model):
    return torch.cat([value.flatten().float() for value in model.state_dict().values()])


def seeded(seed=3):
    return torch.Generator().manual_seed(seed)


class Stop:
    """A step that is interrupted once, at its n-th call."""

    def __init__(self, at, how="raise"):
        self.calls, self.at, self.how = 0, at, how

    def __call__(self, model, batch):
        self.calls += 1
        loss = square(model, batch)
        if self.calls == self.at and self.how == "raise":
            raise KeyboardInterrupt
        if self.calls == self.at and self.how == "signal":
            signal.raise_signal(signal.SIGINT)
        return loss


def run(step=square, checkpoint=None, batches=None, **options):
    model = Noisy()
    optimizer = adam(model)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 15)
    batches = loader() if batches is None else batches
    result = fit(
        model, batches, step, optimizer, n_epochs=3, generator=seeded(), schedule=schedule, checkpoint=checkpoint, **options
    )
    return model, result


def test_it_learns():
    _, result = run()
    assert sum(result.losses[-5:]) < sum(result.losses[:5])
    assert (result.n_steps, result.n_skipped, result.stopped) == (15, 0, "finished")


def test_the_same_generator_repeats_a_run_and_leaves_the_global_stream_alone():
    models = Noisy(), Noisy()
    before = torch.get_rng_state()
    for model in models:
        fit(model, loader(), square, adam(model), n_epochs=2, generator=seeded())
    assert torch.equal(weights(models[0]), weights(models[1]))
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("how", ["raise", "signal"])
@pytest.mark.parametrize("at", [1, 5, 6, 12])
def test_interrupted_and_resumed_is_bit_for_bit_uninterrupted(tmp_path, how, at):
    expected, expected_result = run()
    path = tmp_path / "fit.pt"
    with pytest.raises(KeyboardInterrupt, match=r"stopped after step \d+.*make the same call again"):
        run(Stop(at, how), path)
    model, result = run(square, path)
    assert torch.equal(weights(model), weights(expected))
    assert result == expected_result


def test_resuming_works_with_the_loaders_own_generator(tmp_path):
    expected, _ = run(batches=loader(seeded(8)))
    with pytest.raises(KeyboardInterrupt):
        run(Stop(8), tmp_path / "fit.pt", loader(seeded(8)))
    model, _ = run(square, tmp_path / "fit.pt", loader(seeded(99)))
    assert torch.equal(weights(model), weights(expected))


class Numbers:
    """Batches that can say where they are."""

    def __init__(self):
        self.place = 0

    def __iter__(self):
        while self.place < 5:
            self.place += 1
            x = torch.full((4, 3), float(self.place)) + torch.arange(4.0)[:, None]
            yield x, x.sum(1, keepdim=True)
        self.place = 0

    def state_dict(self):
        return {"place": self.place}

    def load_state_dict(self, state):
        self.place = state["place"]


@pytest.mark.parametrize("how", ["raise", "signal"])
def test_batches_with_a_state_are_put_where_they_stopped(tmp_path, how):
    expected, _ = run(batches=Numbers())
    with pytest.raises(KeyboardInterrupt):
        run(Stop(8, how), tmp_path / "fit.pt", Numbers())
    model, _ = run(square, tmp_path / "fit.pt", Numbers())
    assert torch.equal(weights(model), weights(expected))


def test_a_finished_checkpoint_is_not_trained_again(tmp_path):
    model, result = run(checkpoint=tmp_path / "fit.pt")
    again, same = run(lambda m, b: pytest.fail("trained again"), tmp_path / "fit.pt")
    assert torch.equal(weights(again), weights(model))
    assert same == result


def test_without_resume_training_starts_anew(tmp_path):
    run(checkpoint=tmp_path / "fit.pt")
    steps = Stop(10**9)
    run(steps, tmp_path / "fit.pt", resume=False)
    assert steps.calls == 15


def test_only_whole_files_are_left_behind(tmp_path):
    run(checkpoint=tmp_path / "deep" / "fit.pt", checkpoint_every=2)
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["fit.pt"]


def test_a_killed_run_continues_from_its_last_periodic_checkpoint(tmp_path):
    expected, _ = run()

    class Killed(Exception):
        pass

    def dies(model, batch, calls=[0]):  # noqa: B006 - counts on purpose
        calls[0] += 1
        if calls[0] == 8:
            raise Killed
        return square(model, batch)

    with pytest.raises(Killed):
        run(dies, tmp_path / "fit.pt", checkpoint_every=3)
    model, _ = run(square, tmp_path / "fit.pt", checkpoint_every=3)
    assert torch.equal(weights(model), weights(expected))


def test_the_best_weights_are_restored_and_patience_ends_the_run():
    model, scores, seen = Noisy(), iter([0.1, 0.5, 0.3, 0.2, 0.9]), []

    def validate(m):
        assert not m.training
        seen.append(weights(m).clone())
        return next(scores)

    result = fit(model, loader(), square, adam(model), n_epochs=9, generator=seeded(), validate=validate, patience=2)
    assert result.stopped == "early"
    assert result.validation == [(5, 0.1), (10, 0.5), (15, 0.3), (20, 0.2)]
    assert (result.best_score, result.best_step) == (0.5, 10)
    assert torch.equal(weights(model), seen[1])
    assert not model.training


def test_a_lower_score_can_be_the_better_one():
    model, scores = Noisy(), iter([3.0, 1.0, 2.0])
    result = fit(model, loader(), square, adam(model), n_epochs=3, validate=lambda m: next(scores), better="lower")
    assert (result.best_score, result.best_step) == (1.0, 10)


def test_early_stopping_survives_an_interrupt(tmp_path):
    def go(step, path=None):
        model = Noisy()
        result = fit(
            model, loader(), step, adam(model), n_epochs=4, generator=seeded(), checkpoint=path, validate_every=2, patience=3,
            validate=lambda m: -float((m(torch.ones(1, 3)) - 3).abs()),
        )  # fmt: skip
        return model, result

    expected, expected_result = go(square)
    with pytest.raises(KeyboardInterrupt):
        go(Stop(7), tmp_path / "fit.pt")
    model, result = go(square, tmp_path / "fit.pt")
    assert torch.equal(weights(model), weights(expected))
    assert result == expected_result


def test_validation_happens_every_so_many_steps_and_at_the_last_one():
    model = Noisy()
    result = fit(model, loader(), square, adam(model), n_steps=7, validate=lambda m: 1.0, validate_every=3)
    assert [step for step, _ in result.validation] == [3, 6, 7]


def test_a_step_that_returns_none_leaves_model_and_optimiser_alone():
    model = Noisy()
    model.norm.track_running_stats = False
    before = weights(model).clone()
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0, momentum=0.9, weight_decay=0.1)
    result = fit(model, loader(), lambda m, b: None, optimizer, n_epochs=1)
    assert torch.equal(weights(model), before)
    assert (result.n_steps, result.n_skipped, result.losses) == (5, 5, [])


def test_further_figures_are_logged():
    model = Noisy()
    result = fit(model, loader(), lambda m, b: {"loss": square(m, b), "size": len(b[0])}, adam(model), n_epochs=1)
    assert result.logs == {"size": [8.0] * 5}


def test_a_step_may_update_the_weights_itself_as_two_players_do(tmp_path):
    def go(at=None, path=None):
        one, two = Noisy(1), Noisy(2)
        both = nn.ModuleList([one, two])
        optimizers = {"first": adam(one), "second": adam(two)}
        calls = [0]

        def step(models, batch):
            calls[0] += 1
            for network, optimizer in zip(models, optimizers.values()):
                optimizer.zero_grad()
                loss = square(network, batch)
                loss.backward()
                optimizer.step()
            if calls[0] == at:
                signal.raise_signal(signal.SIGINT)
            return loss.item()

        result = fit(both, loader(), step, None, n_epochs=2, generator=seeded(), also_saved=optimizers, checkpoint=path)
        return both, result

    expected, result = go()
    assert len(result.losses) == 10
    with pytest.raises(KeyboardInterrupt):
        go(4, tmp_path / "gan.pt")
    assert torch.equal(weights(go(None, tmp_path / "gan.pt")[0]), weights(expected))


def test_the_interrupt_handler_is_put_back():
    before = signal.getsignal(signal.SIGINT)
    run()
    assert signal.getsignal(signal.SIGINT) is before


def test_mixed_precision_trains_on_the_cpu():
    model = SmallCNN(8, n_classes=2, generator=seeded())
    images = torch.randn(8, 3, 8, 8, generator=seeded())
    batch = (images, (images.mean((1, 2, 3)) > 0).long())
    seen = []

    def step(m, b):
        logits = m(b[0])
        seen.append(logits.dtype)
        return nn.functional.cross_entropy(logits.float(), b[1])

    result = fit(model, [batch] * 4, step, adam(model), n_epochs=1, mixed_precision="bfloat16")
    assert seen[0] == torch.bfloat16
    assert result.losses[-1] < result.losses[0]


def test_the_gradient_can_be_clipped():
    model = nn.Linear(1, 1, bias=False)
    start = float(model.weight.detach())
    sgd = torch.optim.SGD(model.parameters(), lr=1.0)
    fit(model, [torch.full((1, 1), 100.0)], lambda m, b: m(b).sum(), sgd, n_epochs=1, clip_norm=0.5)
    assert float(model.weight.detach()) == pytest.approx(start - 0.5, abs=1e-4)


def test_nested_batches_reach_the_step_whole():
    seen = []

    def step(m, b):
        seen.append(b)
        return m(b["x"][0]).sum()

    model = nn.Linear(1, 1)
    fit(model, [{"x": [torch.ones(1, 1)], "name": "a"}], step, adam(model), n_epochs=1)
    assert seen[0]["name"] == "a"


def test_a_nan_loss_is_an_error_and_the_weights_stay():
    model = Noisy()
    before = model.one.weight.detach().clone()
    with pytest.raises(FloatingPointError, match=r"The loss is nan at step 1; .*Lower the learning rate"):
        fit(model, loader(), lambda m, b: square(m, b) * float("nan"), adam(model), n_epochs=1)
    assert torch.equal(model.one.weight, before)


def test_an_empty_loader_is_an_error():
    model = Noisy()
    with pytest.raises(ValueError, match="`batches` must be an iterable with at least one batch"):
        fit(model, [], square, adam(model), n_epochs=1)


def test_a_damaged_checkpoint_is_named_with_the_way_out(tmp_path):
    path = tmp_path / "fit.pt"
    path.write_bytes(b"not a checkpoint")
    with pytest.raises(ValueError, match=r"fit.pt, which cannot be read. Delete the file or pass `resume=False`"):
        run(checkpoint=path)


def test_a_checkpoint_of_another_model_is_refused(tmp_path):
    path = tmp_path / "fit.pt"
    run(checkpoint=path)
    model = nn.Linear(3, 1)
    with pytest.raises(ValueError, match="another call"):
        fit(model, loader(), square, adam(model), n_epochs=1, checkpoint=path)
    optimizer = adam(model)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 15)
    with pytest.raises(ValueError, match="of this model and optimiser"):
        fit(model, loader(), square, optimizer, n_epochs=1, checkpoint=path, schedule=schedule)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({}, "`n_epochs` must be given where `n_steps` is not"),
        ({"n_epochs": 0}, "`n_epochs` must be an integer of at least 1"),
        ({"n_steps": 1, "patience": 0}, "`patience` must be an integer of at least 1"),
        ({"n_steps": 1, "better": "more"}, "`better` must be one of"),
        ({"n_steps": 1, "mixed_precision": "float16", "device": "cpu"}, "'bfloat16' or None on the CPU"),
    ],
)
def test_wrong_options_are_named(options, text):
    model = Noisy()
    with pytest.raises(ValueError) as caught:
        fit(model, loader(), square, adam(model), **options)
    assert text in str(caught.value)
