"""From the arguments of `fit` to the settings that they ask for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from latentbloom.config import RunConfig, load_config
from latentbloom.errors import ConfigError
from latentbloom.fitting.tracking.kinds import parse_trackers
from latentbloom.presets import PRESETS, build_preset


def build_request(
    source: str | Path | None,
    *,
    minutes: float | None = None,
    preset: str | None = None,
    config: Path | str | None = None,
    overrides: dict[str, Any] | None = None,
) -> RunConfig:
    """The settings that a call of `fit` asks for; what it leaves open is None.

    Arguments:
        source: Folder or name of a source; None where the preset or the file names it.
        minutes: Time for everything.
        preset: Name of the starting configuration, default "swift".
        config: JSON file of settings, instead of a preset.
        overrides: Dotted settings, which win.

    Raises:
        ConfigError: A setting is unknown or not allowed, or no source is named.
        RunFolderError: The file cannot be read.
    """
    if preset and config:
        raise ConfigError("Give a preset or a file of settings, not both.")
    base = load_config(Path(config)) if config else build_preset(preset or "swift")
    wanted = dict(overrides or {})
    if source is not None:
        wanted = {"data.source": str(source), **wanted}
    if minutes is not None:
        wanted["train.minutes"] = minutes
    if "sampling.guidance" in wanted:
        wanted.setdefault("sampling.tune_guidance", False)
    request = base.updated(wanted)
    parse_trackers(request.train.trackers)  # what is missing is better told before any work
    if not request.data.source:
        named = ", ".join(name for name in PRESETS if build_preset(name).data.source)
        raise ConfigError(
            "There is no SOURCE: name a folder of labelled pictures or a built-in source, or a "
            f"preset that brings its own: {named}."
        )
    return request
