"""Every setting is an option, and every registered name can be given."""

from __future__ import annotations

import argparse
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latentbloom.cli import fit_command
from latentbloom.cli.options.settings import CHOSEN, find_setting, iter_settings, overrides_of
from latentbloom.config import RunConfig
from tests.cli.conftest import CommandLine


def overrides(*words: str) -> dict[str, Any]:
    parser = argparse.ArgumentParser()
    fit_command.add_arguments(parser)
    return overrides_of(parser.parse_args(["pictures", *words]))


def leaves(tree: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in tree.items():
        if isinstance(value, dict):
            found |= leaves(value, f"{prefix}{name}.")
        else:
            found[f"{prefix}{name}"] = value
    return found


def test_all_settings_are_listed(call: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    outcome = call("fit", "--help-config")
    assert outcome.code == 0
    rows = {line.split()[0]: line for line in outcome.out.splitlines() if line.startswith("--")}
    chosen_later = {"autoencoder", "denoiser"}  # sections that are None by default
    default = leaves(RunConfig().model_dump())
    assert {f"--{name}" for name in default.keys() - chosen_later} < rows.keys()
    for name, row in rows.items():
        if name.startswith(("--autoencoder.", "--denoiser.")):
            assert CHOSEN in row
    assert "sde-dpm++|dpm++|unipc|ddim|ddpm|euler|heun" in rows["--sampling.sampler"]


def test_all_settings_say_what_they_are() -> None:
    assert [s.name for s in iter_settings() if not s.description.strip()] == []
    for setting in iter_settings():
        assert "Annotated" not in setting.allowed
        assert "typing" not in setting.allowed


def test_every_default_can_be_given_back() -> None:
    """Whatever the configuration holds can be said on the command line, and is the same."""
    full = RunConfig.model_validate({"autoencoder": {}, "denoiser": {}})
    config = RunConfig()
    for name, value in leaves(full.model_dump()).items():
        if name == "data.source":
            continue
        text = {True: "true", False: "false", None: "none"}.get(value, str(value))
        given = overrides(f"--{name}", text)
        assert given == {name: value}
        assert type(given[name]) is type(value), name
        config = config.updated(given)
    assert config == full


@given(value=st.floats(min_value=1e-300, max_value=100.0))
def test_numbers_arrive_as_they_are(value: float) -> None:
    assert overrides("--diffusion.lr", repr(value)) == {"diffusion.lr": value}
    assert RunConfig().updated({"diffusion.lr": value}).diffusion.lr == value


def test_two_times_are_given_with_a_comma_or_as_json() -> None:
    for text in ("0.2,0.8", "[0.2,0.8]", "0.2, 0.8"):
        given = overrides("--sampling.guidance_interval", text)
        assert given == {"sampling.guidance_interval": (0.2, 0.8)}
    assert overrides("--sampling.guidance_interval", "none") == {"sampling.guidance_interval": None}
    allowed = find_setting("sampling.guidance_interval").allowed
    assert allowed == "number,number from 0 to 1 or none"


def test_short_flags_are_the_same_settings() -> None:
    words = "--size 32 --fit squeeze --perceptual none --seed 7 --images-1 640 --images-2 1280"
    assert overrides(*words.split()) == {
        "data.size": 32,
        "data.fit": "squeeze",
        "vae_gan.perceptual": "none",
        "train.seed": 7,
        "train.vae_gan_images": 640,
        "train.diffusion_images": 1280,
    }


def test_nothing_said_is_nothing_overridden() -> None:
    assert overrides() == {}


def choices(name: str) -> set[str]:
    kind = find_setting(name).kind
    while not all(isinstance(argument, str) for argument in get_args(kind)):
        kind = get_args(kind)[0]
    return set(get_args(kind))


def test_every_registered_name_can_be_given() -> None:
    from latentbloom.diffusion.parameterisation import PREDICTIONS
    from latentbloom.diffusion.schedule import SCHEDULES
    from latentbloom.diffusion.solvers import SAMPLERS
    from latentbloom.losses.perceptual import PERCEPTUAL_NETWORKS

    assert choices("sampling.sampler") == set(SAMPLERS)
    assert choices("vae_gan.perceptual") == {*PERCEPTUAL_NETWORKS, "none"}
    assert choices("diffusion.schedule") == set(SCHEDULES)
    assert choices("diffusion.prediction") == set(PREDICTIONS)
