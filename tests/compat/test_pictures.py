"""Picture calls: numbers and file names that make no sense are refused before anything is made."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from latentbloom import compat
from latentbloom.errors import ConfigError
from latentbloom.model.generator import Model
from shown_run import coloured_pictures, open_splits, untrained_model


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return untrained_model(open_splits(coloured_pictures(tmp_path_factory.mktemp("data")))["train"])


@pytest.mark.parametrize(
    ("call", "options", "message"),
    [
        ("generate_class_samples", {"target_class": "red", "num_samples": 0}, "n is 0"),
        ("generate_class_samples", {"target_class": "red", "num_samples": 2.5}, "n is 2.5"),
        ("generate_class_samples", {"target_class": "red", "save_path": "a.txt"}, "must end in"),
        ("generate_samples_grid", {"n_per_class": 0}, "n_per_class is 0. It must be 1 or more."),
        ("generate_samples_grid", {"n_per_class": math.nan}, "n_per_class is nan. It must be a"),
        ("visualize_denoising_steps", {"save_path": "steps"}, "steps must end in .png, .jpg"),
        ("create_diffusion_animation", {"num_frames": 1}, "num_frames is 1. It must be 2 or more."),
        ("create_diffusion_animation", {"fps": 0}, "fps is 0. It must be positive."),
        ("create_diffusion_animation", {"fps": math.nan}, "fps is nan. It must be positive."),
        ("create_diffusion_animation", {"fps": math.inf}, "fps is inf. It must be finite and"),
    ],
)
def test_what_cannot_be_drawn_is_refused(
    model: Model,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    call: str,
    options: dict[str, Any],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError) as error:
        getattr(compat, call)(model.autoencoder, model, **options)
    assert message in str(error.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("epochs", [0, -1, math.nan, math.inf])
def test_epochs_are_a_positive_number(model: Model, epochs: float) -> None:
    for train in (
        lambda: compat.main(total_epochs=epochs),
        lambda: compat.main("run/conditional_diffusion_epoch_1", epochs),
        lambda: compat.train_autoencoder(total_epochs=epochs),
        lambda: compat.train_conditional_diffusion(model.autoencoder, epochs),
    ):
        with pytest.raises(ConfigError, match=f"total_epochs is {epochs}. It must be .*positive"):
            train()


def test_a_figure_has_the_format_that_its_name_says(model: Model, tmp_path: Path) -> None:
    place = tmp_path / "new" / "steps.jpg"
    assert compat.visualize_denoising_steps(model.autoencoder, model, "red", place) == place
    with Image.open(place) as picture:
        assert picture.format == "JPEG"
