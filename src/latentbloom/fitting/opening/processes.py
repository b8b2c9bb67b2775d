"""Several processes, started by torchrun or accelerate: one prepares the run folder."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager


def is_first_process() -> bool:
    """Whether this is the process that prints and writes. Does not connect to the others."""
    return int(os.environ.get("RANK", "0")) == 0


def in_group() -> bool:
    """Whether other processes train with this one."""
    return int(os.environ.get("WORLD_SIZE", "1")) > 1


@contextmanager
def first_process_first() -> Iterator[None]:
    """Run a block in the first process, and then in all others at once."""
    if not in_group():
        yield
        return
    from accelerate import PartialState

    from latentbloom.device import default_device

    with PartialState(cpu=default_device().type == "cpu").main_process_first():
        yield
