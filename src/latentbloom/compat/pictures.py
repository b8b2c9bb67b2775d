"""Pictures of a trained model: samples by class, and the figures of a run."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from latentbloom.compat.classes import class_words, combine
from latentbloom.compat.training import RESULTS, check_same
from latentbloom.errors import ConfigError, RunFolderError, check_count, check_number
from latentbloom.pictures.images import read_picture, save_picture
from latentbloom.storage.files import write_atomic

if TYPE_CHECKING:
    from latentbloom.figures.scene import AnimationSettings
    from latentbloom.model.generator import Model
    from latentbloom.model.records import Records
    from latentbloom.nn.autoencoders.base import Autoencoder

ENDINGS = (".png", ".jpg", ".jpeg", ".webp")


def generate_class_samples(
    autoencoder: Autoencoder,
    diffusion: Model,
    target_class: str | int = "Smiling",
    num_samples: int = 5,
    save_path: Path | str | None = None,
) -> Records:
    """Sample pictures of one class.

    Arguments:
        autoencoder: That of the diffusion model.
        diffusion: Makes the samples, with the guidance and the steps of its run, from seed 0.
        target_class: The class, by name or number.
        num_samples: How many, at least 1.
        save_path: Where a picture of all samples goes (.png, .jpg or .webp); None: nowhere.

    Raises:
        CheckpointError: The two models do not belong together.
        ConditionError: There is no such class.
        ConfigError: The number or the ending of the file is not allowed.
    """
    words = class_words(diffusion.spec, target_class)
    return _samples(autoencoder, diffusion, words, num_samples, save_path)


def generate_class_color_samples(
    autoencoder: Autoencoder,
    diffusion: Model,
    target_class: str | int,
    target_color: str,
    num_samples: int = 5,
    save_path: Path | str | None = None,
) -> Records:
    """Sample pictures of one class in one colour, from a model with a factor "colour".

    Arguments:
        autoencoder: That of the diffusion model.
        diffusion: Makes the samples.
        target_class: The class, by name or number.
        target_color: A value of the factor "colour".
        num_samples: How many, at least 1.
        save_path: As for `generate_class_samples`, which raises the same errors.
    """
    words = combine(
        class_words(diffusion.spec, target_class),
        class_words(diffusion.spec, f"colour={target_color}"),
    )
    return _samples(autoencoder, diffusion, words, num_samples, save_path)


def generate_samples_grid(
    autoencoder: Autoencoder, diffusion: Model, n_per_class: int = 5, save_dir: Path | str = RESULTS
) -> Path:
    """Draw a row of samples of each class, as `save_dir`/vae_samples_grid_subset.png.

    Raises:
        CheckpointError: The two models do not belong together.
        ConfigError: `n_per_class` is not at least 1.
    """
    from latentbloom.figures.condition_words import condition_rows, phrase
    from latentbloom.figures.from_model.samples import save_class_grid

    check_count("n_per_class", n_per_class)
    check_same(diffusion.autoencoder, autoencoder, "the diffusion model")
    rows, note = condition_rows(diffusion.spec)
    found = [(phrase(words), diffusion.sample(words, n_per_class)) for words in rows]
    return save_class_grid(found, Path(save_dir), note)


def visualize_reconstructions(
    autoencoder: Autoencoder, run: Path | str = RESULTS, save_path: Path | str | None = None
) -> Path:
    """Draw held-out pictures of a run above their reconstructions.

    Arguments:
        autoencoder: That of the run.
        run: The run folder.
        save_path: Default reconstructions.png in the current folder.
    """
    return _figure_of_run(autoencoder, run, "reconstructions", save_path)


def visualize_latent_space(
    autoencoder: Autoencoder, run: Path | str = RESULTS, save_path: Path | str | None = None
) -> Path:
    """Draw PCA and t-SNE of the latents of a run's held-out pictures, coloured by label.

    Arguments:
        autoencoder: That of the run.
        run: The run folder.
        save_path: Default latent_map.png in the current folder.
    """
    return _figure_of_run(autoencoder, run, "map", save_path)


def visualize_denoising_steps(
    autoencoder: Autoencoder,
    diffusion: Model,
    class_idx: int | str = 1,
    save_path: Path | str | None = None,
) -> Path:
    """Draw the steps from noise to pictures of a class.

    Arguments:
        autoencoder: That of the diffusion model.
        diffusion: Makes the samples.
        class_idx: The class, by name or number.
        save_path: Default denoising_path_<class>.png in the current folder.
    """
    return _figure_of_class(autoencoder, diffusion, class_idx, "path", save_path)


def create_diffusion_animation(
    autoencoder: Autoencoder,
    diffusion: Model,
    class_idx: int | str = 1,
    num_frames: int = 50,
    fps: float = 15,
    save_path: Path | str | None = None,
) -> Path:
    """Animate noise becoming pictures of a class.

    Arguments:
        autoencoder: That of the diffusion model.
        diffusion: Makes the samples.
        class_idx: The class, by name or number.
        num_frames: Frames from noise to picture, at least 2.
        fps: Frames a second, above 0 and at most 60.
        save_path: Ends in .gif, .webp or .mp4; default diffusion_animation_<class>.gif in the
            current folder.

    Raises:
        ConfigError: A number is out of range, or the format is unknown.
    """
    from latentbloom.figures.scene import AnimationSettings

    check_count("num_frames", num_frames, least=2)
    check_number("fps", fps, most=60, positive=True)
    kind = Path(save_path).suffix.removeprefix(".") if save_path else "gif"
    settings = AnimationSettings(frames=num_frames, fps=fps, format=kind)
    return _figure_of_class(autoencoder, diffusion, class_idx, "animation", save_path, settings)


def _samples(
    autoencoder: Autoencoder,
    diffusion: Model,
    words: dict[str, str],
    num_samples: int,
    save_path: Path | str | None,
) -> Records:
    from latentbloom.figures.condition_words import phrase
    from latentbloom.pictures.grids import picture_grid

    if save_path is not None:
        _check_ending(Path(save_path))
    check_same(diffusion.autoencoder, autoencoder, "the diffusion model")
    records = diffusion.sample(words, n=num_samples)
    if save_path is not None:
        save_picture(Path(save_path), picture_grid(records.pixels, rows=1, title=phrase(words)))
    return records


def _figure_of_run(
    autoencoder: Autoencoder, run: Path | str, what: str, save_path: Path | str | None
) -> Path:
    from latentbloom.evaluate.run_sets import sets_of_run
    from latentbloom.model.autoencoder import load_autoencoder_model
    from latentbloom.runs.folder import RunFolder

    found = load_autoencoder_model(run)
    check_same(found.autoencoder, autoencoder, str(run))
    train, val = sets_of_run(RunFolder(Path(run)))
    return _figure(what, save_path, model=found, train=train, val=val)


def _figure_of_class(
    autoencoder: Autoencoder,
    diffusion: Model,
    which: int | str,
    what: str,
    save_path: Path | str | None,
    animation: AnimationSettings | None = None,
) -> Path:
    from latentbloom.figures.scene import AnimationSettings

    check_same(diffusion.autoencoder, autoencoder, "the diffusion model")
    return _figure(
        what,
        save_path,
        model=diffusion,
        words=class_words(diffusion.spec, which),
        animation=animation or AnimationSettings(),
    )


def _figure(what: str, save_path: Path | str | None, **scene: Any) -> Path:
    """Draw one figure in a temporary folder, and put its file where it is wanted."""
    from latentbloom.figures.draw import DRAWINGS
    from latentbloom.figures.scene import MissingPiece, Scene

    if save_path is not None and what != "animation":
        _check_ending(Path(save_path))
    with tempfile.TemporaryDirectory() as folder:
        try:
            file = DRAWINGS[what].draw(Scene(Path(folder), **scene))[0]
        except MissingPiece as reason:
            raise RunFolderError(f"No picture of '{what}': {reason}.") from reason
        place = Path(save_path) if save_path is not None else Path(file.name)
        if place.suffix.lower() != file.suffix:
            return save_picture(place, read_picture(file))
        return write_atomic(place, file.read_bytes())


def _check_ending(path: Path) -> None:
    if path.suffix.lower() not in ENDINGS:
        raise ConfigError(f"{path} must end in {', '.join(ENDINGS)}.")
