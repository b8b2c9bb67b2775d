"""The calls of the two systems that this program brings together, as a thin layer over it.

    from latentbloom.compat.calls import main, generate_class_samples

    autoencoder, diffusion = main(total_epochs=1200, dataset="flowers102", save_dir="results")
    generate_class_samples(autoencoder, diffusion, target_class="rose", save_path="roses.png")

`autoencoder` is a `latentbloom.nn.autoencoders.base.Autoencoder`, `diffusion` what
`latentbloom.load` returns, which holds the autoencoder that it belongs to. A class is a value of a
factor, given by its name in any case ("Smiling"), as NAME=VALUE ("smiling=yes"), or by its number
in the list of all values.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from latentbloom.compat.classes import class_words, combine
from latentbloom.errors import CheckpointError, ConfigError, RunFolderError, TrainingError

if TYPE_CHECKING:
    from latentbloom.model.generator import Model
    from latentbloom.model.records import Records
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
    """Train both stages, or go on with the second from a checkpoint.

    Arguments:
        checkpoint_path: A `conditional_diffusion_epoch_N` folder; its run goes on, with its own
            pictures, folder and settings.
        total_epochs: Passes over the pictures, of each stage.
        dataset: A preset that names its pictures, or a source as for `latentbloom fit`.
        save_dir: The run folder.
        visualize_every: Figures are drawn each so many epochs; None at the end alone.
        checkpoint_every: A checkpoint is kept each so many epochs of stage 2.
        overrides: Dotted settings, for example {"data.root": "pictures"}.

    Returns:
        Autoencoder and diffusion model.

    Raises:
        LatentbloomError: Something a user can mend; the message says how.
    """
    from latentbloom.fitting.pipeline import continue_training, fit

    if checkpoint_path is not None:
        if overrides:
            raise ConfigError(
                f"{checkpoint_path} goes on with the settings of its own run, and "
                f"{', '.join(overrides)} cannot be changed. Leave it away, or begin a run anew."
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
    """Stage 1 alone; arguments as `main`. The run folder then waits for stage 2."""
    from latentbloom.fitting.pipeline import fit
    from latentbloom.model.autoencoder import load_autoencoder_model

    source, preset = _source(dataset)
    settings = _settings(total_epochs, visualize_every, checkpoint_every, overrides)
    fit(source, out=save_dir, preset=preset, overrides=settings, only_autoencoder=True)
    return load_autoencoder_model(save_dir).autoencoder


def train_conditional_diffusion(
    autoencoder: Autoencoder, total_epochs: float = EPOCHS, *, save_dir: Path | str = RESULTS
) -> Model:
    """Stage 2 on the latents of `train_autoencoder`, in its run folder.

    Raises:
        CheckpointError: The autoencoder is another one than the run's.
    """
    from latentbloom.fitting.pipeline import continue_training
    from latentbloom.model.autoencoder import load_autoencoder_model

    _check_same(load_autoencoder_model(save_dir).autoencoder, autoencoder, str(save_dir))
    return _trained(continue_training(save_dir, epochs=total_epochs))[1]


def generate_class_samples(
    autoencoder: Autoencoder,
    diffusion: Model,
    target_class: str | int = "Smiling",
    num_samples: int = 5,
    save_path: Path | str | None = None,
) -> Records:
    """Samples of one class, and a picture of them where `save_path` says so."""
    return _draw(
        autoencoder, diffusion, class_words(diffusion.spec, target_class), num_samples, save_path
    )


def generate_class_color_samples(
    autoencoder: Autoencoder,
    diffusion: Model,
    target_class: str | int,
    target_color: str,
    num_samples: int = 5,
    save_path: Path | str | None = None,
) -> Records:
    """Samples of one class in one colour, for models that know a factor "colour"."""
    words = combine(
        class_words(diffusion.spec, target_class),
        class_words(diffusion.spec, f"colour={target_color}"),
    )
    return _draw(autoencoder, diffusion, words, num_samples, save_path)


def generate_samples_grid(
    autoencoder: Autoencoder, diffusion: Model, n_per_class: int = 5, save_dir: Path | str = RESULTS
) -> Path:
    """A row of samples of each class, in `save_dir`/vae_samples_grid_subset.png."""
    from latentbloom.figures.condition_words import condition_rows, phrase
    from latentbloom.figures.from_model.samples import save_class_grid

    _check_same(diffusion.autoencoder, autoencoder, "the diffusion model")
    rows, note = condition_rows(diffusion.spec)
    found = {phrase(words): diffusion.sample(words, n_per_class) for words in rows}
    return save_class_grid(found, Path(save_dir), note)


def visualize_reconstructions(
    autoencoder: Autoencoder, run: Path | str = RESULTS, save_path: Path | str | None = None
) -> Path:
    """Kept-aside pictures of a run above what the autoencoder makes of them."""
    return _figure(autoencoder, run, "reconstructions", save_path)


def visualize_latent_space(
    autoencoder: Autoencoder, run: Path | str = RESULTS, save_path: Path | str | None = None
) -> Path:
    """PCA and t-SNE of the latents of a run's kept-aside pictures, coloured by label."""
    return _figure(autoencoder, run, "map", save_path)


