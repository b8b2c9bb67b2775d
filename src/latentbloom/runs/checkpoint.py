"""Checkpoints: folders of safetensors files and one JSON file; a good one always exists.

A checkpoint is written to a hidden folder beside its place, synced to the disk, and renamed into
place. The old one is moved aside first and removed last. Whenever the program is killed, one of the
three folders is whole, and loading finds it. `meta.json` is written last and holds the size and the
SHA-256 of the other files: where it exists, the checkpoint is complete, and a file that was cut or
changed later is detected.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import shutil
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from latentbloom.errors import CheckpointError
from latentbloom.runs.checkpoint_files import (
    FORMAT,
    META,
    VERSION,
    describe_file,
    last_good,
    locate,
    read_meta,
    siblings,
    stamp,
    verify_file,
    verify_size,
)
from latentbloom.runs.checkpoint_headers import header_flaw
from latentbloom.storage.disk import make_folder, remove_folder, rename, step, sync
from latentbloom.storage.files import finite, write_atomic

__all__ = [
    "checkpoint_exists",
    "fingerprint",
    "load_checkpoint",
    "save_checkpoint",
]

_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_HEADROOM = 1 << 20  # bytes for headers, names and meta.json


def save_checkpoint(
    folder: Path | str, tensors: Mapping[str, Mapping[str, torch.Tensor]], meta: Mapping[str, Any]
) -> None:
    """Write a checkpoint so that at every instant a whole one can be loaded.

    Arguments:
        folder: Its place. An existing checkpoint is replaced.
        tensors: Every key K becomes the file `K.safetensors`. Values keep their type; shared and
            non-contiguous ones are written as tensors of their own.
        meta: Anything that JSON can hold, with string keys.

    Raises:
        CheckpointError: The disk is full or cannot be written, or the folder holds something
            else. What was there before is still there.
    """
    folder = Path(folder)
    for key in tensors:
        if not _KEY.fullmatch(key):
            raise ValueError(f"'{key}' cannot be the name of a file of tensors.")
    _refuse_foreign(folder)
    writing, aside = siblings(folder)
    needed = sum(t.nbytes for group in tensors.values() for t in group.values()) + _HEADROOM
    try:
        make_folder(folder.parent)
        if shutil.disk_usage(folder.parent).free < needed:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        _heal(folder)
        remove_folder(writing)
        _write(writing, tensors, meta)
        _swap(writing, folder, aside)
    except BaseException as error:
        if locate(folder) != writing:  # unless it is whole and the only one
            shutil.rmtree(writing, ignore_errors=True)
        if isinstance(error, OSError | SafetensorError):
            raise CheckpointError(_why_not_saved(folder, error, needed)) from error
        raise


def load_checkpoint(
    folder: Path | str, names: Sequence[str] | None = None
) -> tuple[dict[str, dict[str, torch.Tensor]], dict[str, Any]]:
    """Read a checkpoint, or named parts of it.

    Arguments:
        folder: Its place, as given to `save_checkpoint`.
        names: Keys of `tensors` to read; all of them when left out.

    Returns:
        The tensors (on the CPU, with memory of their own) and the meta data.

    Raises:
        CheckpointError: Nothing is there, it is not ours, it is from a newer version, a file is
            missing, cut short or altered, or a name is not in it.
    """
    folder = Path(folder)
    for _ in range(20):
        before = stamp(folder)
        try:
            found = _read(folder, names)
        except (CheckpointError, OSError, SafetensorError) as error:
            if stamp(folder) == before:
                if isinstance(error, CheckpointError):
                    raise
                raise CheckpointError(f"Checkpoint {folder} cannot be read: {error}.") from error
        else:
            if stamp(folder) == before:
                return found
        # A running training replaced it while it was read.
        time.sleep(0.02)
    raise CheckpointError(
        f"Checkpoint {folder} kept changing while it was read: wait for the run that writes it."
    )


def checkpoint_exists(folder: Path | str) -> bool:
    """Whether `load_checkpoint` would find one there, also one that was moved aside."""
    return locate(Path(folder)) is not None


def fingerprint(tensors: Mapping[str, torch.Tensor]) -> str:
    """SHA-256, in hexadecimal, of names, types, shapes and values, in any order."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        digest.update(f"{name}|{tensor.dtype}|{tuple(tensor.shape)}|".encode())
        digest.update(tensor.flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _write(
    writing: Path, tensors: Mapping[str, Mapping[str, torch.Tensor]], meta: Mapping[str, Any]
) -> None:
    make_folder(writing)
    files: dict[str, Any] = {}
    for key, group in tensors.items():
        path = writing / f"{key}.safetensors"
        with step("write", path):
            save_file({name: _own(tensor) for name, tensor in group.items()}, path)
            # safetensors lets only the owner read its files, but run folders are shared.
            path.chmod(writing.stat().st_mode & 0o666)
        sync(path)
        files[path.name] = describe_file(path)
    head = {"format": FORMAT, "version": VERSION, "files": files, "meta": dict(meta)}
    write_atomic(writing / META, json.dumps(finite(head), indent=1))
    sync(writing)


def _own(tensor: torch.Tensor) -> torch.Tensor:
    """The tensor on the CPU, contiguous, sharing memory with no other one."""
    return tensor.detach().to("cpu", copy=True, memory_format=torch.contiguous_format)


def _swap(writing: Path, folder: Path, aside: Path) -> None:
    """Move the old one aside, the new one into place, and then remove the old one."""
    if folder.exists():  # a folder that is not empty cannot be replaced by a rename
        remove_folder(aside)
        rename(folder, aside)
    try:
        rename(writing, folder)
    except OSError:
        if aside.exists() and not folder.exists():
            rename(aside, folder)
        raise
    sync(folder.parent)
    with suppress(OSError):  # it is in nobody's way
        remove_folder(aside)


def _heal(folder: Path) -> None:
    """After a kill between the two renames: move the whole one back into place."""
    whole = locate(folder)
    if whole is not None and whole != folder and not folder.exists():
        rename(whole, folder)


def _read(
    folder: Path, names: Sequence[str] | None
) -> tuple[dict[str, dict[str, torch.Tensor]], dict[str, Any]]:
    place = locate(folder) or folder
    head = read_meta(place, shown=folder)
    known = [name.removesuffix(".safetensors") for name in head["files"]]
    for name in names or ():
        if name not in known:
            raise CheckpointError(
                f"Checkpoint {folder} has no '{name}'. It has: {', '.join(known) or 'nothing'}."
            )
    groups: dict[str, dict[str, torch.Tensor]] = {}
    for key in known if names is None else names:
        path = place / f"{key}.safetensors"
        flaw = verify_size(path, head["files"][path.name]) or header_flaw(path, place)
        flaw = flaw or verify_file(path, head["files"][path.name])
        if flaw:
            raise CheckpointError(f"Checkpoint {folder}: {flaw}; {last_good(folder)}")
        with safe_open(path, framework="pt", device="cpu") as file:
            # Copies: while a tensor is a view of the file, Windows cannot rename it.
            stored = file.keys()
            groups[key] = {name: file.get_tensor(name).clone() for name in stored}
    return groups, head["meta"]


def _refuse_foreign(folder: Path) -> None:
    if folder.is_file() or (folder.is_dir() and any(folder.iterdir()) and not _ours(folder)):
        raise CheckpointError(
            f"{folder} exists and is no checkpoint of this program; it was not changed. "
            "Move it away or choose another folder for the run."
        )


def _ours(folder: Path) -> bool:
    return (folder / META).is_file()


def _why_not_saved(folder: Path, error: Exception, needed: int) -> str:
    kept = locate(folder)
    state = f"the last good one, {kept}, is still there" if kept else "there is none from before"
    full = getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT) or "os error 28" in str(
        error
    )
    if full:
        free = shutil.disk_usage(folder.parent).free
        return (
            f"Checkpoint {folder} could not be saved, because the disk is full: {needed:,} bytes "
            f"are needed and {free:,} are free; {state}. Make room and run the same command again."
        )
    return f"Checkpoint {folder} could not be saved ({error}); {state}."
