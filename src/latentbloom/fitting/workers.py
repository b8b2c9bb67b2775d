"""Several processes on this machine, which find each other as those of torchrun do."""

from __future__ import annotations

import gc
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Any

from latentbloom.errors import LatentbloomError, TrainingError


def run_processes(
    work: Callable[..., Any], args: tuple[Any, ...], *, count: int, threads: int
) -> Any:
    """Call a function in `count` new processes at once, and wait for all of them.

    Ctrl-C reaches each of them once. When one fails, the others are ended.

    Arguments:
        work: A function of a module; it and its arguments are sent to the new processes.
        args: Its arguments.
        count: Processes.
        threads: With which PyTorch computes in each of them.

    Returns:
        What the first process returned; None when it was interrupted.

    Raises:
        TrainingError: One of them failed with an error for the user, or died.
    """
    import torch.multiprocessing as mp

    answers: Any = mp.get_context("spawn").SimpleQueue()
    processes: Any = mp.start_processes(
        _in_process,
        (count, threads, _free_port(), work, args, answers),
        nprocs=count,
        join=False,
        start_method="spawn",
    )
    with _forward_interrupts(processes.pids()):
        try:
            while not processes.join():
                pass
        except mp.ProcessExitedException as error:
            told, text = ("", "") if answers.empty() else answers.get()
            if told == "error":
                raise TrainingError(text) from None
            how = error.signal_name or f"exit code {error.exit_code}"
            raise TrainingError(
                f"One of the {count} training processes ended unexpectedly ({how}); the system "
                "does that when memory runs out. The last checkpoint is intact: the same command "
                "resumes from it, with --processes 1 in less memory."
            ) from None
    return None if answers.empty() else answers.get()[1]


def _in_process(
    rank: int,
    count: int,
    threads: int,
    port: int,
    work: Callable[..., Any],
    args: tuple[Any, ...],
    answers: Any,
) -> None:
    """One of the processes."""
    import torch

    if hasattr(os, "setsid"):
        os.setsid()  # the terminal's Ctrl-C goes to the parent alone, which passes it on
    os.environ |= {
        "RANK": str(rank),
        "LOCAL_RANK": str(rank),
        "WORLD_SIZE": str(count),
        "LOCAL_WORLD_SIZE": str(count),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "OMP_NUM_THREADS": str(threads),  # else accelerate sets it, with a warning
    }
    if sys.platform == "linux":
        os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")  # a host name may not resolve
    torch.set_num_threads(threads)
    try:
        answer = work(*args)
    except LatentbloomError as error:
        answers.put(("error", str(error)))
        sys.exit(1)
    if rank == 0:
        answers.put(("answer", answer))
    if torch.distributed.is_initialized():
        gc.collect()  # spread weights hold on to the group
        torch.distributed.barrier()
        torch.distributed.destroy_process_group()


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@contextmanager
def _forward_interrupts(pids: Sequence[int]) -> Iterator[None]:
    """Inside this context, Ctrl-C is for the processes and not for this one."""

    def forward(number: int, frame: FrameType | None) -> None:
        del frame
        for pid in pids if hasattr(os, "setsid") else ():  # else the console tells them itself
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                continue

    try:
        before: Any = signal.signal(signal.SIGINT, forward)
    except ValueError:  # not the main thread
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
