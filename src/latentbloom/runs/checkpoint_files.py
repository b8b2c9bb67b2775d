"""The files of a checkpoint's folder, and whether they are whole. Needs no PyTorch."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Any

from latentbloom.errors import CheckpointError
from latentbloom.foreign.bounds import ForeignError, check_name
from latentbloom.foreign.json_files import read_json
from latentbloom.storage.disk import remove_folder, rename

FORMAT = "latentbloom-checkpoint"
VERSION = 1
META = "meta.json"

_SUFFIX = re.compile(r"_(last|best|final|epoch_\d+)$")
_HIDDEN = re.compile(r"^\.(.*)\.(?:new|old)$")


def siblings(folder: Path) -> tuple[Path, Path]:
    """The folder that a new checkpoint is written to, and the one that the old is moved to."""
    return folder.with_name(f".{folder.name}.new"), folder.with_name(f".{folder.name}.old")


def locate(folder: Path) -> Path | None:
    """Where the checkpoint of that name is: in its place, or beside it after a kill."""
    if (folder / META).is_file():
        return folder
    if folder.is_dir() and any(folder.iterdir()):
        return None  # something else has that name
    return next((place for place in siblings(folder) if _sizes_agree(place)), None)


def put_in_place(run: Path) -> None:
    """After a kill: move whole checkpoints of a run folder into their places, and remove halves.

    The run must not be training.
    """
    for beside in sorted(run.rglob(".*")):
        match = _HIDDEN.match(beside.name)
        if match is None or not beside.is_dir() or not _of_checkpoint(beside):
            continue
        folder = beside.with_name(match[1])
        if locate(folder) == beside and not folder.exists():
            rename(beside, folder)
        else:
            remove_folder(beside)


def _of_checkpoint(folder: Path) -> bool:
    return all(path.suffix in (".safetensors", ".json") for path in folder.iterdir())


def describe_file(path: Path) -> dict[str, Any]:
    """Size and SHA-256 of a file, as `meta.json` keeps them."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return {"bytes": path.stat().st_size, "sha256": digest.hexdigest()}


def verify_size(path: Path, expected: dict[str, Any]) -> str:
    """What is wrong with a file's size, in words; empty when it is as written."""
    if not path.is_file():
        return f"{path.name} is missing"
    found, size = path.stat().st_size, expected["bytes"]
    if found != size:
        how = "is cut short" if found < size else "is longer than it was written"
        return f"{path.name} {how} (found {found:,} bytes, expected {size:,})"
    return ""


def verify_file(path: Path, expected: dict[str, Any]) -> str:
    """What is wrong with a file, in words; empty when it is as written. Reads all of it."""
    if flaw := verify_size(path, expected):
        return flaw
    if describe_file(path)["sha256"] != expected["sha256"]:
        return f"{path.name} was altered after it was written (its checksum differs)"
    return ""


def read_meta(place: Path, shown: Path) -> dict[str, Any]:
    """The content of `meta.json`, checked for format and version.

    Arguments:
        place: The folder to read.
        shown: The name to use in messages.

    Raises:
        CheckpointError: It is missing, unreadable, of other software or of a newer version.
    """
    try:
        return _parse_meta(place)
    except ValueError as error:
        raise CheckpointError(f"{shown} {error}; {last_good(shown)}") from error


def last_good(folder: Path) -> str:
    """A clause that names the newest whole checkpoint of the same kind beside this one."""
    stem = _SUFFIX.sub("", folder.name)
    places = []
    for meta in folder.parent.glob(f"*/{META}"):
        visible = _HIDDEN.sub(r"\1", meta.parent.name)
        if _SUFFIX.sub("", visible) == stem:
            places.append((meta.stat().st_mtime_ns, meta.parent))
    for _, place in sorted(places, reverse=True):
        if is_whole(place):
            return f"the last good checkpoint is {place}."
    return f"no other checkpoint of this kind lies in {folder.parent}."


def is_whole(place: Path) -> bool:
    """Whether every file of the folder is there and as it was written (reads all of them)."""
    try:
        files = _parse_meta(place)["files"]
        return not any(verify_file(place / name, expected) for name, expected in files.items())
    except (ValueError, OSError):
        return False


def stamp(folder: Path) -> bytes | None:
    """The content of `meta.json`, which changes whenever the checkpoint is replaced."""
    try:
        return (folder / META).read_bytes()
    except OSError:
        return None


def _sizes_agree(place: Path) -> bool:
    """A quick form of `is_whole`, enough after a kill: what is there was synced to the disk."""
    try:
        files = _parse_meta(place)["files"]
        return all((place / n).stat().st_size == f["bytes"] for n, f in files.items())
    except (ValueError, OSError):
        return False


def _parse_meta(place: Path) -> dict[str, Any]:
    """The content of `meta.json`; a ValueError says what is wrong, as the end of a sentence."""
    if not place.exists():
        raise ValueError("does not exist, so there is no checkpoint to read")
    path = place / META
    if not path.is_file():
        raise ValueError(
            f"is not a checkpoint of this program: it has no {META} (a checkpoint is a folder "
            "such as vae_gan_final inside a run)"
        )
    try:
        head = read_json(path, folder=place)
    except ForeignError as error:
        raise ValueError(f"is damaged: its {META} {error}") from error
    if not isinstance(head, dict) or head.get("format") != FORMAT:
        raise ValueError(
            f"is not a checkpoint of this program: its {META} does not say 'format: {FORMAT}'"
        )
    version = head.get("version")
    if not isinstance(version, int) or version > VERSION:
        raise ValueError(
            f"has format version {version}, and this program reads up to version {VERSION}: "
            "update latentbloom with `pip install -U latentbloom`"
        )
    files, meta = head.get("files"), head.get("meta")
    if not isinstance(files, dict) or not isinstance(meta, dict) or not _are_described(files):
        raise ValueError(f"is damaged: its {META} lacks 'files' or 'meta'")
    for name in files:
        try:
            check_name(name)
        except ForeignError as error:
            raise ValueError(f"is not read: its {META} {error}") from None
        if not name.endswith(".safetensors"):
            raise ValueError(
                f"is not read: its {META} names {name!r}, which is no safetensors file"
            )
    return head


def _are_described(files: dict[str, Any]) -> bool:
    return all(
        isinstance(f, dict) and isinstance(f.get("bytes"), int) and isinstance(f.get("sha256"), str)
        for name, f in files.items()
    )
