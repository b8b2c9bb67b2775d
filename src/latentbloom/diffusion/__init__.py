"""The mathematics of diffusion: schedules, conversions, objective, guidance, sampling.

Pixels and latents are treated alike.
docs/reference/notation.md lists the symbols and the conventions.
"""

from latentbloom.diffusion.analogy import GuidanceByAnalogy
from latentbloom.diffusion.classifier_free import ClassifierFreeGuidance
from latentbloom.diffusion.denoiser import Denoiser, X0Denoiser
from latentbloom.diffusion.guidance import GuidanceInterval, guide
from latentbloom.diffusion.noise import generators_for, noise_for
from latentbloom.diffusion.objective import diffusion_loss, drop_conditions, sample_times
from latentbloom.diffusion.sampling import State, sample, sample_states
from latentbloom.diffusion.schedule import SCHEDULES, Schedule, make_schedule
from latentbloom.diffusion.solvers import SAMPLERS, describe_samplers

__all__ = [
    "SAMPLERS",
    "SCHEDULES",
    "ClassifierFreeGuidance",
    "Denoiser",
    "GuidanceByAnalogy",
    "GuidanceInterval",
    "Schedule",
    "State",
    "X0Denoiser",
    "describe_samplers",
    "diffusion_loss",
    "drop_conditions",
    "generators_for",
    "guide",
    "make_schedule",
    "noise_for",
    "sample",
    "sample_states",
    "sample_times",
]
