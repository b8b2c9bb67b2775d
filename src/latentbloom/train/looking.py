"""Pictures of models in training: previews by the clock, and figures by the epoch."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from latentbloom.coder import Coder, low_precision

if TYPE_CHECKING:
    from latentbloom.config import RunConfig
    from latentbloom.data.imageset import ImageSet
    from latentbloom.diffusion.denoiser import Denoiser
    from latentbloom.model import Model
    from latentbloom.nn.autoencoder import Autoencoder

PREVIEW_SAMPLES = 16
PREVIEW_STEPS = 10


class Looking:
    """Draws what a run in training has come to. It draws no random numbers of the training.

    Arguments:
        run: The run folder.
        config: Settings of the run, nothing open.
        train: Training pictures.
        val: Held-out pictures, may be empty.
    """

    def __init__(self, run: Path, config: RunConfig, train: ImageSet, val: ImageSet) -> None:
        self.run = run
        self.config = config
        self.train = train
        self.val = val

    def model(self, autoencoder: Autoencoder, denoiser: Denoiser) -> Model:
        """Both in the form that is asked for pictures."""
        from latentbloom.model import Model

        return Model(
            self.config,
            self.train.spec,
            autoencoder,
            denoiser.with_backbone(denoiser.backbone),
            device=autoencoder.shift.device,
            autocast_dtype=low_precision(self.config),
        )

    def preview(self, autoencoder: Autoencoder, denoiser: Denoiser, path: Path) -> None:
        """A bare grid of samples."""
        from latentbloom.show.preview import save_preview

        every = list(self.train.spec.combinations())[:PREVIEW_SAMPLES]
        asked = [every[i % len(every)] for i in range(PREVIEW_SAMPLES)]
        model = self.model(autoencoder, denoiser)
        records = model.sample(asked, n=PREVIEW_SAMPLES, num_steps=PREVIEW_STEPS)
        save_preview(path, records.images)

    def autoencoder_epoch(self, autoencoder: Autoencoder, epoch: int) -> list[Path]:
        """Reconstructions and the latent space after an epoch of stage 1, and the losses."""
        from latentbloom.show.epochs import draw_autoencoder_epoch

        coder = Coder(
            self.config,
            self.train.spec,
            autoencoder,
            device=autoencoder.shift.device,
            autocast_dtype=low_precision(self.config),
        )
        return draw_autoencoder_epoch(coder, self.train, self.val, self.run, epoch)

    def diffusion_epoch(self, autoencoder: Autoencoder, denoiser: Denoiser) -> list[Path]:
        """Samples, their ways, animations and the losses, of stage 2 as it is now."""
        from latentbloom.show.epochs import draw_diffusion_epoch

        model = self.model(autoencoder, denoiser)
        return draw_diffusion_epoch(model, self.train, self.val, self.run)
