"""How quickly the page answers, and whether it stays so with several users.

    python -m bench.app RUN [--users 4] [--seconds 300] [--json FILE]

A server of its own is started. Times are what a user on the same machine waits, after the model is
loaded. Each of the users has seeds of its own, and every picture is compared with that of
`model.sample`.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import httpx2
import psutil
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

EACH = 4
SEEDS = 5
REPEATS = 5


@dataclass
class Load:
    """What several users saw.

    Attributes:
        users: How many.
        seconds: For how long.
        requests: How many were answered.
        errors: What went wrong, in words.
        mixed_up: Pictures that are not the ones that were asked for.
        median_seconds: Of a request, waiting included.
        slowest_seconds: The longest.
        memory_mb: Resident memory of the server, every tenth of the time.
    """

    users: int
    seconds: float
    requests: int = 0
    errors: list[str] = field(default_factory=list)
    mixed_up: int = 0
    median_seconds: float = 0.0
    slowest_seconds: float = 0.0
    memory_mb: list[float] = field(default_factory=list)


@dataclass
class Waits:
    """Seconds that one user waits: medians of several tries."""

    start: float
    page: float
    first_preview: float
    draft_8: float
    decode: float


class Server:
    """`latentbloom app` in a process of its own."""

    def __init__(self, run: Path) -> None:
        self.run = run
        words = [sys.executable, "-m", "latentbloom", "app", str(run), "--port", "0"]
        began = time.perf_counter()
        self.process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        found = re.search(r"http://\S+?(?=/ )", line)
        if found is None:
            raise SystemExit(f"The server did not start: {line}")
        self.address = found[0]
        self.start_seconds = time.perf_counter() - began

    @property
    def api(self) -> str:
        return f"{self.address}/api/runs/{httpx2.get(f'{self.address}/api/runs').json()[0]['name']}"

    def memory_mb(self) -> float:
        return psutil.Process(self.process.pid).memory_info().rss / 2**20

    def close(self) -> None:
        self.process.terminate()
        self.process.wait(20)


def events_of(web: httpx2.Client, url: str, body: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Events of a stream, by name."""
    with web.stream("POST", url, json=body) as answer:
        name = ""
        for line in answer.iter_lines():
            if line.startswith("event: "):
                name = line.removeprefix("event: ")
            elif line.startswith("data: "):
                yield name, json.loads(line.removeprefix("data: "))


def last_event(web: httpx2.Client, url: str, body: dict[str, Any]) -> tuple[str, Any]:
    """The event that ends a stream; "error" where there is none."""
    try:
        return list(events_of(web, url, body))[-1]
    except httpx2.HTTPError as error:
        return "error", repr(error)


def measure_waits(server: Server) -> Waits:
    """The page and its files, the first preview, 8 draft pictures, a place of the map."""
    with httpx2.Client(timeout=600) as web:
        page = [_page_seconds(web, server.address) for _ in range(REPEATS)]
        url = f"{server.api}/generate/stream"
        first, whole = [], []
        for k in range(REPEATS + 1):
            began, seen = time.perf_counter(), None
            body = {"count": 8, "quality": "draft", "seed": k}
            for name, _ in events_of(web, url, body):
                if name == "preview" and seen is None:
                    seen = time.perf_counter() - began
            first.append(seen or float("nan"))
            whole.append(time.perf_counter() - began)
        web.get(f"{server.api}/map")
        decode = [_seconds(web, f"{server.api}/decode", {"place": {"point": k}}) for k in range(9)]
    return Waits(
        server.start_seconds, page[0], median(first[1:]), median(whole[1:]), median(decode[1:])
    )


def _page_seconds(web: httpx2.Client, address: str) -> float:
    """The page and everything it names, one after the other."""
    began = time.perf_counter()
    text = web.get(address).text
    for path in re.findall(r'(?:src|href)="(/static/[^"]+)"', text):
        content = web.get(address + path).text
        if path.endswith("main.js"):
            for module in re.findall(r'from "\./([\w.]+)"', content):
                web.get(f"{address}/static/js/{module}")
    web.get(f"{address}/api/runs")
    return time.perf_counter() - began


