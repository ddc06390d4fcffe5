"""The recipe inside every kind of file that ganart writes, and what is found in damaged or foreign files."""

import io
import json
import random
import struct
import time
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ganart import export, recipes
from ganart.errors import InputError

RAMP = np.arange(32, dtype=np.uint8)[None, :, None].repeat(32, 0).repeat(3, 2)
FRAMES = [RAMP + 40 * index for index in range(4)]
RECIPE = recipes.recipe("ab" * 32, kind="film", note="Gemälde & <b>“x”</b>" * 20)


@pytest.fixture(scope="module")
def written(tmp_path_factory) -> dict[str, bytes]:
    """A small film of every kind, and a picture."""
    folder = tmp_path_factory.mktemp("written")
    for suffix in export.KINDS:
        export.write_film(folder / f"film{suffix}", FRAMES, len(FRAMES), 25, RECIPE)
    (folder / "still.png").write_bytes(export.png_bytes(FRAMES[0], RECIPE))
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_the_recipe_is_read_from_the_disk_and_from_memory_alike(written, tmp_path):
    assert len(written) == len(export.KINDS) + 1
    for name, data in written.items():
        (tmp_path / name).write_bytes(data)
        assert recipes.read(tmp_path / name) == RECIPE, name
        assert recipes.read(Path("elsewhere") / name, data) == RECIPE, name


def test_the_bytes_count_and_not_the_name(written):
    for data in written.values():
        assert recipes.read(Path("renamed.txt"), data) == RECIPE


@pytest.mark.parametrize(
    "data", [b"", b"GIF", b"\x89PNG", b"RIFF", b"hello" * 100, b"<svg/>", b"\xff\xd8\xff\xe0" * 9]
)
def test_what_ganart_never_writes_is_refused_by_its_name(data):
    with pytest.raises(InputError, match=r"“dropped\.gif” is not a GIF, PNG, WebP, MP4 or ZIP"):
        recipes.read(Path("somewhere") / "dropped.gif", data)


def test_files_without_a_recipe_have_none():
    for suffix in (b"GIF89a", b"\x89PNG\r\n\x1a\n", b"RIFF\0\0\0\0WEBP", b"\0\0\0\x08ftyp", b"PK\x03\x04"):
        assert recipes.read(Path("a"), suffix) is None


def png_of(size: tuple[int, int], *chunks: tuple[bytes, bytes]) -> bytes:
    """A PNG with these chunks between its header and its end."""
    header = (b"IHDR", struct.pack(">IIBBBBB", *size, 8, 0, 0, 0, 0))
    every = [header, *chunks, (b"IDAT", zlib.compress(bytes(2))), (b"IEND", b"")]
    body = b"".join(struct.pack(">I", len(d)) + t + d + struct.pack(">I", zlib.crc32(t + d)) for t, d in every)
    return b"\x89PNG\r\n\x1a\n" + body


def test_pictures_of_other_programs_have_no_recipe(tmp_path):
    path = tmp_path / "a.gif"
    for comment in (b"made by hand", b"[1]", b'{"a": 1}', b"\xff\xfe", b""):
        Image.new("L", (4, 4)).save(path, "GIF", comment=comment)
        assert recipes.read(path) is None
    for text in (b"made by hand", b"null", b'"ganart"'):
        assert recipes.read(Path("a.png"), png_of((1, 1), (b"tEXt", b"ganart\0" + text))) is None
    assert recipes.read(Path("a.png"), png_of((1, 1))) is None
    for kind in ("JPEG", "BMP", "TIFF"):
        Image.new("RGB", (4, 4)).save(path, kind)
        with pytest.raises(InputError, match="whatever its name says"):
            recipes.read(path)


def test_a_recipe_nested_without_end_is_none():
    assert recipes.read(Path("a.png"), png_of((1, 1), (b"tEXt", b"ganart\0" + b"[" * 100_000))) is None


def test_a_picture_that_claims_to_be_enormous_is_never_decoded():
    text = recipes.to_json(RECIPE).encode()
    assert recipes.read(Path("a.png"), png_of((30_000, 30_000), (b"tEXt", b"ganart\0" + text))) == RECIPE


def test_a_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"“b\.gif” cannot be read"):
        recipes.read(tmp_path / "b.gif")


