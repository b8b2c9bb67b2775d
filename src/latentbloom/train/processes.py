"""What several processes that train one model share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import nn

if TYPE_CHECKING:
    from accelerate import Accelerator


def sum_over_processes(accelerator: Accelerator, values: Sequence[float]) -> list[float]:
    """Sums of the values over all processes, the same on each of them.

    This is a collective: every process must call it, the same number of times and in the same
    order. Whether to call it must therefore not depend on anything that a process knows alone, such
    as its clock.
    """
    if accelerator.num_processes == 1:
        return list(values)
    mine = torch.tensor(values, dtype=torch.float64, device=accelerator.device)
    return accelerator.reduce(mine).tolist()


def everyone(accelerator: Accelerator, ok: bool) -> bool:
    """Whether `ok` holds on all processes. A collective."""
    return sum_over_processes(accelerator, [float(not ok)])[0] == 0.0


def unwrap(module: nn.Module) -> nn.Module:
    """The module inside a DistributedDataParallel wrapper, or itself."""
    return getattr(module, "module", module)
