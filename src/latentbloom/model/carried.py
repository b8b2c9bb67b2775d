"""Weights of one network as the first weights of another one.

What has the same name and shape is copied. Some weights are fitted first: rows of the condition
tables go by the words of their values, position tables are resized, the first and last layer of a
`swift` autoencoder are brought from grey to colour or back, and layers that make or read latents
keep the channels that both have. The rest starts fresh.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from latentbloom.conditions import ANY, ConditionSpec

Fit = Callable[[str, Tensor], Tensor | None]
"""A weight fitted to a tensor of that name, or None where it is copied as it is or left fresh."""

NORMALISATION = ("shift", "scale")  # of the old latents; the new ones are measured anew


@dataclass(frozen=True)
class Carried:
    """What a module took over.

    Attributes:
        copied: Weights (scalars) that were copied as they are.
        fitted: Weights that were fitted to the new run.
        total: Weights of the module.
        fresh: Names of the tensors that start fresh.
    """

    copied: int
    fitted: int
    total: int
    fresh: tuple[str, ...]

    def describe(self, what: str) -> str:
        """One line for people."""
        percent = 100 * (self.copied + self.fitted) // max(self.total, 1)
        text = f"{what}: {percent}% of {self.total:,} weights carried over"
        if self.fitted:
            text += f", {self.fitted:,} of them fitted to the new data"
        if self.fresh:
            shown = ", ".join(self.fresh[:3])
            more = f" and {len(self.fresh) - 3} more" if len(self.fresh) > 3 else ""
            text += f"; fresh: {shown}{more}"
        return text + "."


def carry_autoencoder(module: nn.Module, weights: Mapping[str, Tensor]) -> Carried:
    """Copy what fits into a fresh autoencoder; its normalisation stays fresh."""
    old = {k: v for k, v in weights.items() if k not in NORMALISATION}

    def fit(name: str, tensor: Tensor) -> Tensor | None:
        if _makes_latents(module, name):
            return _fit_posterior(old[name], tensor)
        if name == "decoder.0.weight":
            return _common(old[name], tensor, dim=1)  # (deep, z, 3, 3)
        return _fit_channels(name, old[name], tensor)

    return carry(module, old, fit)


def carry_denoiser(module: nn.Module, weights: Mapping[str, Tensor], unasked: Tensor) -> Carried:
    """Copy what fits into a fresh backbone, which may have other conditions and another grid.

    Arguments:
        module: The backbone.
        weights: Those of another one, without its tables of conditions.
        unasked: Sum (D,) of the rows "any" of these tables.
    """
    carried = carry(module, weights, lambda name, tensor: fit_denoiser(name, weights[name], tensor))
    shift_tables(module, [unasked])
    return carried


@torch.no_grad()
def shift_tables(backbone: nn.Module, rows: list[Tensor]) -> None:
    """Add rows (D,) of tables that are gone, spread over all tables.

    A network is used to their sum: without it, all that it has learned would be off at first. With
    it, a picture without conditions is denoised as before.
    """
    tables = [t for name, t in backbone.state_dict().items() if "tables." in name]
    for table in tables:
        for row in rows:
            if row.shape == table.shape[1:]:
                table.add_(row / len(tables))


def carry(module: nn.Module, old: Mapping[str, Tensor], fit: Fit) -> Carried:
    """Copy into a fresh module what is called the same and fits; `fit` is asked first."""
    copied = fitted = 0
    fresh = []
    new = module.state_dict()
    for name, tensor in new.items():
        if name in NORMALISATION:
            continue
        found = fit(name, tensor) if name in old else None
        if found is not None:
            fitted += tensor.numel()
        elif name in old and old[name].shape == tensor.shape:
            found = old[name]
            copied += tensor.numel()
        else:
            fresh.append(name)
            continue
        with torch.no_grad():
            tensor.copy_(found)
    total = sum(t.numel() for name, t in new.items() if name not in NORMALISATION)
    return Carried(copied, fitted, total, tuple(fresh))


def fit_table(
    name: str, old: Tensor, new: Tensor, before: ConditionSpec, after: ConditionSpec
) -> Tensor | None:
    """Rows by the words of their values. A value that is new starts as "any" was."""
    place = int(name.partition("tables.")[2].partition(".")[0])
    factor = after.factors[place]
    known = before.factor(factor.name)
    if known == factor or old.shape[1] != new.shape[1]:
        return None  # copied as it is, or fresh
    words = [factor.word(index) for index in range(factor.num_embeddings)]
    return torch.stack([old[known.index(w if w in known.values else ANY)] for w in words])


def fit_denoiser(name: str, old: Tensor, new: Tensor) -> Tensor | None:
    """Positions, and the first and last convolution between other numbers of latent channels."""
    if name == "position":
        return fit_positions(old, new)
    if name == "first.weight":
        return _common(old, new, dim=1)
    return _common(old, new, dim=0) if name.startswith("last.") else None


def fit_positions(old: Tensor, new: Tensor) -> Tensor | None:
    """A table (1, T, D) of a square grid of tokens, resized to another square grid."""
    if old.shape == new.shape or old.shape[2] != new.shape[2]:
        return None
    sides = [round(table.shape[1] ** 0.5) for table in (old, new)]
    if any(side**2 != table.shape[1] for side, table in zip(sides, (old, new), strict=True)):
        return None
    grid = old.transpose(1, 2).unflatten(2, (sides[0], sides[0]))
    resized = F.interpolate(grid, (sides[1], sides[1]), mode="bilinear", align_corners=False)
    return resized.flatten(2).transpose(1, 2)


def _makes_latents(module: nn.Module, name: str) -> bool:
    """Whether a tensor is of the encoder's last layer."""
    encoder = getattr(module, "encoder", None)
    return isinstance(encoder, nn.Sequential) and name.startswith(f"encoder.{len(encoder) - 1}.")


