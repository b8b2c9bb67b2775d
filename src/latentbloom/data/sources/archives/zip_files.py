"""A zip archive, read in place: an index of its members, and one member at a time."""

from __future__ import annotations

import bz2
import errno
import lzma
import os
import stat
import struct
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from latentbloom.data.sources.archives.member_names import Members, looks_like_bomb, title
from latentbloom.data.sources.base import SetAside
from latentbloom.errors import SourceError
from latentbloom.storage.user_files import open_file, reason

_HEADER = struct.Struct("<4s22xHH")
"""Of a member, 30 bytes: signature, ..., length of the name, length of what follows it.

Source: PKWARE's APPNOTE.TXT, 4.3.7.
"""

_SIGNATURE = b"PK\x03\x04"
_ENCRYPTED, _UTF8 = 0x1, 0x800
_STORED, _DEFLATED = zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED
_OTHERS = (zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
_METHODS = {9: "Deflate64", 93: "Zstandard", 95: "XZ", 98: "PPMd"}
_IS_ENCRYPTED = "it is encrypted; unpack the archive with its password and give the folder"


class _Place(NamedTuple):
    start: int
    packed: int
    method: int
    checksum: int


@dataclass(frozen=True)
class ZipArchive:
    """A zip archive; see `mounts.Container`.

    Arguments:
        path: Its file.
        title: Its name without ".zip".
        sizes: Bytes of each member, unpacked.
        time: When the file changed last, in nanoseconds.
        places: Where each member is in the file.
        set_aside: Members that are refused, and why.
    """

    path: Path
    title: str
    sizes: Mapping[str, int]
    time: int
    places: Mapping[str, _Place]
    set_aside: tuple[SetAside, ...]

    def read(self, name: str) -> bytes:
        """The content of a member, its length and checksum checked; see `mounts.Container`."""
        place, size = self.places[name], self.sizes[name]
        with open_file(self.path) as file:
            file.seek(place.start)
            header = file.read(_HEADER.size)
            if len(header) < _HEADER.size or not header.startswith(_SIGNATURE):
                raise OSError(errno.EIO, "the archive is damaged there")
            _, name_length, extra_length = _HEADER.unpack(header)
            file.seek(name_length + extra_length, os.SEEK_CUR)
            packed = file.read(place.packed)
        if len(packed) < place.packed:
            raise OSError(errno.EIO, "the archive is cut short there")
        content = _unpacked(packed, place.method, size)
        if len(content) != size or zlib.crc32(content) != place.checksum:
            raise OSError(errno.EIO, "the archive is damaged: its checksum is wrong")
        return content


def _unpacked(packed: bytes, method: int, size: int) -> bytes:
    """At most one byte more than `size`, whatever the packed bytes claim."""
    try:
        if method == _STORED:
            return packed
        if method == _DEFLATED:
            return zlib.decompressobj(-zlib.MAX_WBITS).decompress(packed, size + 1)
        if method == zipfile.ZIP_BZIP2:
            return bz2.BZ2Decompressor().decompress(packed, size + 1)
        # Version (2 bytes), length of the properties (2), properties of LZMA1, and the stream.
        (length,) = struct.unpack_from("<2xH", packed)
        properties, stream = packed[4 : 4 + length], packed[4 + length :]
        (span,) = struct.unpack_from("<xI", properties)
        code = properties[0]
        lzma1 = {"id": lzma.FILTER_LZMA1, "dict_size": min(span, 1 << 26), "lc": code % 9}
        lzma1 |= {"lp": code // 9 % 5, "pb": code // 45}
        return lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=[lzma1]).decompress(stream, size + 1)
    except (zlib.error, lzma.LZMAError, struct.error, OSError, ValueError, EOFError) as error:
        raise OSError(errno.EIO, f"the archive is damaged there ({error})") from None


def open_zip(path: Path) -> ZipArchive:
    """List a zip archive.

    Raises:
        SourceError: It is no zip archive, is empty, or nothing in it can be read.
    """
    try:
        time = os.stat(path).st_mtime_ns
        with open_file(path) as file, zipfile.ZipFile(file) as archive:
            infos = archive.infolist()
            end = archive.start_dir
    except zipfile.BadZipFile as error:
        raise SourceError(
            f"{path} is no complete zip archive ({error}). Was it cut short? Fetch or "
            "pack it again."
        ) from error
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {reason(error)}.") from error
    except (NotImplementedError, ValueError, struct.error) as error:
        raise SourceError(f"{path} cannot be read as a zip archive: {error}.") from error
    members: Members[_Place] = Members(path.name)
    overlapping = _overlapping(infos, end)
    for info in infos:
        if info.filename.endswith("/"):
            continue
        name = _name(info)
        why = _why_refused(info, overlapping)
        if why is not None:
            members.refuse(name, why)
            continue
        place = _Place(info.header_offset, info.compress_size, info.compress_type, info.CRC)
        members.add(name, info.file_size, place)
    members.finish()
    return ZipArchive(
        path, title(path.name), members.sizes, time, members.places, tuple(members.set_aside)
    )


def _why_refused(info: zipfile.ZipInfo, overlapping: set[int]) -> str | None:
    mode = info.external_attr >> 16
    if info.create_system == 3 and stat.S_ISLNK(mode):
        return "it is a link, which is not followed inside an archive"
    if info.flag_bits & _ENCRYPTED:
        return _IS_ENCRYPTED
    if info.compress_type not in (_STORED, _DEFLATED, *_OTHERS):
        kind = _METHODS.get(info.compress_type, f"method {info.compress_type}")
        return f"it is compressed with {kind}, which cannot be read; pack it as an ordinary zip"
    if info.header_offset in overlapping:
        return "its bytes overlap those of another member, as in a zip bomb"
    if looks_like_bomb(info.file_size, info.compress_size):
        return (
            f"it unpacks from {info.compress_size:,} to {info.file_size:,} bytes, as a zip bomb "
            "does"
        )
    return None


def _overlapping(infos: list[zipfile.ZipInfo], end: int) -> set[int]:
    """Starts of members whose bytes are also those of another one, or of the list of members."""
    order = sorted(infos, key=lambda info: info.header_offset)
    found: set[int] = set()
    reach, owner = -1, -1
    for info in order:
        start = info.header_offset
        if start < reach:
            found |= {start, owner}
        stop = start + _HEADER.size + info.compress_size
        if stop > end:
            found.add(start)
        if stop > reach:
            reach, owner = stop, start
    return found


def _name(info: zipfile.ZipInfo) -> str:
    """The name, also where a packer wrote UTF-8 without saying so, or backslashes."""
    name = info.filename
    if not info.flag_bits & _UTF8:
        try:
            name = name.encode("cp437").decode("utf-8")
        except UnicodeError:
            name = info.filename
    return name.replace("\\", "/")
