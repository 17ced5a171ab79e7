"""The same network on the same chunks twice, under the same conditions.

**Problem.** Whoever trades memory for a second forward pass (``training.multistage``) needs the second pass to be the
first one again: same random numbers, same precision, same mode, same buffers. **Idea.** Note all of this in the first
pass, set it back for the second, compare the outputs, and refuse networks for which it cannot work: those that look at
several images at once.

What is set back: the state of torch's global generators before every chunk, autocast, the mode of frozen batch-norm
layers. What the second pass writes into buffers and generators is undone at its end.

Taught in ``06_listwise_ap_loss``, as a part of ``training.multistage_backward``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.modules.batchnorm import _BatchNorm  # the base of all batch norms, SyncBatchNorm included

from course_utils import profile
from course_utils.checks import checked_choice, checked_int, message


class TwoPasses:
    """A network applied to the same chunks twice, under the same conditions.

    Attributes
    ----------
    chunks : list of slice
        Rows of ``images``.
    learning : list of Tensor
        What receives a gradient: parameters, and images that ask for one.
    """

    def __init__(self, model: nn.Module, images: Tensor | Sequence[Tensor], chunk_size: int, batch_norm: str):
        if not isinstance(model, nn.Module):
            raise TypeError(message("model", "a torch.nn.Module", type(model).__name__, "Wrap a function in a module."))
        self.model, self.images = model, _checked_images(images)
        chunk_size = checked_int(chunk_size, "chunk_size", low=1)
        checked_choice(batch_norm, "batch_norm", ("refuse", "frozen"))
        self.frozen = _layers_that_mix(model, batch_norm)
        self.chunks = list(profile.batches(len(images), chunk_size))
        pictures = [images] if isinstance(images, Tensor) else list(images)
        learning = {id(t): t for t in (*model.parameters(), *pictures) if t.requires_grad}  # an image may come twice
        self.learning = list(learning.values())
        self.used_images, self.used_parameters = self.images, {}  # or stand-ins
        self.image_graph = any(picture.requires_grad and not picture.is_leaf for picture in pictures)
        devices = {tensor.device for tensor in (*model.parameters(), *model.buffers(), *pictures)}
        self.devices = sorted((d for d in devices if d.type not in ("cpu", "meta")), key=str)
        self.random: list[dict] = []  # state of the generators before each chunk of the first pass
        self.precision: list[dict] = []
        self.descriptors: Tensor | None = None

    def first(self, after_chunk: Callable[[], Any] = lambda: None) -> Tensor:
        """Run all chunks without graph and return the descriptors (B, D)."""
        self.precision = _autocast_settings({"cpu", *(device.type for device in self.devices)})
        outputs = []
        with torch.no_grad(), _evaluating(self.frozen):
            for rows in self.chunks:
                self.random.append(_random_state(self.devices))
                outputs.append(self._checked_output(self._run(rows), rows, outputs))
                after_chunk()
        self.descriptors = torch.cat(outputs)
        return self.descriptors

    def second(self, backward: Callable[[Tensor, slice], None], after_chunk: Callable[[], Any] = lambda: None) -> None:
        """Run the chunks again, with graph, and call ``backward(descriptors of the chunk, its rows)`` for each.

        Whatever the layers write down while they run (buffers, generators) is put back at the end.
        """
        buffers = {name: buffer.clone() for name, buffer in self.model.named_buffers()}
        random = _random_state(self.devices)
        try:
            for rows, state in zip(self.chunks, self.random):
                _set_random_state(state)
                with torch.enable_grad(), ExitStack() as stack:
                    for settings in self.precision:
                        stack.enter_context(torch.autocast(**settings))
                    stack.enter_context(_evaluating(self.frozen))
                    output = self._run(rows)
                self._compare(output, rows)
                backward(output, rows)
                del output  # and its graph, before the next chunk builds one
                after_chunk()
        finally:
            _set_random_state(random)
            with torch.no_grad():
                for name, buffer in self.model.named_buffers():
                    if name in buffers:
                        buffer.copy_(buffers[name])

    def stand_ins(self) -> list[Tensor]:
        """Let the second pass run on leaves with the same values, one for each of ``learning``; return them.

        Their gradients are handed on to the real ones. Asking for the gradient of the real ones directly would call
        their hooks twice: for each chunk, and for the sum.
        """
        of = {id(tensor): tensor.detach().requires_grad_() for tensor in self.learning}
        self.used_parameters = {name: of[id(p)] for name, p in self.model.named_parameters() if id(p) in of}
        if isinstance(self.images, Tensor):
            self.used_images = of.get(id(self.images), self.images)
        else:
            self.used_images = [of.get(id(image), image) for image in self.images]
        return list(of.values())

    def _run(self, rows: slice) -> Any:
        images = self.used_images[rows]
        if isinstance(images, Tensor):
            return functional_call(self.model, self.used_parameters, (images,))
        outputs = [functional_call(self.model, self.used_parameters, (image[None],)) for image in images]
        for output in outputs:
            self._checked_output(output, slice(0, 1), outputs[:1])
        return torch.cat(outputs)

    def _checked_output(self, output: Any, rows: slice, earlier: list[Tensor]) -> Tensor:
        expected, n_images = "a network that returns one tensor of descriptors (b, D)", rows.stop - rows.start
        if not isinstance(output, Tensor):
            advice = "Wrap it in a module that returns the descriptors only."
            raise TypeError(message("model", expected, f"an output of type {type(output).__name__}", advice))
        if output.ndim != 2 or len(output) != n_images or output.shape[1] == 0:
            got = f"an output of shape {tuple(output.shape)} for {n_images} image{'s' if n_images > 1 else ''}"
            raise ValueError(message("model", expected, got, "Pool and flatten the feature map, for example."))
        if not output.is_floating_point():
            raise TypeError(message("model", expected, f"an output of {output.dtype}"))
        if earlier and output.shape[1] != earlier[0].shape[1]:
            got = f"{earlier[0].shape[1]} and {output.shape[1]} numbers for two images"
            raise ValueError(message("model", "a network with descriptors of one length", got))
        return output

    def _compare(self, output: Tensor, rows: slice) -> None:
        """Refuse a second pass that differs by more than rounding, or that has no graph."""
        if not output.requires_grad:
            advice = "Does it run under `torch.no_grad`?"
            raise ValueError(message("model", "a network whose parameters reach the descriptors", "one without a graph", advice))
        before, now = self.descriptors[rows], output.detach()
        tolerance = torch.finfo(now.dtype).eps ** 0.5 * float(before.abs().max())
        difference = float((now - before).abs().max()) if now.shape == before.shape else float("inf")
        if not difference <= tolerance:
            raise RuntimeError(
                f"The network gave other descriptors in stage 3 than in stage 1 (largest difference {difference:.3g}), so the "
                "gradient would belong to another network. It was changed in between, or a layer keeps a state from one call "
                "to the next or draws from a generator of its own. Switch this layer to evaluation mode; clear the gradients."
            )


def _checked_images(images: Any) -> Tensor | list[Tensor]:
    if isinstance(images, Tensor):
        if images.ndim < 2 or len(images) == 0:
            advice = "A batch of one image is `image[None]`."
            raise ValueError(message("images", "at least one image, shape (B, ...)", f"shape {tuple(images.shape)}", advice))
        return images
    if isinstance(images, (str, bytes)) or not isinstance(images, Sequence):
        raise TypeError(message("images", "a Tensor (B, ...) or a sequence of Tensors", type(images).__name__))
    if not images:
        raise ValueError(message("images", "at least one image", "an empty sequence"))
    for i, image in enumerate(images):
        if not isinstance(image, Tensor):
            raise TypeError(message("images", "a Tensor (B, ...) or a sequence of Tensors", f"{type(image).__name__} at {i}"))
    return list(images)


def _layers_that_mix(model: nn.Module, batch_norm: str) -> list[nn.Module]:
    """Return the batch-norm layers to freeze; refuse those that cannot be."""
    frozen = []
    for name, layer in model.named_modules():
        if not isinstance(layer, _BatchNorm):
            continue
        named = f"one with the batch norm {name!r} ({type(layer).__name__})" if name else f"a {type(layer).__name__}"
        if not layer.track_running_stats or layer.running_mean is None:  # normalises with the batch in every mode
            raise ValueError(
                message(
                    "model", "a network that treats every image for itself", f"{named}, which has no running statistics",
                    "Use `nn.GroupNorm`, or keep running statistics.",
                )
            )  # fmt: skip
        if layer.training and batch_norm == "refuse":
            raise ValueError(
                message(
                    "model", "a network that treats every image for itself", f"{named} in training mode",
                    "It would see one chunk at a time, and the gradient would not be that of the batch. Pass "
                    '`batch_norm="frozen"` (running statistics, not updated), call `eval()` on the layer, or use `nn.GroupNorm`.',
                )
            )  # fmt: skip
        if layer.training:
            frozen.append(layer)
    return frozen


@contextmanager
def _evaluating(layers: list[nn.Module]) -> Iterator[None]:
    """Within: these layers are in evaluation mode. Afterwards: in training mode, where they were."""
    for layer in layers:
        layer.training = False
    try:
        yield
    finally:
        for layer in layers:
            layer.training = True


def _autocast_settings(device_types: set[str]) -> list[dict[str, Any]]:
    """Return the arguments with which ``torch.autocast`` repeats the present state."""
    return [
        {
            "device_type": kind,
            "dtype": torch.get_autocast_dtype(kind),
            "enabled": torch.is_autocast_enabled(kind),
            "cache_enabled": torch.is_autocast_cache_enabled(),
        }
        for kind in sorted(device_types)
    ]


def _random_state(devices: list[torch.device]) -> dict[Any, Tensor]:
    """Return the state of torch's global generators: the processor's and the devices'."""
    state: dict[Any, Tensor] = {"cpu": torch.get_rng_state()}
    for device in devices:
        state[device] = torch.get_device_module(device).get_rng_state(device)
    return state


def _set_random_state(state: dict[Any, Tensor]) -> None:
    torch.set_rng_state(state["cpu"])
    for device, saved in state.items():
        if device != "cpu":
            torch.get_device_module(device).set_rng_state(saved, device)
