"""After stage 2: the decoder learns to turn the denoiser's own latents into lifelike pictures."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from latentbloom.config import DecoderSettings, TrainSettings, VaeGanSettings
from latentbloom.data.pixels import to_float
from latentbloom.device import sent
from latentbloom.latents.cache import Latents
from latentbloom.losses.adversarial import adaptive_weight, mean_over
from latentbloom.losses.autoencoding import reconstruction_loss
from latentbloom.losses.feature_statistics import map_statistics
from latentbloom.losses.perceptual import PerceptualLoss
from latentbloom.nn.autoencoders.base import Autoencoder
from latentbloom.train.ema import Average
from latentbloom.train.muon import Muon, split_weights
from latentbloom.train.order import mix
from latentbloom.train.processes import (
    first_rows,
    mean_over_processes,
    piece_of,
    unwrap,
    weight_of,
)
from latentbloom.train.stage import ALL, Batch, Phase
from latentbloom.train.stages.adversary import Adversary
from latentbloom.train.stages.feature_moments import Statistics
from latentbloom.train.stages.reconstructions import Reconstructions

if TYPE_CHECKING:
    from accelerate import Accelerator

    from latentbloom.data.imageset import ImageSet

MOST_REAL = 4096
"""Training pictures whose feature statistics the decoder is to meet."""


class DecoderFinishStage:
    """The decoder in training; see `latentbloom.train.stage.Stage`.

    The encoder and the latents stay as they are, so that the denoiser keeps its meaning. Half of
    what is decoded are latents of training pictures, with all losses of stage 1. The other half
    are latents that the denoiser generated: nobody knows the picture that belongs to them, so only
    the discriminator and the feature statistics judge these.

    Arguments:
        settings: Losses and pace.
        first: Settings of stage 1, whose losses these are.
        train: Pace and seed.
        autoencoder: Finished stage 1, with its normalisation; it is not changed.
        discriminator: Weights of the discriminator of stage 1; None starts a new one.
        perceptual: The frozen network, or None.
        images: Training pictures.
        val: Held-out pictures, may be empty.
        latents: Latents of the training pictures.
        generated: Latents that the denoiser generated (N, C, h, w), normalised.
        accelerator: Device, precision and processes.
    """

    name = "decoder"
    folder = "decoder"

    def __init__(
        self,
        settings: DecoderSettings,
        first: VaeGanSettings,
        train: TrainSettings,
        autoencoder: Autoencoder,
        discriminator: dict[str, Tensor] | None,
        perceptual: PerceptualLoss | None,
        images: ImageSet,
        val: ImageSet,
        latents: Latents,
        generated: Tensor,
        accelerator: Accelerator,
    ) -> None:
        self.settings = settings
        self.first = first
        self.images = images
        self.latents = latents
        self.generated = generated
        self.accelerator = accelerator
        self.num_images = len(images)
        self.batch_size = settings.batch_size
        self.weights: Tensor | None = None
        self.milestones: list[tuple[float, str]] = [(0.0, "decoder alone")]
        self.reconstructing = Reconstructions(images, val, accelerator)
        torch.manual_seed(mix("weights", self.name, train.seed))
        device = accelerator.device
        self.perceptual = perceptual
        if perceptual is not None:
            perceptual.to(device)
        self.autoencoder = copy.deepcopy(autoencoder).to(device)
        self.autoencoder.to(memory_format=torch.channels_last).requires_grad_(False)
        decoder = self.autoencoder.get_submodule("decoder").requires_grad_(True)
        self.snapshots: dict[str, torch.nn.Module] = {}
        self.ema = Average(decoder, train.ema_share)
        optimizer = Muon(*split_weights(decoder), settings.muon_lr, settings.lr)
        self.decoder, optimizer = accelerator.prepare(decoder, optimizer)
        features = perceptual.channels if perceptual is not None else []
        always = {"adversarial_start": 0.0, "adversarial_full": 0.0, "discriminator_start": 0.0}
        rates = {"discriminator_lr": settings.discriminator_lr}
        weight = {"adversarial_weight": settings.adversarial_weight}
        self.adversary = Adversary(
            first.model_copy(update=always | rates | weight),
            autoencoder.config.channels,
            features,
            accelerator,
        )
        if discriminator is not None:
            unwrap(self.adversary.discriminator).load_state_dict(discriminator)
        self.phases = [
            Phase("decoder", self.decoder, optimizer, self.decoder_loss),
            self.adversary.phase,
        ]
        self.statistics: Statistics | None = None
        if perceptual is not None and settings.statistics_weight > 0.0:
            self.statistics = Statistics(
                self._real_features(train.seed), settings.statistics_pictures, self._add_up
            ).to(device)
            # A checkpoint of the discriminator then holds the running statistics, too.
            unwrap(self.adversary.discriminator).add_module("statistics", self.statistics)

    def batch(self, indices: list[int], rows: slice = ALL) -> Batch:
        """Pictures in [-1, 1]; latents of the first half of them, and as many generated ones."""
        whole, mine = len(indices), indices[rows]
        half = _half(whole)
        flips = torch.zeros(whole, dtype=torch.long)
        if self.latents.mirrored:
            flips = torch.randint(0, 2, (whole,))
        x = to_float(self.images.images(mine))
        x = torch.where(flips[rows, None, None, None] == 1, x.flip(3), x)
        piece = piece_of(whole, rows)
        known = piece["row"][piece["row"] < half]
        mean, std = self.latents.posterior(mine[: len(known)], flips[known].tolist())
        z = mean + std * torch.randn(half, *self.generated.shape[1:])[known]
        chosen = torch.randint(0, len(self.generated), (whole - half,))
        chosen = chosen[piece["row"][len(known) :] - half]
        device, last = self.accelerator.device, torch.channels_last
        return {
            "images": sent(x, device, last),
            "z": sent(torch.cat([z, self.generated[chosen]]), device, last),
            **piece,
        }

    def decoder_loss(self, batch: Batch, progress: float) -> tuple[Tensor, dict[str, Tensor]]:
        """The sum of the decoder's losses, and what to log."""
        images = batch["images"]
        half, expected = first_rows(batch, _half(batch["whole"]))
        decoded = self.decoder(self.autoencoder.to_raw(batch["z"])).float()
        pixels = decoded.detach().requires_grad_(True)  # as in stage 1
        l1 = mean_over(reconstruction_loss(images[:half], pixels[:half]), expected)
        main = self.first.reconstruction_weight * l1
        logs = {"reconstruction": l1.detach()}
        real_maps: list[Tensor] = []
        maps: list[Tensor] = []
        fake_maps: list[Tensor] = []
        if self.perceptual is not None:
            move = torch.randint(0, images.shape[-1], (2,)).tolist()
            with self.accelerator.autocast():
                with torch.no_grad():
                    real_maps = self.perceptual.directions(images.roll(move, (2, 3)))
                maps = self.perceptual.features(pixels.roll(move, (2, 3)))
                fake_maps = self.perceptual.to_directions(maps)
                near = [x[:half] for x in real_maps], [x[:half] for x in fake_maps]
                perceptual = mean_over(self.perceptual.distance(*near), expected)
            main = main + self.first.perceptual_weight * perceptual
            logs["perceptual"] = perceptual.detach()
        total = main
        if self.statistics is not None:
            loss = self.statistics(map_statistics(maps), half)
            balance = self.statistics.balance
            if self.statistics.ready:
                if balance.due:
                    sides = (self._at_last_layer(decoded, pixels, x, batch) for x in (main, loss))
                    balance.measured(adaptive_weight(*sides))
                balance.steps += 1
                total = total + self.settings.statistics_weight * balance.weight * loss
        adversarial = self.adversary.term(
            pixels,
            fake_maps,
            main,
            progress,
            lambda loss: self._at_last_layer(decoded, pixels, loss, batch),
        )
        if adversarial is not None:
            total, logs = total + adversarial[0], logs | adversarial[1]
        (gradient,) = torch.autograd.grad(total, pixels)
        batch["real"] = (images, real_maps)
        batch["fake"] = (pixels.detach(), [x.detach() for x in fake_maps])
        return (decoded * gradient).sum(), logs

    def _add_up(self, tensor: Tensor) -> Tensor:
        found = self.accelerator.reduce(tensor, reduction="sum")
        assert isinstance(found, Tensor)
        return found

    def _at_last_layer(self, decoded: Tensor, pixels: Tensor, loss: Tensor, batch: Batch) -> Tensor:
        gradient = torch.autograd.grad(loss, pixels, retain_graph=True)
        weight = self.autoencoder.last_layer.weight
        (found,) = torch.autograd.grad(decoded, weight, gradient, retain_graph=True)
        return mean_over_processes(self.accelerator, found, weight_of(self.accelerator, batch))

    @torch.no_grad()
    def _real_features(self, seed: int) -> Tensor:
        assert self.perceptual is not None
        generator = torch.Generator().manual_seed(mix("statistics", seed))
        order = torch.randperm(len(self.images), generator=generator)[:MOST_REAL]
        found = []
        for rows in order.split(64):
            x = to_float(self.images.images(rows.tolist())).to(self.accelerator.device)
            move = torch.randint(0, x.shape[-1], (2,), generator=generator).tolist()
            with self.accelerator.autocast():
                found.append(map_statistics(self.perceptual.features(x.roll(move, (2, 3)))))
        return torch.cat(found)

    def validate(self) -> tuple[dict[str, float], float]:
        """Scores of reconstructions of held-out pictures by the averaged decoder."""
        weight = self.first.perceptual_weight
        return self.reconstructing.scores(self.finished(), self.perceptual, weight, None)

    def finished(self) -> Autoencoder:
        """The autoencoder with the averaged decoder."""
        model = copy.deepcopy(self.autoencoder).requires_grad_(False)
        model.get_submodule("decoder").load_state_dict(self.ema.module.state_dict())
        return model.eval()

    def meta(self) -> dict[str, Any]:
        """The fingerprint of the autoencoder whose decoder this is."""
        return {"autoencoder": self.latents.fingerprint}


def _half(whole: int) -> int:
    """How many rows of a batch are latents of training pictures."""
    return max(1, whole // 2)