def visualize_denoising_steps(
    autoencoder: Autoencoder,
    diffusion: Model,
    class_idx: int | str = 1,
    save_path: Path | str | None = None,
) -> Path:
    """The way from noise to pictures of a class; default denoising_path_<class>.png here."""
    return _of_class(autoencoder, diffusion, class_idx, "path", save_path)


def create_diffusion_animation(
    autoencoder: Autoencoder,
    diffusion: Model,
    class_idx: int | str = 1,
    num_frames: int = 50,
    fps: float = 15,
    save_path: Path | str | None = None,
) -> Path:
    """Noise becoming pictures of a class; default diffusion_animation_<class>.gif here.

    The end of `save_path` chooses the format: .gif, .webp or .mp4.
    """
    from latentbloom.figures.scene import AnimationSettings

    kind = Path(save_path).suffix.removeprefix(".") if save_path else "gif"
    settings = AnimationSettings(frames=num_frames, fps=fps, format=kind)
    return _of_class(autoencoder, diffusion, class_idx, "animation", save_path, settings)


def _draw(
    autoencoder: Autoencoder,
    diffusion: Model,
    words: dict[str, str],
    num_samples: int,
    save_path: Path | str | None,
) -> Records:
    from latentbloom.figures.condition_words import phrase
    from latentbloom.pictures.grids import picture_grid, save_picture

    _check_same(diffusion.autoencoder, autoencoder, "the diffusion model")
    records = diffusion.sample(words, n=num_samples)
    if save_path is not None:
        save_picture(Path(save_path), picture_grid(records.pixels, rows=1, title=phrase(words)))
    return records


def _figure(
    autoencoder: Autoencoder, run: Path | str, what: str, save_path: Path | str | None
) -> Path:
    from latentbloom.evaluate.run_sets import sets_of_run
    from latentbloom.model.autoencoder import load_autoencoder_model
    from latentbloom.runs.folder import RunFolder

    found = load_autoencoder_model(run)
    _check_same(found.autoencoder, autoencoder, str(run))
    train, val = sets_of_run(RunFolder(Path(run)))
    return _one(what, save_path, model=found, train=train, val=val)


def _of_class(
    autoencoder: Autoencoder,
    diffusion: Model,
    which: int | str,
    what: str,
    save_path: Path | str | None,
    animation: Any = None,
) -> Path:
    from latentbloom.figures.scene import AnimationSettings

    _check_same(diffusion.autoencoder, autoencoder, "the diffusion model")
    return _one(
        what,
        save_path,
        model=diffusion,
        words=class_words(diffusion.spec, which),
        animation=animation or AnimationSettings(),
    )


def _one(what: str, save_path: Path | str | None, **scene: Any) -> Path:
    """One drawing in a place of its own, its file moved to where it is wanted."""
    from latentbloom.figures.draw import DRAWINGS
    from latentbloom.figures.scene import MissingPiece, Scene

    with tempfile.TemporaryDirectory() as aside:
        try:
            file = DRAWINGS[what].draw(Scene(Path(aside), **scene))[0]
        except MissingPiece as reason:
            raise RunFolderError(f"No picture of '{what}': {reason}.") from reason
        place = Path(save_path) if save_path is not None else Path(file.name)
        place.parent.mkdir(parents=True, exist_ok=True)
        return Path(shutil.move(file, place))


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
        raise TrainingError("Stopped before there was a model. The same call goes on from here.")
    return model.autoencoder, model


def _check_same(known: Autoencoder, given: Autoencoder, whose: str) -> None:
    from latentbloom.runs.checkpoint import fingerprint

    if known is not given and fingerprint(known.state_dict()) != fingerprint(given.state_dict()):
        raise CheckpointError(
            f"This autoencoder is another one than that of {whose}: their latents do not fit."
        )
