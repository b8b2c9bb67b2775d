"""What a checkpoint's `meta.json` says about its network, checked before the network is built.

The description and the tensors may come from somebody else. A description of an enormous network
must not ask for its memory: its shapes are worked out without any, and compared with the tensors.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import torch
from pydantic import ValidationError
from torch import nn

from latentbloom.conditions import ConditionSpec
from latentbloom.config import Settings
from latentbloom.errors import CheckpointError, LatentbloomError
from latentbloom.runs.checkpoint_headers import checkpoint_shapes

Described = TypeVar("Described", bound=Settings)


def described(kind: type[Described], meta: Mapping[str, Any], name: str, folder: Path) -> Described:
    """Settings in a checkpoint's meta data.

    Arguments:
        kind: Of the settings.
        meta: The meta data.
        name: Its entry, for example "config".
        folder: The checkpoint, for messages.

    Raises:
        CheckpointError: They are missing or out of bounds.
    """
    try:
        return kind.model_validate(meta[name])
    except KeyError:
        raise CheckpointError(f"{folder} is not usable: its meta.json has no '{name}'.") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in (name, *first["loc"]))
        raise CheckpointError(
            f"{folder} is not usable: in its meta.json, {where} is wrong: {first['msg']}."
        ) from None


def described_spec(meta: Mapping[str, Any], folder: Path) -> ConditionSpec:
    """The factors in a checkpoint's meta data; raises as `described`."""
    try:
        spec = ConditionSpec.from_json(meta["spec"])
        words = [word for factor in spec.factors for word in (factor.name, *factor.values)]
        if all(isinstance(word, str) for word in words):
            return spec
    except (KeyError, TypeError, ValueError, LatentbloomError):
        pass
    raise CheckpointError(f"{folder} is not usable: its meta.json has no readable 'spec'.")


def check_shapes(folder: Path, part: str, build: Callable[[], nn.Module]) -> None:
    """Refuse a checkpoint whose tensors are not those of the network that it describes.

    Arguments:
        folder: The checkpoint.
        part: Its part that holds the weights.
        build: Builds the network; here it takes no memory.

    Raises:
        CheckpointError: A tensor is missing, left over or of another shape.
    """
    with torch.device("meta"):
        wanted = {name: tuple(t.shape) for name, t in build().state_dict().items()}
    found = checkpoint_shapes(folder, part)
    wrong = [name for name in {**wanted, **found} if wanted.get(name) != found.get(name)]
    if wrong:
        name = wrong[0]
        raise CheckpointError(
            f"{folder} does not fit its own meta.json: {len(wrong):,} of {len(wanted):,} tensors "
            f"differ; the first, '{name}', is {_shape(found.get(name))} and should be "
            f"{_shape(wanted.get(name))}."
        )


def _shape(shape: tuple[int, ...] | None) -> str:
    return "missing" if shape is None else " x ".join(map(str, shape)) or "a single number"
