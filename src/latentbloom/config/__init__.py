"""Settings: typed, frozen, and saved with every run.

A value of `None` means "choose it from the data and the machine"; the run folder's
`config.json` holds what was chosen.
"""

from latentbloom.config.checks import check_together
from latentbloom.config.data_settings import (
    LABEL_SETTINGS,
    SOURCE_SETTINGS,
    Background,
    DataSettings,
    SourceOptions,
)
from latentbloom.config.network_settings import AutoencoderConfig, DenoiserConfig
from latentbloom.config.run_config import RunConfig, load_config, parse_config, parse_settings
from latentbloom.config.settings_base import Settings
from latentbloom.config.stage_settings import (
    DecoderSettings,
    DiffusionSettings,
    PerceptualName,
    SamplingSettings,
    TrainSettings,
    VaeGanSettings,
)

__all__ = [
    "LABEL_SETTINGS",
    "SOURCE_SETTINGS",
    "AutoencoderConfig",
    "Background",
    "DataSettings",
    "DecoderSettings",
    "DenoiserConfig",
    "DiffusionSettings",
    "PerceptualName",
    "RunConfig",
    "SamplingSettings",
    "Settings",
    "SourceOptions",
    "TrainSettings",
    "VaeGanSettings",
    "check_together",
    "load_config",
    "parse_config",
    "parse_settings",
]
