"""Stage 1: the autoencoder against a discriminator."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from latentbloom.config import AutoencoderConfig, TrainSettings, VaeGanSettings
from latentbloom.config.stage_settings import KL_WEIGHT
from latentbloom.data.pixels import to_float
from latentbloom.device import sent
from latentbloom.losses.adversarial import mean_over
from latentbloom.losses.autoencoding import kl_loss, reconstruction_loss
from latentbloom.losses.perceptual import build_perceptual
from latentbloom.nn.autoencoders.base import Autoencoder
from latentbloom.nn.autoencoders.build import build_autoencoder
from latentbloom.train.budget import ramp
from latentbloom.train.ema import Average
from latentbloom.train.muon import Muon, split_weights
from latentbloom.train.order import mix
from latentbloom.train.processes import (
    first_rows,
    mean_over_processes,
    piece_of,
    unwrap,
    weight_of,
    whole_batch,
)
from latentbloom.train.stage import ALL, Batch, Phase
from latentbloom.train.stages.adversary import Adversary
from latentbloom.train.stages.class_terms import ClassTerms
from latentbloom.train.stages.latent_alignment import LatentAlignment, can_be_aligned
from latentbloom.train.stages.reconstructions import Reconstructions

if TYPE_CHECKING:
    from accelerate import Accelerator

    from latentbloom.data.imageset import ImageSet


class VaeGanStage:
    """Autoencoder and discriminator in training; see `latentbloom.train.stage.Stage`.

    Arguments:
        config: Shape of the autoencoder.
        settings: Losses and phases.
        train: Pace and seed.
        images: Training pictures.
        val: Held-out pictures, may be empty.
        accelerator: Device, precision and processes.
        mirror: Mirror half of the pictures at random.
        say: Receives remarks.
        start: Gives the fresh autoencoder its first weights; None leaves it as it is.
    """

    name = "vae_gan"
    folder = "vae_gan"

    def __init__(
        self,
        config: AutoencoderConfig,
        settings: VaeGanSettings,
        train: TrainSettings,
        images: ImageSet,
        val: ImageSet,
        accelerator: Accelerator,
        *,
        mirror: bool = True,
        say: Callable[[str], None] = print,
        start: Callable[[torch.nn.Module], object] | None = None,
    ) -> None:
        self.config = config
        self.settings = settings
        self.images = images
        self.reconstructing = Reconstructions(images, val, accelerator)
        self.accelerator = accelerator
        self.mirror = mirror
        self.num_images = len(images)
        self.batch_size = settings.batch_size
        self.weights: Tensor | None = None
        torch.manual_seed(mix("weights", self.name, train.seed))
        autoencoder = build_autoencoder(config, images.spec)
        if start is not None:
            start(autoencoder)
        self.classes = ClassTerms.of(autoencoder, settings, images.spec)
        self.perceptual = build_perceptual(settings.perceptual, say)
        features = self.perceptual.channels if self.perceptual is not None else []
        self.adversary = Adversary(settings, config.channels, features, accelerator)
        if self.perceptual is not None:
            self.perceptual.to(accelerator.device)
        self.snapshots: dict[str, torch.nn.Module] = {}
        self.ema = Average(autoencoder.to(accelerator.device), train.ema_share)
        main = _optimizer(autoencoder, settings)
        self.autoencoder, main = accelerator.prepare(autoencoder, main)
        self.phases = [Phase("autoencoder", self.autoencoder, main, self.autoencoder_loss)]
        self.alignment: LatentAlignment | None = None
        shape = autoencoder.latent_shape
        if self.perceptual is not None and settings.alignment_weight > 0 and can_be_aligned(shape):
            self.alignment = LatentAlignment(self.perceptual, shape, accelerator)
            self.phases.append(self.alignment.phase)
        if settings.adversarial_weight > 0.0:
            self.phases.append(self.adversary.phase)
        self.milestones = self._milestones()

    def _milestones(self) -> list[tuple[float, str]]:
        s = self.settings
        found = [(0.0, "reconstruction"), (s.kl_start, "KL rising")]
        if self.classes is not None and self.classes.active:
            found.append((s.class_start, "classes and centres"))
        if s.adversarial_weight > 0:
            found += [
                (s.discriminator_start, "discriminator"),
                (s.adversarial_start, "adversarial"),
            ]
        return sorted(found)

    def batch(self, indices: list[int], rows: slice = ALL) -> Batch:
        """Pictures in [-1, 1] and noise for the posterior."""
        mine = indices[rows]
        x = to_float(self.images.images(mine))
        if self.mirror:
            flip = torch.rand(len(indices))[rows] < 0.5
            x = torch.where(flip[:, None, None, None], x.flip(3), x)
        x = sent(x, self.accelerator.device, torch.channels_last)
        eps = sent(torch.randn((len(indices), *self._plain.latent_shape))[rows], x.device)
        cond = self.reconstructing.cond(self.images, mine)
        return {"images": x, "eps": eps, "cond": cond, **piece_of(len(indices), rows)}

    def autoencoder_loss(self, batch: Batch, progress: float) -> tuple[Tensor, dict[str, Tensor]]:
        """The sum of the autoencoder's losses, and what to log."""
        s = self.settings
        images = batch["images"]
        reconstruction, posterior = self.autoencoder(images, batch["eps"])
        # All terms meet at the pixels. Their gradient is computed there once and passed to the
        # autoencoder through a loss that is linear in the reconstruction.
        pixels = reconstruction.detach().requires_grad_(True)
        l1 = reconstruction_loss(images, pixels).mean()
        main = s.reconstruction_weight * l1
        logs = {"reconstruction": l1.detach()}
        real_maps: list[Tensor] = []
        fake_maps: list[Tensor] = []
        if self.perceptual is not None:
            share, batch["seen"] = first_rows(
                batch, max(1, round(s.perceptual_share * batch["whole"]))
            )
            # The network's strides weight some pixels more than others. A random cyclic shift
            # keeps the autoencoder from learning that grid.
            move = torch.randint(0, images.shape[-1], (2,)).tolist()
            with self.accelerator.autocast():
                with torch.no_grad():
                    real_maps = self.perceptual.directions(images[:share].roll(move, (2, 3)))
                fake_maps = self.perceptual.directions(pixels[:share].roll(move, (2, 3)))
                distances = self.perceptual.distance(real_maps, fake_maps)
                perceptual = mean_over(distances, batch["seen"])
            main = main + s.perceptual_weight * perceptual
            logs["perceptual"] = perceptual.detach()
        adversarial = self.adversary.term(
            pixels,
            fake_maps,
            main,
            progress,
            lambda loss: self._at_last_layer(reconstruction, pixels, loss, batch),
            batch.get("seen"),
        )
        if adversarial is not None:
            main, logs = main + adversarial[0], logs | adversarial[1]
        (gradient,) = torch.autograd.grad(main, pixels)
        batch["real"] = (images, real_maps)
        batch["fake"] = (pixels.detach(), [x.detach() for x in fake_maps])
        kl = kl_loss(posterior).mean()
        kl_ramp = ramp(progress, s.kl_start, s.kl_full)
        kl_weight = KL_WEIGHT if s.kl_weight is None else s.kl_weight
        loss = (reconstruction * gradient).sum() + kl_weight * kl_ramp * kl
        logs |= {"kl": kl.detach(), "kl_ramp": torch.tensor(kl_ramp)}
        if self.alignment is not None:
            loss = loss + s.alignment_weight * self.alignment.error(posterior.mean, batch)
        if self.classes is not None:
            # The spread of a class is that in the whole batch, whatever a process holds of it.
            mean, *labels = (
                whole_batch(self.accelerator, rows, batch["whole"])
                for rows in (posterior.mean, *batch["cond"].values())
            )
            cond = dict(zip(batch["cond"], labels, strict=True))
            terms, more = self.classes.loss(self._plain, mean, cond, progress)
            loss, logs = loss + terms, logs | more
        return loss, logs

    @property
    def _plain(self) -> Autoencoder:
        model = unwrap(self.autoencoder)
        assert isinstance(model, Autoencoder)
        return model

    def _at_last_layer(
        self, reconstruction: Tensor, pixels: Tensor, loss: Tensor, batch: Batch
    ) -> Tensor:
        """Gradient of a loss at the weights of the last layer, through all processes' pixels."""
        gradient = torch.autograd.grad(loss, pixels, retain_graph=True)
        weight = self._plain.last_layer.weight
        (found,) = torch.autograd.grad(reconstruction, weight, gradient, retain_graph=True)
        return mean_over_processes(self.accelerator, found, weight_of(self.accelerator, batch))

    def validate(self) -> tuple[dict[str, float], float]:
        """Scores of the averaged weights on held-out pictures."""
        weight = self.settings.perceptual_weight
        return self.reconstructing.scores(self._averaged, self.perceptual, weight, self.classes)

    @property
    def _averaged(self) -> Autoencoder:
        model = self.ema.module
        assert isinstance(model, Autoencoder)
        return model

    def meta(self) -> dict[str, Any]:
        """The shape of the model and the fingerprint of its training set."""
        return {
            "config": self.config.model_dump(),
            "spec": self.images.spec.to_json(),
            "images": self.images.fingerprint,
        }


def _optimizer(module: torch.nn.Module, settings: VaeGanSettings) -> torch.optim.Optimizer:
    if settings.optimizer == "muon":
        return Muon(*split_weights(module), settings.muon_lr, settings.lr)
    return torch.optim.AdamW(
        module.parameters(), settings.lr, betas=(0.9, 0.99), weight_decay=1e-4, fused=True
    )
