"""Stage 2: a conditional denoiser of the latents of stage 1."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from latentbloom.conditions import Cond, ConditionSpec
from latentbloom.config import DenoiserConfig, DiffusionSettings, TrainSettings
from latentbloom.device import sent
from latentbloom.diffusion.denoiser import Denoiser
from latentbloom.diffusion.objective import diffusion_loss, drop_conditions, sample_times
from latentbloom.latents.cache import Latents
from latentbloom.model.build import build_denoiser
from latentbloom.nn.backbones.transformer import Transformer
from latentbloom.train.order import combination_numbers, mix, tempered_weights
from latentbloom.train.stage import ALL, Batch, Phase
from latentbloom.train.stages.alignment import Alignment, Maps
from latentbloom.train.stages.self_guidance import SelfGuidance
from latentbloom.train.stepping.sharding import average_and_spread

if TYPE_CHECKING:
    from accelerate import Accelerator

VALIDATION_LATENTS = 512
AT_ONCE = 128
MOST_LABELS = 4
FEWEST_LABELLED = 64
VALIDATION_VALUES = 1 << 19  # fewer large latents are validated, at least 64


class LatentDiffusionStage:
    """Denoiser in training; see `latentbloom.train.stage.Stage`.

    Arguments:
        config: Shape of the denoiser.
        settings: Objective and pace.
        train: Pace and seed.
        spec: The factors.
        latents: Latents of the training pictures.
        val: Latents of held-out pictures, or None.
        accelerator: Device, precision and processes.
        say: Receives remarks.
        start: Gives the fresh backbone its first weights; None leaves it as it is.
        maps: Features of the training pictures that tokens are aligned with, or None.
    """

    name = "diffusion"
    folder = "conditional_diffusion"

    def __init__(
        self,
        config: DenoiserConfig,
        settings: DiffusionSettings,
        train: TrainSettings,
        spec: ConditionSpec,
        latents: Latents,
        val: Latents | None,
        accelerator: Accelerator,
        say: Callable[[str], None] = lambda text: None,
        start: Callable[[torch.nn.Module], object] | None = None,
        maps: Maps | None = None,
    ) -> None:
        self.config = config
        self.settings = settings
        self.spec = spec
        self.latents = latents
        self.val = val
        self.accelerator = accelerator
        self.num_images = len(latents)
        self.batch_size = settings.batch_size
        self.weights: Tensor | None = tempered_weights(latents.labels, settings.balance)
        self.milestones: list[tuple[float, str]] = [(0.0, "denoising")]
        torch.manual_seed(mix("weights", self.name, train.seed))
        shape = latents.shape
        self.denoiser = build_denoiser(config, settings, spec, (shape[0], shape[1], shape[2]))
        if start is not None:
            start(self.denoiser.backbone)
        inner = self.denoiser.backbone
        self.ema, backbone = average_and_spread(inner, train, accelerator, say)
        optimizer = accelerator.prepare(
            torch.optim.AdamW(
                _groups(inner, settings.weight_decay), settings.lr, betas=(0.9, 0.95), fused=True
            )
        )
        self.denoiser = self.denoiser.with_backbone(backbone)
        self.snapshots: dict[str, torch.nn.Module] = {}
        # Averages that are spread over processes leave no earlier self on each of them.
        strength = 1.0 if train.shard else settings.self_guidance
        self.guidance = SelfGuidance(strength, self.ema, self.snapshots)
        self.milestones += self.guidance.milestones
        self.phases = [Phase("denoiser", backbone, optimizer, self.loss)]
        self.alignment: Alignment | None = None
        if maps is not None and isinstance(inner, Transformer):
            self.alignment = Alignment(maps, inner, settings.lr, accelerator)
            self.phases.append(self.alignment.phase)

    def batch(self, indices: list[int], rows: slice = ALL) -> Batch:
        """Means of the latents' posteriors, conditions with some dropped, times and noise."""
        s, device = self.settings, self.accelerator.device
        whole, mine = len(indices), indices[rows]
        mirrored = None
        if self.latents.mirrored:
            mirrored = torch.randint(0, 2, (whole,))[rows].tolist()
        x0, _ = self.latents.posterior(mine, mirrored)
        cond = self.latents.cond(self.spec, mine)
        hide = torch.rand(whole, 1 + len(self.spec.names))[rows]
        cond = drop_conditions(self.spec, cond, hide, drop_all=s.drop_all, drop_each=s.drop_each)
        t = sample_times(s.times, torch.rand(whole), stratified=True)[rows]
        batch = {
            "x0": sent(x0, device),
            "cond": {name: sent(index, device) for name, index in cond.items()},
            "t": sent(t, device),
            "eps": sent(torch.randn(whole, *x0.shape[1:])[rows], device),
        }
        if self.alignment is not None:
            batch["features"] = sent(self.alignment.maps.rows(mine, mirrored), device)
        return batch

    def loss(self, batch: Batch, progress: float) -> tuple[Tensor, dict[str, Tensor]]:
        """Mean denoising loss of the batch, and the error of its tokens' alignment."""
        self.guidance.advance(progress)
        backbone = self.phases[0].module
        loss = diffusion_loss(
            self.guidance.mixed(self.denoiser),
            batch["x0"],
            batch["cond"],
            batch["t"],
            batch["eps"],
            self.settings.weighting,
        ).mean()
        logs = {"diffusion": loss.detach()}
        if self.alignment is not None:
            with self.accelerator.autocast():
                error = self.alignment.error(backbone, batch)
            loss = loss + self.settings.alignment_weight * error
        return loss, logs

    @torch.no_grad()
    def validate(self) -> tuple[dict[str, float], float]:
        """Loss of the averaged weights at fixed times and noise, held-out and seen latents."""
        scores = {"train_diffusion": _mean(self._fixed_losses(self.latents))}
        loss = self._fixed_losses(self.val or self.latents)
        scores["diffusion"] = _mean(loss)
        return scores | self._label_use(loss), scores["diffusion"]

    def _label_use(self, loss: Tensor) -> dict[str, float]:
        """By how many standard errors hiding a factor raises the loss, of at most four factors."""
        found = {}
        for name in self.spec.names[:MOST_LABELS] if len(loss) >= FEWEST_LABELLED else ():
            more = self._fixed_losses(self.val or self.latents, hide=name) - loss
            error = float(more.std()) / len(more) ** 0.5
            found[f"uses_{name}"] = float(more.mean()) / max(error, 1e-12)
        return found

    def _fixed_losses(self, latents: Latents, *, hide: str | None = None) -> Tensor:
        """Loss of each of some pictures at fixed times and noise, with one factor hidden."""
        affordable = max(64, VALIDATION_VALUES // math.prod(latents.shape))
        count = min(VALIDATION_LATENTS, affordable, len(latents))
        indices = [int(i * len(latents) / count) for i in range(count)]
        x0, _ = latents.posterior(indices)
        generator = torch.Generator().manual_seed(0)
        t = sample_times(
            self.settings.times, torch.rand(count, generator=generator), stratified=True
        )
        t = t[torch.randperm(count, generator=generator)]  # pictures are sorted by label
        eps = torch.randn(x0.shape, generator=generator)
        device = self.accelerator.device
        denoiser = self.guidance.mixed(self.averaged())
        cond = {k: v.to(device) for k, v in latents.cond(self.spec, indices).items()}
        if hide is not None:
            cond[hide] = self.spec.null_like(cond)[hide]
        losses = []
        for part in torch.arange(count).split(AT_ONCE):
            rows: Cond = {name: value[part.to(device)] for name, value in cond.items()}
            with self.accelerator.autocast():
                loss = diffusion_loss(
                    denoiser,
                    x0[part].to(device),
                    rows,
                    t[part].to(device),
                    eps[part].to(device),
                    self.settings.weighting,
                )
            losses.append(loss.cpu())
        return torch.cat(losses)

    def averaged(self) -> Denoiser:
        """The denoiser with averaged weights."""
        return self.denoiser.with_backbone(self.ema.module)

    def meta(self) -> dict[str, Any]:
        """The shape of the model, its factors, and the fingerprint of its autoencoder."""
        return {
            "config": self.config.model_dump(),
            "settings": self.settings.model_dump(),
            "spec": self.spec.to_json(),
            "shape": list(self.latents.shape),
            "autoencoder": self.latents.fingerprint,
            "shown": shown_combinations(self.latents.labels, self.spec),
        }


def _mean(losses: Tensor) -> float:
    """Sums in float32 over the pictures of one forward pass, and the rest in float64."""
    return sum(float(part.sum()) for part in losses.split(AT_ONCE)) / len(losses)


def shown_combinations(labels: Tensor, spec: ConditionSpec) -> list[list[int]] | None:
    """Combinations of values that the pictures show, each once; None where they show all.

    Arguments:
        labels: LongTensor (N, factors).
        spec: The factors; pictures with an unknown value do not count.
    """
    known = torch.stack([spec.known(n, labels[:, k]) for k, n in enumerate(spec.names)])
    labels = labels[known.all(dim=0)]
    firsts = np.unique(combination_numbers(labels), return_index=True)[1]
    shown = labels[firsts].unique(dim=0)
    return None if len(shown) == math.prod(len(f.values) for f in spec.factors) else shown.tolist()


def _groups(module: torch.nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Weight decay for matrices only, not for biases, norms and embeddings."""
    decayed, free = [], []
    for name, parameter in module.named_parameters():
        matrix = parameter.ndim >= 2 and "tables" not in name and "position" not in name
        (decayed if matrix else free).append(parameter)
    return [
        {"params": decayed, "weight_decay": weight_decay},
        {"params": free, "weight_decay": 0.0},
    ]
