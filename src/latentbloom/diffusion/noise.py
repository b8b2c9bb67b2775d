"""Random numbers of a picture: they depend only on the request's seed and the picture's number.

The batch, the device and the other pictures do not change them: each picture has its own
generators, on the CPU.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import torch
from torch import Tensor

from latentbloom.errors import check_count


def picture_seed(seed: int, index: int, stream: str) -> int:
    """Seed of one picture's generator: a + b index, modulo 2^32, with a and odd b hashed.

    PyTorch's generator on the CPU keeps only the low 32 bits of its seed. With a plain hash of
    (seed, index), two of 100,000 pictures would probably share their noise. An odd factor b makes
    the map one-to-one: pictures of one request never share noise.

    Arguments:
        seed: The request's seed, any integer.
        index: The picture's number in the request, in [0, 2^32).
        stream: What the random numbers are for; different streams are independent.

    Returns:
        An integer in [0, 2^32).

    Raises:
        ConfigError: The seed or the index is no whole number, or the index is out of range.
    """
    seed = check_count("seed", seed, least=None)
    index = check_count("An index", index, least=0, most=2**32 - 1)
    digest = hashlib.sha256(f"{stream}/{seed}".encode()).digest()
    start = int.from_bytes(digest[:4], "little")
    stride = int.from_bytes(digest[4:8], "little") | 1
    return (start + stride * index) % 2**32


def generators_for(
    seed: int, indices: Sequence[int], *, stream: str = "steps"
) -> list[torch.Generator]:
    """A new CPU generator for each picture.

    Arguments:
        seed: The request's seed, any integer.
        indices: Numbers of the pictures in the request, each in [0, 2^32).
        stream: What the random numbers are for: "steps" is the noise that stochastic samplers add.

    Returns:
        A list as long as `indices`.
    """
    return [torch.Generator().manual_seed(picture_seed(seed, k, stream)) for k in indices]


def noise_for(
    seed: int, indices: Sequence[int], shape: Sequence[int], *, stream: str = "start"
) -> Tensor:
    """Standard normal noise x_1 that pictures start from.

    Arguments:
        seed: The request's seed, any integer.
        indices: Numbers of the pictures in the request, each in [0, 2^32).
        shape: Shape of one picture or latent, for example (4, 8, 8).
        stream: What the random numbers are for.

    Returns:
        Noise (len(indices), *shape), float32, on the CPU.
    """
    generators = generators_for(seed, indices, stream=stream)
    rows = [torch.randn(tuple(shape), generator=generator) for generator in generators]
    return torch.stack(rows) if rows else torch.empty((0, *shape))
