"""What this machine can do, measured in a few seconds."""

from __future__ import annotations

import os
import shutil
import sys
import sysconfig
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import nn

if TYPE_CHECKING:
    from accelerate import Accelerator
    from torch.optim import Optimizer

    from latentbloom.config import RunConfig


def default_device() -> torch.device:
    """The best device there is: cuda, mps, cpu."""
    if torch.cuda.is_available():
        return torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
    if torch.backends.mps.is_available():
        return torch.device("mps")
    return torch.device("cpu")


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
        where = f"{self.threads} threads" if self.device == "cpu" else self.device
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


def can_compile(device: torch.device) -> bool:
    """Whether `torch.compile` finds what it needs for a CPU: a C++ compiler, Python's headers."""
    headers = Path(sysconfig.get_path("include")) / "Python.h"
    compiler = shutil.which(os.environ.get("CXX", "g++"))
    return (
        device.type == "cpu"
        and sys.platform == "linux"
        and compiler is not None
        and headers.is_file()
    )


def compile_blocks(backbone: nn.Module, say: Callable[[str], None]) -> None:
    """Compile the blocks of a transformer, all at once when the first of them is first called.

    They have the same code, so that one compilation serves them all, in a minute of one core; the
    whole network takes two and a half. Where a sum cannot be compiled the blocks run as they are.

    Arguments:
        backbone: A `latentbloom.nn.transformer.Transformer`.
        say: Receives why nothing is compiled.
    """
    import torch._dynamo

    try:
        torch.compile(torch.add)(*torch.ones(2, 2, device=next(backbone.parameters()).device))
    except Exception as error:  # of the compiler, of the linker, of PyTorch's own
        reason = next((line for line in str(error).splitlines() if line.strip()), "")
        say(f"Stage 2 is not compiled, and slower by a quarter: {type(error).__name__}: {reason}")
        return
    torch._dynamo.config.suppress_errors = True  # a block that fails all the same runs as it is
    for block in backbone.get_submodule("blocks").children():
        block.compile()


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


def make_accelerator(config: RunConfig) -> Accelerator:
    """Device, precision and processes, as torchrun or accelerate have set them up."""
    from accelerate import Accelerator

    device = default_device()
    low = config.train.precision == "bf16"
    return Accelerator(mixed_precision="bf16" if low else "no", cpu=device.type == "cpu")


class Alone:
    """What the loop and its stages ask of accelerate's `Accelerator`, for one process by itself.

    It times steps while other processes wait, and leaves accelerate's global state alone.

    Arguments:
        device: Where.
        low: Autocast to bfloat16.
    """

    process_index = 0
    num_processes = 1
    is_main_process = True

    def __init__(self, device: torch.device, *, low: bool) -> None:
        self.device = device
        self.low = low

    def prepare(self, module: nn.Module, optimizer: Optimizer) -> tuple[nn.Module, Optimizer]:
        """The module, moved and computing in the precision; the optimiser as it is."""
        from accelerate.utils import convert_outputs_to_fp32

        cast = self.autocast()(module.forward)
        module.forward = convert_outputs_to_fp32(cast) if self.low else cast
        return module.to(self.device), optimizer

    def autocast(self) -> torch.autocast:
        """A context, or decorator, of the precision."""
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.low)

    def backward(self, loss: torch.Tensor) -> None:
        """Gradients."""
        loss.backward()

    def clip_grad_norm_(self, parameters: Iterable[nn.Parameter], bound: float) -> torch.Tensor:
        """Clip, and return the norm that was."""
        return nn.utils.clip_grad_norm_(parameters, bound)

    def reduce(self, tensor: torch.Tensor) -> torch.Tensor:
        """The sum over this one process."""
        return tensor

    def wait_for_everyone(self) -> None:
        """Nobody is waited for."""
