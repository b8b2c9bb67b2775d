"""Presets: what they name, and what they need."""

from __future__ import annotations

from pathlib import Path

import pytest

import latentbloom
from latentbloom.errors import ConfigError
from latentbloom.presets import PRESETS, build_preset


@pytest.mark.parametrize(
    ("name", "source", "factors", "family"),
    [
        ("celeba-smiling", "celeba", "smiling", "swift"),
        ("celeba-smiling-classic", "celeba", "smiling", "classic"),
        ("flowers102", "flowers102", "", "swift"),
        ("flowers102-classic", "flowers102", "", "classic"),
        ("flowers102-colour", "flowers102", "species,colour", "swift"),
        ("flowers102-colour-classic", "flowers102", "species,colour", "classic"),
        ("flowers102-pixel", "flowers102", "", "pixel"),
    ],
)
def test_data_sets_come_with_each_family(name: str, source: str, factors: str, family: str) -> None:
    config = build_preset(name)
    assert (config.data.source, config.data.factors) == (source, factors)
    plain = build_preset(family)
    assert config.model_copy(update={"data": plain.data}) == plain
    assert source in PRESETS[name].needs
    assert "--root" in PRESETS[name].needs


def test_without_a_source_the_presets_that_bring_one_are_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"There is no SOURCE: .* celeba-smiling, celeba-smiling"):
        latentbloom.fit(preset="classic", out=tmp_path / "run")