def _seconds(web: httpx2.Client, url: str, body: dict[str, Any]) -> float:
    began = time.perf_counter()
    assert web.post(url, json=body).status_code == 200
    return time.perf_counter() - began


def expected_pictures(run: Path, users: int, steps: int) -> dict[int, list[str]]:
    """Digests of the pixels that each seed's pictures must have."""
    from latentbloom.model.generator import load

    model = load(run)
    return {
        seed: [
            hashlib.sha256(record.image.tobytes()).hexdigest()
            for record in model.sample(n=EACH, seed=seed, num_steps=steps)
        ]
        for seed in range(users * SEEDS)
    }


def put_under_load(server: Server, users: int, seconds: float) -> Load:
    """All users ask without a pause."""
    steps = 4
    expected = expected_pictures(server.run, users, steps)
    load, times, end = Load(users, seconds), [], time.monotonic() + seconds
    url, lock = f"{server.api}/generate/stream", threading.Lock()

    def use(user: int) -> None:
        cookie = {"Cookie": f"latentbloom_session=user-{user}"}
        count = 0
        with httpx2.Client(headers=cookie, timeout=600) as web:
            while time.monotonic() < end:
                seed = user * SEEDS + count % SEEDS
                count += 1
                began = time.perf_counter()
                body = {"count": EACH, "seed": seed, "num_steps": steps}
                name, data = last_event(web, url, body)
                with lock:
                    times.append(time.perf_counter() - began)
                    load.requests += 1
                    if name != "done":
                        load.errors.append(f"user {user}: {name} {data}")
                        continue
                    got = [digest_of(one["picture"]) for one in data["pictures"]]
                    pairs = zip(got, expected[seed], strict=True)
                    load.mixed_up += sum(a != b for a, b in pairs)

    threads = [threading.Thread(target=use, args=(user,)) for user in range(users)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        load.memory_mb.append(round(server.memory_mb(), 1))
        time.sleep(seconds / 10)
    load.median_seconds, load.slowest_seconds = median(times), max(times)
    return load


def digest_of(address: str) -> str:
    """SHA-256 of the pixels of a data: address."""
    import base64
    import io

    import numpy as np
    from PIL import Image

    picture = Image.open(io.BytesIO(base64.b64decode(address.partition(",")[2])))
    pixels = np.asarray(picture)
    return hashlib.sha256(np.ascontiguousarray(pixels).tobytes()).hexdigest()


def table_of(waits: Waits, load: Load) -> Table:
    """What was measured, beside what it should be."""
    table = Table(title="The page", box=SIMPLE, pad_edge=False)
    for name in ("what", "measured", "aim"):
        table.add_column(name)
    rows = [
        ("command to first answer", f"{waits.start:.2f} s", ""),
        ("page and all its files", f"{waits.page:.2f} s", "below 2 s"),
        ("first preview of 8 draft pictures", f"{waits.first_preview:.2f} s", "below 1 s"),
        ("8 draft pictures", f"{waits.draft_8:.2f} s", "below 3 s"),
        ("a place of the map", f"{waits.decode:.2f} s", ""),
        (f"{load.users} users at once for {load.seconds:g} s: requests", f"{load.requests}", ""),
        ("errors", f"{len(load.errors)}", "0"),
        ("pictures of somebody else", f"{load.mixed_up}", "0"),
        ("median, slowest", f"{load.median_seconds:.2f} s, {load.slowest_seconds:.2f} s", ""),
        ("memory of the server", ", ".join(f"{mb:.0f}" for mb in load.memory_mb) + " MB", "flat"),
    ]
    for row in rows:
        table.add_row(*row)
    return table


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("run", type=Path)
    parser.add_argument("--users", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=300.0)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    server = Server(args.run)
    try:
        waits = measure_waits(server)
        load = put_under_load(server, args.users, args.seconds)
    finally:
        server.close()
    if args.json:
        args.json.write_text(json.dumps({"waits": asdict(waits), "load": asdict(load)}, indent=2))
    Console().print(table_of(waits, load))


if __name__ == "__main__":
    main()
