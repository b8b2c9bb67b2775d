"""The base of all settings, and the kinds of number that they hold.

Every number is finite and has bounds, so that a value that is accepted also works.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

MOST_IMAGES = 10**12
MOST_EPOCHS = 1e6
MOST_MINUTES = 525_600.0  # a year
MOST_SEED = 2**63 - 1
MOST_BATCH = 65_536
MOST_WIDTH = 4096


def _split(value: Any) -> Any:
    """Text such as "0.2,0.8" as two words; anything else as it is."""
    return value.split(",") if isinstance(value, str) else value


def _in_order(value: tuple[float, float]) -> tuple[float, float]:
    if value[0] > value[1]:
        raise ValueError("the first should be at most the second")
    return value


Share = Annotated[float, Field(ge=0.0, le=1.0)]
Length = Annotated[float, Field(gt=0.0, le=1e6)]
Rate = Annotated[float, Field(gt=0.0, le=100.0)]
Seconds = Annotated[float, Field(gt=0.0, le=1e9)]
Seed = Annotated[int, Field(ge=0, le=MOST_SEED)]
Weight = Annotated[float, Field(ge=0.0, le=1e6)]
Images = Annotated[int, Field(ge=1, le=MOST_IMAGES)]
Epochs = Annotated[float, Field(gt=0.0, le=MOST_EPOCHS)]
BatchSize = Annotated[int, Field(ge=1, le=MOST_BATCH)]
Every = Annotated[int, Field(ge=1, le=MOST_IMAGES)]
Interval = Annotated[tuple[Share, Share], BeforeValidator(_split), AfterValidator(_in_order)]
Size = Literal[32, 64, 96, 128, 256]


class Settings(BaseModel):
    """Base of all settings: frozen, and unknown names are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)
