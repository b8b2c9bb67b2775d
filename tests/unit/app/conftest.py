"""A server with a small run."""

from served import served, served_run

__all__ = ["served", "served_run"]
