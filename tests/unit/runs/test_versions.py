"""Settings of runs that an earlier version began."""

from __future__ import annotations

import json
from pathlib import Path

from latentbloom.config import RunConfig
from latentbloom.runs.folder import RunFolder


def test_a_setting_that_is_missing_means_what_its_version_did(tmp_path: Path) -> None:
    tree = RunConfig().updated({"denoiser.width": 192}).model_dump(mode="json")
    del tree["denoiser"]["stem"], tree["diffusion"]["alignment_weight"], tree["train"]["starter"]
    (tmp_path / "config.json").write_text(json.dumps(tree), encoding="utf-8")
    found = RunFolder(tmp_path).load_config()
    assert found.denoiser is not None
    assert found.denoiser.stem == 0
    assert found.diffusion.alignment_weight == 0.0
    assert not found.train.starter


def test_a_setting_that_is_open_stays_open(tmp_path: Path) -> None:
    config = RunConfig().updated({"denoiser.width": 192})
    (tmp_path / "config.json").write_text(config.model_dump_json(), encoding="utf-8")
    assert RunFolder(tmp_path).load_config() == config
