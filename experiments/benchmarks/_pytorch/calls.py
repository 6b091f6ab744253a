"""The cost of a call of PyTorch, and the number of threads that it runs on."""

from collections.abc import Callable
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry


class _FlopCounter(TorchDispatchMode):
    """Counts as ``FlopCounterMode``, whose hooks on modules refuse gradients by inputs."""

    total = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        out = func(*args, **kwargs)
        if count := flop_registry.get(func._overloadpacket):
            self.total += count(*args, **kwargs, out_val=out)
        return out


def flops(call: Callable[[], Any]) -> float:
    """Counts the operations of the matrix products and convolutions of an eager call."""
    with _FlopCounter() as counter:
        call()
    return float(counter.total)


def on_threads(threads: int, call: Callable[[], Any]) -> Callable[[], Any]:
    """Returns the call with so many threads."""

    def run() -> Any:
        torch.set_num_threads(threads)
        return call()

    return run
