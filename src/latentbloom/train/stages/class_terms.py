"""Labels in stage 1: a term of the autoencoder's loss, and two scores."""

from __future__ import annotations

import torch
from torch import Tensor

from latentbloom.conditions import Cond, ConditionSpec
from latentbloom.config import VaeGanSettings
from latentbloom.losses.class_losses import (
    attraction_loss,
    classification_loss,
    mean_of_known,
    nearest_centre,
    repulsion_loss,
    spread_loss,
)
from latentbloom.nn.autoencoders.base import Autoencoder
from latentbloom.nn.autoencoders.classic import LatentClasses
from latentbloom.train.budget import ramp


class ClassTerms:
    """Classification and centres of an autoencoder that has them.

    Arguments:
        settings: Weights, distances and phases.
        spec: The factors.
    """

    def __init__(self, settings: VaeGanSettings, spec: ConditionSpec) -> None:
        self.settings = settings
        self.spec = spec

    @classmethod
    def of(
        cls, autoencoder: Autoencoder, settings: VaeGanSettings, spec: ConditionSpec
    ) -> ClassTerms | None:
        """The terms for an autoencoder; None for one without classes."""
        return cls(settings, spec) if _classes(autoencoder) is not None else None

    @property
    def active(self) -> bool:
        """Whether any of the terms has a weight."""
        s = self.settings
        weights = (s.classification_weight, s.centre_weight, s.repulsion_weight, s.spread_weight)
        return any(weight > 0 for weight in weights)

    def loss(
        self, autoencoder: Autoencoder, mean: Tensor, cond: Cond, progress: float
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """All terms, weighted, and what to log.

        Before their start they are computed with weight 0: several processes need a gradient of
        every weight in every step.

        Arguments:
            autoencoder: Holds the classifier and the centres.
            mean: Means of the posteriors over raw latents (B, D, 1, 1).
            cond: LongTensor (B,) for each factor.
            progress: Share of the stage that is done.
        """
        s, z = self.settings, mean.flatten(1).float()
        classes = _need(autoencoder)
        logits, centres = classes.logits(z), classes.centres_of()
        names = ("classification", "centre", "repulsion", "spread")
        found: dict[str, list[Tensor]] = {name: [] for name in names}
        for name in self.spec.names:
            index, known = cond[name], self.spec.known(name, cond[name])
            own = centres[name]
            by_row = classification_loss(logits[name], index, known)
            found["classification"].append(mean_of_known(by_row, known))
            by_row = attraction_loss(z, own, index, known)
            found["centre"].append(mean_of_known(by_row, known))
            found["repulsion"].append(repulsion_loss(own, s.centre_distance))
            found["spread"].append(spread_loss(z, index, known, len(own), s.class_spread))
        means = {name: torch.stack(values).mean() for name, values in found.items()}
        total = (
            s.classification_weight * means["classification"]
            + s.centre_weight * means["centre"]
            + s.repulsion_weight * means["repulsion"]
            + s.spread_weight * means["spread"]
        )
        share = ramp(progress, s.class_start, s.class_full)
        logs = {name: value.detach() for name, value in means.items()}
        return share * total, logs | {"class_ramp": torch.tensor(share)}

    @torch.no_grad()
    def scores(self, autoencoder: Autoencoder, mean: Tensor, cond: Cond) -> dict[str, float]:
        """Accuracy in [0, 1], on known labels, of the classifier and of the nearest centre."""
        z = mean.flatten(1).float()
        classes = _need(autoencoder)
        logits, centres = classes.logits(z), classes.centres_of()
        by_head, by_centre = [], []
        for name in self.spec.names:
            index, known = cond[name], self.spec.known(name, cond[name])
            right = (logits[name].argmax(dim=1) == index).float()
            near = (nearest_centre(z, centres[name]) == index).float()
            by_head.append(mean_of_known(right, known))
            by_centre.append(mean_of_known(near, known))
        return {
            "class_accuracy": float(torch.stack(by_head).mean()),
            "nearest_centre_accuracy": float(torch.stack(by_centre).mean()),
        }


def _classes(autoencoder: Autoencoder) -> LatentClasses | None:
    classes = getattr(autoencoder, "classes", None)
    return classes if isinstance(classes, LatentClasses) and len(classes.names) else None


def _need(autoencoder: Autoencoder) -> LatentClasses:
    classes = _classes(autoencoder)
    assert classes is not None
    return classes
