"""Pictures instead of latents, for diffusion on pixels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

    from latentbloom.conditions import Cond, ConditionSpec
    from latentbloom.data.imageset import ImageSet


class PixelLatents:
    """An `ImageSet` behind the interface of `LatentCache`: each picture is its own latent.

    Nothing is stored: pictures come from the set's own cache and are mirrored when they are read.

    Arguments:
        images: The pictures.
        mirrored: Whether there are mirror images.
        fingerprint: Fingerprint of the autoencoder, which is the identity.
    """

    def __init__(self, images: ImageSet, *, mirrored: bool, fingerprint: str) -> None:
        self.images = images
        self.mirrored = mirrored
        self.fingerprint = fingerprint
        self.shape = (images.channels, images.size, images.size)

    def __len__(self) -> int:
        return len(self.images)

    def posterior(
        self, indices: Sequence[int], mirrored: Sequence[int] | None = None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Pictures (B, C, H, W) in [-1, 1], and their standard deviations, which are 0.

        Arguments:
            indices: Which pictures, (B,).
            mirrored: 1 for the mirror image; default none.
        """
        import torch

        from latentbloom.data.pixels import to_float

        x = to_float(self.images.images(indices))
        if mirrored is not None:
            flip = torch.tensor(list(mirrored), dtype=torch.bool)
            x = torch.where(flip[:, None, None, None], x.flip(3), x)
        return x, torch.zeros_like(x)

    def cond(self, spec: ConditionSpec, indices: Sequence[int]) -> Cond:
        """For each factor a LongTensor (B,)."""
        cond = self.images.cond(indices)
        return {name: cond[name] for name in spec.names}

    @property
    def labels(self) -> torch.Tensor:
        """Indices of all pictures' labels, LongTensor (N, factors)."""
        import torch

        return torch.from_numpy(self.images.labels.copy())
