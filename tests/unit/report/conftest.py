"""A tiny model, a few pictures on disk, and a run folder."""

from drawn_run import drawn, model, not_drawn, pictures, run, splits

__all__ = ["drawn", "model", "not_drawn", "pictures", "run", "splits"]
