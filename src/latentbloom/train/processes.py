"""What several processes that train one model share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from accelerate import Accelerator

    from latentbloom.train.stage import Batch


class Subset(NamedTuple):
    """The rows of a piece of a batch that a term of the loss looks at.

    Attributes:
        here: How many they are; they are the first ones of the piece.
        expected: How many they would be if those of the batch were spread evenly over its pieces.
            A term that divides by it gives the mean over the whole subset, once the gradients of
            all processes are averaged.
    """

    here: int
    expected: float


def first_rows(batch: Batch, count: int) -> Subset:
    """Those of the first `count` rows of a whole batch that a piece of it holds.

    Arguments:
        batch: The piece, with the place of each row under "row" and their number under "whole".
        count: How many rows of the whole batch.
    """
    row = batch["row"]
    return Subset(int((row < count).sum()), len(row) * count / batch["whole"])


def piece_of(whole: int, rows: slice) -> Batch:
    """What `first_rows` reads: the places (B,) of a piece's rows, and the size of the batch."""
    return {"row": torch.arange(whole)[rows], "whole": whole}


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


def weight_of(accelerator: Accelerator, batch: Batch) -> float:
    """Weight of a process's rows in a mean over processes: 1 where all have equally many."""
    return len(batch["row"]) * accelerator.num_processes / batch["whole"]


def mean_over_processes(accelerator: Accelerator, mine: Tensor, weight: float = 1.0) -> Tensor:
    """Mean of a tensor over all processes, without gradient. A collective.

    Arguments:
        accelerator: The processes.
        mine: This process's; of the same shape on all of them.
        weight: Of this process; 1 on average.
    """
    if accelerator.num_processes == 1:
        return mine
    found = accelerator.reduce(mine.detach() * weight, reduction="mean")
    assert isinstance(found, Tensor)
    return found


def mean_of_logs(accelerator: Accelerator, logs: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Means of scalars over all processes. A collective; the names are the same on each."""
    if accelerator.num_processes == 1:
        return dict(logs)
    sums = sum_over_processes(accelerator, [float(value) for value in logs.values()])
    return {
        name: torch.tensor(total / accelerator.num_processes)
        for name, total in zip(logs, sums, strict=True)
    }


def whole_batch(accelerator: Accelerator, mine: Tensor, count: int) -> Tensor:
    """The rows of all processes, in the order of the batch. A collective.

    The gradient of this process's rows is scaled so that, averaged over processes, it is that of
    a loss of the whole batch.

    Arguments:
        accelerator: The processes.
        mine: Rows (b, ...) of this process: every so-manieth of the batch, from its own index on.
        count: Rows of the whole batch.

    Returns:
        Shape (count, ...); `mine` itself where there is one process.
    """
    world, rank = accelerator.num_processes, accelerator.process_index
    if world == 1:
        return mine
    most = -(-count // world)
    padded = mine.new_zeros((most, *mine.shape[1:]))
    padded[: len(mine)] = mine.detach()
    found = accelerator.gather(padded)
    assert isinstance(found, Tensor)
    whole = found.view(world, most, *mine.shape[1:]).transpose(0, 1).flatten(0, 1)[:count].clone()
    if mine.requires_grad:
        fixed = mine.detach()
        whole[rank::world] = fixed + count / len(mine) * (mine - fixed)
    return whole


def unwrap(module: nn.Module) -> nn.Module:
    """The module inside a DistributedDataParallel wrapper, or itself."""
    return getattr(module, "module", module)
