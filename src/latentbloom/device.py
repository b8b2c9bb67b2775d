"""Device, precision, threads and processes."""

from __future__ import annotations

import os
import shutil
import sys
import sysconfig
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import nn

from latentbloom.errors import ConfigError

if TYPE_CHECKING:
    from accelerate import Accelerator

    from latentbloom.config import RunConfig


PATIENCE = timedelta(hours=1)
"""How long processes wait for one that works alone, such as on pictures of an epoch."""


def default_device() -> torch.device:
    """The best device available: cuda, mps or cpu."""
    if torch.cuda.is_available():
        return torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
    if torch.backends.mps.is_available():
        return torch.device("mps")
    return torch.device("cpu")


def sent(
    tensor: torch.Tensor,
    device: torch.device,
    memory_format: torch.memory_format = torch.preserve_format,
) -> torch.Tensor:
    """A tensor of the CPU on the device that trains.

    To a GPU it goes through pinned memory, and nobody waits until it is there: what is computed on
    the GPU afterwards is.
    """
    if device.type != "cuda":
        return tensor.to(device, memory_format=memory_format)
    return tensor.pin_memory().to(device, non_blocking=True, memory_format=memory_format)


def find_device(name: str | None) -> torch.device:
    """The device of that name; the best available for None.

    Raises:
        ConfigError: There is no such device here.
    """
    if name is None:
        return default_device()
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError):
        raise ConfigError(
            f"device is '{name}', which PyTorch cannot use here. Leave it out to get the best "
            f"device available: {default_device()}."
        ) from None
    return device


def low_precision(config: RunConfig) -> torch.dtype | None:
    """The dtype of autocast, or None for float32."""
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

    They share their code, so one compilation serves them all: a minute of one core, against two and
    a half for the whole network. If compiling a test function fails, nothing is compiled.

    Arguments:
        backbone: A `latentbloom.nn.backbones.transformer.Transformer`.
        say: Called with the reason when nothing is compiled.
    """
    import torch._dynamo

    try:
        torch.compile(torch.add)(*torch.ones(2, 2, device=next(backbone.parameters()).device))
    except Exception as error:  # from the compiler, the linker or PyTorch
        reason = next((line for line in str(error).splitlines() if line.strip()), "")
        say(f"Stage 2 is not compiled, and slower by a quarter: {type(error).__name__}: {reason}")
        return
    torch._dynamo.config.suppress_errors = True  # a block that still fails runs uncompiled
    for block in backbone.get_submodule("blocks").children():
        block.compile()


def make_accelerator(precision: str | None, *, alone: bool = False) -> Accelerator:
    """Device, precision and processes, as torchrun or accelerate have set them up.

    Accelerators made before can no longer be used.

    Arguments:
        precision: "bf16", or "fp32" (as None).
        alone: Treat this process as the only one. It then trains without the others, which may
            be waiting elsewhere.
    """
    from accelerate import Accelerator, DistributedType
    from accelerate.state import AcceleratorState

    kind: type[Accelerator] = Accelerator
    if alone:
        # Not set in accelerate's state: preparing an optimiser reads that state anew.
        fixed = {"distributed_type": DistributedType.NO, "num_processes": 1, "process_index": 0}
        kind = type("Alone", (Accelerator,), fixed)
    # accelerate refuses a second precision in one Python process, which may train several models.
    AcceleratorState._reset_state()
    return kind(
        mixed_precision="bf16" if precision == "bf16" else "no",
        cpu=default_device().type == "cpu",
    )
