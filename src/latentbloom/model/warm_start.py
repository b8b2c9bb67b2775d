"""Weights of a finished run as the start of a new one; `carried` says how they are fitted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor, nn

from latentbloom.conditions import ANY, ConditionSpec
from latentbloom.config import AutoencoderConfig, DenoiserConfig, DiffusionSettings, RunConfig
from latentbloom.errors import ConfigError, RunFolderError
from latentbloom.model.carried import (
    Carried,
    carry,
    carry_autoencoder,
    fit_denoiser,
    fit_table,
    shift_tables,
)
from latentbloom.model.described import described, described_spec
from latentbloom.runs.checkpoint import checkpoint_exists, load_checkpoint
from latentbloom.runs.folder import RunFolder

OBJECTIVE = ("prediction", "schedule")  # settings that a denoiser's weights go with


@dataclass(frozen=True)
class WarmStart:
    """A finished run to start from.

    Attributes:
        run: Its folder.
        autoencoder: Shape of its autoencoder.
        autoencoder_weights: By name.
        denoiser: Shape of its denoiser.
        diffusion: Settings that its denoiser was trained with.
        denoiser_weights: By name.
        spec: The factors that it knows.
    """

    run: Path
    autoencoder: AutoencoderConfig
    autoencoder_weights: Mapping[str, Tensor]
    denoiser: DenoiserConfig
    diffusion: DiffusionSettings
    denoiser_weights: Mapping[str, Tensor]
    spec: ConditionSpec

    def fill_in(self, config: RunConfig) -> RunConfig:
        """Settings of a new run; shapes that they leave open become those of this run.

        Raises:
            ConfigError: The new run is of another family, so that nothing would carry over.
        """
        family = (config.autoencoder or AutoencoderConfig()).family
        if self.autoencoder.family != family:
            raise ConfigError(
                f"{self.run} is a model of the family '{self.autoencoder.family}', and the new run "
                f"is of '{family}': nothing carries over between families. Give --preset "
                f"{self.autoencoder.family}, or leave --from away."
            )
        # A model of an earlier version names no convolutions, and has none.
        denoiser = self.denoiser.model_copy(update={"stem": self.denoiser.stem or 0})
        return config.model_copy(
            update={
                "autoencoder": config.autoencoder or self.autoencoder,
                "denoiser": config.denoiser or denoiser,
            }
        )

    def start_autoencoder(self, module: nn.Module) -> Carried:
        """Copy what fits into a fresh autoencoder; its normalisation stays fresh."""
        return carry_autoencoder(module, self.autoencoder_weights)

    def start_denoiser(
        self, backbone: nn.Module, spec: ConditionSpec, diffusion: DiffusionSettings
    ) -> Carried:
        """Copy what fits into a fresh backbone that is conditioned on `spec`.

        Raises:
            ConfigError: The new run's network predicts another quantity, or on another schedule.
        """
        for name in OBJECTIVE:
            here, there = getattr(diffusion, name), getattr(self.diffusion, name)
            if here != there:
                raise ConfigError(
                    f"diffusion.{name} is '{here}', and {self.run} was trained with '{there}'. "
                    f"Give --diffusion.{name} {there}, or leave --from away."
                )
        old = self._by_factor(spec)

        def fit(name: str, tensor: Tensor) -> Tensor | None:
            if "tables." in name:
                return fit_table(name, old[name], tensor, self.spec, spec)
            return fit_denoiser(name, old[name], tensor)

        carried = carry(backbone, old, fit)
        gone = [place for place, name in enumerate(self.spec.names) if name not in spec.names]
        shift_tables(backbone, [self._any_row(place) for place in gone])
        return carried

    def _any_row(self, place: int) -> Tensor:
        """The row "any" (D,) of the factor at a place."""
        name = next(k for k in self.denoiser_weights if f"tables.{place}." in k)
        return self.denoiser_weights[name][self.spec.factors[place].index(ANY)]

    def _by_factor(self, spec: ConditionSpec) -> dict[str, Tensor]:
        """The old weights, with condition tables under the place that their factor has now."""
        old = {k: v for k, v in self.denoiser_weights.items() if "tables." not in k}
        for name, tensor in self.denoiser_weights.items():
            head, found, rest = name.partition("tables.")
            place, _, tail = rest.partition(".")
            if found and (factor := self.spec.names[int(place)]) in spec.names:
                old[f"{head}tables.{spec.names.index(factor)}.{tail}"] = tensor
        return old


def open_warm_start(run: Path | str) -> WarmStart:
    """The weights of a finished run.

    Raises:
        RunFolderError: It is no run folder, or the run is not finished.
        CheckpointError: A checkpoint is broken.
    """
    folder = RunFolder(Path(run))
    folder.load_config()
    final = folder.final_denoiser
    missing = [
        stage
        for stage, place in (("stage 1", folder.autoencoder), ("stage 2", final))
        if not checkpoint_exists(place)
    ]
    if missing:
        raise RunFolderError(
            f"{folder.path} is not finished: {missing[0]} has not ended. A new run can only start "
            "from a finished one. Run `latentbloom fit` with that --out again, then start from it."
        )
    first, about_first = load_checkpoint(folder.autoencoder, ["model"])
    second, about_second = load_checkpoint(final, ["model"])
    return WarmStart(
        folder.path,
        described(AutoencoderConfig, about_first, "config", folder.autoencoder),
        first["model"],
        described(DenoiserConfig, about_second, "config", final),
        described(DiffusionSettings, about_second, "settings", final),
        second["model"],
        described_spec(about_second, final),
    )
