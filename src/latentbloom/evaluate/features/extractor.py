"""Features of pictures from a frozen network: distances and classifiers work on them.

The network is EfficientNet-Lite2, whose ImageNet weights are part of the installation. The
perceptual loss uses another network: a model must not be scored by a network that it was trained
against.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from latentbloom.device import default_device
from latentbloom.nn.efficientnet import load_folded_layers

Progress = Callable[[str, int, int], None]
"""Called with the name of a part, how much of it is done, and its total."""

BATCH = 64
FEW_AT_A_TIME = 16
"""Pictures that go through the network at once on a CPU: more do not fit its cache."""

GRID = 4
GRID_BLOCKS = (10, 14, 19)
"""Blocks whose maps are kept on a coarse grid: fine enough for a mouth or the kind of a flower."""


@dataclass(frozen=True)
class Features:
    """Features of N pictures.

    Arguments:
        pooled: float32 (N, D): the last map averaged over places. Distances are measured on it.
        grid: float16 (N, G): middle maps on a 4 x 4 grid. Classifiers read them, because `pooled`
            no longer says where something is.
    """

    pooled: np.ndarray
    grid: np.ndarray

    def __len__(self) -> int:
        return len(self.pooled)

    def __getitem__(self, rows: slice | Sequence[int] | np.ndarray) -> Features:
        return Features(self.pooled[rows], self.grid[rows])

    @staticmethod
    def cat(parts: Sequence[Features]) -> Features:
        """Several sets in one, in order."""
        return Features(
            np.concatenate([p.pooled for p in parts]), np.concatenate([p.grid for p in parts])
        )


class FeatureExtractor:
    """A frozen network, the size of its input, and the name that scores carry.

    Pictures are resized (bilinear, antialiased), grey ones get three equal channels, and bytes
    become (x - 127) / 128, as in the network's training. Computed in float32: bfloat16 would be
    twice as fast, but moves the features by 6 %, a tenth of the distance between two real samples.

    Arguments:
        device: Where to compute; default the device that runs use, or the CPU where the network
            does not run on that.
        size: Height and width of the network's input, in pixels, at least 32.
        measure: Another network for `pooled`, from uint8 (B, 3, H, W) to float (B, D).
        measure_tag: Its name in scores.
    """

    network = "efficientnet-lite2"

    def __init__(
        self,
        device: torch.device | str | None = None,
        *,
        size: int = 112,
        measure: nn.Module | None = None,
        measure_tag: str = "",
    ) -> None:
        self.size = size
        self._measure = None if measure is None else measure.eval()
        self._measure_tag = measure_tag
        stem, blocks, head = load_folded_layers(self.network)
        self.net = nn.ModuleList([stem, *blocks, head])
        for module in self.net.modules():
            if isinstance(module, nn.ReLU6):
                module.inplace = True
        self.net.to(memory_format=torch.channels_last)
        self.net.eval().requires_grad_(False)
        self._move(default_device() if device is None else torch.device(device))
        if device is None and self.device.type != "cpu" and not self._runs():
            self._move(torch.device("cpu"))

    def _move(self, device: torch.device) -> None:
        self.device = device
        self.net.to(device)
        if self._measure is not None:
            self._measure.to(device)

    def _runs(self) -> bool:
        """Whether the device has every operation that is needed, and the memory for it."""
        try:
            self(torch.zeros(BATCH, 3, self.size, self.size, dtype=torch.uint8))
        except RuntimeError:
            return False
        return True

    @property
    def tag(self) -> str:
        """Network and size, as in the names of scores: "efficientnet-lite2/112"."""
        return self._measure_tag or f"{self.network}/{self.size}"

    def maps(self, pictures: Tensor) -> list[Tensor]:
        """The maps of the blocks in `GRID_BLOCKS`, then the last one.

        Arguments:
            pictures: uint8 (B, C, H, W), C in {1, 3}.

        Returns:
            Maps (B, channels, places, places).
        """
        x = pictures.to(self.device).float()
        if x.shape[-2:] != (self.size, self.size):
            side = (self.size, self.size)
            x = F.interpolate(x, side, mode="bilinear", align_corners=False, antialias=True)
        x = ((x - 127.0) / 128.0).expand(-1, 3, -1, -1)
        x = x.contiguous(memory_format=torch.channels_last)
        kept = []
        for index, stage in enumerate(self.net, start=-1):  # -1 is the stem
            x = stage(x)
            if index in GRID_BLOCKS:
                kept.append(x)
        return [*kept, x]

    @torch.inference_mode()
    def __call__(self, pictures: Tensor) -> Features:
        """Features of pictures, uint8 (B, C, H, W)."""
        few = FEW_AT_A_TIME if self.device.type == "cpu" else BATCH
        return Features.cat([self._few(part) for part in pictures.split(few)])

    def _few(self, pictures: Tensor) -> Features:
        *middle, last = self.maps(pictures)
        grid = torch.cat([F.adaptive_avg_pool2d(m, GRID).flatten(1) for m in middle], dim=1)
        if self._measure is None:
            pooled = last.mean(dim=(2, 3))
        else:
            pooled = self._measure(pictures.to(self.device).expand(-1, 3, -1, -1)).float()
        return Features(pooled.cpu().numpy(), grid.half().cpu().numpy())

    def extract(
        self,
        batches: Iterable[Tensor],
        *,
        total: int = 0,
        text: str = "features",
        on_progress: Progress | None = None,
    ) -> Features:
        """Features of many pictures.

        Arguments:
            batches: uint8 tensors (B, C, H, W); one tensor of all pictures goes through
                `in_batches` first.
            total: How many pictures there are, for the progress.
            text: Name of the part, for the progress.
            on_progress: Called after each batch.
        """
        parts: list[Features] = []
        done = 0
        for batch in batches:
            parts.append(self(batch))
            done += len(batch)
            if on_progress is not None:
                on_progress(text, done, max(total, done))
        return Features.cat(parts)

    def pictures_per_second(self, example: Tensor) -> float:
        """Speed on a batch of uint8 pictures, after a warm-up."""
        self(example[:8])
        start = time.perf_counter()
        self(example)
        return len(example) / max(time.perf_counter() - start, 1e-9)


def in_batches(pictures: Tensor, size: int = BATCH) -> Iterable[Tensor]:
    """Slices of at most `size` pictures of a tensor (N, C, H, W)."""
    for index in range(math.ceil(len(pictures) / size)):
        yield pictures[index * size : (index + 1) * size]
