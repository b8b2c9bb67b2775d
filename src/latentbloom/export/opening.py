"""What every export begins with: a finished run in full precision, and a new folder to fill."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from latentbloom.commands import command_line
from latentbloom.errors import ConfigError, RunFolderError
from latentbloom.model.generator import Model, load
from latentbloom.runs.checkpoint import checkpoint_exists
from latentbloom.runs.folder import RunFolder
from latentbloom.storage.disk import make_folder, remove_folder, rename
from latentbloom.words import listed

Made = TypeVar("Made")


def open_finished(run: Path | str) -> Model:
    """The model of a finished run, on the CPU and in float32.

    Raises:
        RunFolderError: It is no run folder, or stage 2 has not ended.
        CheckpointError: A checkpoint is broken.
    """
    folder = RunFolder(Path(run))
    folder.load_config()
    if not checkpoint_exists(folder.path / "conditional_diffusion_final"):
        raise RunFolderError(
            f"{folder.path} is not finished, and only a finished run can be exported. Run "
            "`latentbloom fit` with that --out again; it resumes where it stopped."
        )
    return load(folder.path, device="cpu", full_precision=True)


def need_packages(names: Sequence[str], extra: str) -> None:
    """Check that packages are installed.

    Raises:
        ConfigError: One is not; the message says what installs it.
    """
    missing = [name for name in names if importlib.util.find_spec(name) is None]
    if missing:
        verb = "is" if len(missing) == 1 else "are"
        raise ConfigError(
            f"This needs {listed(missing)}, which {verb} not installed. Install the extra: "
            f'pip install "latentbloom[{extra}]"'
        )


def check_new_folder(folder: Path) -> None:
    """Refuse a place that is taken.

    Raises:
        RunFolderError: It is a file, or a folder that is not empty.
    """
    if folder.is_file() or (folder.is_dir() and any(folder.iterdir())):
        kind = "a file" if folder.is_file() else "a folder that is not empty"
        raise RunFolderError(
            f"{folder} exists and is {kind}. Nothing was changed. Name a new folder, or move the "
            "old one away."
        )


def fill_new_folder(folder: Path, fill: Callable[[Path], Made]) -> Made:
    """Make a folder that is whole or not there at all.

    Arguments:
        folder: Its place; there may be an empty folder.
        fill: Writes the content into the folder that it is given, which is renamed at the end.

    Returns:
        What `fill` returns.

    Raises:
        RunFolderError: The place is taken.
    """
    check_new_folder(folder)
    beside = folder.with_name(f".new.{folder.name}")
    remove_folder(beside)
    make_folder(beside)
    try:
        made = fill(beside)
        for path in beside.rglob("*"):
            path.chmod(0o755 if path.is_dir() else 0o644)
        if folder.is_dir():
            folder.rmdir()
        rename(beside, folder)
    except BaseException:
        with suppress(OSError):  # the first error says more
            remove_folder(beside)
        raise
    return made


def export_command(run: Path | str, target: str, folder: Path | str) -> str:
    """The command line that makes an export."""
    return command_line("export", run, "--to", target, folder)
