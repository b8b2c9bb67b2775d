"""Layouts of labelled pictures that other programs write."""
