"""Pictures of models in training: previews by the clock, and figures by the epoch.

Training calls these as callbacks. A picture that cannot be made (a full disk, a drawing that fails)
is said once, and training continues.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from latentbloom.device import low_precision
from latentbloom.model.autoencoder import AutoencoderModel
from latentbloom.runs.checkpoint import checkpoint_exists
from latentbloom.storage.files import reason_of, write_atomic

if TYPE_CHECKING:
    from latentbloom.config import RunConfig
    from latentbloom.data.imageset import ImageSet
    from latentbloom.diffusion.denoiser import Denoiser
    from latentbloom.model.generator import Model
    from latentbloom.nn.autoencoders.base import Autoencoder

PREVIEW_IMAGES = 8
PREVIEW_SAMPLES = 16
PREVIEW_STEPS = 10

EPOCH_FIGURES = {"reconstructions": "vae_reconstruction", "latent_map": "vae_latent_space"}
"""Figures of stage 1 that are kept for each epoch, and the names that they are kept under."""


class Previews:
    """Draws the current state of a run in training. It does not touch the random state of training.

    Arguments:
        run: The run folder.
        config: Settings of the run, nothing open.
        train: Training pictures.
        val: Held-out pictures, may be empty.
        say: Receives what could not be drawn.
    """

    def __init__(
        self,
        run: Path,
        config: RunConfig,
        train: ImageSet,
        val: ImageSet,
        say: Callable[[str], None] = print,
    ) -> None:
        self.run = run
        self.config = config
        self.train = train
        self.val = val
        self.say = say
        self._said: set[str] = set()

    def guarded(self, what: str, draw: Callable[[], object]) -> None:
        """Draw; where that fails, say so the first time and continue."""
        try:
            draw()
        except Exception as error:  # whatever it is, the training is worth more
            if what not in self._said:
                self._said.add(what)
                self.say(f"No {what}: {reason_of(error)}. Training continues.")

    def colours(self) -> None:
        """Show early which colour the program found in which picture."""
        from latentbloom.figures.draw import draw_figures

        if checkpoint_exists(self.run / "vae_gan_last"):
            return  # an earlier call has drawn them
        for path in draw_figures(None, self.val, self.run, train=self.train, what=["colours"]):
            self.say(f"Colours found in the pictures: {path}")

    def autoencoder(self, autoencoder: Autoencoder) -> None:
        """A bare grid of held-out pictures above their reconstructions, and a new report."""
        self.guarded("preview of reconstructions", lambda: self._reconstructions(autoencoder))
        self._renew_report()

    def diffusion(self, autoencoder: Autoencoder, denoiser: Denoiser) -> None:
        """A bare grid of samples, and a new report."""
        self.guarded("preview of samples", lambda: self._samples(autoencoder, denoiser))
        self._renew_report()

    def autoencoder_epoch(self, autoencoder: Autoencoder, epoch: int) -> None:
        """`vae_reconstruction_epoch_N.png`, `vae_latent_space_epoch_N.png` and the losses."""
        self.guarded("pictures of an epoch", lambda: self._epoch_of_stage_1(autoencoder, epoch))

    def diffusion_epoch(self, autoencoder: Autoencoder, denoiser: Denoiser) -> None:
        """Samples of each class, their denoising paths, animations and the losses."""
        self.guarded(
            "pictures of an epoch",
            lambda: self._draw(
                self._model(autoencoder, denoiser),
                ["curves", "samples", "classes", "path", "animation"],
            ),
        )

    def _reconstructions(self, autoencoder: Autoencoder) -> None:
        from latentbloom.data.pixels import to_float
        from latentbloom.pictures.preview import save_preview
        from latentbloom.train.stages.reconstructions import spread

        source = self.val if len(self.val) else self.train
        images = to_float(source.images(spread(len(source), PREVIEW_IMAGES)))
        reconstructions = self._autoencoder(autoencoder).reconstruct(images)
        save_preview(self.run / "samples" / "preview_vae_gan.png", images, reconstructions)

    def _samples(self, autoencoder: Autoencoder, denoiser: Denoiser) -> None:
        from latentbloom.pictures.preview import save_preview

        every = list(islice(self.train.spec.combinations(), PREVIEW_SAMPLES))
        asked = [every[i % len(every)] for i in range(PREVIEW_SAMPLES)]
        model = self._model(autoencoder, denoiser)
        records = model.sample(asked, n=PREVIEW_SAMPLES, num_steps=PREVIEW_STEPS)
        save_preview(self.run / "samples" / "preview_diffusion.png", records.images)

    def _epoch_of_stage_1(self, autoencoder: Autoencoder, epoch: int) -> None:
        model = self._autoencoder(autoencoder)
        for file in self._draw(model, ["reconstructions", "map", "curves"]):
            if file.stem in EPOCH_FIGURES:
                name = f"{EPOCH_FIGURES[file.stem]}_epoch_{epoch}{file.suffix}"
                write_atomic(file.with_name(name), file.read_bytes())

    def _draw(self, model: AutoencoderModel, what: list[str]) -> list[Path]:
        from latentbloom.figures.draw import draw_scene
        from latentbloom.figures.scene import Scene

        return draw_scene(Scene(self.run, model, self.val, self.train), what)

    def _renew_report(self) -> None:
        from latentbloom.report.page import write_report

        self.guarded("report while it trains", lambda: write_report(self.run))

    def _autoencoder(self, autoencoder: Autoencoder) -> AutoencoderModel:
        return AutoencoderModel(
            self.config,
            self.train.spec,
            autoencoder,
            device=autoencoder.shift.device,
            autocast_dtype=low_precision(self.config),
        )

    def _model(self, autoencoder: Autoencoder, denoiser: Denoiser) -> Model:
        from latentbloom.model.generator import Model

        return Model(
            self.config,
            self.train.spec,
            autoencoder,
            denoiser.with_backbone(denoiser.backbone),
            device=autoencoder.shift.device,
            autocast_dtype=low_precision(self.config),
        )
