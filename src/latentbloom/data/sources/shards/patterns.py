"""Which shards a pattern means: braces and wildcards, of local files or of any URL."""

from __future__ import annotations

import glob
from pathlib import Path, PurePosixPath
from types import ModuleType

from latentbloom.data.sources.labels.names import natural_key
from latentbloom.errors import SourceError
from latentbloom.words import plural, shortened

PREFIX = "wds:"

_HOW = (
    "Give the tar files, as in wds:shards/train-{000000..000099}.tar, wds:shards/*.tar, "
    "wds:shards or wds:https://host/set/train-{000000..000099}.tar."
)
_PACKED_TARS = (".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".tar.zst")


def is_url(place: str) -> bool:
    """Whether a place is a URL and not a local file."""
    return "://" in place or "::" in place


def expand(pattern: str) -> tuple[str, ...]:
    """The shards that a pattern means, in natural order.

    Arguments:
        pattern: What stands after "wds:": local files or a URL, with braces and wildcards, or a
            folder.

    Raises:
        SourceError: It means no shard; it is a command; or a package that it needs is missing.
    """
    if pattern.startswith("pipe:"):
        raise SourceError(
            f"'{PREFIX}{pattern}' is a command, and commands are never run. {_HOW} What fsspec "
            "opens works: s3://, gs://, hf://, https:// and more."
        )
    if not pattern:
        raise SourceError(f"'{PREFIX}' names no shards. {_HOW}")
    listed = _braces(pattern) if "{" in pattern else [pattern]
    found: list[str] = []
    for place in listed:
        found += _in_urls(place) if is_url(place) else _in_files(place)
    missing = [place for place in found if not is_url(place) and not Path(place).is_file()]
    if not found or len(missing) == len(found):
        shown = f" Missing are {shortened(missing)}." if missing else ""
        raise SourceError(f"'{PREFIX}{pattern}' finds no shard.{shown} {_HOW}")
    if odd := [place for place in found if place.endswith(_PACKED_TARS)]:
        verb = "is" if len(odd) == 1 else "are"
        raise SourceError(
            f"'{PREFIX}{pattern}': {plural(len(odd), 'shard')} {verb} compressed, such as "
            f"{odd[0]}. A picture in the middle of a compressed file cannot be read alone: unpack "
            "it to .tar."
        )
    return tuple(sorted(dict.fromkeys(found), key=natural_key))


def common_folder(places: tuple[str, ...]) -> str:
    """The folder or URL that holds all shards."""
    parents = [place.rpartition("/")[0] if is_url(place) else _parent(place) for place in places]
    shared = []
    for names in zip(*(f"{parent}/".split("/") for parent in set(parents)), strict=False):
        if len(set(names)) > 1:
            break
        shared.append(names[0])
    return "/".join(shared).rstrip("/") or "/"


def name_in(place: str, folder: str) -> str:
    """The name of a shard below the folder of all of them, without ".tar"."""
    absolute = place if is_url(place) else Path(place).absolute().as_posix()
    below = absolute[len(folder.rstrip("/")) + 1 :]
    return PurePosixPath(below).with_suffix("").as_posix()


def _parent(place: str) -> str:
    return Path(place).absolute().parent.as_posix()


def _braces(pattern: str) -> list[str]:
    try:
        from braceexpand import braceexpand
    except ImportError:
        raise SourceError(
            f"'{PREFIX}{pattern}': braces need a package that is not installed. Install the "
            'extra: pip install "latentbloom[shards]"'
        ) from None
    try:
        return list(braceexpand(pattern))
    except ValueError as error:
        raise SourceError(f"'{PREFIX}{pattern}': {error}. {_HOW}") from None


def _in_files(place: str) -> list[str]:
    path = Path(place).expanduser()
    if path.is_dir():
        return [str(one) for one in path.glob("*.tar")]
    if glob.has_magic(place) and not path.exists():
        return glob.glob(str(path), recursive=True)
    return [str(path)]


def _in_urls(place: str) -> list[str]:
    if not glob.has_magic(place):
        return [place]
    from latentbloom.data.sources.shards.remote_files import find_urls

    return find_urls(place)


def fsspec_module(place: str) -> ModuleType:
    """The package fsspec.

    Raises:
        SourceError: It is not installed.
    """
    try:
        import fsspec
    except ImportError:
        raise SourceError(
            f"'{place}' needs fsspec, which is not installed. Install the extra: "
            'pip install "latentbloom[shards]"'
        ) from None
    return fsspec
