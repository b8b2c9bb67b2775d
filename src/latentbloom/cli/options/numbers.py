"""Numbers on the command line, with bounds, so that a wrong one is refused before any work."""

from __future__ import annotations

import argparse
from collections.abc import Callable

MOST_SEED = 2**63 - 1
MOST_SAMPLES = 2**32  # a sample's number in a request must be below it
MOST_STEPS = 10_000
MOST_GUIDANCE = 1e6


def whole_number(least: int, most: int) -> Callable[[str], int]:
    """A parser of whole numbers from `least` to `most`."""

    def parse(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            number = least - 1
        if not least <= number <= most:
            raise argparse.ArgumentTypeError(
                f"'{text}' is not allowed. Allowed: a whole number from {least:,} to {most:,}."
            )
        return number

    return parse


def number_above(limit: float, most: float) -> Callable[[str], float]:
    """A parser of numbers above `limit`, at most `most`."""
    return _number(lambda value: limit < value <= most, f"above {limit:g} and at most {most:g}")


def number_from(least: float, most: float) -> Callable[[str], float]:
    """A parser of numbers from `least` to `most`."""
    return _number(lambda value: least <= value <= most, f"from {least:g} to {most:g}")


def _number(allowed: Callable[[float], bool], words: str) -> Callable[[str], float]:
    def parse(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = float("nan")
        if not allowed(value):  # no comparison is true for NaN
            raise argparse.ArgumentTypeError(f"'{text}' is not allowed. Allowed: a number {words}.")
        return value

    return parse


def sample_seed(text: str) -> int:
    """A seed of samples. Negative ones work, too: it is hashed with the number of the sample."""
    return whole_number(-MOST_SEED, MOST_SEED)(text)


def seed(text: str) -> int:
    """A seed of everything else."""
    return whole_number(0, MOST_SEED)(text)


def count(text: str) -> int:
    """How many samples, at least 1."""
    return whole_number(1, MOST_SAMPLES)(text)
