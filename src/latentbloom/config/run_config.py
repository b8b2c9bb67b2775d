"""All settings of a run: read, checked, changed and written."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from latentbloom.config.checks import check_together
from latentbloom.config.data_settings import DataSettings
from latentbloom.config.network_settings import AutoencoderConfig, DenoiserConfig
from latentbloom.config.settings_base import Settings
from latentbloom.config.stage_settings import (
    DecoderSettings,
    DiffusionSettings,
    SamplingSettings,
    TrainSettings,
    VaeGanSettings,
)
from latentbloom.errors import ConfigError, RunFolderError
from latentbloom.foreign.bounds import ForeignError
from latentbloom.foreign.json_files import read_json
from latentbloom.storage.files import write_atomic
from latentbloom.storage.user_files import reason

Kind = TypeVar("Kind", bound=Settings)


class RunConfig(Settings):
    """All settings of a run."""

    data: DataSettings = DataSettings()
    autoencoder: AutoencoderConfig | None = None
    vae_gan: VaeGanSettings = VaeGanSettings()
    denoiser: DenoiserConfig | None = None
    diffusion: DiffusionSettings = DiffusionSettings()
    decoder: DecoderSettings = DecoderSettings()
    sampling: SamplingSettings = SamplingSettings()
    train: TrainSettings = TrainSettings()

    def updated(self, overrides: dict[str, Any]) -> RunConfig:
        """A copy with dotted names replaced, for example {"diffusion.lr": 1e-4}.

        Raises:
            ConfigError: A name is unknown or a value does not fit.
        """
        tree = self.model_dump()
        for dotted, value in overrides.items():
            name, dot, leaf = dotted.partition(".")
            if name not in tree or "." in leaf:
                raise ConfigError(
                    f"No setting is called '{dotted}'. Sections: {', '.join(tree)}; "
                    "`latentbloom fit --help-config` lists every setting."
                )
            # A section that is chosen later starts from its defaults.
            tree[name] = {**(tree[name] or {}), leaf: value} if dot else value
        return parse_config(tree)

    def save(self, path: Path) -> None:
        """Write JSON."""
        write_atomic(path, self.model_dump_json(indent=2) + "\n")


def parse_config(tree: dict[str, Any], where: str = "the settings") -> RunConfig:
    """Validate a tree of settings.

    Raises:
        ConfigError: A field is wrong; the message names it, what was found and what is allowed.
    """
    config = parse_settings(RunConfig, tree, where)
    check_together(config, where)
    return config


def parse_settings(kind: type[Kind], tree: dict[str, Any], where: str = "the settings") -> Kind:
    """Validate a tree of settings of one kind, for example `SourceOptions`.

    Raises:
        ConfigError: A field is wrong; the message names it, what was found and what is allowed.
    """
    try:
        return kind.model_validate(tree)
    except ValidationError as error:
        lines = [
            f"  {'.'.join(str(part) for part in e['loc'])}: {e['msg']} (found {e['input']!r})"
            for e in error.errors()
        ]
        raise ConfigError(f"In {where}:\n" + "\n".join(lines)) from None


def load_config(path: Path) -> RunConfig:
    """Read a configuration that `RunConfig.save` wrote, or one written by hand.

    Raises:
        RunFolderError: The file does not exist, cannot be read or is not JSON.
        ConfigError: A field is unknown or does not fit.
    """
    try:
        tree = read_json(path)
    except FileNotFoundError:
        raise RunFolderError(f"{path} does not exist.") from None
    except ForeignError as error:
        raise RunFolderError(f"{path} {error}.") from None
    except OSError as error:
        raise RunFolderError(f"{path} cannot be read: {reason(error)}.") from None
    if not isinstance(tree, dict):
        raise ConfigError(f"{path} holds a {type(tree).__name__}, not an object of settings.")
    return parse_config(tree, where=str(path))
