"""Whatever is typed behind `latentbloom`, it ends with 0, 1 or 2 and a sentence, no traceback."""

from __future__ import annotations

import io
import json
import os
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from latentbloom.cli.main import COMMANDS, main
from latentbloom.cli.options.settings import iter_settings

OPTIONS = [f"--{setting.name}" for setting in iter_settings()]
SHORT = ["--out", "--from", "--preset", "--config", "--minutes", "--images-1", "--root", "-n"]
SHORT += ["--factors", "--splits", "--cond", "--sampler", "--seed", "--size", "--fit", "--json"]
VALUES = st.one_of(
    st.sampled_from(["", "-1", "0", "1", "1e999", "nan", "none", "true", "[]", "{}", "a=b", "/"]),
    st.integers(-(10**20), 10**20).map(str),
    st.floats().map(str),
    st.text(max_size=12).filter(lambda text: "\0" not in text and not text.startswith("-")),
)
# What trains, serves or publishes is called on a folder that is not there.
COMMAND = st.sampled_from(sorted(COMMANDS))


def call(*words: str) -> tuple[int, str]:
    """Exit code and messages of a command line."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        try:
            code = main(list(words))
        except SystemExit as end:
            code = int(end.code or 0)
    return code, err.getvalue()


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(command=COMMAND, words=st.lists(st.tuples(st.sampled_from(OPTIONS + SHORT), VALUES)))
def test_any_words(
    tmp_path_factory: pytest.TempPathFactory, command: str, words: list[tuple[str, str]]
) -> None:
    given = [word for option, value in words for word in (option, value)]
    code, said = call(command, str(tmp_path_factory.getbasetemp() / "nowhere"), *given)
    assert code in ((0, 1, 2) if command == "presets" else (1, 2)), (code, said)
    assert said.strip()
    assert "Traceback" not in said


def _labels(folder: Path, text: str | bytes, name: str = "labels.csv") -> None:
    content = text.encode() if isinstance(text, str) else text
    (folder / name).write_bytes(content)


CORPUS = {
    "empty": "",
    "only a header": "file,label\n",
    "no such files": "file,label\nx.png,a\ny.png,b\n",
    "no label": "file\n0.png\n1.png\n",
    "one value": "file,label\n" + "".join(f"{k}.png,a\n" for k in range(4)),
    "binary": bytes(range(256)) * 20,
    "nul bytes": "file,label\n0.png,\0a\n1.png,b\n",
    "utf-16": "file,label\n0.png,a\n1.png,b\n".encode("utf-16"),
    "an open quote": 'file,label\n"0.png,a\n1.png,b\n',
    "too many cells": "file,label\n0.png,a,b,c,d\n1.png\n",
    "the same picture twice": "file,label\n0.png,a\n0.png,b\n1.png,a\n",
    "a path out of the folder": "file,label\n../../etc/passwd,a\n/etc/passwd,b\n",
    "a table of one enormous cell": "file,label\n0.png," + "a" * 200_000 + "\n1.png,b\n",
    "html": "<!doctype html><html><body>404</body></html>",
    "json called csv": json.dumps([{"file": "0.png", "label": "a"}]),
    "a formula": "file,label\n0.png,=cmd|' /C calc'!A0\n1.png,b\n",
}
PICTURES = {
    "zero bytes": b"",
    "html": b"<!doctype html><html></html>",
    "a cut png": b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x20\0\0\0\x20\x08\x02",
    "a picture of 2^31 pixels": (
        b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\x7f\xff\xff\xff\x7f\xff\xff\xff\x08\x02\0\0\0\xd1\x9b\x8d\x8f"
    ),
    "a cut jpeg": b"\xff\xd8\xff\xe0\0\x10JFIF\0\x01\x01\0\0\x01",
    "a pickle": b"\x80\x04\x95\x0b\0\0\0\0\0\0\0\x8c\x07example\x94.",
    "a zip": b"PK\x03\x04" + bytes(40),
}


def _pictures(folder: Path, count: int = 10) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for k in range(count):
        Image.new("RGB", (32, 32), (20 * k, 90, 250 - 20 * k)).save(folder / f"{k}.png")


@pytest.mark.parametrize("name", CORPUS)
def test_a_bad_table_of_labels(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "pictures"
    _pictures(folder)
    _labels(folder, CORPUS[name])
    code, said = call("audit", str(folder))
    assert code in (0, 1)
    assert "Traceback" not in said
    assert code == 0 or said.startswith("latentbloom: "), said


@pytest.mark.parametrize("name", PICTURES)
def test_bad_pictures_beside_good_ones_and_alone(tmp_path: Path, name: str) -> None:
    for label in ("a", "b"):
        _pictures(tmp_path / "some" / label)
        (tmp_path / "some" / label / "bad.png").write_bytes(PICTURES[name])
        (tmp_path / "all" / label).mkdir(parents=True)
        for k in range(4):
            (tmp_path / "all" / label / f"{k}.png").write_bytes(PICTURES[name] + bytes([k]))
    os.symlink(tmp_path / "some", tmp_path / "some" / "a" / "loop")
    code, said = call("audit", str(tmp_path / "some"))
    assert (code, "Traceback" in said) == (0, False), said
    code, said = call("audit", str(tmp_path / "all"))
    assert code == 1
    assert said.startswith("latentbloom: ")
    assert "Traceback" not in said
