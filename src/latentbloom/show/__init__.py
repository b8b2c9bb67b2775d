"""Pictures that explain a model, and the report that shows them.

Everything here is drawn from files of a run folder, or from a loaded model and pictures;
nothing reaches into a trainer.
"""
