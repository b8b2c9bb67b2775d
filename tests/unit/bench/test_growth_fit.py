"""Shards that the benchmark of memory makes are what `pack` would write."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench import growth_fit
from latentbloom.data.audit.run import audit_source
from latentbloom.data.sources.open import open_source
from latentbloom.data.sources.shards.tar_listing import list_shard


def test_made_shards_are_a_packed_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(growth_fit, "PER_SHARD", 40)
    growth_fit.make_shards(tmp_path, 110)

    source = open_source(f"wds:{tmp_path}")

    assert [entry.name for entry in source.entries[:2]] == [
        "day/00000000.png",
        "night/00000001.png",
    ]
    assert source.notes == ("Packed from made.",)  # the index fits the shards
    audit = audit_source(source)
    assert (audit.train, audit.val, audit.broken, audit.duplicates) == (107, 3, (), ())
    listing = list_shard(tmp_path / "all-000002.tar")
    assert len(listing.samples) == 30
    assert not listing.damage
