"""Where rows with pictures come from: Parquet files, a saved data set, or the Hugging Face Hub."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from latentbloom.data.sources.folders.split_folders import split_word
from latentbloom.data.sources.folders.walk import find_pictures
from latentbloom.data.sources.layouts.columnar import Columns, columns_of, in_memory
from latentbloom.data.sources.layouts.label_rows import json_of
from latentbloom.data.sources.layouts.picture_rows import PictureRows, found_rows, piece_of
from latentbloom.data.sources.tables.find_table import FoundTable
from latentbloom.errors import SourceError
from latentbloom.foreign.bounds import ForeignError, check_name
from latentbloom.storage import mounts
from latentbloom.storage.mounts import is_file
from latentbloom.storage.user_files import reason
from latentbloom.words import plural, shortened

HUB = "hf:"
_STATE, _SPLITS, _INFO = "state.json", "dataset_dict.json", "dataset_info.json"
_SHARD = re.compile(r"-\d{3,}-of-\d{3,}.*$")


def found_parquet(path: Path) -> FoundTable:
    """One Parquet file with pictures in it."""
    return _found_parquets(path.with_name(f"{path.name}:rows"), [path], path.name)


def find_parquets(folder: Path) -> FoundTable | None:
    """The Parquet files of a folder that holds no picture files."""
    found = find_pictures(folder)
    names = [one.name for one in found.set_aside if one.name.endswith(".parquet")]
    if found.pictures or not names:
        return None
    return _found_parquets(folder / "*.parquet", [folder / name for name in names], names[0])


def _found_parquets(where: Path, paths: Sequence[Path], name: str) -> FoundTable:
    tables, broken = _readable(paths)
    pieces = []
    for path, columns in tables:
        try:
            pieces.append(piece_of(_split_of(path), columns))
        except SourceError as error:
            if path == tables[-1][0] and not pieces:
                raise
            broken.append(f"Not used: {error}")
    title = re.sub(r"\.parquet$", "", where.parent.name if where.name[0] == "*" else name)
    rows = PictureRows(title, pieces, _time(path for path, _ in tables))
    what = plural(len(pieces), "Parquet file")
    first = pieces[0].columns.path.name
    why = f"because column '{pieces[0].pictures}' of {first} holds their bytes"
    layout = f"{what} with pictures, {why}"
    return found_rows(where, rows, layout, broken)


def _readable(paths: Sequence[Path]) -> tuple[list[tuple[Path, Columns]], list[str]]:
    """The files that can be read, and a sentence about the others."""
    tables, broken = [], []
    for path in paths:
        try:
            tables.append((path, columns_of(path)))
        except OSError as error:
            broken.append(f"{path.name}: {reason(error)}")
    if not tables:
        raise SourceError(f"{paths[0]} cannot be read: {broken[0].partition(': ')[2]}.")
    lost = f"Lost, because they cannot be read: {shortened(broken, 5)}."
    return tables, [lost] if broken else []


def _split_of(path: Path) -> str:
    """train-00000-of-00003.parquet and train/0000.parquet are of the split train."""
    stem = _SHARD.sub("", path.stem)
    for name in (stem, path.parent.name):
        if split_word(name) is not None:
            return name
    return "train"


def _time(paths: Iterable[Path]) -> int:
    return max((mounts.stat(path).st_mtime_ns for path in paths), default=0)


def find_saved(folder: Path) -> FoundTable | None:
    """A data set that `datasets` saved with `save_to_disk`; None if it is none."""
    if is_file(folder / _SPLITS):
        tree = json_of(folder / _SPLITS)
        names = tree.get("splits") if isinstance(tree, dict) else None
        if not isinstance(names, list) or not names:
            raise SourceError(f"{folder / _SPLITS} does not list the `splits` of a data set.")
        splits = {str(name): folder / _checked(str(name), folder / _SPLITS) for name in names}
        mark = _SPLITS
    elif is_file(folder / _STATE) and is_file(folder / _INFO):
        splits, mark = {"train": folder}, _STATE
    else:
        return None
    pieces, notes, files = [], [], []
    for split, place in splits.items():
        tables, broken = _readable(_arrow_files(place))
        notes += broken
        files += [path for path, _ in tables]
        pieces += [piece_of(split, columns) for _, columns in tables]
    rows = PictureRows(folder.name, pieces, _time(files), folder=folder)
    layout = f"a data set that Hugging Face's save_to_disk wrote, because there is {mark}"
    return found_rows(folder / "*.arrow", rows, layout, notes)


def _arrow_files(folder: Path) -> list[Path]:
    state = json_of(folder / _STATE)
    files = state.get("_data_files") if isinstance(state, dict) else None
    names = [one.get("filename") for one in files or () if isinstance(one, dict)]
    if not names or not all(isinstance(name, str) for name in names):
        raise SourceError(f"{folder / _STATE} names no data files of a data set.")
    if isinstance(state, dict) and state.get("_indices_files"):
        raise SourceError(
            f"{folder} keeps an order of its own in a file of indices. Save it again after "
            "flatten_indices()."
        )
    return [folder / _checked(str(name), folder / _STATE) for name in names]


def _checked(name: str, path: Path) -> str:
    try:
        check_name(name)
    except ForeignError as error:
        raise SourceError(f"{path} {error}.") from error
    return name


def found_on_hub(where: str) -> FoundTable:
    """A data set of the Hugging Face Hub: "hf:user/name" or "hf:user/name:config".

    Raises:
        SourceError: `datasets` is not installed, there is no such data set, or no pictures in it.
    """
    name, _, config = where.removeprefix(HUB).partition(":")
    if not re.fullmatch(r"[\w.\-]+(/[\w.\-]+)?", name):
        raise SourceError(f"'{where}' is no data set. Write hf:user/name or hf:user/name:config.")
    loaded = _load(where, name, config)
    splits = loaded if isinstance(loaded, dict) else {"train": loaded}
    pieces = [
        piece_of(split, in_memory(Path(where), data.data.table)) for split, data in splits.items()
    ]
    # The fingerprint changes with the content; a time is what stamps are compared by.
    marks = "".join(str(getattr(data, "_fingerprint", "")) for data in splits.values())
    time = int.from_bytes(hashlib.sha256(marks.encode()).digest()[:7], "big")
    rows = PictureRows(name.rpartition("/")[2], pieces, time, folder=_hub_cache())
    layout = f"the data set {name} of the Hugging Face Hub, because the source begins with {HUB}"
    return found_rows(Path(f"hf-{re.sub('/', '-', name)}.rows"), rows, layout, ())


def _load(where: str, name: str, config: str) -> Any:
    try:
        import datasets
    except ImportError as error:
        raise SourceError(
            f"'{where}' needs the package datasets, which is not installed. Install it: "
            "pip install 'latentbloom[hub]'"
        ) from error
    try:
        return datasets.load_dataset(name, config or None)
    # Its own errors, those of the network and of the files: all mean the same to a reader.
    except Exception as error:
        why = " ".join(str(error).split())[:300].rstrip(".")
        raise SourceError(
            f"'{where}' cannot be loaded from the Hugging Face Hub: {why}. Is the name right, is "
            "there a network, and are you logged in where it is not public?"
        ) from error


def _hub_cache() -> Path:
    from huggingface_hub.constants import HF_HOME

    return Path(HF_HOME)
