"""What autograd keeps for the backward pass, counted in bytes.

**Problem.** Back-propagation is short of memory long before it is short of time, and the memory of a process says
little about why: allocators keep what was freed, libraries reserve workspaces, and two runs differ. **Idea.** Ask
autograd itself. Every operation that needs a tensor for its backward pass hands it to a *saved-tensor hook*; counting
there gives the same number at every run and on every machine.

What is counted: the memory blocks ("storages") that were **made inside the context** and that some backward node
still holds. A block counts once, as a whole, however many operations save it or a part of it (a linear layer and a
ReLU share their activation; a view shares its base). Parameters, and images that were there before, do not count: they
stay in memory anyway. A block stops counting when the last node that holds it is freed, which ``backward`` does node
by node.

Example by hand, a batch of B float32 rows through ``Linear(d, h) -> ReLU -> Linear(h, k)``: the first layer keeps its
input (there before: not counted), the ReLU keeps its output, ``4 B h`` bytes, which is also the input of the second
layer. So ``4 B h`` in all, proportional to the batch.

What is not seen: the workspace of an operation while it runs, gradients, the optimiser's state, and whatever a block of
other saved-tensor hooks (such as ``torch.utils.checkpoint``) keeps, because only the innermost hooks are called.
For the real memory of a process see ``tests/benchmarks/bench_multistage.py``.

Source: ``torch.autograd.graph.saved_tensors_hooks``. Taught in ``06_listwise_ap_loss``.
"""

from __future__ import annotations

import weakref
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class SavedForBackward:
    """Count the bytes that autograd keeps for the backward pass.

    Attributes
    ----------
    peak : int
        Largest number of bytes kept at the same time since the context was entered.
    current : int
        Bytes kept now. It goes on falling after the context has ended, when a graph made inside it is freed.

    Notes
    -----
    Every operation inside runs some microseconds slower. One object counts one ``with`` block; in a nested block the
    inner object counts. A tensor that was changed in place after it had been saved is refused in ``backward``, as
    without the context.

    Examples
    --------
    >>> network = torch.nn.Sequential(torch.nn.Linear(10, 20), torch.nn.ReLU(), torch.nn.Linear(20, 1))
    >>> with SavedForBackward() as saved:
    ...     loss = network(torch.zeros(8, 10)).sum()
    >>> saved.current  # the ReLU's output, 8 x 20 numbers of 4 bytes, and the 8 x 10 zeros made inside the block
    960
    >>> loss.backward()
    >>> saved.current, saved.peak
    (0, 960)
    """

    def __init__(self) -> None:
        self.peak = self.current = 0
        self._held: dict[int, tuple[int, int]] = {}  # storage -> number of saved tensors that hold it, its bytes
        self._births: _Births | None = None

    def __enter__(self) -> SavedForBackward:
        if self._births is not None:
            raise RuntimeError("This SavedForBackward was used before. Make a new one for every `with` block.")
        self._births = _Births()
        self._hooks = torch.autograd.graph.saved_tensors_hooks(self._pack, _Kept.unpack)
        self._births.__enter__()
        self._hooks.__enter__()
        return self

    def __exit__(self, *exception: Any) -> None:
        self._hooks.__exit__(*exception)
        self._births.__exit__(*exception)

    def _pack(self, tensor: Tensor) -> _Kept:
        storage = tensor.untyped_storage()
        counted = self._births.inside(storage)
        if counted:
            key = id(storage)  # torch keeps the Python object as long as the memory lives, and `_Kept` keeps the memory
            holders, size = self._held.get(key, (0, storage.nbytes()))
            self._held[key] = holders + 1, size
            if holders == 0:
                self.current += size
                self.peak = max(self.peak, self.current)
        return _Kept(tensor, self if counted else None)

    def _let_go(self, tensor: Tensor) -> None:
        key = id(tensor.untyped_storage())
        holders, size = self._held.pop(key)
        if holders > 1:
            self._held[key] = holders - 1, size
        else:
            self.current -= size


class _Kept:
    """A saved tensor; when the graph drops it, the counter is told."""

    def __init__(self, tensor: Tensor, counter: SavedForBackward | None):
        self.tensor = tensor.detach()  # the tensor itself would hold its graph, and the graph this object: a cycle
        self.version = tensor._version
        self.counter = counter

    def unpack(self) -> Tensor:
        if self.tensor._version != self.version:  # autograd leaves this check to the hooks
            raise RuntimeError(
                f"A tensor of shape {tuple(self.tensor.shape)} that is needed for the gradient was modified by an inplace "
                "operation after it had been saved."
            )
        return self.tensor

    def __del__(self) -> None:
        if self.counter is not None:
            self.counter._let_go(self.tensor)


class _Births(TorchDispatchMode):
    """Watch every operation and remember the storages that it makes."""

    def __init__(self) -> None:
        super().__init__()
        self._storages: dict[int, weakref.ref] = {}

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = function(*args, **(kwargs or {}))
        given = {id(tensor.untyped_storage()) for tensor in _dense((args, kwargs))}
        for tensor in _dense(result):
            storage = tensor.untyped_storage()
            key = id(storage)
            if key not in given:  # not a view of an argument, and not the argument itself
                self._storages[key] = weakref.ref(storage, lambda _, key=key: self._storages.pop(key, None))
        return result

    def inside(self, storage: torch.UntypedStorage) -> bool:
        """Whether this storage was made since the watch began."""
        known = self._storages.get(id(storage))
        return known is not None and known() is storage


def _dense(values: Any) -> list[Tensor]:
    """Return the tensors among nested values that lie in one block of memory."""
    return [value for value in tree_leaves(values) if isinstance(value, Tensor) and value.layout is torch.strided]
