"""What the headers of a checkpoint's files say, before any tensor is read."""

from __future__ import annotations

from pathlib import Path

from latentbloom.errors import CheckpointError
from latentbloom.foreign.bounds import ForeignError
from latentbloom.foreign.tensor_files import Shapes, read_header
from latentbloom.runs.checkpoint_files import last_good, locate, read_meta, verify_size


def checkpoint_shapes(folder: Path | str, name: str) -> Shapes:
    """The shape of each tensor of one part, from its header alone.

    Raises:
        CheckpointError: As for `load_checkpoint`.
    """
    folder = Path(folder)
    place = locate(folder) or folder
    file = place / f"{name}.safetensors"
    files = read_meta(place, shown=folder)["files"]
    if file.name not in files:
        raise CheckpointError(f"Checkpoint {folder} has no '{name}'.")
    if flaw := verify_size(file, files[file.name]):
        raise CheckpointError(f"Checkpoint {folder}: {flaw}; {last_good(folder)}")
    try:
        return read_header(file, folder=place)
    except (ForeignError, OSError) as error:
        raise CheckpointError(
            f"Checkpoint {folder}: {name}.safetensors {error}; {last_good(folder)}"
        ) from None


def header_flaw(path: Path, place: Path) -> str:
    """Why a file of tensors is not opened, in words; empty where its header fits its bytes."""
    try:
        read_header(path, folder=place)
    except ForeignError as error:
        return f"{path.name} {error}"
    return ""
