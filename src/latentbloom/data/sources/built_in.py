"""The sources that are known by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from latentbloom.data.sources.base import Source
from latentbloom.data.sources.options import SourceOptions


@dataclass(frozen=True)
class BuiltIn:
    """A source that is opened by its name.

    Arguments:
        summary: A line for lists.
        open: Called with the options and the number of training pictures wanted (None when not
            said).
        drawn: Whether the program draws it, so that a number can be wanted.
        takes: Options that it takes beyond those that every source takes.
    """

    summary: str
    open: Callable[[SourceOptions, int | None], Source]
    drawn: bool = True
    takes: tuple[str, ...] = ()


def _synthetic_flowers(options: SourceOptions, num_train: int | None) -> Source:
    from latentbloom.data.sources.drawn import synthetic_flowers

    return synthetic_flowers(seed=options.seed, num_train=num_train)


def _synthetic_faces(options: SourceOptions, num_train: int | None) -> Source:
    from latentbloom.data.sources.drawn import synthetic_faces

    return synthetic_faces(seed=options.seed, num_train=num_train)


def _celeba(options: SourceOptions, _: int | None) -> Source:
    from latentbloom.data.sources.published.celeba import open_celeba

    return open_celeba(options)


def _flowers102(options: SourceOptions, _: int | None) -> Source:
    from latentbloom.data.sources.published.flowers102 import open_flowers102

    return open_flowers102(options)


BUILT_INS: dict[str, BuiltIn] = {
    "synthetic-flowers": BuiltIn("drawn flowers: species and colour", _synthetic_flowers),
    "synthetic-faces": BuiltIn("drawn faces: smiling and glasses", _synthetic_faces),
    "celeba": BuiltIn(
        "photographs of faces: 40 attributes",
        _celeba,
        drawn=False,
        takes=("root", "splits", "crop"),
    ),
    "flowers102": BuiltIn(
        "photographs of flowers: 102 species",
        _flowers102,
        drawn=False,
        takes=("root", "splits", "background"),
    ),
}
"""The sources that are known by name."""


def takers() -> dict[str, list[str]]:
    """For each option that only some sources take, their names."""
    takers: dict[str, list[str]] = {}
    for name, built_in in BUILT_INS.items():
        for option in built_in.takes:
            takers.setdefault(option, []).append(name)
    return takers
