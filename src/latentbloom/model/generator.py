"""A trained model, ready to be asked for pictures."""

from __future__ import annotations

import copy
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from latentbloom.conditions import ConditionSpec
from latentbloom.config import DenoiserConfig, DiffusionSettings, RunConfig
from latentbloom.data.pixels import to_uint8
from latentbloom.device import default_device, low_precision
from latentbloom.diffusion import (
    Denoiser,
    Guided,
    State,
    generators_for,
    noise_for,
    sample_states,
)
from latentbloom.errors import CheckpointError, ConditionError, ConfigError
from latentbloom.model.autoencoder import CHUNK, AutoencoderModel, load_autoencoder
from latentbloom.model.denoiser import build_denoiser
from latentbloom.model.records import Moment, Record, Records
from latentbloom.nn.autoencoders.base import Autoencoder
from latentbloom.runs.checkpoint import load_checkpoint
from latentbloom.runs.folder import RunFolder

if TYPE_CHECKING:
    from latentbloom.conditions import Cond

Asked = Mapping[str, str] | Sequence[Mapping[str, str]] | None


class Model(AutoencoderModel):
    """Autoencoder and denoiser of one run.

    Pictures are always computed in groups of `CHUNK`, filled up where fewer are asked: a picture
    then is the same to the bit whatever else was asked for with it.

    Arguments:
        config: Settings of the run.
        spec: The factors that can be asked for.
        autoencoder: Decodes latents.
        denoiser: Makes latents; left as it is, a copy is used where the precision is lower.
        device: Where to compute.
        autocast_dtype: Lower precision for the networks, or None.
        shown: Combinations of values that training showed; None: all of them.
    """

    def __init__(
        self,
        config: RunConfig,
        spec: ConditionSpec,
        autoencoder: Autoencoder,
        denoiser: Denoiser,
        *,
        device: torch.device | None = None,
        autocast_dtype: torch.dtype | None = None,
        shown: Collection[tuple[int, ...]] | None = None,
    ) -> None:
        super().__init__(config, spec, autoencoder, device=device, autocast_dtype=autocast_dtype)
        backbone = denoiser.backbone.to(self.device)
        if autocast_dtype is not None:
            # Autocast would cast every weight again at each step; a copy is cast once.
            backbone = copy.deepcopy(backbone).to(autocast_dtype)
        self.denoiser = denoiser.with_backbone(backbone).eval().requires_grad_(False)
        self.shown = shown

    def sample(
        self,
        cond: Asked = None,
        n: int = 16,
        seed: int = 0,
        *,
        guidance: float | None = None,
        num_steps: int | None = None,
        sampler: str | None = None,
        batch_size: int = 64,
        path: bool = False,
        on_progress: Callable[[int, int], None] | None = None,
    ) -> Records:
        """Make pictures.

        Arguments:
            cond: Words by factor, for example {"smiling": "yes"}; or one such dict a picture. A
                factor left out may be anything.
            n: How many, at least 1.
            seed: With a picture's number it decides the picture; nothing else does.
            guidance: 1 plain conditional, 0 unconditional, above 1 stronger; default as trained.
            num_steps: Solver steps; default as trained.
            sampler: Name in `latentbloom.diffusion.SAMPLERS`; default as trained.
            batch_size: Pictures computed between two reports of progress; changes no picture.
            path: Keep all states on the way.
            on_progress: Called after each batch with how many are done, and how many there are.

        Returns:
            The pictures, in order.

        Raises:
            ConditionError: A factor or a value is unknown, or there are not `n` dicts.
            ConfigError: The sampler is unknown, or a number is out of range.
        """
        asked = self._asked(cond, n)
        chosen = self.config.sampling.model_copy(
            update={
                key: value
                for key, value in (
                    ("guidance", guidance),
                    ("num_steps", num_steps),
                    ("sampler", sampler),
                )
                if value is not None
            }
        )
        records: list[Record] = []
        for start in range(0, n, max(1, batch_size)):
            part = range(start, min(start + max(1, batch_size), n))
            for first in range(part.start, part.stop, CHUNK):
                indices = list(range(first, min(first + CHUNK, part.stop)))
                rows = [asked[i] for i in indices]
                states = self.states(
                    rows,
                    indices,
                    seed,
                    guidance=chosen.guidance,
                    num_steps=chosen.num_steps,
                    sampler=chosen.sampler,
                )
                records += self._records(rows, indices, seed, states, path)
            if on_progress is not None:
                on_progress(len(records), n)
        return Records(
            records,
            {
                "sampler": chosen.sampler,
                "num_steps": chosen.num_steps,
                "guidance": chosen.guidance,
                "seed": seed,
            },
        )

    def states(
        self,
        asked: Sequence[Mapping[str, str]],
        indices: Sequence[int],
        seed: int,
        *,
        guidance: float,
        num_steps: int,
        sampler: str,
    ) -> Iterator[State]:
        """The states of at most `CHUNK` pictures; each has `CHUNK` rows, the first asked for.

        Arguments:
            asked: What each picture shall show.
            indices: Numbers of the pictures in the request.
            seed: Seed of the request.
            guidance: Strength of the conditions.
            num_steps: Solver steps.
            sampler: Name of the solver.
        """
        filled = list(indices) + [indices[-1]] * (CHUNK - len(indices))
        words = list(asked) + [asked[-1]] * (CHUNK - len(asked))
        x_1 = noise_for(seed, filled, self.autoencoder.latent_shape).to(self.device)
        return sample_states(
            self.guided(guidance),
            x_1,
            self._cond(words),
            sampler=sampler,
            num_steps=num_steps,
            generators=generators_for(seed, filled),
        )

    def guided(self, guidance: float | torch.Tensor) -> Guided:
        """The denoiser with guidance, a number or one a row (B,)."""
        return Guided(self.denoiser, self.spec, guidance, shown=self.shown)

    def _records(
        self,
        asked: Sequence[Mapping[str, str]],
        indices: Sequence[int],
        seed: int,
        states: Iterator[State],
        path: bool,
    ) -> list[Record]:
        kept: list[State] = []
        last: State | None = None
        for last in states:
            if path:
                kept.append(last)
        assert last is not None
        z = last.x_t.cpu()
        pixels = to_uint8(self.decode(last.x_t)).permute(0, 2, 3, 1).numpy()
        return [
            Record(
                pixels[row].copy(),
                dict(asked[row]),
                seed,
                index,
                z[row].clone(),
                tuple(Moment(s.t, s.x_t[row].cpu(), s.x0_hat[row].cpu()) for s in kept),
            )
            for row, index in enumerate(indices)
        ]

    def _asked(self, cond: Asked, n: int) -> list[dict[str, str]]:
        if n < 1:
            raise ConfigError(f"n is {n}; at least 1 picture can be asked for.")
        if cond is None or isinstance(cond, Mapping):
            asked = [dict(cond or {})] * n
        else:
            asked = [dict(one) for one in cond]
            if len(asked) != n:
                raise ConditionError(
                    f"{len(asked)} conditions for n={n} pictures; give one each, or one for all."
                )
        for one in {tuple(sorted(a.items())): a for a in asked}.values():
            self.spec.encode(one, 1)  # refuses unknown words
        return asked

    def _cond(self, asked: Sequence[Mapping[str, str]]) -> Cond:
        rows = [self.spec.encode(one, 1) for one in asked]
        return {
            name: torch.cat([row[name] for row in rows]).to(self.device) for name in self.spec.names
        }


