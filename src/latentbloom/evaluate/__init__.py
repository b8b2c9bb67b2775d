"""Scores with intervals: do samples look real, are they as asked, and are they copies?

This package reads finished pictures or a finished model. It trains classifiers that score, and
nothing that a generator learns from.
"""

FEW = 2048
"""With fewer pictures a Fréchet distance says little on its own, and a note says so."""
