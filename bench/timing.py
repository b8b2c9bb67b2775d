"""Duration and arithmetic of a call, the machine's peak, and a profile of a call."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any


def seconds_of_a_call(call: Callable[[], object], *, least: float = 6.0, warm_up: int = 2) -> float:
    """Median seconds of a call over `least` seconds or three calls, whichever is more."""
    for _ in range(warm_up):
        call()
    times: list[float] = []
    while sum(times) < least or len(times) < 3:
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return sorted(times)[len(times) // 2]


def matrix_peak(dtype_name: str) -> float:
    """GFLOP/s of a product of two square matrices."""
    import torch

    side = 2048
    a, b = (torch.randn(side, side).to(getattr(torch, dtype_name)) for _ in range(2))
    return 2 * side**3 / seconds_of_a_call(lambda: a @ b, least=2.0) / 1e9


def count_flops(call: Callable[[], object]) -> int:
    """Floating-point operations of convolutions and matrix products in a call.

    PyTorch's own counter hooks into modules, which fails where a loss takes a gradient itself. Only
    its formulas are used.
    """
    from torch.utils._python_dispatch import TorchDispatchMode
    from torch.utils.flop_counter import flop_registry

    class Counter(TorchDispatchMode):
        total = 0

        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            out = func(*args, **(kwargs or {}))
            if (formula := flop_registry.get(func._overloadpacket)) is not None:
                self.total += formula(*args, **(kwargs or {}), out_val=out)
            return out

    with Counter() as counter:
        call()
    return counter.total


def where_time_goes(call: Callable[[], object], *, calls: int = 4) -> dict[str, Any]:
    """Seconds that the processor spends in each operation, by name, the longest first.

    Operations that an operation calls are not counted with it. Time in no operation is Python,
    reading, and the profiler itself.

    Returns:
        "calls", "seconds" of all calls, and "operations": name, seconds and times called.
    """
    from torch.profiler import ProfilerActivity, profile

    call()
    with profile(activities=[ProfilerActivity.CPU]) as profiler:
        start = time.perf_counter()
        for _ in range(calls):
            call()
        seconds = time.perf_counter() - start
    spent = sorted(profiler.key_averages(), key=lambda event: -event.self_cpu_time_total)
    return {
        "calls": calls,
        "seconds": seconds,
        "operations": [
            {"name": e.key, "seconds": e.self_cpu_time_total / 1e6, "times": e.count}
            for e in spent
            if e.self_cpu_time_total > 0
        ],
    }
