"""One training loop for the whole course.

**Problem.** Every chapter trains something, and every hand-written loop forgets something: the seed, the best weights,
the NaN, what happens when the reader presses *stop*. **Idea.** A chapter supplies the one thing that differs, a
function ``step(model, batch) -> loss``; the loop does the rest.

======================  ===================================================================================
progress                a bar with the running loss
seed                    ``generator`` seeds everything the loop's parts draw from torch's global stream
                        (dropout, shuffling), and the caller's global stream is left as it was
early stopping          ``validate`` after every so many steps; the best weights are restored at the end
interrupt and resume    Ctrl-C (the *stop* button) finishes the step, saves, and raises
                        ``KeyboardInterrupt``; the same call again goes on, bit by bit as if nothing had
                        happened: weights, optimiser, schedule, generators, place in the data
mixed precision         autocast, with gradient scaling for float16
======================  ===================================================================================

Checkpoints are written beside the target and renamed, so a crash never leaves half a file, and they are read with
``weights_only=True``: a foreign file cannot run code.

Early stopping: L. Prechelt, "Early stopping - but when?", 1998. Mixed precision: P. Micikevicius et al., ICLR 2018,
arXiv:1710.03740.

Taught in ``02_netvlad``, step 6.
"""

from __future__ import annotations

import math
import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from course_utils import profile
from course_utils.checks import checked_choice, checked_int, message

_END = object()
SMOOTHING = 0.9  # of the loss shown in the progress bar; the history keeps the raw values


@dataclass
class FitResult:
    """What happened during ``fit``.

    Attributes
    ----------
    losses : list of float
        One per executed step, in order.
    logs : dict of name -> list of float
        Further figures that ``step`` returned.
    validation : list of (step, score)
    best_score, best_step : float or None, int
        Of the validation; the model carries these weights.
    n_steps, n_skipped : int
        Steps made, and batches for which ``step`` returned None.
    stopped : {"finished", "early", "unfinished"}
    """

    losses: list[float] = field(default_factory=list)
    logs: dict[str, list[float]] = field(default_factory=dict)
    validation: list[tuple[int, float]] = field(default_factory=list)
    best_score: float | None = None
    best_step: int = 0
    n_steps: int = 0
    n_skipped: int = 0
    stopped: str = "unfinished"