def test_a_file_larger_than_any_of_ganarts_is_not_read(tmp_path):
    with (tmp_path / "a.zip").open("wb") as file:
        file.truncate(recipes.MOST_FILE + 1)
    with pytest.raises(InputError, match="more than 1,000 MB"):
        recipes.read(tmp_path / "a.zip")


@pytest.mark.parametrize("seeds", [3, 3000])
def test_pillow_finds_the_recipe_of_a_gif_as_its_comment(tmp_path, seeds):
    recipe = {**RECIPE, "seeds": list(range(seeds))}
    export.write_film(tmp_path / "a.gif", FRAMES, len(FRAMES), 25, recipe)
    with Image.open(tmp_path / "a.gif") as image:
        assert json.loads(image.info["comment"]) == recipe


def test_the_recipe_says_how_it_was_made_and_that_a_model_made_it():
    found = recipes.recipe("ab" * 32, kind="film", fps=25)
    assert found["model"] == "ab" * 32 and (found["kind"], found["fps"]) == ("film", 25)
    assert found["source_type"].endswith("trainedAlgorithmicMedia")
    assert (found["ganart"], found["version"]) == (recipes.__version__, recipes.RECIPE_VERSION)


def zipped(name: str, text: bytes, method: int) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        archive.writestr(name, text)
    return buffer.getvalue()


def test_nothing_is_unpacked_to_find_a_recipe():
    """A ZIP that ganart wrote holds it as it is; a packed one might be anything."""
    text = recipes.to_json(RECIPE).encode()
    assert recipes.read(Path("a.zip"), zipped(recipes.IN_ZIP, text, zipfile.ZIP_STORED)) == RECIPE
    for method in (zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        assert recipes.read(Path("a.zip"), zipped(recipes.IN_ZIP, text, method)) is None
    assert recipes.read(Path("a.zip"), zipped("other.json", text, zipfile.ZIP_STORED)) is None


def test_a_zip_is_not_read_beyond_its_first_entry():
    """Its list of entries may have millions."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(recipes.IN_ZIP, recipes.to_json(RECIPE))
        for number in range(2000):
            archive.writestr(f"{number}.png", b"")
    whole = buffer.getvalue()
    assert recipes.read(Path("a.zip"), whole[:5000]) == recipes.read(Path("a.zip"), whole) == RECIPE
    later = zipped("first.json", b"{}", zipfile.ZIP_STORED) + whole
    assert recipes.read(Path("a.zip"), later) is None


@pytest.mark.parametrize(
    ("head", "step"),
    [
        (b"\x89PNG\r\n\x1a\n", bytes(4) + b"sBIT" + bytes(4)),
        (b"RIFF" + bytes(4) + b"WEBP", b"ANMF" + bytes(4)),
        (bytes(3) + b"\x08ftyp", bytes(3) + b"\x08free"),
        (b"GIF89a" + bytes(7), b"!\xf9\0"),
    ],
)
def test_a_file_of_millions_of_small_parts_is_given_up_soon(head, step):
    began = time.perf_counter()
    assert recipes.read(Path("a"), head + step * (20_000_000 // len(step))) is None
    assert time.perf_counter() - began < 1


def damaged(data: bytes, rng: random.Random) -> bytes:
    """Some bytes changed, taken out or cut off, mostly where the recipe stands."""
    made, how = bytearray(data), rng.randrange(4)
    for _ in range(rng.choice([1, 2, 5, 20])):
        at = rng.randrange(min(len(made), rng.choice([64, 400, len(made)])))
        if how == 0:
            made[at] = rng.randrange(256)
        elif how == 1:
            made[at : at + 4] = rng.choice([bytes(4), b"\xff" * 4, b"\x7f\xff\xff\xff", b"\0\0\0\1"])
        elif how == 2 and len(made) > 100:
            del made[at : at + rng.randrange(1, 30)]
        elif how == 3:
            return bytes(made[: at + 1])
    return bytes(made)


def test_damaged_files_have_a_recipe_or_none_or_are_refused(written):
    rng = random.Random(0)
    for data in (*written.values(), zipped(recipes.IN_ZIP, b'{"ganart": "1"}' * 9, zipfile.ZIP_DEFLATED)):
        for _ in range(400):
            try:
                found = recipes.read(Path("a"), damaged(data, rng))
            except InputError:
                continue
            assert found is None or "ganart" in found
