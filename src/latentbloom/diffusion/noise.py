"""Random numbers of a picture: they depend on the request's seed and the picture's number alone.

Neither the batch a picture is drawn in, nor the device, nor its neighbours change them: each
picture has generators of its own, on the CPU, and nobody else draws from them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import torch
from torch import Tensor


def picture_seed(seed: int, index: int, stream: str) -> int:
    """Seed of one picture's generator: a + b index, modulo 2^32, with a and odd b hashed.

    PyTorch's generator on the CPU keeps the low 32 bits of its seed, so a plain hash of
    (seed, index) would give two of 100,000 pictures the same noise more often than not. An odd
    factor makes the map one to one: pictures of one request never share noise.

    Arguments:
        seed: The request's seed, any integer.
        index: The picture's number in the request, in [0, 2^32).
        stream: What the numbers are for, so that different uses are independent.

    Returns:
        An integer in [0, 2^32).
    """
    digest = hashlib.sha256(f"{stream}/{seed}".encode()).digest()
    start = int.from_bytes(digest[:4], "little")
    stride = int.from_bytes(digest[4:8], "little") | 1
    return (start + stride * index) % 2**32


def generators_for(
    seed: int, indices: Sequence[int], *, stream: str = "steps"
) -> list[torch.Generator]:
    """One fresh CPU generator for each picture.

    Arguments:
        seed: The request's seed, any integer.
        indices: Numbers of the pictures in the request, each in [0, 2^32).
        stream: "steps" for the noise that stochastic samplers add; other names, other numbers.

    Returns:
        A list as long as `indices`.
    """
    return [torch.Generator().manual_seed(picture_seed(seed, k, stream)) for k in indices]


def noise_for(
    seed: int, indices: Sequence[int], shape: Sequence[int], *, stream: str = "start"
) -> Tensor:
    """Standard normal noise x_1 to start pictures from.

    Arguments:
        seed: The request's seed, any integer.
        indices: Numbers of the pictures in the request, each in [0, 2^32).
        shape: Shape of one picture or latent, for example (4, 8, 8).
        stream: What the numbers are for.

    Returns:
        Noise (len(indices), *shape), float32, on the CPU.
    """
    generators = generators_for(seed, indices, stream=stream)
    rows = [torch.randn(tuple(shape), generator=generator) for generator in generators]
    return torch.stack(rows) if rows else torch.empty((0, *shape))
