"""Previews of a model with many conditions."""

from __future__ import annotations

import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
import torch

from latentbloom.conditions import ConditionSpec, Factor
from latentbloom.config import RunConfig
from latentbloom.data.audit.run import _combination_counts
from latentbloom.data.listed.entries import Entries
from latentbloom.fitting.previews import PREVIEW_SAMPLES, Previews
from latentbloom.train.stages.latent_diffusion import shown_combinations

MANY = ConditionSpec(tuple(Factor(f"f{k}", ("no", "yes")) for k in range(40)))
MORE = ConditionSpec(tuple(Factor(f"f{k}", ("no", "yes")) for k in range(64)))  # 2^64 overflows


def test_forty_factors_are_not_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, str]] = []

    def sample(words: list[dict[str, str]], n: int, num_steps: int) -> Any:
        asked.extend(words)
        return SimpleNamespace(images=torch.zeros(n, 1, 8, 8))

    nothing: Any = None
    train = cast(Any, SimpleNamespace(spec=MANY))
    said: list[str] = []
    previews = Previews(tmp_path, RunConfig(), train, train, said.append)
    monkeypatch.setattr(previews, "_model", lambda *_: SimpleNamespace(sample=sample))
    monkeypatch.setattr(previews, "_renew_report", lambda: None)
    began = time.monotonic()
    previews.diffusion(nothing, nothing)
    assert time.monotonic() - began < 10.0
    assert said == []
    assert len(asked) == PREVIEW_SAMPLES
    assert len({tuple(words.values()) for words in asked}) == PREVIEW_SAMPLES


@pytest.mark.parametrize("spec", [MANY, MORE])
def test_nor_counted_by_listing_them(spec: ConditionSpec) -> None:
    began = time.monotonic()
    assert list(_combination_counts(spec, Entries.of([]))) == []
    labels = torch.from_numpy(np.zeros((5, len(spec.factors)), np.int64))
    assert shown_combinations(labels, spec) == [[0] * len(spec.factors)]
    assert time.monotonic() - began < 10.0
