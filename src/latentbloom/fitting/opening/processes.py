"""Several processes, started by torchrun, Slurm or this program: one prepares the run folder."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from latentbloom.errors import LatentbloomError, TrainingError
from latentbloom.sharing import ALONE, Group

EXIT_ERROR = 1


def is_first_process() -> bool:
    """Whether this is the process that prints and writes. Does not connect to the others."""
    return int(os.environ.get("RANK", "0")) == 0


def in_group() -> bool:
    """Whether other processes train with this one."""
    return int(os.environ.get("WORLD_SIZE", "1")) > 1


def connect() -> Group:
    """Connect to the other processes, if there are any.

    Raises:
        TrainingError: They cannot be reached, or the port is taken.
    """
    if not in_group():
        return ALONE
    from accelerate import PartialState
    from torch.distributed import DistError

    from latentbloom.device import PATIENCE, default_device

    rank, count = os.environ.get("RANK", ""), os.environ["WORLD_SIZE"]
    if not rank.isdecimal() or int(rank) >= int(count):
        raise TrainingError(
            f"RANK is '{rank}', and WORLD_SIZE {count}: each process has a RANK of its own, from 0 "
            f"to {int(count) - 1}. torchrun and Slurm's srun set them (examples/jobs)."
        )
    place = f"{os.environ.get('MASTER_ADDR')}:{os.environ.get('MASTER_PORT')}"
    try:
        PartialState(cpu=default_device().type == "cpu", timeout=PATIENCE)
    except (DistError, ValueError, OSError) as error:
        taken = "EADDRINUSE" in str(error) or "already in use" in str(error)
        what = (
            f"another program uses the port {place}. Give another one: torchrun "
            "--master_port N, or MASTER_PORT=N"
            if taken
            else f"they do not find each other at {place} ({_first_line(error)}). MASTER_ADDR, "
            "MASTER_PORT, WORLD_SIZE and RANK must be set in each, as torchrun does"
        )
        raise TrainingError(f"The {count} processes cannot be connected: {what}.") from None
    return Group.joined()


@contextmanager
def first_before_others(group: Group) -> Iterator[None]:
    """Run a block in the first process, and then in all others at once.

    An error of the first process ends the others quietly.
    """
    if group.count == 1:
        yield
    elif group.first:
        try:
            yield
        except BaseException:
            group.same(False)
            raise
        group.same(True)
    else:
        if not group.same(True):
            raise SystemExit(EXIT_ERROR)
        yield


@contextmanager
def told_once(group: Group) -> Iterator[None]:
    """A block in which all processes meet the same errors for the user: the first one tells."""
    try:
        yield
    except LatentbloomError:
        if not group.first:
            raise SystemExit(EXIT_ERROR) from None
        raise


def _first_line(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__
