"""Built-in sources that the program renders: any number of pictures, seeded, with exact labels.

Picture k of a split depends on (seed, split, k) alone: asking for more pictures, for another
size or in another order changes none of them. The factors' combinations take turns, so that
every one is equally frequent.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from latentbloom.conditions import ConditionSpec, Factor
from latentbloom.data.listed.entries import Entries
from latentbloom.data.listed.entry import Split
from latentbloom.data.reading import FileStamp, Picture
from latentbloom.data.sources.base import Entry, ReadAs, SetAside
from latentbloom.data.sources.labels.names import NO_YES
from latentbloom.errors import SourceError
from latentbloom.storage.mounts import FilePart

NUM_TRAIN = 4000
VAL_SHARE = 0.2
"""Pictures to validate on, as a share of those to train on."""

DEFAULT_SIZE = 64

_STREAMS: dict[Split, int] = {"train": 0, "val": 1}

Render = Callable[[dict[str, str], np.random.Generator, int], np.ndarray]


@dataclass(frozen=True)
class SyntheticSource:
    """Pictures that a function renders. See `Source` for the attributes.

    Arguments:
        name: What the user called it.
        spec: The factors that `render` understands.
        render: Called with the words of the labels, a generator and a size; returns uint8
            (size, size, 3).
        seed: Another one gives other pictures; not negative.
        num_train: How many pictures to train on.
        num_val: How many are held out.
    """

    name: str
    spec: ConditionSpec
    render: Render
    seed: int = 0
    num_train: int = NUM_TRAIN
    num_val: int = int(NUM_TRAIN * VAL_SHARE)

    def __post_init__(self) -> None:
        if self.seed < 0:
            raise SourceError(f"'{self.name}': seed is {self.seed}; 0 or more is allowed.")

    @property
    def synthetic(self) -> bool:
        """The program renders these."""
        return True

    @property
    def treatment(self) -> str:
        """Nothing is done to them."""
        return ""

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user should know."""
        return (f"Rendered by the program with seed {self.seed}: labels are exact.",)

    @property
    def layout(self) -> str:
        """There are no files."""
        return ""

    @property
    def set_aside(self) -> tuple[SetAside, ...]:
        """Nothing is ever wrong with these pictures."""
        return ()

    @cached_property
    def entries(self) -> Entries:
        """The pictures, training ones first."""
        combinations = list(np.ndindex(*(len(f.values) for f in self.spec.factors)))
        return Entries.of(
            Entry(f"{split}/{k:06d}", combinations[k % len(combinations)], split)
            for split, count in (("train", self.num_train), ("val", self.num_val))
            for k in range(count)
        )

    def read(self, entry: Entry, *, size: int | None = None) -> np.ndarray:
        """Draw a picture.

        Arguments:
            entry: One of `entries`.
            size: Side in pixels; 64 when not said.

        Returns:
            uint8 (size, size, 3).
        """
        key = (self.seed, _STREAMS[entry.split], int(entry.name.rpartition("/")[2]))
        words = {
            factor.name: factor.values[index]
            for factor, index in zip(self.spec.factors, entry.labels, strict=True)
        }
        return self.render(words, np.random.default_rng(key), size or DEFAULT_SIZE)

    @property
    def readings(self) -> tuple[ReadAs, ...]:
        """The program labels its own pictures."""
        return ()

    def stamp(self, entry: Entry) -> FileStamp:
        """There is no file."""
        return (0, 0)

    def files(self, entry: Entry) -> tuple[Path | FilePart, ...]:
        """There is none."""
        return ()

    def inspect(self, entry: Entry, *, size: int | None = None) -> Picture:
        """Render a picture; see `read`."""
        pixels = self.read(entry, size=size)
        return Picture(pixels, "RGB", pixels.shape[1], pixels.shape[0])


def synthetic_flowers(*, seed: int = 0, num_train: int | None = None) -> SyntheticSource:
    """Flowers of six species in six colours.

    Arguments:
        seed: Another one gives other pictures.
        num_train: How many pictures to train on; a fifth as many are held out.
    """
    from latentbloom.synthetic.flowers import COLOURS, SPECIES

    factors = (Factor("species", SPECIES), Factor("colour", COLOURS))
    return _synthetic("synthetic-flowers", factors, _flower, seed, num_train)


def synthetic_faces(*, seed: int = 0, num_train: int | None = None) -> SyntheticSource:
    """Faces that smile or not and wear glasses or not.

    Arguments:
        seed: Another one gives other pictures.
        num_train: How many pictures to train on; a fifth as many are held out.
    """
    factors = (Factor("smiling", NO_YES), Factor("glasses", NO_YES))
    return _synthetic("synthetic-faces", factors, _face, seed, num_train)


def _synthetic(
    name: str, factors: tuple[Factor, ...], render: Render, seed: int, num_train: int | None
) -> SyntheticSource:
    count = NUM_TRAIN if num_train is None else num_train
    return SyntheticSource(
        name=name,
        spec=ConditionSpec(factors),
        render=render,
        seed=seed,
        num_train=count,
        num_val=round(count * VAL_SHARE),
    )


def _flower(words: dict[str, str], rng: np.random.Generator, size: int) -> np.ndarray:
    from latentbloom.synthetic.flowers import render_flower

    return render_flower(words["species"], words["colour"], rng, size)


def _face(words: dict[str, str], rng: np.random.Generator, size: int) -> np.ndarray:
    from latentbloom.synthetic.faces import render_face

    return render_face(words["smiling"] == "yes", words["glasses"] == "yes", rng, size)
