"""Ways to change one condition of a latent and keep the rest."""

from latentbloom.diffusion.editing.contrast import ContrastGuidance
from latentbloom.diffusion.editing.flow_edit import flow_edit
from latentbloom.diffusion.editing.flow_ode import denoise_from, invert, noised, slerp

__all__ = ["ContrastGuidance", "denoise_from", "flow_edit", "invert", "noised", "slerp"]
