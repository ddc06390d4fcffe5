"""The recipe in every exported file: how to make it again, and the mark that a trained model made it.

It is read back without any decoder: only the boxes of each container are walked, in Python. Imports no torch.
"""

import json
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Literal
from xml.etree import ElementTree

from ganart import __version__
from ganart.errors import InputError

RECIPE_VERSION = 2  # 1 told films by their seeds
MOST_BYTES = 256_000  # of a recipe
MOST_PACKET = 6 * MOST_BYTES  # of one in XMP, where “&” is “&amp;”
MOST_STEPS = 100_000  # chunks that are passed over; a film has one a frame
MOST_EXTENSIONS = 10  # of a GIF, before its first picture
MOST_FILE = 1_000_000_000  # of a file that is looked into
MARK = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
NAMESPACE = "https://ganart.invalid/recipe/"  # a name, no address
SUFFIXES = (".gif", ".png", ".apng", ".webp", ".mp4", ".zip")
IN_ZIP = "recipe.json"


def recipe(model_hash: str, **settings: object) -> dict:
    """What a file says of its making: the program's version, the model's hash, seeds and settings, and the
    IPTC mark of pictures made by a trained model. Never a path or a name of a person or a computer."""
    return {"ganart": __version__, "version": RECIPE_VERSION, "model": model_hash, "source_type": MARK, **settings}


def to_json(values: dict) -> str:
    """The recipe as one line. Raises InputError where it is too long to travel in a file."""
    text = json.dumps(values, separators=(",", ":"))
    if len(text) > MOST_BYTES:
        raise InputError(f"The recipe has {len(text):,} bytes, and may have {MOST_BYTES:,}. Use fewer keyframes.")
    return text


def xmp(values: dict | None) -> bytes:
    """An XMP packet with the IPTC mark, and with the recipe where one is given."""
    inner = f"<g:recipe>{escape(to_json(values), quote=False)}</g:recipe>" if values else ""
    return (
        '<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about="" '
        f'xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" xmlns:g="{NAMESPACE}">'
        f"<Iptc4xmpExt:DigitalSourceType>{MARK}</Iptc4xmpExt:DigitalSourceType>{inner}"
        '</rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end="r"?>'
    ).encode()


def read(path: Path, data: bytes | memoryview | None = None) -> dict | None:
    """The recipe inside a file that ganart wrote; None where there is none.

    data: the file's bytes, where it was never on the disk; `path` then only names it.
    Raises InputError where the file cannot be read or is of none of the kinds that ganart writes.
    """
    try:
        if data is None:
            if path.stat().st_size > MOST_FILE:
                raise InputError(
                    f"“{path.name}” has more than {MOST_FILE // 10**6:,} MB. ganart writes none so large."
                )
            data = path.read_bytes()
    except OSError as error:
        raise InputError(f"“{path.name}” cannot be read. Check the path.") from error
    finder = next((find for start, find in _FINDERS if start(data)), None)
    if finder is None:
        raise InputError(f"“{path.name}” is not a GIF, PNG, WebP, MP4 or ZIP, whatever its name says.")
    try:
        text = finder(memoryview(data))
        values = json.loads(text or "")
    except (ValueError, RecursionError, IndexError):
        return None
    return values if isinstance(values, dict) and "ganart" in values else None


def _capped(data: bytes | memoryview) -> bytes:
    return bytes(data[:MOST_BYTES])


def _in_png(data: memoryview) -> bytes | None:
    for kind, body in _chunks(data, 8, "big"):
        if kind == b"tEXt" and bytes(body[:7]) == b"ganart\0":
            return _capped(body[7:])
        if kind == b"IDAT":
            break
    return None


def _chunks(data: memoryview, start: int, order: Literal["big", "little"]) -> Iterator[tuple[bytes, memoryview]]:
    """The chunks of a PNG (big: length, name, body, checksum) or of a RIFF (little: name, length, body, even)."""
    for _ in range(MOST_STEPS):
        if start + 8 > len(data):
            return
        head = data[start : start + 8]
        name, size = (head[4:], head[:4]) if order == "big" else (head[:4], head[4:])
        length = int.from_bytes(size, order)
        body = data[start + 8 : start + 8 + length]
        yield bytes(name), body
        start += 8 + length + (4 if order == "big" else length % 2)


def _in_gif(data: memoryview) -> bytes | None:
    at = 13 + (3 << (data[10] % 8 + 1) if data[10] & 0x80 else 0)
    for _ in range(MOST_EXTENSIONS):
        if data[at] != 0x21:  # no extension: its label, then blocks of up to 255 bytes
            return None
        label, at, parts = data[at + 1], at + 2, []
        while size := data[at]:
            parts.append(bytes(data[at + 1 : at + 1 + size]))
            at += 1 + size
            if (len(parts) - 1) * 255 > MOST_BYTES:
                return None
        at += 1
        if label == 0xFE:
            return b"".join(parts)
    return None


def _in_webp(data: memoryview) -> bytes | None:
    chunk = next((body for kind, body in _chunks(data, 12, "little") if kind == b"XMP "), None)
    if chunk is None or len(chunk) > MOST_PACKET or b"<!" in (packet := bytes(chunk)):
        return None  # no entities, no document types
    try:
        found = ElementTree.fromstring(packet).find(f".//{{{NAMESPACE}}}recipe")
    except ElementTree.ParseError:
        return None
    return None if found is None or found.text is None else found.text.encode()


def _in_mp4(data: memoryview) -> bytes | None:
    for name in (b"moov", b"udta", b"meta", b"ilst", b"\xa9cmt", b"data"):
        inner = _box(data, name)
        if inner is None:
            return None
        # `meta` begins with version and flags, `data` with its type and language.
        data = inner[{b"meta": 4, b"data": 8}.get(name, 0) :]
    return _capped(data)


def _box(data: memoryview, wanted: bytes) -> memoryview | None:
    at = 0
    for _ in range(MOST_STEPS):
        if at + 8 > len(data):
            return None
        size, name, head = int.from_bytes(data[at : at + 4], "big"), bytes(data[at + 4 : at + 8]), 8
        if size == 1:
            size, head = int.from_bytes(data[at + 8 : at + 16], "big"), 16
        elif size == 0:
            size = len(data) - at
        if size < head:
            return None
        if name == wanted:
            return data[at + head : at + size]
        at += size
    return None


def _in_zip(data: memoryview) -> bytes | None:
    """The first entry, as ganart writes it: stored, behind a header of 30 bytes with its flags, packing, size and
    the lengths of its name and of what is added to that. `zipfile` would read the whole list of entries first."""
    flags, packing = int.from_bytes(data[6:8], "little"), int.from_bytes(data[8:10], "little")
    size, name, added = (int.from_bytes(data[a:b], "little") for a, b in ((22, 26), (26, 28), (28, 30)))
    if bytes(data[30 : 30 + name]) != IN_ZIP.encode() or packing or flags & 9 or size > MOST_BYTES:
        return None  # packed, locked, or of a size that is told only behind it
    return bytes(data[30 + name + added : 30 + name + added + size])


_FINDERS = (
    (lambda data: data[:8] == b"\x89PNG\r\n\x1a\n", _in_png),
    (lambda data: data[:6] in (b"GIF87a", b"GIF89a"), _in_gif),
    (lambda data: data[:4] == b"RIFF" and data[8:12] == b"WEBP", _in_webp),
    (lambda data: data[4:8] == b"ftyp", _in_mp4),
    (lambda data: data[:4] == b"PK\x03\x04", _in_zip),
)
