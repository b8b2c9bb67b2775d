"""Archives of folders, for tests, as other programs pack them."""

from __future__ import annotations

import tarfile
import zipfile
from pathlib import Path
from typing import Literal

ENDINGS = ("zip", "tar", "tar.gz", "tgz", "tar.bz2", "tar.xz")
_Mode = Literal["w", "w:gz", "w:bz2", "w:xz"]
_MODES: dict[str, _Mode] = {
    "tar": "w",
    "tar.gz": "w:gz",
    "tgz": "w:gz",
    "tar.bz2": "w:bz2",
    "tar.xz": "w:xz",
}


def pack(folder: Path, archive: Path, ending: str, *, above: str = "") -> Path:
    """Pack all files of a folder, below a folder called `above` in the archive."""
    path = archive.with_name(f"{archive.name}.{ending}")
    files = {p.relative_to(folder).as_posix(): p for p in folder.rglob("*") if p.is_file()}
    prefix = f"{above}/" if above else ""
    if ending == "zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
            for name, file in files.items():
                made.write(file, prefix + name)
    else:
        with tarfile.open(path, _MODES[ending]) as made:
            for name, file in files.items():
                made.add(file, prefix + name)
    return path
