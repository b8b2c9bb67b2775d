"""Arrays in files, written through a memory map."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from numpy.typing import DTypeLike

from latentbloom.storage.disk import reserve, step


def new_array(path: Path, shape: tuple[int, ...], dtype: DTypeLike) -> np.memmap:
    """An empty array in a file that has its whole room on the disk.

    Without the room, a full disk would kill the program while it writes through the map.
    """
    kind = np.dtype(dtype)
    header = {"descr": np.lib.format.dtype_to_descr(kind), "fortran_order": False, "shape": shape}
    with step("write", path), path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        start = file.tell()
    reserve(path, start + kind.itemsize * math.prod(shape))
    return np.load(path, mmap_mode="r+", allow_pickle=False)
