"""The numbers of a run that an experiment tracker shows, by name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

_NOT_CURVES = ("kind", "stage", "images", "name")


def curve_values(line: Mapping[str, Any]) -> dict[str, float]:
    """The values of a line of metrics.jsonl, as in "vae_gan/train/reconstruction".

    Empty for a line that holds no losses and no scores.
    """
    if line.get("kind") not in ("train", "val"):
        return {}
    return {
        f"{line.get('stage')}/{line.get('kind')}/{name}": float(value)
        for name, value in line.items()
        if name not in _NOT_CURVES and isinstance(value, int | float)
    }


def score_values(scores: Mapping[str, Any]) -> dict[str, float]:
    """The scores of scores.json: {"a": {"b": {"value": 1.0}}} gives {"scores/a/b": 1.0}."""
    return dict(_flat(scores, "scores"))


def _flat(tree: Mapping[str, Any], name: str) -> Iterator[tuple[str, float]]:
    for key, node in tree.items():
        if isinstance(node, Mapping) and isinstance(node.get("value"), int | float):
            yield f"{name}/{key}", float(node["value"])
        elif isinstance(node, Mapping):
            yield from _flat(node, f"{name}/{key}")
        elif isinstance(node, list):
            named = [n for n in node if isinstance(n, Mapping) and "factor" in n]
            yield from _flat({str(n["factor"]): n for n in named}, f"{name}/{key}")
