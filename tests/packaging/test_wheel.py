"""The wheel: it is built, described well, holds every file, and runs where it is installed."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from importlib.metadata import version
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent.parent

pytestmark = pytest.mark.slow


def call(*words: str | Path, cwd: Path | None = None) -> str:
    """Run a program; returns what it printed."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    done = subprocess.run(
        [str(word) for word in words], capture_output=True, text=True, cwd=cwd, env=environment
    )
    assert done.returncode == 0, f"{words}: {done.stdout[-2000:]}{done.stderr[-2000:]}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("dist")
    call(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", out, ROOT)
    (found,) = out.glob("*.whl")
    return found


def test_its_description_is_fit_for_an_index(wheel: Path) -> None:
    assert "PASSED" in call(sys.executable, "-m", "twine", "check", "--strict", wheel)


def test_it_holds_every_file_of_the_package(wheel: Path) -> None:
    package = ROOT / "src" / "latentbloom"
    expected = {
        path.relative_to(package.parent).as_posix()
        for path in package.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if name.startswith("latentbloom/")}
    assert held == expected


def test_what_it_requires_is_what_the_tests_run_with(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (n for n in archive.namelist() if n.endswith(".dist-info/METADATA"))
        lines = archive.read(name).decode().splitlines()
    stated = [Requirement(line[15:]) for line in lines if line.startswith("Requires-Dist: ")]
    core = [one for one in stated if one.marker is None]
    assert {"torch", "diffusers", "shtab"} <= {canonicalize_name(one.name) for one in core}
    for one in core:
        assert one.specifier.contains(version(one.name), prereleases=True), str(one)


def test_it_runs_where_it_is_installed(wheel: Path, tmp_path: Path) -> None:
    place = tmp_path / "venv"
    venv.EnvBuilder(with_pip=False, symlinks=os.name != "nt").create(place)
    scripts = place / ("Scripts" if os.name == "nt" else "bin")
    python = scripts / "python"
    pip = (sys.executable, "-m", "pip", "--python", python)
    call(*pip, "install", "--quiet", "--no-deps", "--no-index", wheel)
    site = call(python, "-c", "import sysconfig; print(sysconfig.get_paths()['purelib'])").strip()
    # What it requires is read from where the tests run; the wheel itself comes first.
    Path(site, "others.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")

    where = call(python, "-c", "import latentbloom; print(latentbloom.__file__)", cwd=tmp_path)
    assert where.startswith(str(place))
    assert call(scripts / "latentbloom", "--version").startswith("latentbloom ")
    assert "--minutes" in call(scripts / "latentbloom", "demo", "--help")
    assert "rendered flowers" not in call(scripts / "latentbloom", "presets")
    audit = call(scripts / "latentbloom", "audit", "synthetic-flowers:64", cwd=tmp_path)
    assert "species" in audit
