"""The same seeds and settings give the same bits, however they are given and however it is read."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import pytest
from rich.console import Console

import latentbloom
from latentbloom.cli.main import main
from latentbloom.data import kept
from tiny_run import TINY, make_pictures


def hashes(run: Path) -> dict[str, str]:
    """Of all weights and latents, of the settings, and of what was read; without times."""
    found = {
        path.relative_to(run).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(run.rglob("*"))
        if path.suffix in (".npy", ".safetensors")
    }
    audit = json.loads((run / "audit.json").read_text())
    audit.pop("seconds")
    pictures = json.loads((run / "pictures.json").read_text())
    found["config.json"] = (run / "config.json").read_text()
    return found | {"audit.json": json.dumps(audit), "pictures.json": json.dumps(pictures)}


def test_command_line_and_python_with_one_and_two_readers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("latentbloom.fitting.work.Work.finish", lambda *_: None)
    pictures = make_pictures(tmp_path / "pictures", size=64)
    # Both runs read the pictures themselves, and from what their own audit kept.
    monkeypatch.setattr(os, "cpu_count", lambda: 1)
    monkeypatch.setenv("LATENTBLOOM_CACHE", str(tmp_path / "first"))
    latentbloom.fit(pictures, out=tmp_path / "a", overrides=TINY, console=Console(quiet=True))
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    monkeypatch.setenv("LATENTBLOOM_CACHE", str(tmp_path / "second"))
    words = [word for name, v in TINY.items() if v is not None for word in (f"--{name}", str(v))]
    assert main(["fit", str(pictures), "--out", str(tmp_path / "b"), *words]) == 0
    first, second = hashes(tmp_path / "a"), hashes(tmp_path / "b")
    assert first == second
    assert sum(name.endswith(".safetensors") for name in first) >= 10
    assert sum(name.endswith(".npy") for name in first) == 4
    for cache in ("first", "second"):
        assert list((tmp_path / cache / "pictures").rglob("pixels-*.npy")), kept.__doc__


def test_another_seed_gives_other_bits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So the comparison above can fail."""
    monkeypatch.setattr("latentbloom.fitting.work.Work.finish", lambda *_: None)
    pictures = make_pictures(tmp_path / "pictures", per_label=6)
    found = []
    for seed in (0, 1):
        run = tmp_path / str(seed)
        settings = {**TINY, "train.seed": seed, "train.vae_gan_images": 16}
        latentbloom.fit(pictures, out=run, overrides=settings, console=Console(quiet=True))
        found.append(hashes(run))
    shared = {name for name in found[0] if found[0][name] == found[1][name]}
    assert not [name for name in shared if name.endswith("model.safetensors")]
