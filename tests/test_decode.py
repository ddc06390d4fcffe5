"""One picture file becomes a square: colours, orientation, crops, refusals, and the process that serves them."""

import io
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from ganart import decode

WHITE, TEAL = (255, 255, 255), (0, 128, 96)
SIDE = 64  # at this size a picture of 64x64 px is not resampled, so every pixel has a known value


def encoded(image: Image.Image, format: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def prepared(data: bytes, size: int = SIDE, crop: str = "centre", background: tuple = WHITE) -> np.ndarray:
    return decode.prepare(data, size, crop, background)[0][0].astype(int)


def assert_near(pixels: np.ndarray, expected: np.ndarray, levels: int = 2) -> None:
    assert pixels.shape == expected.shape
    assert np.abs(pixels - expected.astype(int)).max() <= levels


def why_not(data: bytes, size: int = SIDE) -> str:
    """The reason that the report would give for these bytes."""
    with pytest.raises(Exception) as caught:
        decode.prepare(data, size, "centre", WHITE)
    return decode.reason(caught.value)


def as_rgb(grey: np.ndarray) -> np.ndarray:
    return np.repeat(grey[..., None], 3, axis=2)


def colours(width: int = SIDE, height: int = SIDE) -> np.ndarray:
    """A smooth picture in which red grows to the right, green downwards, and blue stays."""
    x, y = np.linspace(0, 255, width), np.linspace(0, 255, height)
    picture = np.empty((height, width, 3), np.uint8)
    picture[..., 0], picture[..., 1], picture[..., 2] = x[None, :], y[:, None], 90
    return picture


def ramp() -> np.ndarray:
    """0 … 1 over 64x64 pixels."""
    return np.linspace(0, 1, SIDE * SIDE).reshape(SIDE, SIDE)


# --- colours


def test_a_16_bit_grey_png_is_scaled_and_not_clipped():
    data = encoded(Image.fromarray((ramp() * 65535).astype(np.uint16)))
    assert data[24] == 16, "the test's own file has another bit depth"
    assert_near(prepared(data), as_rgb(ramp() * 255))


def test_a_16_bit_grey_png_lying_on_its_side_is_turned_and_scaled():
    exif = Image.Exif()
    exif[274] = 6
    data = encoded(Image.fromarray((np.rot90(ramp()) * 65535).astype(np.uint16)), exif=exif)
    assert_near(prepared(data), as_rgb(ramp() * 255))


@pytest.mark.parametrize("order", ["<", ">"])
def test_a_16_bit_tiff_of_either_byte_order_is_scaled(order):
    values = (ramp() * 65535).astype(np.uint16).astype(f"{order}u2")
    image = Image.frombytes("I;16" if order == "<" else "I;16B", (SIDE, SIDE), values.tobytes())
    assert_near(prepared(encoded(image, "TIFF")), as_rgb(ramp() * 255))


def test_a_dark_16_bit_scan_stays_dark():
    data = encoded(Image.fromarray((ramp() * 250).astype(np.uint16)))
    assert prepared(data).max() <= 2


def test_a_float_tiff_of_0_to_1_covers_all_levels():
    assert_near(prepared(encoded(Image.fromarray(ramp().astype(np.float32)), "TIFF")), as_rgb(ramp() * 255))


def test_highlights_beyond_white_do_not_make_a_float_tiff_black():
    light = (ramp() * 1.25).astype(np.float32)
    assert_near(prepared(encoded(Image.fromarray(light), "TIFF")), as_rgb(ramp() * 255))


def test_a_float_tiff_that_is_not_all_numbers_is_refused():
    values = ramp().astype(np.float32)
    values[5, 5] = np.nan
    assert "not numbers" in why_not(encoded(Image.fromarray(values), "TIFF"))


def test_transparency_of_rgba_is_laid_onto_the_background():
    alpha = (ramp() * 255).round().astype(np.uint8)
    data = encoded(Image.fromarray(np.dstack([colours(), alpha])))
    share = alpha[..., None] / 255
    assert_near(prepared(data, background=TEAL), colours() * share + np.array(TEAL) * (1 - share))


def test_transparency_of_grey_is_laid_onto_the_background():
    grey, alpha = colours()[..., 0], (ramp() * 255).round().astype(np.uint8)
    data = encoded(Image.merge("LA", [Image.fromarray(grey), Image.fromarray(alpha)]))
    share = alpha[..., None] / 255
    assert_near(prepared(data, background=TEAL), as_rgb(grey) * share + np.array(TEAL) * (1 - share))


@pytest.mark.parametrize("format", ["PNG", "GIF"])
def test_the_transparent_entry_of_a_palette_shows_the_background(format):
    image = Image.new("P", (SIDE, SIDE), 1)
    image.putpalette([9, 9, 9, 200, 30, 60])
    image.paste(0, (0, 0, SIDE // 2, SIDE))
    expected = np.empty((SIDE, SIDE, 3))
    expected[:, : SIDE // 2], expected[:, SIDE // 2 :] = TEAL, (200, 30, 60)
    assert_near(prepared(encoded(image, format, transparency=0), background=TEAL), expected)


def test_a_palette_picture_shows_its_palette():
    image = Image.new("P", (SIDE, SIDE), 0)
    image.putpalette([250, 20, 130, 10, 200, 40])
    image.paste(1, (0, 0, SIDE, 20))
    expected = np.empty((SIDE, SIDE, 3))
    expected[:20], expected[20:] = (10, 200, 40), (250, 20, 130)
    assert_near(prepared(encoded(image)), expected)


def test_grey_stays_grey_and_is_reported_so():
    grey = (ramp() * 255).round().astype(np.uint8)
    pixels, about = decode.prepare(encoded(Image.fromarray(grey)), SIDE, "centre", WHITE)
    assert_near(pixels[0].astype(int), as_rgb(grey))
    assert (
        about["grey"] and not decode.prepare(encoded(Image.fromarray(colours())), SIDE, "centre", WHITE)[1]["grey"]
    )


def test_one_bit_pictures_are_black_and_white():
    bits = (np.add.outer(np.arange(SIDE), np.arange(SIDE)) % 3 == 0).astype(np.uint8) * 255
    assert_near(prepared(encoded(Image.fromarray(bits).convert("1"))), as_rgb(bits), levels=0)


def test_a_cmyk_jpeg_is_not_inverted():
    inks = Image.new("CMYK", (SIDE, SIDE), (0, 255, 255, 0))  # magenta and yellow: red
    inks.paste((255, 0, 0, 0), (0, 0, SIDE, SIDE // 2))
    data = encoded(inks, "JPEG", quality=95)
    pixels = prepared(data)
    with Image.open(io.BytesIO(data)) as image:
        assert image.mode == "CMYK"
        assert_near(pixels, np.asarray(image.convert("RGB")))
    assert_near(pixels[8, 8], np.array([0, 255, 255]), 12)
    assert_near(pixels[56, 8], np.array([255, 0, 0]), 12)


@pytest.mark.parametrize("format", ["BMP", "PNG", "TIFF", "GIF"])
def test_lossless_formats_give_their_pixels(format):
    picture = colours()
    if format == "GIF":  # has 256 colours
        picture = (picture // 64) * 64
    assert_near(prepared(encoded(Image.fromarray(picture), format)), picture, levels=0)


@pytest.mark.parametrize(
    ("format", "options"), [("AVIF", {"quality": 95}), ("WEBP", {"quality": 95}), ("JPEG", {})]
)
def test_lossy_formats_give_nearly_their_pixels(format, options):
    difference = np.abs(prepared(encoded(Image.fromarray(colours()), format, **options)) - colours())
    assert difference.mean() <= 2


@pytest.mark.parametrize("format", ["GIF", "WEBP"])
def test_of_an_animation_the_first_frame_is_taken(format):
    frames = [Image.new("RGB", (SIDE, SIDE), colour) for colour in [(220, 20, 40), (20, 220, 40), (20, 20, 240)]]
    options = {"lossless": True} if format == "WEBP" else {}
    data = encoded(frames[0], format, save_all=True, append_images=frames[1:], duration=100, **options)
    with Image.open(io.BytesIO(data)) as image:
        assert image.n_frames == 3
    assert_near(prepared(data), np.broadcast_to([220, 20, 40], (SIDE, SIDE, 3)))


# --- orientation

# How an upright picture lies in a file of each EXIF orientation, by what the standard says of its first row
# and first column.
STORED = {
    1: lambda a: a,  # top, left
    2: np.fliplr,  # top, right
    3: lambda a: np.rot90(a, 2),  # bottom, right
    4: np.flipud,  # bottom, left
    5: lambda a: a.swapaxes(0, 1),  # left, top
    6: lambda a: np.rot90(a, 1),  # right, top
    7: lambda a: np.rot90(a.swapaxes(0, 1), 2),  # right, bottom
    8: lambda a: np.rot90(a, -1),  # left, bottom
}
UPRIGHT = np.empty((SIDE, SIDE, 3), np.uint8)  # each quarter another colour: every turn and mirroring shows
UPRIGHT[:32, :32], UPRIGHT[:32, 32:] = (200, 40, 40), (40, 180, 60)
UPRIGHT[32:, :32], UPRIGHT[32:, 32:] = (60, 60, 220), (230, 230, 230)


def photograph(orientation: int, format: str) -> bytes:
    exif = Image.Exif()
    exif[274] = orientation
    options = {"JPEG": {"quality": 95, "subsampling": 0}, "WEBP": {"lossless": True}, "AVIF": {"quality": 95}}
    stored = Image.fromarray(np.ascontiguousarray(STORED[orientation](UPRIGHT)))
    return encoded(stored, format, exif=exif, **options.get(format, {}))


@pytest.mark.parametrize("orientation", STORED)
@pytest.mark.parametrize("format", ["JPEG", "PNG", "TIFF", "WEBP", "AVIF"])
def test_every_exif_orientation_comes_out_upright(orientation, format):
    pixels = prepared(photograph(orientation, format))
    for y in (12, 52):
        for x in (12, 52):
            assert_near(pixels[y, x], UPRIGHT[y, x], 12)


# --- crops


def stripes() -> Image.Image:
    """192x64: red, green and blue thirds from left to right."""
    image = Image.new("RGB", (192, 64), (0, 255, 0))
    image.paste((255, 0, 0), (0, 0, 64, 64))
    image.paste((0, 0, 255), (128, 0, 192, 64))
    return image


@pytest.mark.parametrize("upright", [False, True])
def test_centre_takes_the_middle(upright):
    image = stripes().transpose(Image.Transpose.ROTATE_90) if upright else stripes()
    assert_near(prepared(encoded(image)), np.broadcast_to([0, 255, 0], (64, 64, 3)))


@pytest.mark.parametrize("upright", [False, True])
def test_fit_shows_all_between_bars_of_the_background(upright):
    image = stripes().transpose(Image.Transpose.ROTATE_270) if upright else stripes()
    pixels = prepared(encoded(image), crop="fit", background=TEAL)
    if upright:
        pixels = pixels.swapaxes(0, 1)
    assert_near(pixels[:21], np.broadcast_to(TEAL, (21, 64, 3)), 0)
    assert_near(pixels[-21:], np.broadcast_to(TEAL, (21, 64, 3)), 0)
    for x, colour in ((10, (255, 0, 0)), (32, (0, 255, 0)), (54, (0, 0, 255))):
        assert_near(pixels[32, x], np.array(colour))


def test_a_large_jpeg_is_decoded_at_a_fraction_and_looks_the_same():
    image = Image.fromarray(colours(1024, 768))
    drawing = ImageDraw.Draw(image)
    drawing.ellipse((300, 150, 700, 600), fill=(240, 240, 230), outline=(10, 10, 20), width=30)
    data = encoded(image, "JPEG", quality=95)
    assert decode.open_picture(data, SIDE).size == (256, 192), "the whole picture was decoded"
    whole = image.crop((128, 0, 896, 768)).resize((SIDE, SIDE), Image.Resampling.LANCZOS)
    difference = np.abs(prepared(data) - np.asarray(whole).astype(int))
    assert difference.mean() < 1.5 and np.quantile(difference, 0.99) < 16


def test_small_pictures_are_enlarged_and_reported_so():
    pixels, about = decode.prepare(encoded(Image.fromarray(colours(40, 40))), SIDE, "centre", WHITE)
    assert pixels.shape == (1, SIDE, SIDE, 3) and about["enlarged"]
    assert not decode.prepare(encoded(Image.fromarray(colours())), SIDE, "centre", WHITE)[1]["enlarged"]


# --- refusals


@pytest.mark.parametrize(
    ("width", "height", "size"), [(31, 200, 32), (200, 31, 64), (63, 400, 128), (400, 127, 256)]
)
def test_too_small_is_refused_with_the_sizes(width, height, size):
    reason = why_not(encoded(Image.new("RGB", (width, height))), size)
    assert reason.startswith(f"too small: {width}x{height} px") and str(max(32, size // 2)) in reason


@pytest.mark.parametrize(("side", "size"), [(32, 32), (32, 64), (64, 128), (128, 256), (28, 28)])
def test_just_large_enough_is_kept(side, size):
    assert prepared(encoded(Image.new("RGB", (side, side + 50), TEAL)), size).shape == (size, size, 3)


def test_a_text_is_not_a_picture():
    assert why_not(b"Dear diary, this is no photograph. " * 20) == "not a picture, whatever its name says"


def test_an_empty_file_is_not_a_picture():
    assert why_not(b"") == "not a picture, whatever its name says"


def test_a_picture_of_a_format_that_is_not_offered_is_not_decoded():
    assert why_not(encoded(Image.fromarray(colours()), "PPM")) == "not a picture, whatever its name says"


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_half_a_file_is_damaged(format):
    rng = np.random.default_rng(0)
    data = encoded(Image.fromarray(rng.integers(0, 256, (SIDE, SIDE, 3), np.uint8)), format)
    assert why_not(data[: len(data) // 2]) in ("damaged or incomplete", "not a picture, whatever its name says")
    if format in ("JPEG", "PNG"):
        assert why_not(data[: len(data) // 2]) == "damaged or incomplete"


def test_a_bomb_of_81_million_pixels_is_refused():
    data = encoded(Image.new("1", (9000, 9000)))
    assert len(data) < 100_000
    assert why_not(data) == "more than 64 million pixels: save it smaller, or set GANART_MAX_MEGAPIXELS higher"


def test_a_file_of_more_than_50_mb_is_refused():
    assert why_not(b"\0" * 50_000_001) == "larger than 50 MB: save it smaller, or set GANART_MAX_FILE_MB higher"


def test_equal_pixels_have_equal_hashes_whatever_the_file():
    def digest(data: bytes) -> str:
        return decode.prepare(data, SIDE, "centre", WHITE)[1]["hash"]

    image = Image.fromarray(colours())
    other = image.copy()
    other.putpixel((7, 7), (1, 2, 3))
    assert digest(encoded(image, "PNG")) == digest(encoded(image, "BMP"))
    assert digest(encoded(image)) != digest(encoded(other))
    tall, wide = Image.new("RGB", (64, 128)), Image.new("RGB", (128, 64))
    assert digest(encoded(tall)) != digest(encoded(wide)), "the same bytes in another shape are another picture"


# --- the process


def test_the_process_answers_a_line_for_each_job_and_goes_on_after_bad_ones(tmp_path):
    picture = colours(32, 32)
    Image.fromarray(picture).save(tmp_path / "good.png")
    (tmp_path / "bad.jpg").write_text("no picture")
    with zipfile.ZipFile(tmp_path / "some.zip", "w") as archive:
        archive.writestr("first.txt", "words")
        archive.writestr("second.bmp", encoded(Image.fromarray(picture[::-1]), "BMP"))
    out = tmp_path / "rows"
    out.write_bytes(b"\x07" * (5 * 32 * 32 * 3))
    shared = {"out": str(out), "size": 32, "crop": "centre", "background": [0, 0, 0]}
    jobs = [
        {"row": 0, "path": str(tmp_path / "bad.jpg")},
        {"row": 3, "path": str(tmp_path / "good.png")},
        {"row": 1, "path": str(tmp_path / "missing.png")},
        {"row": 2, "zip": str(tmp_path / "some.zip"), "entry": 1},
    ]
    done = subprocess.run(
        [sys.executable, "-m", "ganart.decode"],
        input="".join(json.dumps({**job, **shared}) + "\n" for job in jobs),
        capture_output=True,
        text=True,
        timeout=60,
        cwd=Path(__file__).parent.parent,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0 and done.stderr == ""
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(a["row"], a["ok"]) for a in answers] == [(0, False), (3, True), (1, False), (2, True)]
    assert answers[0]["reason"] == "not a picture, whatever its name says"
    assert answers[2]["reason"].startswith("cannot be opened")
    rows = np.frombuffer(out.read_bytes(), np.uint8).reshape(5, 32, 32, 3)
    assert (rows[3] == picture).all() and (rows[2] == picture[::-1]).all()
    assert (rows[[0, 1, 4]] == 7).all(), "rows without a picture were written to"
