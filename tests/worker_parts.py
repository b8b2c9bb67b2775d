"""What new processes do in the tests. They must be able to import it."""

from __future__ import annotations

import os
import signal
import time

import torch

from latentbloom.errors import ConfigError

PATIENCE = 240.0
"""Seconds that a process may wait for others on a busy machine."""


def add_up(value: int) -> list[int]:
    """The sum over all processes, how many there are, and the threads of this one."""
    torch.distributed.init_process_group("gloo")
    total = torch.tensor([value + int(os.environ["RANK"])])
    torch.distributed.all_reduce(total)
    return [int(total), torch.distributed.get_world_size(), torch.get_num_threads()]


def refuse() -> None:
    """The second process meets an error that a user can fix; the first waits for it."""
    if os.environ["RANK"] == "1":
        raise ConfigError("The batch is too small.")
    time.sleep(PATIENCE)


def die_late() -> int:
    """The second process is killed when the first has done its work."""
    if os.environ["RANK"] == "1":
        time.sleep(1.0)
        os.kill(os.getpid(), signal.SIGKILL)
    return 7


def die() -> None:
    """The second process is killed, as by a system without memory."""
    if os.environ["RANK"] == "1":
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(PATIENCE)
