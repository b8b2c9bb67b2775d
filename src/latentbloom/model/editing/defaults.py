"""How far an edit goes where nothing is said. Nothing here loads PyTorch."""

STRENGTH = 0.8
"""In [0, 1]; docs/explanation/experiments.md says why."""

STRIP = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
"""Strengths of a strip."""
