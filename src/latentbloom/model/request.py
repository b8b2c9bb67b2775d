"""From words and numbers to conditions and noise, and from a sampler's states to records."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias

import torch

from latentbloom.data.pixels import to_uint8
from latentbloom.diffusion import State, generators_for, noise_for
from latentbloom.errors import ConditionError, ConfigError, check_count
from latentbloom.model.records import Moment, Record

if TYPE_CHECKING:
    from torch import Tensor

    from latentbloom.conditions import Cond, ConditionSpec

Asked: TypeAlias = "Mapping[str, str] | Sequence[Mapping[str, str]] | None"

USUAL = 16


class Request:
    """Pictures of one seed: what each is to show, and the number of its noise.

    A picture depends on its words, the seed and its number alone. Equal numbers start from
    equal noise.

    Arguments:
        asked: Words by factor, for example {"smiling": "yes"}, or one such dict a picture. A
            factor left out may be anything.
        n: How many pictures; default as many as there are dicts or indices, else 16.
        seed: Any integer.
        indices: The pictures' numbers, each in [0, 2^32); default 0, 1, ..., n - 1.

    Raises:
        ConditionError: There is not one dict for each picture.
        ConfigError: A number is out of range.
    """

    def __init__(
        self,
        asked: Asked = None,
        n: int | None = None,
        seed: int = 0,
        indices: Sequence[int] | None = None,
    ) -> None:
        if asked is None or isinstance(asked, Mapping):
            count = _count(n if n is not None else USUAL if indices is None else len(indices))
            self.asked = [dict(asked or {})] * count
        else:
            self.asked = [dict(words) for words in asked]
            count = _count(len(self.asked) if n is None else n)
        if len(self.asked) != count:
            raise ConditionError(
                f"{len(self.asked)} conditions for n={count} pictures; give one each, or one for "
                "all."
            )
        if indices is not None and len(indices) != count:
            raise ConfigError(f"{len(indices)} indices for n={count} pictures; give one each.")
        self.seed = check_count("seed", seed, least=None)
        self.indices = [
            check_count("An index", index, least=0, most=2**32 - 1)
            for index in (range(count) if indices is None else indices)
        ]

    def __len__(self) -> int:
        return len(self.asked)

    def split(self, rows: int) -> Iterator[Request]:
        """Parts of at most so many pictures, in order."""
        for start in range(0, len(self), rows):
            part = slice(start, start + rows)
            yield Request(self.asked[part], seed=self.seed, indices=self.indices[part])

    def filled(self, rows: int) -> Request:
        """The request with its last picture repeated until there are so many."""
        more = rows - len(self)
        return Request(
            self.asked + self.asked[-1:] * more,
            seed=self.seed,
            indices=self.indices + self.indices[-1:] * more,
        )

    def cond(self, spec: ConditionSpec, device: torch.device | None = None) -> Cond:
        """The words as indices, a LongTensor (n,) for each factor, on the CPU or that device.

        Raises:
            ConditionError: A factor or a value is unknown.
        """
        rows = [spec.encode(words, 1) for words in self.asked]
        return {name: torch.cat([row[name] for row in rows]).to(device) for name in spec.names}

    def noise(self, shape: Sequence[int]) -> Tensor:
        """Standard normal noise (n, *shape) that the pictures start from, on the CPU."""
        return noise_for(self.seed, self.indices, shape)

    def generators(self) -> list[torch.Generator]:
        """A generator a picture, for samplers that add noise."""
        return generators_for(self.seed, self.indices)


def _count(n: int) -> int:
    count = check_count("n", n, least=None)
    if count < 1:
        raise ConfigError(f"n is {count}; at least 1 picture can be asked for.")
    return count


def records_of(
    request: Request,
    states: Iterable[State],
    decode: Callable[[Tensor], Tensor],
    *,
    path: bool = False,
) -> list[Record]:
    """The records of a request from a sampler's states.

    Arguments:
        request: What the pictures show.
        states: Their states, first to last; rows after those of the request are left out.
        decode: Takes normalised latents (B, C, h, w) to pictures (B, C, H, W) in [-1, 1].
        path: Keep all states.

    Returns:
        A record for each picture, in order.
    """
    kept: list[State] = []
    last: State | None = None
    for last in states:
        if path:
            kept.append(last)
    assert last is not None
    z = last.x_t[: len(request)]
    pixels = to_uint8(decode(z)).permute(0, 2, 3, 1).numpy()
    z = z.cpu()
    return [
        Record(
            pixels[row].copy(),
            dict(words),
            request.seed,
            index,
            z[row].clone(),
            tuple(Moment(s.t, s.x_t[row].cpu(), s.x0_hat[row].cpu()) for s in kept),
        )
        for row, (words, index) in enumerate(zip(request.asked, request.indices, strict=True))
    ]
