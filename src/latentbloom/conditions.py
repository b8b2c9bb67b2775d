"""Conditions of a picture: factors, their values, and "any".

A batch carries `cond: dict[name, LongTensor (B,)]`, one entry a factor. The null value of a
factor, written "any", is the index after its last value. Only this module knows that.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias

from latentbloom.errors import ConditionError
from latentbloom.words import did_you_mean, spelling_key, visible

if TYPE_CHECKING:
    import torch

Cond: TypeAlias = "dict[str, torch.Tensor]"

ANY = "any"


@dataclass(frozen=True)
class Factor:
    """One property that pictures are labelled with.

    Arguments:
        name: What is asked for, for example "smiling" or "species".
        values: The words that it can take, in a fixed order.
    """

    name: str
    values: tuple[str, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", visible(self.name))
        object.__setattr__(self, "values", tuple(visible(value) for value in self.values))
        if len(set(self.values)) != len(self.values):
            raise ConditionError(f"Factor '{self.name}' lists a value twice: {list(self.values)}.")
        if ANY in self.values:
            raise ConditionError(
                f"Factor '{self.name}' has a value called '{ANY}', which is the word for "
                "'not said'. Rename that label."
            )

    @property
    def null_index(self) -> int:
        """The index that stands for "any"."""
        return len(self.values)

    @property
    def num_embeddings(self) -> int:
        """How many rows an embedding of this factor needs, "any" included."""
        return len(self.values) + 1

    def index(self, word: str) -> int:
        """The index of a value's word; "any" is known to every factor.

        A word that is typed in another case or another Unicode form, or as "1.0" for "1", is
        understood where only one value can be meant.
        """
        if word in self._places:
            return self._places[word]
        alike = [value for value in self.values if _folded(value) == _folded(word)]
        if len(alike) == 1:
            return self._places[alike[0]]
        raise ConditionError(
            f"'{visible(word)}' is no value of '{self.name}'. Known values: "
            f"{', '.join(self.values)} (or {ANY}).{did_you_mean(word, self.values)}"
        )

    @cached_property
    def _places(self) -> dict[str, int]:
        return {word: index for index, word in enumerate((*self.values, ANY))}

    def word(self, index: int) -> str:
        """The word of an index."""
        return ANY if index == self.null_index else self.values[index]


@dataclass(frozen=True)
class ConditionSpec:
    """The ordered factors of a data set. Saved with every checkpoint."""

    factors: tuple[Factor, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the factors, in order."""
        return tuple(factor.name for factor in self.factors)

    def factor(self, name: str) -> Factor:
        """The factor of that name."""
        for factor in self.factors:
            if factor.name == name:
                return factor
        alike = [factor for factor in self.factors if _folded(factor.name) == _folded(name)]
        if len(alike) == 1:
            return alike[0]
        known = ", ".join(self.names) or "none"
        raise ConditionError(
            f"'{visible(name)}' is no condition of this model. Known conditions: {known}."
            f"{did_you_mean(name, self.names)}"
        )

    def parse(self, texts: str | Sequence[str]) -> dict[str, str]:
        """Read "smiling=yes,glasses=no", or several such texts, into words.

        Values may contain commas and equals signs: where several known values fit, the longest
        one is taken.

        Raises:
            ConditionError: A part is not NAME=VALUE, names something unknown, or names a factor
                for the second time.
        """
        texts = [texts] if isinstance(texts, str) else texts
        words: dict[str, str] = {}
        for text in texts:
            for name, value, _ in self._pairs(text, ","):
                _add(words, name, value)
        return words

    def parse_groups(self, text: str) -> list[dict[str, str]]:
        """Read "species=rose,colour=blue; species=tulip": groups, with semicolons between them.

        Raises:
            ConditionError: As for `parse`.
        """
        groups: list[dict[str, str]] = [{}]
        for name, value, separator in self._pairs(text, ",;"):
            _add(groups[-1], name, value)
            if separator == ";":
                groups.append({})
        return [words for words in groups if words]

    def _pairs(self, text: str, separators: str) -> Iterator[tuple[str, str, str]]:
        """Name, value and what separates them from the next pair, "" at the end."""
        end = rf"\s*(?P<end>[{separators}]|\Z)"
        names = re.compile(rf"(?P<name>{_any_of(self.names)})\s*=")
        other = re.compile(rf"(?P<name>[^{separators}=]*)=")
        typed = re.compile(
            rf"\s*(?P<value>.*?)(?=\s*[{separators}][^{separators}=]*=|\s*\Z){end}", re.S
        )
        place = 0
        while place < len(text):
            if text[place].isspace() or text[place] in separators:
                place += 1
                continue
            found = names.match(text, place) or other.match(text, place)
            if found is None:
                piece = re.split(f"[{separators}]", text[place:])[0].strip()
                raise ConditionError(
                    f"'{visible(piece)}' is not NAME=VALUE, as in {self._example()}."
                )
            factor = self.factor(found["name"].strip())
            known = _any_of((*factor.values, ANY))
            # First with the spaces that a value may begin with, then without.
            for pattern in (rf"(?P<value>{known}){end}", rf"\s*(?P<value>{known}){end}"):
                if value := re.compile(pattern).match(text, found.end()):
                    word = value["value"]
                    break
            else:
                value = typed.match(text, found.end())
                assert value is not None  # it matches any text
                # The last of several pairs may end in separators.
                word = factor.word(factor.index(value["value"].rstrip(f"{separators} ")))
            yield factor.name, word, value["end"]
            place = value.end()

    def encode(self, words: Mapping[str, str] | None, n: int) -> Cond:
        """`n` equal rows of the words asked for; a factor not named is "any".

        Returns:
            For each factor a LongTensor (n,).
        """
        import torch

        words = dict(words or {})
        for name in words:
            self.factor(name)
        return {
            f.name: torch.full((n,), f.index(words.get(f.name, ANY)), dtype=torch.long)
            for f in self.factors
        }

    def words(self, cond: Cond) -> list[dict[str, str]]:
        """Rows of indices back to words, one dict a row."""
        rows = zip(*(cond[f.name].tolist() for f in self.factors), strict=True)
        return [{f.name: f.word(i) for f, i in zip(self.factors, row, strict=True)} for row in rows]

    def null_like(self, cond: Cond) -> Cond:
        """The same number of rows with every factor "any"."""
        import torch

        return {f.name: torch.full_like(cond[f.name], f.null_index) for f in self.factors}

    def drop(self, cond: Cond, masks: Mapping[str, torch.Tensor]) -> Cond:
        """Set a factor to "any" in the rows where its mask (B,) is true."""
        import torch

        return {
            f.name: torch.where(masks[f.name], f.null_index, cond[f.name]) for f in self.factors
        }

    def known(self, name: str, indices: torch.Tensor) -> torch.Tensor:
        """Mask (B,) of the rows whose value of that factor is known, that is not "any"."""
        return indices != self.factor(name).null_index

    def combinations(self) -> Iterator[dict[str, str]]:
        """Every combination of values, the last factor running fastest."""
        for values in itertools.product(*(f.values for f in self.factors)):
            yield dict(zip(self.names, values, strict=True))

    def to_json(self) -> list[dict[str, Any]]:
        """A list of {"name", "values"}: a list, because the order counts."""
        return [{"name": f.name, "values": list(f.values)} for f in self.factors]

    @classmethod
    def from_json(cls, data: Sequence[Mapping[str, Any]]) -> ConditionSpec:
        """The inverse of `to_json`."""
        return cls(tuple(Factor(d["name"], tuple(d["values"])) for d in data))

    def _example(self) -> str:
        if not self.factors:
            return "smiling=yes"
        return f"{self.factors[0].name}={self.factors[0].values[0]}"


def _add(words: dict[str, str], name: str, value: str) -> None:
    if name in words:
        raise ConditionError(
            f"'{name}' is asked for twice: {words[name]} and {value}. Name each condition once."
        )
    words[name] = value


def _folded(word: str) -> str:
    """What all spellings of a word have in common."""
    return spelling_key(visible(word))


def _any_of(words: Sequence[str]) -> str:
    """A pattern of these words, the longest first."""
    return "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True)) or "(?!)"