def fit(
    model: nn.Module,
    batches: Iterable[Any],
    step: Callable[[nn.Module, Any], Any],
    optimizer: torch.optim.Optimizer | None,
    *,
    n_epochs: int | None = None,
    n_steps: int | None = None,
    generator: torch.Generator | None = None,
    validate: Callable[[nn.Module], float] | None = None,
    validate_every: int | None = None,
    patience: int | None = None,
    better: str = "higher",
    schedule: Any = None,
    clip_norm: float | None = None,
    device: torch.device | str | None = None,
    mixed_precision: str | None = None,
    checkpoint: str | Path | None = None,
    checkpoint_every: int | None = None,
    resume: bool = True,
    also_saved: Mapping[str, Any] | None = None,
    description: str = "training",
) -> FitResult:
    """Train ``model`` and leave it with its best weights.

    Parameters
    ----------
    model : nn.Module
        Moved to ``device`` and trained in place.
    batches : iterable
        Gone through once per epoch: a ``DataLoader``, a list, an object of your own. Tensors in lists, tuples and
        mappings are moved to the device. If it has ``state_dict`` and ``load_state_dict`` they are used to resume in
        the middle of an epoch; otherwise the epoch is started again from the same generator state and the batches
        already used are skipped.
    step : callable (model, batch) -> loss
        Returns a scalar Tensor; or a mapping with ``"loss"`` and further figures to log; or None for "nothing to
        learn from this batch", which leaves model and optimiser alone.
    optimizer : torch.optim.Optimizer or None
        None: ``step`` updates the weights itself (as a GAN's two optimisers do) and returns its loss for the log; put
        its optimisers into ``also_saved``.
    n_epochs, n_steps : int
        The budget: at least one of them; the first one reached ends the training. Skipped batches count as steps.
    generator : torch.Generator, optional
        Its next number seeds torch's global stream within the loop.
    validate : callable (model) -> float, optional
        Called in evaluation mode without gradients.
    validate_every : int, optional
        Steps between validations; default: at the end of every epoch.
    patience : int, optional
        Stop after this many validations in a row without improvement.
    better : {"higher", "lower"}
        Which way the validation score improves.
    schedule : learning-rate scheduler of torch, optional
        Stepped after every optimiser step.
    clip_norm : float, optional
        Largest norm of the whole gradient.
    device : optional
        Default: the profile's device.
    mixed_precision : {None, "bfloat16", "float16"}
        Run ``step`` under autocast. float16 needs a graphics card.
    checkpoint : path, optional
        Where to save; also the file to resume from. Without it an interrupt keeps the weights in ``model`` only.
    checkpoint_every : int, optional
        Also save after every so many steps.
    resume : bool, default True
        Continue from ``checkpoint`` if the file exists; False starts anew and overwrites it.
    also_saved : mapping of name -> object with state_dict and load_state_dict, optional
        Further state that belongs into the checkpoint.
    description : str
        Name on the progress bar.

    Returns
    -------
    FitResult

    Raises
    ------
    ValueError
        If ``batches`` yields nothing, no budget is given, an argument is out of range, or the checkpoint is damaged
        or belongs to another model.
    FloatingPointError
        If the loss is NaN or infinite. The weights are those before that step.
    KeyboardInterrupt
        After an interrupt, once the checkpoint is written.

    Examples
    --------
    >>> model = nn.Linear(1, 1, bias=False)
    >>> data = [(torch.ones(4, 1), 3 * torch.ones(4, 1))] * 50
    >>> adam = torch.optim.SGD(model.parameters(), lr=0.2)
    >>> result = fit(model, data, lambda m, b: (m(b[0]) - b[1]).square().mean(), adam, n_epochs=1)
    >>> round(model.weight.item(), 3), result.stopped
    (3.0, 'finished')
    """
    n_epochs = None if n_epochs is None else checked_int(n_epochs, "n_epochs", low=1)
    n_steps = None if n_steps is None else checked_int(n_steps, "n_steps", low=1)
    if n_epochs is None and n_steps is None:
        raise ValueError(message("n_epochs", "given where `n_steps` is not", "neither", "Pass `n_epochs=1`, for example."))
    for name, value in (("validate_every", validate_every), ("patience", patience), ("checkpoint_every", checkpoint_every)):
        if value is not None:
            checked_int(value, name, low=1)
    checked_choice(better, "better", ("higher", "lower"))
    device = profile.device() if device is None else torch.device(device)
    model.to(device)
    precision = _Precision(mixed_precision, device)
    run = _Run(model, optimizer, schedule, precision, batches, generator, also_saved or {}, checkpoint)
    plan = _Plan(step, device, n_epochs, n_steps, validate, validate_every, patience, better, clip_norm, checkpoint_every)
    with _own_global_stream(generator), _deferred_interrupt() as interrupted:
        if resume and run.load() and run.result.stopped != "unfinished":
            return run.finish(run.result.stopped)
        total = _total(batches, n_epochs, n_steps)
        with profile.progress(total=total, initial=run.result.n_steps, desc=description, unit="step") as bar:
            reason = None
            while reason is None:
                reason = _one_epoch(run, plan, bar, interrupted)
        return run.finish(reason)


@dataclass(frozen=True)
class _Plan:
    step: Callable
    device: torch.device
    n_epochs: int | None
    n_steps: int | None
    validate: Callable | None
    validate_every: int | None
    patience: int | None
    better: str
    clip_norm: float | None
    checkpoint_every: int | None


