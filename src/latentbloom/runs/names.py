"""names.json: which value or condition the words in the names of a run's files stand for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from latentbloom.foreign.json_files import read_json
from latentbloom.storage.files import condition_word, write_json

FILE = "names.json"

Words = Mapping[str, str]


def file_word_of(words: Words) -> str:
    """A condition as part of a file name, with the factors' names, as samples have it."""
    return condition_word([piece for pair in words.items() for piece in pair], most=72)


def figure_word_of(words: Words, values: Mapping[str, Iterable[str]]) -> str:
    """A condition as part of a figure's file name: without the names that can be left out.

    Arguments:
        words: Values by factor; factors that are open are left out, or "any".
        values: All values by factor.
    """
    pieces: list[str] = []
    for name, value in words.items():
        if value == "any":
            continue
        elsewhere = any(
            value.casefold() == word.casefold()
            for other, known in values.items()
            if other != name
            for word in known
        )
        pieces += [name, value] if elsewhere or value in ("yes", "no") else [value]
    return condition_word(pieces)


def record_names(run: Path, names: Mapping[str, Words]) -> None:
    """Add words to the table of a run; one that is not there or read-only stays as it is.

    Arguments:
        run: The run folder.
        names: By word, the values by factor that it stands for.
    """
    if not run.is_dir():
        return
    known = read_names(run)
    added = {word: dict(words) for word, words in names.items() if known.get(word) != words}
    if added:
        with suppress(OSError):
            write_json(run / FILE, {"names": {**known, **added}})


def read_names(run: Path) -> dict[str, dict[str, str]]:
    """The table of a run: by word, the values by factor; empty where there is none."""
    try:
        names = read_json(run / FILE, folder=run)["names"]
        return {str(word): dict(words) for word, words in names.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def names_of_values(values: Mapping[str, Iterable[str]]) -> dict[str, dict[str, str]]:
    """The words of each value alone, in samples and in figures.

    Arguments:
        values: All values by factor.
    """
    every = {name: tuple(known) for name, known in values.items()}
    single = [{name: value} for name, known in every.items() for value in known]
    table = {file_word_of(words): words for words in single}
    return table | {figure_word_of(words, every): words for words in single}
