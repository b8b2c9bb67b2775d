"""Scores with error bars: how real pictures look, how they obey, and whether they are copies.

Everything here reads finished pictures or a finished model; nothing is trained that a generator
could learn from.
"""

FEW = 2048
"""Pictures below which a Fréchet distance says little on its own, and a note says so."""
