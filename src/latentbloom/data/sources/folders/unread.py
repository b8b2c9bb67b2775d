"""Folders and files that are never pictures of a source: hidden, of the system, or of a run."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from latentbloom.data.sources.archives.member_names import is_archive_name
from latentbloom.errors import SourceError
from latentbloom.foreign.json_files import read_json
from latentbloom.storage.files import cache_folder
from latentbloom.storage.mounts import is_file
from latentbloom.words import plural, shortened

HIDDEN = "it is hidden"
OF_SYSTEM = "the system keeps it for itself"
CACHE = "it is a cache"
RUN = "it is a run of latentbloom"
SHUT = "it cannot be opened"
AN_ARCHIVE = "it is an archive; unpack it, or give it alone"

_SYSTEM_FOLDERS = frozenset(
    (
        *("$extend", "$getcurrent", "$recycle.bin", "$sysreset", "$windows.~bt", "$windows.~ws"),
        *("$winreagent", "config.msi", "msocache"),
        *("system volume information", "lost+found", "lost.dir", "__macosx"),
        *("network trash folder", "temporary items", "thevolumesettingsfolder"),
        *("#recycle", "#snapshot", "@eadir", "@recently-snapshot", "@recycle", "@sharebin"),
        *("@sharesnap", "@tmp", "@__thumb", "~snapshot", "_gsdata_"),
    )
)
"""Of Windows, macOS, Linux, Android, Synology, QNAP and NetApp, in lower case."""

_SYSTEM_PATTERN = re.compile(r"found\.\d{3}|\.trash(es|-.*)?|\.@__thumb")
_SYSTEM_FILES = frozenset(("thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r", "picasa.ini"))
_CACHES = frozenset(
    (
        *("__pycache__", ".cache", "cache", "caches", "node_modules", "site-packages"),
        *(".ipynb_checkpoints", ".thumbnails", "thumbnails"),
    )
)
_CACHE_FILES = ("CACHEDIR.TAG", "pyvenv.cfg")
_RUN_FILES = ("config.json", "plan.json", "audit.json")


@dataclass(frozen=True, slots=True)
class Unread:
    """A folder that is not read.

    Arguments:
        name: Its path below the source, POSIX-relative.
        reason: Why.
    """

    name: str
    reason: str


def why_unread(folder: Path) -> str | None:
    """Why a folder of this name is not read; None if its name is no obstacle."""
    name = folder.name.casefold()
    if name in _SYSTEM_FOLDERS or _SYSTEM_PATTERN.fullmatch(name):
        return OF_SYSTEM
    if name in _CACHES or folder == cache_folder():
        return CACHE
    return HIDDEN if name.startswith(".") else None


def why_unread_inside(folder: Path, files: Collection[str]) -> str | None:
    """Why a folder that holds these files is not read; None if they are no obstacle."""
    if any(name in files for name in _CACHE_FILES):
        return CACHE
    if any(name in files for name in _RUN_FILES) and is_run(folder):
        return RUN
    return None


def why_no_picture(name: str) -> str:
    """Why a file is not used that is not called like a picture, or hidden."""
    if name.casefold() in _SYSTEM_FILES:
        return OF_SYSTEM
    if name.startswith("."):
        return HIDDEN
    return AN_ARCHIVE if is_archive_name(name) else "it is not a picture"


def is_run(folder: Path) -> bool:
    """Whether a folder holds a run of this program: its settings, its plan or its audit."""
    config, plan, audit = (_read(folder / name) for name in _RUN_FILES)
    return (
        {"data", "vae_gan", "train"} <= config.keys()
        or {"request", "plan"} <= plan.keys()
        or (audit.get("format") == "latentbloom-audit" and is_file(folder / "pictures.json"))
    )


def refuse_run(folder: Path, name: str) -> None:
    """Refuse a run as a source.

    Raises:
        SourceError: It is one.
    """
    if is_run(folder):
        raise SourceError(
            f"'{name}' is a run of latentbloom: what it holds was made by the program. Name the "
            "folder of your own pictures."
        )


def say_unread(unread: Sequence[Unread]) -> list[str]:
    """A sentence about folders that are not read; nothing if there are none."""
    by_reason: dict[str, list[str]] = defaultdict(list)
    for one in unread:
        by_reason[one.reason].append(f"{one.name}/")
    words = {
        HIDDEN: "hidden folder",
        OF_SYSTEM: "folder of the system",
        CACHE: "cache",
        RUN: "run of latentbloom",
        SHUT: "folder that cannot be opened",
    }
    more = {OF_SYSTEM: "folders of the system", RUN: "runs of latentbloom"}
    more[SHUT] = "folders that cannot be opened"
    parts = [
        f"{plural(len(names), word, more.get(reason))} ({shortened(names, 2)})"
        for reason, word in words.items()
        if (names := by_reason[reason])
    ]
    return [f"Not read: {', '.join(parts)}."] if parts else []


def lies_in(name: str, unread: Iterable[Unread], reason: str) -> bool:
    """Whether a POSIX-relative path lies in a folder that is not read for this reason."""
    return any(one.reason == reason and name.startswith(f"{one.name}/") for one in unread)


def _read(path: Path) -> dict[str, object]:
    try:
        tree = read_json(path)
    except (OSError, ValueError):
        return {}
    return tree if isinstance(tree, dict) else {}
