"""A small run as `fit` leaves it, and a server for it."""

from __future__ import annotations

import functools
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest
import uvicorn
from fastapi import FastAPI

from latentbloom.app.limits import Limits
from latentbloom.app.server import make_app
from latentbloom.runs.checkpoint import fingerprint, save_checkpoint
from shown_run import SIZE, coloured_pictures, make_audit, make_run, open_splits, untrained_model


def make_served_run(base: Path, name: str = "coloured") -> Path:
    """Untrained weights, but all files that the app reads."""
    pictures = base / f"{name}-pictures"
    pictures.mkdir()
    coloured_pictures(pictures)
    model = untrained_model(open_splits(pictures)["train"])
    run = make_run(base / name, model)
    config = model.config.updated(
        {"data.source": str(pictures), "data.size": SIZE, "data.channels": 3}
    )
    config.save(run / "config.json")
    make_audit(pictures, run)
    save_model(run, model)
    return run


def save_model(run: Path, model: Any) -> None:
    """Write both checkpoints of a run."""
    weights = model.autoencoder.state_dict()
    spec = model.spec.to_json()
    save_checkpoint(
        run / "vae_gan_final",
        {"model": weights},
        {
            "config": model.config.autoencoder.model_dump(),
            "spec": spec,
            "fingerprint": fingerprint(weights),
        },
    )
    save_checkpoint(
        run / "conditional_diffusion_final",
        {"model": model.denoiser.backbone.state_dict()},
        {
            "config": model.config.denoiser.model_dump(),
            "settings": model.config.diffusion.model_dump(),
            "spec": spec,
            "shape": list(model.autoencoder.latent_shape),
            "autoencoder": fingerprint(weights),
            "shown": None,
        },
    )


@dataclass(frozen=True)
class Served:
    """A server that answers.

    Attributes:
        address: Without a slash at its end.
        run: The folder of its first run.
        app: The app behind it.
    """

    address: str
    run: Path
    app: FastAPI

    @property
    def api(self) -> str:
        """The address of the run's API."""
        return f"{self.address}/api/runs/{self.run.name}"

    def post(self, path: str, body: Any = None, **more: Any) -> httpx2.Response:
        """POST to the run's API."""
        return httpx2.post(self.api + path, json=body, timeout=60, **more)

    def get(self, path: str, **more: Any) -> httpx2.Response:
        """GET from the run's API."""
        return httpx2.get(self.api + path, timeout=60, **more)


@contextmanager
def serving(*runs: Path, limits: Limits | None = None, **more: Any) -> Iterator[Served]:
    """Serve runs on a free port, in a thread."""
    app = make_app(runs, limits=limits, **more)
    sock = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        app, log_level="critical", access_log=False, timeout_graceful_shutdown=1
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([sock],), daemon=True)
    thread.start()
    end = time.monotonic() + 30
    while not server.started and time.monotonic() < end:
        time.sleep(0.02)
    assert server.started
    try:
        yield Served(f"http://127.0.0.1:{sock.getsockname()[1]}", runs[0], app)
    finally:
        server.should_exit = True
        thread.join(timeout=10)
        sock.close()


def events_of(response: httpx2.Response) -> Iterator[tuple[str, Any]]:
    """Server-sent events by name, as they arrive."""
    name = ""
    for line in response.iter_lines():
        if line.startswith("event: "):
            name = line.removeprefix("event: ")
        elif line.startswith("data: "):
            yield name, json.loads(line.removeprefix("data: "))
        elif not line:
            name = ""


@functools.cache
def _made(base: Path) -> Path:
    folder = base / "served"
    folder.mkdir(exist_ok=True)
    return make_served_run(folder)


@pytest.fixture(scope="session")
def served_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run folder; made once a session."""
    return _made(tmp_path_factory.getbasetemp())


@pytest.fixture(scope="session")
def served(served_run: Path) -> Iterator[Served]:
    """A server for it."""
    with serving(served_run) as found:
        yield found
