"""Files that others may have made are data: what is wrong is refused by name, in one sentence."""

from __future__ import annotations

import json
import os
import pickle
import struct
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from latentbloom.cli.main import main
from latentbloom.errors import CheckpointError, ConfigError, LatentbloomError
from latentbloom.foreign.bounds import ForeignError
from latentbloom.foreign.json_files import MOST_DEPTH, parse_json, read_json
from latentbloom.foreign.tensor_files import read_header
from latentbloom.latents.cache import LatentCache
from latentbloom.model.autoencoder import load_autoencoder
from latentbloom.model.generator import load
from latentbloom.nn.efficientnet import read_weights
from latentbloom.report.card import card_text
from latentbloom.report.page import render
from latentbloom.report.run_files import RunFiles
from latentbloom.runs.checkpoint import load_checkpoint, save_checkpoint
from latentbloom.runs.checkpoint_files import describe_file
from shown_run import coloured_pictures, untrained_run

PWNED = "pwned"


class Evil:
    """Its pickle makes a file when it is opened by a loader that runs code."""

    def __reduce__(self) -> tuple[Callable[..., object], tuple[str, int]]:
        return os.mkdir, (PWNED, 0o755)


def header(tensors: dict[str, Any], data: bytes, *, length: int | None = None) -> bytes:
    text = json.dumps(tensors).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def tensor(begin: int, end: int, shape: list[Any], dtype: str = "F32") -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


FILES: dict[str, tuple[bytes, str]] = {
    "a pickle": (pickle.dumps(Evil()), "is a pickle, not a safetensors file"),
    "a zip of torch.save": (b"PK\x03\x04" + bytes(60), "is a zip archive, as torch.save writes"),
    "a header of 2^60 bytes": (header({}, b"", length=2**60), "announces a header of 1,152,921,5"),
    "nothing": (b"", "is cut short or is no safetensors file"),
    "a header that is no JSON": (struct.pack("<Q", 3) + b"{{{", "its header is cut short or is no"),
    "a header that is a list": (struct.pack("<Q", 2) + b"[]", "its header is no JSON object"),
    "tensors that overlap": (
        header({"a": tensor(0, 8, [2]), "b": tensor(4, 12, [2])}, bytes(12)),
        "has tensors that overlap: 'a' and 'b'",
    ),
    "a hole": (
        header({"a": tensor(0, 4, [1]), "b": tensor(8, 12, [1])}, bytes(12)),
        "has bytes that belong to no tensor, before 'b'",
    ),
    "a shape that is too large": (
        header({"a": tensor(0, 8, [1 << 40, 1 << 20])}, bytes(8)),
        "shape [1099511627776, 1048576] does not match its 8 bytes",
    ),
    "tensors beyond the end": (
        header({"a": tensor(0, 4096, [1024])}, bytes(8)),
        "its tensors end at byte 4,096 and it holds 8",
    ),
    "bytes beyond the tensors": (
        header({"a": tensor(0, 8, [2])}, bytes(12)),
        "its tensors end at byte 8 and it holds 12",
    ),
    "a negative size": (header({"a": tensor(0, 8, [-2])}, bytes(8)), "unknown type or shape"),
    "a size that is no number": (header({"a": tensor(0, 4, [True])}, bytes(4)), "type or shape"),
    "an unknown type": (header({"a": tensor(0, 4, [1], "PY")}, bytes(4)), "type or shape"),
    "a hundred dimensions": (header({"a": tensor(0, 4, [1] * 100)}, bytes(4)), "type or shape"),
    "an entry that is a word": (header({"a": "b"}, b""), "does not say what its tensor 'a' is"),
    "a deep header": (
        struct.pack("<Q", 2000) + b"[" * 1000 + b"]" * 1000,
        "nested more than 48 levels deep",
    ),
}


@pytest.mark.parametrize("case", FILES)
def test_a_file_of_tensors_is_checked_before_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    """The manifest is right about its size and hash: whoever made the file made that, too."""
    monkeypatch.chdir(tmp_path)
    content, expected = FILES[case]
    place = tmp_path / "vae_gan_final"
    save_checkpoint(place, {"model": {"w": torch.ones(2)}}, {})
    file = place / "model.safetensors"
    file.write_bytes(content)
    head = json.loads((place / "meta.json").read_text())
    head["files"][file.name] = describe_file(file)
    (place / "meta.json").write_text(json.dumps(head))

    with pytest.raises(ForeignError) as refused:
        read_header(file, folder=place)
    with pytest.raises(CheckpointError) as error:
        load_checkpoint(place)

    assert expected in str(refused.value)
    assert expected in str(error.value)
    assert f"{place}: model.safetensors " in str(error.value)
    assert not (tmp_path / PWNED).exists()


