"""The sources that have a name of their own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from latentbloom.config import SourceOptions
from latentbloom.data.sources.base import Source


@dataclass(frozen=True)
class BuiltIn:
    """A source that is opened by its name.

    Arguments:
        summary: A line for lists.
        open: Called with the options, the seed, and the number of training pictures asked for
            (None if not given).
        synthetic: Whether the program renders it, so that a number can be asked for.
        takes: Options that it takes besides those that every source takes.
    """

    summary: str
    open: Callable[[SourceOptions, int, int | None], Source]
    synthetic: bool = True
    takes: tuple[str, ...] = ()


def _synthetic_flowers(_: SourceOptions, seed: int, num_train: int | None) -> Source:
    from latentbloom.data.sources.rendered import synthetic_flowers

    return synthetic_flowers(seed=seed, num_train=num_train)


def _synthetic_faces(_: SourceOptions, seed: int, num_train: int | None) -> Source:
    from latentbloom.data.sources.rendered import synthetic_faces

    return synthetic_faces(seed=seed, num_train=num_train)


def _celeba(options: SourceOptions, seed: int, _: int | None) -> Source:
    from latentbloom.data.sources.published.celeba import open_celeba

    return open_celeba(options, seed)


def _flowers102(options: SourceOptions, seed: int, _: int | None) -> Source:
    from latentbloom.data.sources.published.flowers102 import open_flowers102

    return open_flowers102(options, seed)


BUILT_INS: dict[str, BuiltIn] = {
    "synthetic-flowers": BuiltIn("rendered flowers: species and colour", _synthetic_flowers),
    "synthetic-faces": BuiltIn("rendered faces: smiling and glasses", _synthetic_faces),
    "celeba": BuiltIn(
        "photographs of faces: 40 attributes",
        _celeba,
        synthetic=False,
        takes=("root", "splits", "crop"),
    ),
    "flowers102": BuiltIn(
        "photographs of flowers: 102 species",
        _flowers102,
        synthetic=False,
        takes=("root", "splits", "background"),
    ),
}
"""The sources that are known by name."""


def takers() -> dict[str, list[str]]:
    """For each option that only some sources take, their names."""
    takers: dict[str, list[str]] = {"bins": ["tables"]}
    for name, built_in in BUILT_INS.items():
        for option in built_in.takes:
            takers.setdefault(option, []).append(name)
    return takers
