"""From settings to an autoencoder of one of the families."""

from __future__ import annotations

import torch

from latentbloom.conditions import ConditionSpec
from latentbloom.config import AutoencoderConfig
from latentbloom.nn.autoencoders.base import Autoencoder
from latentbloom.nn.autoencoders.classic import ClassicAutoencoder
from latentbloom.nn.autoencoders.pixel import PixelAutoencoder
from latentbloom.nn.autoencoders.swift import SwiftAutoencoder


def build_autoencoder(config: AutoencoderConfig, spec: ConditionSpec | None = None) -> Autoencoder:
    """A new autoencoder, laid out for fast convolutions.

    Arguments:
        config: Family and sizes.
        spec: The factors, for the families that learn classes beside latents.
    """
    model: Autoencoder
    if config.family == "classic":
        model = ClassicAutoencoder(config, spec)
    elif config.family == "pixel":
        model = PixelAutoencoder(config)
    else:
        model = SwiftAutoencoder(config)
    return model.to(memory_format=torch.channels_last)
