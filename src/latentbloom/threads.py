"""How the threads of PyTorch wait for each other. Nothing here loads PyTorch."""

from __future__ import annotations

import os
import sys

SPIN_COUNT = 10_000
"""Turns that a waiting thread spins before it sleeps; about half a millisecond."""


def bound_spinning() -> None:
    """Have waiting threads spin for a short time only. Call this before PyTorch is loaded.

    GNU's OpenMP lets a thread that has finished its share spin 300,000 times, some 15 ms on a
    current processor. On a machine that other programs use, the thread it waits for may not be
    running at all, and each of the thousands of waits in a training step costs a time slice.
    `python -m bench.busy` measures it. What the environment says already stays.

    `fit` with minutes does not call this: it takes one thread while other programs use the machine,
    and one thread waits for nobody.
    """
    if "torch" in sys.modules or "OMP_WAIT_POLICY" in os.environ:
        return
    os.environ.setdefault("GOMP_SPINCOUNT", str(SPIN_COUNT))
