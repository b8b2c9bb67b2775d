"""What this machine can do, measured in a few seconds."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import torch

from latentbloom.words import plural


@dataclass(frozen=True)
class Machine:
    """What was measured.

    Attributes:
        device: "cpu", "cuda" or "mps".
        threads: Threads that PyTorch uses on the CPU.
        bf16_gain: Speed of a convolution block in bf16 autocast over fp32.
    """

    device: str
    threads: int
    bf16_gain: float

    @property
    def precision(self) -> str:
        """The faster of the two, with a margin for what bf16 costs in exactness."""
        return "bf16" if self.bf16_gain > 1.15 else "fp32"

    def describe(self) -> str:
        """One line for people."""
        where = plural(self.threads, "thread") if self.device == "cpu" else self.device
        return f"{where}; bf16 is {self.bf16_gain:.1f} times as fast as fp32: {self.precision}"


def measure_machine(device: torch.device) -> Machine:
    """Time one convolution block, forward and backward, in both precisions (about a second)."""
    block = torch.nn.Conv2d(96, 96, 3, padding=1).to(device).to(memory_format=torch.channels_last)
    x = torch.randn(16, 96, 16, 16, device=device).contiguous(memory_format=torch.channels_last)

    def run(low: bool) -> None:
        with torch.autocast(device.type, torch.bfloat16, enabled=low):
            block(x).float().square().mean().backward()

    def fp32() -> None:
        run(low=False)

    def bf16() -> None:
        run(low=True)

    plain = seconds_of(fp32, device)
    try:
        gain = plain / seconds_of(bf16, device)
    except RuntimeError:  # a device without bf16
        gain = 0.0
    return Machine(device.type, torch.get_num_threads(), gain)


def seconds_of(
    run: Callable[[], object], device: torch.device, repeats: int = 5, limit: float = float("inf")
) -> float:
    """The median time of a call, after two that warm up; slow calls warm up once and count once.

    Arguments:
        run: What is timed.
        device: Where it runs.
        repeats: Calls that count.
        limit: Seconds after which the last call that was made is the last one.
    """
    times: list[float] = []
    began = time.perf_counter()
    for i in range(repeats + 2):
        start = time.perf_counter()
        run()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        now = time.perf_counter()
        late = i >= 1 and now - began > limit
        if i >= 2 or late:
            times.append(now - start)
        if late:
            break
    return sorted(times)[len(times) // 2]