def test_what_safetensors_writes_is_read(tmp_path: Path) -> None:
    tensors = {
        "f": torch.ones(2, 3),
        "half": torch.ones(5, dtype=torch.bfloat16),
        "none": torch.zeros(0, 4),
        "one": torch.tensor(3),
        "yes": torch.ones(3, dtype=torch.bool),
    }
    save_file(tensors, tmp_path / "a.safetensors", metadata={"made": "here"})

    found = read_header(tmp_path / "a.safetensors", folder=tmp_path)

    assert found == {name: tuple(value.shape) for name, value in tensors.items()}


@pytest.mark.parametrize(
    "name", ["../model.safetensors", "..", "/etc/passwd", "a/b.safetensors", "C:x.safetensors", ""]
)
def test_a_manifest_names_only_files_in_its_folder(tmp_path: Path, name: str) -> None:
    place = tmp_path / "c"
    save_checkpoint(place, {"model": {"w": torch.ones(2)}}, {})
    head = json.loads((place / "meta.json").read_text())
    head["files"] = {name: head["files"]["model.safetensors"]}
    (place / "meta.json").write_text(json.dumps(head))

    with pytest.raises(CheckpointError, match="which is no file directly in its folder") as error:
        load_checkpoint(place)
    assert repr(name) in str(error.value)


@pytest.mark.skipif(sys.platform == "win32", reason="making links needs rights there")
@pytest.mark.parametrize("name", ["model.safetensors", "meta.json"])
def test_a_link_out_of_the_folder_is_not_followed(tmp_path: Path, name: str) -> None:
    place = tmp_path / "c"
    save_checkpoint(place, {"model": {"w": torch.ones(2)}}, {})
    (place / name).rename(tmp_path / "outside")
    (place / name).symlink_to(tmp_path / "outside")

    with pytest.raises(CheckpointError, match="is a link that leads out of"):
        load_checkpoint(place)


TEXTS: dict[str, tuple[str, str]] = {
    "a thousand levels": ("[" * 1000 + "]" * 1000, "is nested more than 48 levels deep"),
    "a hundred thousand levels": ('{"a":' * 100_000, "is nested more than 48 levels deep"),
    "a huge number": ('{"a": ' + "9" * 5000 + "}", "holds a number of 5,000 digits"),
    "a huge exponent": ('{"a": 1e999}', "holds 1e999, which is too large a number"),
    "NaN": ('{"a": NaN}', "holds NaN, which is no JSON number"),
    "infinity": ('{"a": -Infinity}', "holds -Infinity, which is no JSON number"),
    "a cut text": ('{"a": ', "is cut short or is no JSON"),
}


@pytest.mark.parametrize("case", TEXTS)
def test_json_is_bounded(tmp_path: Path, case: str) -> None:
    text, expected = TEXTS[case]
    file = tmp_path / "config.json"
    file.write_text(text)

    with pytest.raises(ForeignError) as refused:
        read_json(file, folder=tmp_path)
    with pytest.raises(LatentbloomError) as error:
        load(tmp_path)

    assert expected in str(refused.value)
    assert f"its config.json {expected}" in str(error.value)


def test_bytes_are_bounded(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps(["x" * 100]))
    with pytest.raises(ForeignError, match="has 104 bytes, and at most 50 are read"):
        read_json(tmp_path / "a.json", folder=tmp_path, most_bytes=50)
    (tmp_path / "b.json").write_bytes(b"\xff{}")
    with pytest.raises(ForeignError, match="is no UTF-8 text"):
        read_json(tmp_path / "b.json", folder=tmp_path)


@settings(max_examples=40)
@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers(-(2**80), 2**80)
        | st.text()
        | st.floats(allow_nan=False, allow_infinity=False),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_what_json_writes_is_read(tree: Any) -> None:
    assert parse_json(json.dumps(tree)) == tree


@settings(max_examples=30)
@given(st.integers(1, 3 * MOST_DEPTH))
def test_the_depth_is_counted(depth: int) -> None:
    text = "[" * depth + "]" * depth
    if depth <= MOST_DEPTH + 1:
        parse_json(text)
    else:
        with pytest.raises(ForeignError, match="nested"):
            parse_json(text)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    (tmp_path / "pictures").mkdir()
    return untrained_run(tmp_path / "run", coloured_pictures(tmp_path / "pictures"))


