"""Where to compute, and in which precision."""

from __future__ import annotations

import os
import shutil
import sys
import sysconfig
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
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


def low_precision(config: RunConfig) -> torch.dtype | None:
    """The type to compute in where that is not float32."""
    return torch.bfloat16 if config.train.precision == "bf16" else None


@contextmanager
def using_threads(count: int | None) -> Iterator[None]:
    """Let PyTorch compute with so many threads on the CPU; None leaves the number as it is."""
    before = torch.get_num_threads()
    torch.set_num_threads(count or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


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
        backbone: A `latentbloom.nn.backbones.transformer.Transformer`.
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
