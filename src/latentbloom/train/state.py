"""A stage's state to tensors and JSON, and back: all that resuming bit for bit needs."""

from __future__ import annotations

import copy
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from latentbloom.errors import CheckpointError
from latentbloom.runs.checkpoint import load_checkpoint, save_checkpoint
from latentbloom.train.processes import unwrap
from latentbloom.train.stage import Stage
from latentbloom.train.stepping.sharding import load_weights, spread_like, whole_tensors

SNAPSHOT_PREFIX = "snapshot_"


@dataclass
class Position:
    """Where a stage is.

    Attributes:
        images: Images seen.
        steps: Optimiser steps taken.
        seconds: Seconds spent, over all calls.
        lr_scale: Halved each time the loss was not finite.
        best: Lowest validation number so far.
        validations: Validations so far.
        milestones: Milestones passed so far.
        parts: In how many parts a batch is computed, because memory does not hold all of it.
        done: The budget is used up.
    """

    images: int = 0
    steps: int = 0
    seconds: float = 0.0
    lr_scale: float = 1.0
    best: float | None = None
    validations: int = 0
    milestones: int = 0
    parts: int = 1
    done: bool = False


def save_stage(stage: Stage, position: Position, folder: Path, *, write: bool = True) -> None:
    """Write weights, averages, optimisers and position as one checkpoint.

    A collective where weights are spread over processes; one of them writes.
    """
    stage.ema.gather()
    tensors: dict[str, dict[str, Tensor]] = {"ema": stage.ema.module.state_dict()}
    for phase in stage.phases:
        weights, moments = unwrap(phase.module).state_dict(), optimizer_tensors(phase.optimizer)
        tensors[phase.name] = whole_tensors(weights, keep=write)
        tensors[f"{phase.name}_optimizer"] = whole_tensors(moments, keep=write)
    for name, module in stage.snapshots.items():
        tensors[f"{SNAPSHOT_PREFIX}{name}"] = dict(module.state_dict())
    if not write:
        return
    meta = {"stage": stage.name, "position": asdict(position), **stage.meta()}
    save_checkpoint(folder, tensors, meta)


def restore_stage(stage: Stage, folder: Path) -> Position:
    """Put a checkpoint's state into the stage.

    Raises:
        CheckpointError: It is broken, or belongs to another stage or shape.
    """
    tensors, meta = load_checkpoint(folder)
    if meta.get("stage") != stage.name:
        raise CheckpointError(
            f"{folder} is a checkpoint of stage '{meta.get('stage')}', not of '{stage.name}'."
        )
    try:
        position = Position(**meta["position"])
    except (KeyError, TypeError) as error:
        raise CheckpointError(
            f"{folder} is not usable: its meta.json has no readable 'position' ({error})."
        ) from None
    try:
        for phase in stage.phases:
            load_weights(unwrap(phase.module), tensors[phase.name])
            restore_optimizer(phase.optimizer, tensors[f"{phase.name}_optimizer"])
        stage.ema.restore(tensors["ema"], position.steps)
        stage.snapshots.clear()
        for name in (key for key in tensors if key.startswith(SNAPSHOT_PREFIX)):
            module = copy.deepcopy(stage.ema.module)
            if any(p.is_meta for p in module.parameters()):
                continue  # spread weights: one process alone has whole averages, and writes
            module.load_state_dict(tensors[name])
            stage.snapshots[name.removeprefix(SNAPSHOT_PREFIX)] = module
    except (RuntimeError, KeyError) as error:
        raise CheckpointError(
            f"{folder} does not fit the model that this run's config.json describes: {error}"
        ) from None
    return position


def optimizer_tensors(optimizer: Optimizer) -> dict[str, Tensor]:
    """State of an optimiser, under "INDEX OF THE PARAMETER.NAME"."""
    state: dict[int, dict[str, Tensor]] = optimizer.state_dict()["state"]
    return {
        f"{index}.{key}": torch.as_tensor(value)
        for index, entry in state.items()
        for key, value in entry.items()
    }


def restore_optimizer(optimizer: Optimizer, tensors: dict[str, Tensor]) -> None:
    """The inverse of `optimizer_tensors`.

    A file stores no memory format, but a fused optimiser reads weights and moments in memory order.
    So moments get the layout of their weight (channels last, for example).
    """
    weights = [weight for group in optimizer.param_groups for weight in group["params"]]
    state: dict[int, dict[str, Any]] = {}
    for name, tensor in tensors.items():
        index, _, key = name.partition(".")
        weight = weights[int(index)]
        laid_out = tensor
        if tensor.shape == weight.shape:
            laid_out = torch.empty_like(weight, dtype=tensor.dtype)
            laid_out.copy_(spread_like(tensor, weight))
        state.setdefault(int(index), {})[key] = laid_out
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": state, "param_groups": groups})