def _one_epoch(run: _Run, plan: _Plan, bar: Any, interrupted: threading.Event) -> str | None:
    """Run (the rest of) one epoch; return why the training ends, or None."""
    result, smooth, any_batch = run.result, None, run.consumed > 0
    batches = run.batches_of_epoch()
    while True:
        before = run.snapshot()
        try:
            batch = next(batches, _END)
            if batch is _END:
                break
            loss = run.update(plan.step, _moved(batch, plan.device), plan.clip_norm)
        except KeyboardInterrupt:  # raised by the data or by `step`, not by the deferred signal
            run.interrupt(before, cut_short=True)
        any_batch = True
        result.n_steps += 1
        run.consumed += 1
        if loss is not None:
            smooth = loss if smooth is None else SMOOTHING * smooth + (1 - SMOOTHING) * loss
            bar.set_postfix(loss=f"{smooth:.3g}", refresh=False)
        bar.update()
        last = plan.n_steps is not None and result.n_steps >= plan.n_steps
        due = last if plan.validate_every is None else last or result.n_steps % plan.validate_every == 0
        if plan.validate is not None and due:
            run.validate(plan.validate, plan.better)
            if run.out_of_patience(plan.patience):
                return "early"
        if last:
            return "finished"
        if plan.checkpoint_every is not None and result.n_steps % plan.checkpoint_every == 0:
            run.save()
        if interrupted.is_set():
            run.interrupt()
    if not any_batch:
        raise ValueError(message("batches", "an iterable with at least one batch", "an empty one"))
    run.epoch, run.consumed = run.epoch + 1, 0
    if plan.validate is not None and plan.validate_every is None:
        run.validate(plan.validate, plan.better)
        if run.out_of_patience(plan.patience):
            return "early"
    return "finished" if plan.n_epochs is not None and run.epoch >= plan.n_epochs else None