def _fit_posterior(old: Tensor, new: Tensor) -> Tensor | None:
    """Rows (2 z, ...), means and then log variances, between other numbers z of channels."""
    pairs = zip(old.chunk(2), new.chunk(2), strict=True)
    halves = [_common(a, b, dim=0) for a, b in pairs]
    found = [half for half in halves if half is not None]
    return torch.cat(found) if len(found) == 2 else None


def _common(old: Tensor, new: Tensor, dim: int) -> Tensor | None:
    """The new tensor with the old one's first rows along a dimension, the only one that differs."""
    shapes = [[n for d, n in enumerate(x.shape) if d != dim] for x in (old, new)]
    if old.ndim != new.ndim or shapes[0] != shapes[1] or old.shape == new.shape:
        return None
    count = min(old.shape[dim], new.shape[dim])
    found = new.clone()
    found.narrow(dim, 0, count).copy_(old.narrow(dim, 0, count))
    return found


def _fit_channels(name: str, old: Tensor, new: Tensor) -> Tensor | None:
    """The first and last convolution of `swift` between 1 and 3 channels; None where nothing fits.

    Space-to-depth layers keep the channels outermost: the first layer reads C blocks of 16 values,
    the last one makes C blocks of 4.
    """
    if old.shape == new.shape or old.ndim != new.ndim:
        return None
    if name.startswith("encoder") and old.shape[0] == new.shape[0]:  # (wide, 16 C, 3, 3)
        if 3 * old.shape[1] == new.shape[1]:
            return old.repeat(1, 3, *[1] * (old.ndim - 2)) / 3
        if old.shape[1] == 3 * new.shape[1]:
            return torch.stack(old.chunk(3, dim=1)).sum(0)
    if (
        name.startswith("decoder") and old.shape[1:] == new.shape[1:]
    ):  # (4 C, fine, 3, 3) and (4 C,)
        if 3 * old.shape[0] == new.shape[0]:
            return old.repeat(3, *[1] * (old.ndim - 1))
        if old.shape[0] == 3 * new.shape[0]:
            return torch.stack(old.chunk(3)).mean(0)
    return None
