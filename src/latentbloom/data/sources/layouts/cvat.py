"""CVAT's tags of pictures: the XML that "CVAT for images" exports."""

from __future__ import annotations

from pathlib import Path
from xml.etree.ElementTree import Element, ParseError

from latentbloom.data.sources.folders.split_folders import split_word
from latentbloom.data.sources.labels.names import factor_name
from latentbloom.data.sources.layouts.label_rows import Labelled, to_table
from latentbloom.data.sources.tables.find_table import FoundTable
from latentbloom.data.sources.tables.table_file import FILE, SPLIT, Table
from latentbloom.errors import SourceError
from latentbloom.storage.user_files import open_file, reason
from latentbloom.words import plural

MOST_BYTES = 1 << 30
_HEAD = 4096
_SHAPES = ("box", "polygon", "polyline", "points", "cuboid", "ellipse", "mask", "skeleton")


def found_cvat(path: Path) -> FoundTable | None:
    """An XML whose root is <annotations>; None if it is another one."""
    try:
        with open_file(path) as file:
            head = file.read(_HEAD)
    except OSError:
        return None
    if b"<annotations" not in head:
        return None
    return FoundTable(
        path,
        layout=f"CVAT's tags, because the root of {path.name} is <annotations>",
        read=lambda: _read(path),
    )


def _read(path: Path) -> Table:
    from defusedxml.common import DefusedXmlException
    from defusedxml.ElementTree import iterparse

    rows: list[Labelled] = []
    shapes = 0
    try:
        with open_file(path) as file:
            if file.seek(0, 2) > MOST_BYTES:
                raise SourceError(f"{path} has more than {MOST_BYTES:,} bytes and is not read.")
            file.seek(0)
            for _, element in iterparse(file, forbid_dtd=True):
                if element.tag == "image":
                    rows.append(_image(element, len(rows) + 1, path))
                    shapes += sum(child.tag in _SHAPES for child in element)
                    element.clear()
    except DefusedXmlException as error:
        raise SourceError(
            f"{path} declares a document type or entities, which CVAT never does and which can be "
            "misused. It is not read."
        ) from error
    except ParseError as error:
        raise SourceError(f"{path} is cut short or is no XML ({error}).") from error
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {reason(error)}.") from error
    if rows and not any(row.labels for row in rows):
        raise SourceError(
            f"{path} names {plural(len(rows), 'picture')}, but no tags of pictures (<tag>); it "
            f"has {plural(shapes, 'shape')}. In CVAT, add the label to the picture as a tag."
        )
    return to_table(path, rows)


def _image(element: Element, place: int, path: Path) -> Labelled:
    name = element.get("name", "")
    if not name:
        raise SourceError(f"{path}: picture {place} has no name.")
    subset = split_word(element.get("subset", "")) or ""
    tags = [child for child in element if child.tag == "tag"]
    cells = {
        _safe(inner.get("name", "")): (inner.text or "").strip()
        for tag in tags
        for inner in tag
        if inner.tag == "attribute"
    }
    labels = dict.fromkeys(label for tag in tags if (label := tag.get("label", "")))
    folder = element.get("subset", "")
    also = (f"images/{name}", f"{folder}/{name}", f"images/{folder}/{name}")
    return Labelled(name, place, cells, list(labels), subset, also)


def _safe(name: str) -> str:
    name = factor_name(name)
    return f"{name}_" if name in (FILE, SPLIT) else name
