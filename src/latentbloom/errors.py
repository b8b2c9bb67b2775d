"""Errors that are meant for people, and the checks of numbers that callers pass in.

Each message names the file or field, says what was found, what is allowed and what to do.
The command line prints the message alone; anything else that escapes is a bug and keeps
its traceback.
"""

from __future__ import annotations

import math
from typing import Any


class LatentbloomError(Exception):
    """Base of every error that a user can mend.

    Attributes:
        exit_code: With which the command line ends: 2 where the call is wrong, 1 where the call is
            right and could not be carried out.
    """

    exit_code = 1


class SourceError(LatentbloomError):
    """The pictures or their labels cannot be used as they are."""


class ConditionError(LatentbloomError):
    """A factor or a value was named that the model does not know."""

    exit_code = 2


class ConfigError(LatentbloomError):
    """A setting, or a pair of settings, makes no sense."""

    exit_code = 2


class RunFolderError(LatentbloomError):
    """The folder is not a run of this program, or misses a piece that is needed."""


class CheckpointError(LatentbloomError):
    """A checkpoint cannot be read, written or used with another one."""


class TrainingError(LatentbloomError):
    """Training cannot continue, for example because the loss is not finite."""


class UnfinishedError(LatentbloomError):
    """The model is trained and saved, but a part of what follows could not be made."""


def check_count(name: str, value: Any, *, least: int | None = 1, most: int | None = None) -> int:
    """A whole number within bounds.

    Arguments:
        name: What the caller calls it.
        value: What was given; NumPy's integers are whole numbers, too.
        least: The smallest that is allowed; None: no limit.
        most: The largest that is allowed; None: no limit.

    Returns:
        The number, as an int.

    Raises:
        ConfigError: It is no whole number, or out of bounds.
    """
    if isinstance(value, bool) or not hasattr(type(value), "__index__"):
        raise ConfigError(f"{name} is {value!r}. It must be a whole number.")
    count = value.__index__()
    if least is not None and count < least:
        raise ConfigError(f"{name} is {count}. It must be {least} or more.")
    if most is not None and count > most:
        raise ConfigError(f"{name} is {count}. It must be {most} or less.")
    return count


def check_number(
    name: str,
    value: Any,
    *,
    least: float = -math.inf,
    most: float = math.inf,
    positive: bool = False,
    hint: str = "",
) -> float:
    """A finite number within bounds.

    Arguments:
        name: What the caller calls it.
        value: What was given.
        least: The smallest that is allowed.
        most: The largest that is allowed.
        positive: Zero is not allowed, nor what is below.
        hint: What else the message says after the bounds.

    Returns:
        The number, as a float.

    Raises:
        ConfigError: It is no finite number, or out of bounds.
    """
    try:
        number = math.nan if isinstance(value, str) else float(value)
    except (TypeError, ValueError):
        number = math.nan
    if math.isfinite(number) and least <= number <= most and (number > 0 or not positive):
        return number
    if positive:
        allowed = "positive"
    elif math.isfinite(least) and math.isfinite(most):
        allowed = f"between {least:g} and {most:g}"
    else:
        allowed = f"{least:g} or more" if math.isfinite(least) else "a number"
    finite = "finite and " if math.isinf(number) else ""
    raise ConfigError(f"{name} is {value!r}. It must be {finite}{allowed}{hint}.")
