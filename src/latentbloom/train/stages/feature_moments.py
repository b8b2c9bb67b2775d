"""Feature statistics of real pictures, and running ones of decoded pictures."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from latentbloom.losses.feature_statistics import frechet_pull, matrix_root, statistics_loss
from latentbloom.nn.discriminator import Balance


class FeatureMoments(nn.Module):
    """A loss that moves the statistics of decoded pictures to those of real ones.

    Its state is in buffers, so that a checkpoint of the module that holds it is enough to resume.

    Arguments:
        real: Features of real pictures (N, D), for example from `map_statistics`.
        pictures: Decoded pictures that the running statistics reach back over.
        add_up: Sums a tensor over all processes, so that each has the same statistics.
    """

    EVERY = 8
    """Batches between two computations of the gradient's matrix."""

    offset: Tensor
    scale: Tensor
    root: Tensor
    mean: Tensor
    second: Tensor
    weight: Tensor
    pull: Tensor
    batches: Tensor

    def __init__(
        self,
        real: Tensor,
        pictures: int = 1024,
        add_up: Callable[[Tensor], Tensor] = lambda tensor: tensor,
    ) -> None:
        super().__init__()
        self.pictures = pictures
        self.add_up = add_up
        dimensions = real.shape[1]
        scale = real.std(dim=0) + 1e-4
        whitened = ((real - real.mean(dim=0)) / scale).double()
        self.register_buffer("offset", real.mean(dim=0), persistent=False)
        self.register_buffer("scale", scale, persistent=False)
        self.register_buffer(
            "root", matrix_root(whitened.T @ whitened / len(whitened)), persistent=False
        )
        self.register_buffer("mean", torch.zeros(dimensions).double())
        self.register_buffer("second", torch.zeros(dimensions, dimensions).double())
        self.register_buffer("weight", torch.zeros(()).double())
        self.register_buffer("pull", torch.zeros(dimensions, dimensions))
        self.register_buffer("batches", torch.zeros((), dtype=torch.long))

    @property
    def ready(self) -> bool:
        """Whether enough pictures were seen for a covariance."""
        return float(self.weight) > 0.25

    def forward(self, features: Tensor) -> Tensor:
        """Take in the features of decoded pictures (B, D), and return their loss (B,).

        The loss is 0 until it is `ready`.
        """
        x = (features - self.offset) / self.scale
        self._take_in(x.detach().double())
        if not self.ready:
            return 0.0 * x.sum(dim=1)
        mean = self.mean / self.weight
        if int(self.batches) % self.EVERY == 0 or not self.pull.any():
            covariance = self.second / self.weight - mean[:, None] * mean
            self.pull.copy_(frechet_pull(self.root, covariance))
        return statistics_loss(x, mean.float(), self.pull)

    @torch.no_grad()
    def _take_in(self, x: Tensor) -> None:
        sums = torch.cat([x.T @ x, x.sum(dim=0)[None]])  # (D + 1, D)
        count = self.add_up(torch.full((1,), float(len(x)), device=x.device)).item()
        sums = self.add_up(sums) / count
        share = min(1.0, count / self.pictures)
        self.mean.lerp_(sums[-1], share)
        self.second.lerp_(sums[:-1], share)
        self.weight.lerp_(torch.ones_like(self.weight), share)
        self.batches += 1

    def distance(self) -> float:
        """Fréchet distance of the running statistics to real ones, of whitened features."""
        mean = self.mean / self.weight
        covariance = self.second / self.weight - mean[:, None] * mean
        overlap = matrix_root(self.root @ covariance @ self.root).trace()
        real = self.root.square().sum()
        return float(mean.square().sum() + real + covariance.trace() - 2.0 * overlap)


class Statistics(nn.Module):
    """Running statistics of reconstructions and of generated pictures, apart.

    Arguments:
        real: Features of real pictures (N, D).
        pictures: Decoded pictures that the running statistics reach back over.
        add_up: Sums a tensor over all processes.
    """

    def __init__(
        self, real: Tensor, pictures: int, add_up: Callable[[Tensor], Tensor] = lambda x: x
    ) -> None:
        super().__init__()
        self.reconstructed = FeatureMoments(real, pictures, add_up)
        self.generated = FeatureMoments(real, pictures, add_up)
        self.balance = Balance()

    @property
    def ready(self) -> bool:
        """Whether enough pictures were seen."""
        return self.reconstructed.ready and self.generated.ready

    def forward(self, features: Tensor, half: int) -> Tensor:
        """The loss, a scalar, of features (B, D), the first `half` of reconstructions."""
        parts = self.reconstructed(features[:half]), self.generated(features[half:])
        return torch.cat(parts).mean()