def edit_meta(place: Path, change: Callable[[dict[str, Any]], object]) -> None:
    head = json.loads((place / "meta.json").read_text())
    change(head["meta"])
    (place / "meta.json").write_text(json.dumps(head))


def test_a_description_of_an_enormous_network_asks_for_no_memory(run: Path) -> None:
    """Built as described, these would take tens of gigabytes."""
    wide = {"width": 4096, "depth": 16}
    edit_meta(run / "conditional_diffusion_final", lambda meta: meta["config"].update(wide))
    with pytest.raises(CheckpointError, match="does not fit its own meta.json: .* tensors differ"):
        load(run)
    edit_meta(run / "vae_gan_final", lambda meta: meta["config"].update(width=4096, blocks=8))
    with pytest.raises(CheckpointError, match="does not fit its own meta.json: .* tensors differ"):
        load_autoencoder(run / "vae_gan_final")


def many_values(meta: dict[str, Any]) -> None:
    meta["spec"][0]["values"] = [str(k) for k in range(100_000)]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda meta: meta["config"].update(width=10**9), "in its meta.json, config.width is"),
        (lambda meta: meta["config"].update(colour=1), "in its meta.json, config.colour is"),
        (lambda meta: meta.pop("config"), "its meta.json has no 'config'"),
        (lambda meta: meta.update(spec=7), "its meta.json has no readable 'spec'"),
        (lambda meta: meta["spec"][0].update(values=[1, 2]), "has no readable 'spec'"),
        (many_values, "tensors differ"),
    ],
)
def test_a_description_that_makes_no_sense_is_named(
    run: Path, change: Callable[[dict[str, Any]], object], expected: str
) -> None:
    edit_meta(run / "conditional_diffusion_final", change)
    with pytest.raises(CheckpointError) as error:
        load(run)
    assert expected in str(error.value)


@pytest.mark.parametrize(
    "manifest",
    [
        {"count": -1, "mirrored": True, "shape": [4, 8, 8], "autoencoder": "", "images": ""},
        {"count": 10, "mirrored": True, "shape": ["a"], "autoencoder": "", "images": ""},
        {"count": 10**18, "mirrored": True, "shape": [4, 8, 8], "autoencoder": "", "images": ""},
        {"count": 10, "mirrored": True, "shape": [4, 8, 8]},
        [],
    ],
)
def test_latents_are_what_their_manifest_says(tmp_path: Path, manifest: Any) -> None:
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    np.save(tmp_path / "labels.npy", np.zeros((10, 1), int))
    with pytest.raises(LatentbloomError, match=str(tmp_path)):
        LatentCache(tmp_path)


def test_a_foreign_run_folder_gets_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "config.json").write_text("[" * 5000)
    for command in (["sample", str(tmp_path)], ["evaluate", str(tmp_path)]):
        assert main(command) == 1
        said = capsys.readouterr().err
        assert "its config.json is nested more than 48 levels deep" in said
        assert "Traceback" not in said


def test_labels_are_text_in_the_report(tmp_path: Path) -> None:
    evil = '</script><img src=x onerror="alert(1)">'
    counts = [{"factor": evil, "value": evil, "train": 1, "val": 1}]
    audit = {"counts": counts, "train": 1, "val": 1, "notes": [evil], "advice": [evil]}
    config = {"data": {"source": evil}, evil: {evil: evil}}
    run = RunFiles(tmp_path, config, audit, scores={"pictures": {"notes": [evil]}})
    page = render(run)
    assert "<img src=x" not in page
    assert "<img src=x" not in card_text(run).split("## Files")[0]
    assert "&lt;img src=x" in page


def test_weights_of_a_package_are_known_by_their_hash(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "weights.pth"
    torch.save({"w": torch.ones(2)}, path)
    known = describe_file(path)["sha256"]
    assert torch.equal(read_weights(path, known)["w"], torch.ones(2))
    with pytest.raises(ConfigError, match="is not the file of weights that this version knows"):
        read_weights(path, "0" * 64)
    path.write_bytes(pickle.dumps(Evil(), protocol=2))
    with pytest.raises(pickle.UnpicklingError):  # even where the hash is right
        read_weights(path, describe_file(path)["sha256"])
    assert not (tmp_path / PWNED).exists()