class _Run:
    """Everything that belongs into a checkpoint, and how to write, read and advance it."""

    def __init__(self, model, optimizer, schedule, precision, batches, generator, also_saved, checkpoint):
        self.model, self.optimizer, self.schedule, self.precision = model, optimizer, schedule, precision
        self.batches, self.checkpoint = batches, None if checkpoint is None else Path(checkpoint)
        self.stateful_batches = hasattr(batches, "state_dict") and hasattr(batches, "load_state_dict")
        self.generators = _generators(batches, generator)
        parts = {"optimizer": optimizer, "schedule": schedule, "scaler": precision.scaler, **also_saved}
        self.parts = {name: part for name, part in parts.items() if part is not None}
        self.result = FitResult()
        self.epoch = self.consumed = 0
        self.epoch_start: dict | None = None  # random state when the epoch's iterator was made
        self.best_weights: dict | None = None
        self.since_best = 0

    def batches_of_epoch(self) -> Iterator[Any]:
        """Iterate over what is left of the epoch."""
        if self.consumed == 0:
            self.epoch_start = self.random_state()
            yield from self.batches
        elif self.stateful_batches:
            yield from self.batches  # load_state_dict has put it where it stopped
        else:
            now = self.random_state()
            self.set_random_state(self.epoch_start)
            iterator = iter(self.batches)
            for _ in range(self.consumed):
                next(iterator)
            self.set_random_state(now)
            yield from iterator

    def update(self, step: Callable, batch: Any, clip_norm: float | None) -> float | None:
        """Make one step; return its loss, or None if there was nothing to learn."""
        self.model.train()
        with self.precision.autocast():
            outcome = step(self.model, batch)
        figures = dict(outcome) if isinstance(outcome, Mapping) else {"loss": outcome}
        loss = figures.pop("loss")
        if loss is None:
            self.result.n_skipped += 1
            return None
        value = float(loss.detach()) if isinstance(loss, Tensor) else float(loss)
        if not math.isfinite(value):
            raise FloatingPointError(
                f"The loss is {value} at step {self.result.n_steps + 1}; the weights are kept as they were before it. "
                "Lower the learning rate, clip the gradient with `clip_norm=1.0`, or look for NaN in the data."
            )
        if self.optimizer is not None:
            self.optimizer.zero_grad(set_to_none=True)
            self.precision.backward(loss)
            self.precision.apply(self.optimizer, self.model, clip_norm)
            if self.schedule is not None:
                self.schedule.step()
        self.result.losses.append(value)
        for name, figure in figures.items():
            self.result.logs.setdefault(name, []).append(float(figure))
        return value

    def validate(self, score_of: Callable, better: str) -> None:
        """Score the model and keep its weights if they are the best so far."""
        self.model.eval()
        with torch.no_grad():
            score = float(score_of(self.model))
        self.result.validation.append((self.result.n_steps, score))
        best = self.result.best_score
        if best is None or (score > best if better == "higher" else score < best):
            self.result.best_score, self.result.best_step = score, self.result.n_steps
            self.best_weights = {name: value.clone() for name, value in _tensors(self.model).items()}
            self.since_best = 0
        else:
            self.since_best += 1

    def out_of_patience(self, patience: int | None) -> bool:
        return patience is not None and self.since_best >= patience

    def snapshot(self) -> dict[str, Any] | None:
        """Remember what drawing a batch and a forward pass change: buffers, random state, place in the data."""
        if self.checkpoint is None or self.optimizer is None:
            return None
        return {
            "buffers": {name: value.clone() for name, value in self.model.named_buffers()},
            "random": self.random_state(),
            "batches": self.batches.state_dict() if self.stateful_batches else None,
        }

    def interrupt(self, before: dict[str, Any] | None = None, cut_short: bool = False) -> None:
        """Save (after going back to ``before``, if a step was cut short) and raise KeyboardInterrupt.

        A step that was cut short while updating the weights itself (``optimizer=None``) cannot be undone; then the
        file keeps its last complete state.
        """
        place = f"Training stopped after step {self.result.n_steps}."
        if self.checkpoint is None:
            raise KeyboardInterrupt(f"{place} Without `checkpoint=` nothing is saved.")
        if before is not None:
            with torch.no_grad():
                for name, value in self.model.named_buffers():
                    value.copy_(before["buffers"][name])
            self.set_random_state(before["random"])
            if self.stateful_batches:
                self.batches.load_state_dict(before["batches"])
        if before is not None or not cut_short:
            self.save()
        raise KeyboardInterrupt(f"{place} Its state is in {self.checkpoint.name}; make the same call again to go on.")

    def finish(self, reason: str) -> FitResult:
        """Put the best weights back, save, and return the result."""
        already = self.result.stopped == reason
        self.result.stopped = reason
        if not already:
            self.save()
        if self.best_weights is not None:
            with torch.no_grad():
                for name, value in _tensors(self.model).items():
                    value.copy_(self.best_weights[name])
        self.model.eval()
        return self.result

    def save(self) -> None:
        if self.checkpoint is None:
            return
        state = {
            "model": self.model.state_dict(),
            "parts": {name: part.state_dict() for name, part in self.parts.items()},
            "batches": self.batches.state_dict() if self.stateful_batches else None,
            "random": self.random_state(),
            "epoch_start": self.epoch_start,
            "place": [self.epoch, self.consumed, self.since_best],
            "best_weights": self.best_weights,
            "result": asdict(self.result),
        }
        self.checkpoint.parent.mkdir(parents=True, exist_ok=True)
        partial = self.checkpoint.with_name(f"{self.checkpoint.name}.{os.getpid()}.partial")
        torch.save(state, partial)
        partial.replace(self.checkpoint)

    def load(self) -> bool:
        """Continue from the checkpoint; False if there is none."""
        if self.checkpoint is None or not self.checkpoint.exists():
            return False
        name, advice = self.checkpoint.name, "Delete the file or pass `resume=False`."
        try:
            state = torch.load(self.checkpoint, map_location="cpu", weights_only=True)
        except Exception as error:  # torch raises many kinds for a damaged file
            raise ValueError(message("checkpoint", "a file written by `fit`", f"{name}, which cannot be read", advice)) from error
        if not isinstance(state, dict) or "place" not in state or set(state["parts"]) != set(self.parts):
            raise ValueError(message("checkpoint", "a file written by this call of `fit`", f"{name} of another call", advice))
        try:
            self.model.load_state_dict(state["model"])
            for part, obj in self.parts.items():
                obj.load_state_dict(state["parts"][part])
        except (RuntimeError, ValueError, KeyError) as error:
            raise ValueError(message("checkpoint", "of this model and optimiser", f"{name} of another one", advice)) from error
        if self.stateful_batches:
            self.batches.load_state_dict(state["batches"])
        self.epoch, self.consumed, self.since_best = state["place"]
        self.epoch_start, self.best_weights = state["epoch_start"], state["best_weights"]
        state["result"]["validation"] = [tuple(pair) for pair in state["result"]["validation"]]
        self.result = FitResult(**state["result"])
        self.set_random_state(state["random"])
        return True

    def random_state(self) -> dict[str, Any]:
        state = {"global": torch.get_rng_state(), "own": [generator.get_state() for generator in self.generators]}
        if torch.cuda.is_available() and torch.cuda.is_initialized():
            state["cuda"] = torch.cuda.get_rng_state_all()
        return state

    def set_random_state(self, state: dict[str, Any]) -> None:
        torch.set_rng_state(state["global"])
        for generator, saved in zip(self.generators, state["own"]):
            generator.set_state(saved)
        if "cuda" in state and torch.cuda.is_available():
            torch.cuda.set_rng_state_all(state["cuda"])