def load(run: Path | str, *, device: str | None = None) -> Model:
    """The finished model of a run folder, or the newest usable one of an unfinished run.

    Arguments:
        run: The run folder.
        device: "cpu", "cuda", "mps"; default the best one there is.

    Raises:
        RunFolderError: It is no run folder, or the run has not come to a model yet.
        CheckpointError: A checkpoint is broken, or the two do not belong together.
    """
    folder = RunFolder(Path(run))
    config = folder.load_config()
    tensors, meta = load_checkpoint(folder.denoiser)
    autoencoder, fingerprint = load_autoencoder(folder.autoencoder)
    if meta["autoencoder"] != fingerprint:
        raise CheckpointError(
            f"{folder.denoiser} was trained on the latents of another autoencoder "
            f"({meta['autoencoder'][:12]}) than {folder.autoencoder} ({fingerprint[:12]}). "
            "Put the two that belong together into one run folder."
        )
    spec = ConditionSpec.from_json(meta["spec"])
    denoiser = build_denoiser(
        DenoiserConfig(**meta["config"]),
        DiffusionSettings(**meta["settings"]),
        spec,
        autoencoder.latent_shape,
    )
    denoiser.backbone.load_state_dict(tensors["ema"] if "ema" in tensors else tensors["model"])
    where = torch.device(device) if device else default_device()
    return Model(
        config,
        spec,
        autoencoder,
        denoiser,
        device=where,
        autocast_dtype=low_precision(config),
        shown=[tuple(row) for row in meta["shown"]] if meta.get("shown") is not None else None,
    )
