"""What a call of PyTorch's costs, and on how many threads it runs."""

from collections.abc import Callable
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry


class _Operations(TorchDispatchMode):
    """Counts as ``FlopCounterMode``, whose hooks on modules refuse gradients with respect to inputs."""

    total = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        if count := flop_registry.get(func._overloadpacket):
            self.total += count(*args, **(kwargs or {}), out_val=out)
        return out


def flops(call: Callable[[], Any]) -> float:
    """Of the matrix products and convolutions of an eager call."""
    with _Operations() as counter:
        call()
    return float(counter.total)


def on_threads(threads: int, call: Callable[[], Any]) -> Callable[[], Any]:
    """The call with so many threads."""

    def run() -> Any:
        torch.set_num_threads(threads)
        return call()

    return run