class _Precision:
    """Autocast and, for float16, gradient scaling."""

    def __init__(self, name: str | None, device: torch.device):
        checked_choice(name, "mixed_precision", (None, "bfloat16", "float16"))
        if name == "float16" and device.type == "cpu":
            raise ValueError(message("mixed_precision", "'bfloat16' or None on the CPU", "'float16'"))
        self.dtype = None if name is None else getattr(torch, name)
        self.device = device
        self.scaler = torch.amp.GradScaler(device.type) if name == "float16" else None

    def autocast(self) -> Any:
        return nullcontext() if self.dtype is None else torch.autocast(self.device.type, dtype=self.dtype)

    def backward(self, loss: Tensor) -> None:
        (loss if self.scaler is None else self.scaler.scale(loss)).backward()

    def apply(self, optimizer: torch.optim.Optimizer, model: nn.Module, clip_norm: float | None) -> None:
        if clip_norm is not None:
            if self.scaler is not None:
                self.scaler.unscale_(optimizer)
            nn.utils.clip_grad_norm_(model.parameters(), clip_norm)
        if self.scaler is None:
            optimizer.step()
        else:
            self.scaler.step(optimizer)
            self.scaler.update()


@contextmanager
def _own_global_stream(generator: torch.Generator | None) -> Iterator[None]:
    """Within: torch's global stream seeded by ``generator``. Afterwards: as it was before."""
    if generator is None:
        yield
        return
    seed = int(torch.randint(2**62, (1,), generator=generator, device=generator.device))
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        yield


@contextmanager
def _deferred_interrupt() -> Iterator[threading.Event]:
    """Turn the first Ctrl-C into a flag, so that no step is cut in half; a second one interrupts at once."""
    flag = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield flag
        return
    previous = signal.getsignal(signal.SIGINT)

    def handle(number: int, frame: Any) -> None:
        flag.set()
        signal.signal(signal.SIGINT, previous)

    signal.signal(signal.SIGINT, handle)
    try:
        yield flag
    finally:
        signal.signal(signal.SIGINT, previous)


def _out_of_patience(run: _Run, patience: int | None) -> bool:
    return patience is not None and run.fresh_since_best >= patience


def _tensors(model: nn.Module) -> dict[str, Tensor]:
    """Parameters and buffers by name (the state dict without layers' extra state)."""
    return {name: value for name, value in model.state_dict().items() if isinstance(value, Tensor)}


def _generators(batches: Any, generator: torch.Generator | None) -> list[torch.Generator]:
    """The generators whose state decides what comes next: the caller's, the loader's, its sampler's."""
    sampler = getattr(batches, "sampler", None)
    candidates = (generator, getattr(batches, "generator", None), getattr(sampler, "generator", None))
    found: list[torch.Generator] = []
    for candidate in candidates:
        if isinstance(candidate, torch.Generator) and not any(candidate is one for one in found):
            found.append(candidate)
    return found


def _total(batches: Any, n_epochs: int | None, n_steps: int | None) -> int | None:
    try:
        by_epochs = None if n_epochs is None else n_epochs * len(batches)
    except TypeError:
        by_epochs = None
    return min((n for n in (by_epochs, n_steps) if n is not None), default=None)


def _moved(batch: Any, device: torch.device) -> Any:
    """Move every tensor inside lists, tuples and mappings to the device."""
    if isinstance(batch, Tensor):
        return batch.to(device, non_blocking=True)
    if isinstance(batch, Mapping):
        return {name: _moved(value, device) for name, value in batch.items()}
    if isinstance(batch, tuple) and hasattr(batch, "_fields"):
        return type(batch)(*(_moved(value, device) for value in batch))
    if isinstance(batch, (list, tuple)):
        return type(batch)(_moved(value, device) for value in batch)
    return batch
