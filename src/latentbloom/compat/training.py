"""Training by epochs: both stages in one call, or one call a stage."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from latentbloom.errors import CheckpointError, ConfigError, TrainingError, check_number

if TYPE_CHECKING:
    from latentbloom.model.generator import Model
    from latentbloom.nn.autoencoders.base import Autoencoder

RESULTS = "./results"
EPOCHS = 1200


def main(
    checkpoint_path: Path | str | None = None,
    total_epochs: float = EPOCHS,
    *,
    dataset: str = "celeba-smiling-classic",
    save_dir: Path | str = RESULTS,
    visualize_every: int | None = 50,
    checkpoint_every: int | None = 200,
    overrides: dict[str, Any] | None = None,
) -> tuple[Autoencoder, Model]:
    """Train both stages, or resume the second from a checkpoint.

    Arguments:
        checkpoint_path: A `conditional_diffusion_epoch_N` folder. Its run continues from there,
            with its own pictures, folder and settings.
        total_epochs: Passes over the pictures, for each stage; positive.
        dataset: A preset that names its pictures, or a source as for `latentbloom fit`.
        save_dir: The run folder.
        visualize_every: Epochs between figures; None draws them at the end only.
        checkpoint_every: Epochs of stage 2 between checkpoints that are kept; None keeps none.
        overrides: Settings by dotted name, for example {"data.root": "pictures"}.

    Returns:
        The autoencoder and the diffusion model.

    Raises:
        LatentbloomError: Something that a user can mend; the message says how.
    """
    from latentbloom.fitting.pipeline import continue_training, fit

    check_number("total_epochs", total_epochs, positive=True)
    if checkpoint_path is not None:
        if overrides:
            raise ConfigError(
                f"{checkpoint_path} continues with the settings of its own run, and "
                f"{', '.join(overrides)} cannot be changed. Leave it out, or start a new run."
            )
        place = Path(checkpoint_path)
        model = continue_training(place.parent, epochs=total_epochs, checkpoint=place)
    else:
        source, preset = _source(dataset)
        settings = _settings(total_epochs, visualize_every, checkpoint_every, overrides)
        model = fit(source, out=save_dir, preset=preset, overrides=settings)
    return _trained(model)


def train_autoencoder(
    dataset: str = "celeba-smiling-classic",
    total_epochs: float = EPOCHS,
    *,
    save_dir: Path | str = RESULTS,
    visualize_every: int | None = 50,
    checkpoint_every: int | None = 200,
    overrides: dict[str, Any] | None = None,
) -> Autoencoder:
    """Train stage 1 only; arguments as for `main`. The run folder is then ready for stage 2."""
    from latentbloom.fitting.pipeline import fit
    from latentbloom.model.autoencoder import load_autoencoder_model

    check_number("total_epochs", total_epochs, positive=True)
    source, preset = _source(dataset)
    settings = _settings(total_epochs, visualize_every, checkpoint_every, overrides)
    fit(source, out=save_dir, preset=preset, overrides=settings, only_autoencoder=True)
    return load_autoencoder_model(save_dir).autoencoder


def train_conditional_diffusion(
    autoencoder: Autoencoder, total_epochs: float = EPOCHS, *, save_dir: Path | str = RESULTS
) -> Model:
    """Train stage 2 on the latents of `train_autoencoder`, in the same run folder.

    Raises:
        CheckpointError: It is not the run's autoencoder.
    """
    from latentbloom.fitting.pipeline import continue_training
    from latentbloom.model.autoencoder import load_autoencoder_model

    check_number("total_epochs", total_epochs, positive=True)
    check_same(load_autoencoder_model(save_dir).autoencoder, autoencoder, str(save_dir))
    return _trained(continue_training(save_dir, epochs=total_epochs))[1]


def check_same(known: Autoencoder, given: Autoencoder, whose: str) -> None:
    """Refuse an autoencoder that is not the one of a run or of a diffusion model.

    Arguments:
        known: The autoencoder of the run or of the model.
        given: The one that the caller passed in.
        whose: What `known` belongs to, for the message.

    Raises:
        CheckpointError: Their weights differ.
    """
    from latentbloom.runs.checkpoint import fingerprint

    if known is not given and fingerprint(known.state_dict()) != fingerprint(given.state_dict()):
        raise CheckpointError(
            f"This autoencoder is another one than that of {whose}: their latents do not fit."
        )


def _source(dataset: str) -> tuple[str | None, str]:
    from latentbloom.presets import PRESETS

    return (None, dataset) if dataset in PRESETS else (dataset, "classic")


def _settings(
    epochs: float, visualize: int | None, keep: int | None, more: dict[str, Any] | None
) -> dict[str, Any]:
    return {
        "train.minutes": None,
        "train.vae_gan_epochs": epochs,
        "train.diffusion_epochs": epochs,
        "train.visualize_epochs": visualize,
        "train.checkpoint_epochs": keep,
        **(more or {}),
    }


def _trained(model: Model | None) -> tuple[Autoencoder, Model]:
    if model is None:
        raise TrainingError("Stopped before there was a model. The same call resumes from here.")
    return model.autoencoder, model
