"""How much one server does for one request, one user and all of them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Bounds of the server.

    Attributes:
        pictures: Pictures that one request generates at most.
        steps: Solver steps of one picture at most.
        seconds: Time that one request may compute.
        waiting: Requests that wait for the model at most.
        waiting_each: Of these, requests of one user at most.
        upload_bytes: Size of an uploaded file.
        upload_pixels: Width times height of an uploaded picture, checked before it is decoded.
        json_bytes: Size of every other request.
    """

    pictures: int = 64
    steps: int = 200
    seconds: float = 120.0
    waiting: int = 64
    waiting_each: int = 8
    upload_bytes: int = 10 << 20
    upload_pixels: int = 50_000_000
    json_bytes: int = 1 << 20
