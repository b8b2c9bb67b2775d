"""onnxruntime-web, which runs the networks in a browser: fetched once by npm, then cached."""

from __future__ import annotations

import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from latentbloom.errors import ConfigError
from latentbloom.storage.files import cache_folder, write_atomic

VERSION = "1.30.0"
SCRIPT = "ort.wasm.bundle.min.mjs"
WASM = "ort-wasm-simd-threaded.wasm"
SECONDS = 300


@dataclass(frozen=True)
class Runtime:
    """The two files of onnxruntime-web that a page needs.

    Attributes:
        script: JavaScript module.
        wasm: WebAssembly.
    """

    script: bytes
    wasm: bytes


def find_runtime(say: Callable[[str], None]) -> Runtime:
    """onnxruntime-web from the cache folder, or from npm's registry.

    Arguments:
        say: Called before anything is fetched.

    Raises:
        ConfigError: npm is missing, or it cannot fetch the package.
    """
    place = cache_folder() / f"onnxruntime-web-{VERSION}"
    if not all((place / name).is_file() for name in (SCRIPT, WASM)):
        say(f"Fetching onnxruntime-web {VERSION} with npm (33 MB, once)")
        _fetch(place)
    return Runtime((place / SCRIPT).read_bytes(), (place / WASM).read_bytes())


def _fetch(place: Path) -> None:
    npm = shutil.which("npm")
    package = f"onnxruntime-web@{VERSION}"
    by_hand = (
        f"Or run `npm pack {package}` elsewhere, and put package/dist/{SCRIPT} and "
        f"package/dist/{WASM} of the archive into {place}."
    )
    if npm is None:
        raise ConfigError(
            f"A web page needs {package}, and npm, which fetches it, is not installed. Install "
            f"Node.js. {by_hand}"
        )
    with tempfile.TemporaryDirectory() as folder:
        try:
            subprocess.run(  # noqa: S603 - npm and a package that this file names
                [npm, "pack", package, "--pack-destination", folder, "--silent"],
                check=True,
                capture_output=True,
                text=True,
                timeout=SECONDS,
            )
        except (OSError, subprocess.SubprocessError) as error:
            lines = (getattr(error, "stderr", "") or str(error)).strip().splitlines()
            raise ConfigError(
                f"npm could not fetch {package}: {lines[-1] if lines else error}. Check the "
                f"network, and try again. {by_hand}"
            ) from None
        archive = next(Path(folder).glob("*.tgz"))
        with tarfile.open(archive) as files:
            for name in (SCRIPT, WASM):
                member = files.extractfile(f"package/dist/{name}")
                assert member is not None
                write_atomic(place / name, member.read())
