"""Editing over HTTP: uploads and held-out pictures."""

from __future__ import annotations

import io
import struct
import tempfile
import zlib
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import pytest
from PIL import Image

from served import Served


def file_of(size: tuple[int, int] = (48, 40), mode: str = "RGB", kind: str = "PNG") -> bytes:
    rng = np.random.default_rng(0)
    picture = Image.fromarray(rng.integers(0, 255, (size[1], size[0], 3), np.uint8), "RGB")
    buffer = io.BytesIO()
    picture.convert(mode).save(buffer, format=kind)
    return buffer.getvalue()


def huge(side: int) -> bytes:
    """A PNG that says it has so many pixels, in a few bytes."""
    head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    content = b"\x89PNG\r\n\x1a\n"
    for kind, data in ((b"IHDR", head), (b"IDAT", b"")):
        content += struct.pack(">I", len(data)) + kind + data
        content += struct.pack(">I", zlib.crc32(kind + data))
    return content


def form(served: Served, path: str, content: bytes | None = None, **fields: Any) -> httpx2.Response:
    files = None if content is None else {"picture": ("mine.png", content)}
    return httpx2.post(served.api + path, data=fields, files=files, timeout=60)


def test_a_picture_is_shown_as_the_model_sees_it(served: Served) -> None:
    found = form(served, "/edit/fit", file_of()).json()
    assert "cropped to the central square" in found["note"]
    assert "to 32x32 pixels" in found["note"]
    assert set(found["source"]) == {"colour", "height"}
    assert all(0 <= p <= 1 for p in found["confidence"].values())


@pytest.mark.parametrize("kind", ["JPEG", "WEBP", "GIF", "BMP", "TIFF"])
def test_the_usual_formats_are_read(served: Served, kind: str) -> None:
    assert form(served, "/edit/fit", file_of(kind=kind)).status_code == 200


def test_a_grey_picture_is_taken_and_said(served: Served) -> None:
    found = form(served, "/edit/fit", file_of(mode="L")).json()
    assert "The picture is grey" in found["note"]


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"no picture", "no picture that can be read. Allowed: PNG, JPEG"),
        (b"", "no picture that can be read"),
        (file_of()[:200], "The picture cannot be read"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "no picture that can be read"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "no picture that can be read"),
        (huge(30_000), "far more than 50,000,000 pixels"),
        (huge(8_000), "8,000 × 8,000 pixels. The most that is allowed is 50,000,000"),
    ],
)
def test_what_is_no_picture_is_refused(served: Served, content: bytes, text: str) -> None:
    for path in ("/edit/fit", "/edit", "/edit/strip"):
        answer = form(served, path, content, to="colour=red")
        assert answer.status_code == 422
        assert text in answer.json()["detail"]


def test_an_upload_leaves_no_file(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    def names() -> set[str]:
        return {path.name for path in Path(tempfile.gettempdir()).glob("latentbloom-*")}

    before = names()
    form(served, "/edit", file_of((400, 300)), to="colour=red")
    form(served, "/edit", file_of()[:200], to="colour=red")
    assert names() == before


def test_an_edit_is_a_picture_of_the_models_size(served: Served) -> None:
    answer = form(served, "/edit", file_of(), to=["colour=red", "height=low"], strength=0.5)
    assert answer.headers["content-type"] == "image/png"
    assert Image.open(io.BytesIO(answer.content)).size == (32, 32)


def test_a_strip_starts_at_the_original_and_moves_away(served: Served) -> None:
    shown = form(served, "/edit/fit", held_out=2).json()["source"]["colour"]
    other = "red" if shown == "blue" else "blue"
    found = form(served, "/edit/strip", held_out=2, to=f"colour={other}").json()
    assert found["strengths"] == [0, 0.2, 0.4, 0.6, 0.8, 1]
    assert found["pictures"][0].partition(",")[2]
    assert len(set(found["pictures"])) == 6
    assert found["cond"]["colour"] == other
    some = form(served, "/edit/strip", held_out=2, to=f"colour={other}", strengths=[0.4]).json()
    assert len(some["pictures"]) == 1


@pytest.mark.parametrize("method", ["flowedit", "shift", "sdedit", "ddim"])
def test_every_method_is_reached(served: Served, method: str) -> None:
    assert form(served, "/edit", held_out=0, to="colour=red", method=method).status_code == 200


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"held_out": 0}, "to: Field required"),
        ({"held_out": 0, "to": "colour"}, "'colour' is not NAME=VALUE"),
        ({"held_out": 0, "to": "colour=green"}, "is no value of 'colour'"),
        ({"held_out": 0, "to": "colour=any"}, "Say what to change"),
        ({"to": "colour=red"}, "Send a picture, or the number of a held-out one"),
        ({"held_out": 24, "to": "colour=red"}, "picture is 24. It must be 23 or less."),
        ({"held_out": 0, "to": "colour=red", "strength": "2"}, "strength"),
        ({"held_out": 0, "to": "colour=red", "method": "magic"}, "method"),
    ],
)
def test_what_is_not_allowed_is_said(served: Served, fields: dict[str, Any], text: str) -> None:
    answer = form(served, "/edit", **fields)
    assert answer.status_code == 422
    assert text in answer.json()["detail"]


def test_held_out_pictures_come_in_pages(served: Served) -> None:
    first = served.get("/pictures?count=10").json()
    assert (first["total"], first["which"], len(first["pictures"])) == (24, "held-out", 10)
    last = served.get("/pictures?start=20&count=10").json()
    assert len(last["pictures"]) == len(last["words"]) == 4
    assert served.get("/pictures?start=99").json()["pictures"] == []
    assert served.get("/pictures?count=61").status_code == 422


def test_the_page_and_the_api_start_at_the_strength_of_the_model(served: Served) -> None:
    from latentbloom.model.editing.defaults import STRENGTH

    described = httpx2.get(served.address + "/openapi.json").json()["components"]["schemas"]
    defaults = {
        fields["strength"]["default"]
        for fields in (schema.get("properties", {}) for schema in described.values())
        if "strength" in fields and "default" in fields["strength"]
    }
    page = httpx2.get(served.address + "/").text
    assert defaults == {STRENGTH}
    assert f'name="strength" min="0" max="1" step="0.05" value="{STRENGTH}"' in page
