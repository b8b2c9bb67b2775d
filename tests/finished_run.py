"""A small finished run of any family, untrained but whole, made without training."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import torch

from latentbloom.conditions import ConditionSpec, Factor
from latentbloom.config import AutoencoderConfig, DenoiserConfig, SamplingSettings
from latentbloom.model.build import build_denoiser
from latentbloom.nn.autoencoders.build import build_autoencoder
from latentbloom.presets import build_preset
from latentbloom.runs.checkpoint import fingerprint, save_checkpoint
from latentbloom.runs.folder import RunFolder

SPEC = ConditionSpec(
    (Factor("shade of day", ("night", "day")), Factor("colour", ("red", "blue=ish", "green")))
)
KINDS = {"swift": "transformer", "classic": "dense", "pixel": "pixel-unet"}


def make_finished_run(
    folder: Path,
    family: str = "swift",
    *,
    source: str = "synthetic-flowers",
    shown: Sequence[Sequence[int]] | None = None,
    sampling: SamplingSettings | None = None,
    channels: int = 3,
) -> Path:
    """Write the settings and both networks of a run with 32-pixel pictures."""
    torch.manual_seed(0)
    config = build_preset(family)
    autoencoder_config = AutoencoderConfig.model_validate(
        {
            "family": family, "size": 32, "channels": channels, "width": 16, "blocks": 1,
            "base_width": 4, "latent_numbers": 64,
        }
    )  # fmt: skip
    denoiser_config = DenoiserConfig.model_validate(
        {"kind": KINDS[family], "width": 32, "depth": 1, "head_width": 16, "stem": 8}
    )
    autoencoder = build_autoencoder(autoencoder_config, SPEC)
    denoiser = build_denoiser(
        denoiser_config, config.diffusion, SPEC, autoencoder.latent_shape
    ).backbone
    for parameter in [*autoencoder.parameters(), *denoiser.parameters()]:
        # What begins at zero would make all pictures alike.
        if not parameter.any():
            torch.nn.init.normal_(parameter, std=0.1)
    if family != "pixel":
        autoencoder.set_normalisation(
            0.1 * torch.randn_like(autoencoder.shift), 0.5 + torch.rand_like(autoencoder.scale)
        )
    config = config.model_copy(
        update={
            "data": config.data.model_copy(update={"source": source}),
            "autoencoder": autoencoder_config,
            "denoiser": denoiser_config,
            "sampling": sampling or SamplingSettings(num_steps=4, guidance=2.0),
        }
    )
    run = RunFolder(folder)
    folder.mkdir(parents=True)
    config.save(run.config)
    mark = fingerprint(autoencoder.state_dict())
    about = {
        "config": autoencoder_config.model_dump(), "spec": SPEC.to_json(), "fingerprint": mark
    }  # fmt: skip
    save_checkpoint(run.autoencoder, {"model": autoencoder.state_dict()}, about)
    meta = {
        "config": denoiser_config.model_dump(),
        "settings": config.diffusion.model_dump(),
        "spec": SPEC.to_json(),
        "shape": list(autoencoder.latent_shape),
        "autoencoder": mark,
        "shown": shown if shown is None else [list(row) for row in shown],
    }
    final = folder / "conditional_diffusion_final"
    save_checkpoint(final, {"model": denoiser.state_dict()}, meta)
    return folder


BLOCKER = """
import sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.split('.')[0] in BLOCKED:
            raise ModuleNotFoundError(f"{name} is not here", name=name)

BLOCKED = set(sys.argv.pop(1).split(','))
sys.meta_path.insert(0, Blocker())
"""


def run_without(
    blocked: Sequence[str], code: str, *words: object
) -> subprocess.CompletedProcess[str]:
    """Run Python code in a fresh process that cannot import some packages.

    Arguments:
        blocked: Names of the packages.
        code: The code; its `sys.argv[1:]` are the words.
        words: Arguments for it.
    """
    return subprocess.run(
        [sys.executable, "-c", BLOCKER + code, ",".join(blocked), *map(str, words)],
        capture_output=True,
        text=True,
        timeout=300,
    )
