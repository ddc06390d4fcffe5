"""The truth about colours: what a store holds of a file, within 2 levels of what the file's own numbers say."""

import io
import struct
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image, ImageCms

from ganart import decode

SIDE = 64
GROUND = (0, 128, 96)
Truth = tuple[bytes, np.ndarray]  # a file, and the levels (64, 64, 3) that it means


def encoded(image: Image.Image, format: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def as_rgb(grey: np.ndarray) -> np.ndarray:
    return np.repeat(grey[..., None], 3, axis=2)


RAMP = np.linspace(0, 1, SIDE * SIDE).reshape(SIDE, SIDE)
GREY = (RAMP * 255).round().astype(np.uint8)
COLOURS = np.stack([GREY, GREY.T, np.full_like(GREY, 90)], axis=-1)
QUARTERS = np.zeros((SIDE, SIDE, 3), np.uint8)  # each another colour: every turn and mirroring shows
QUARTERS[:32, :32], QUARTERS[:32, 32:] = (200, 40, 40), (40, 180, 60)
QUARTERS[32:, :32], QUARTERS[32:, 32:] = (60, 60, 220), (230, 230, 230)


# --- inks with a profile, by a profile and a reference that share no code with the program


def ink_lab(inks: np.ndarray) -> np.ndarray:
    """What colour inks of 0 … 1 (…, 4) give on the paper of our press -> L*, a*, b* (…, 3). The numbers are made
    up, lie inside sRGB, and are far from those that a plain formula would give."""
    c, m, y, k = np.moveaxis(inks, -1, 0)
    light = (92 - 22 * c - 26 * m - 6 * y) * (1 - 0.55 * k)
    strength = 1 - 0.7 * k
    return np.stack([light, (28 * m - 16 * c) * strength, (30 * y - 18 * c - 4 * m) * strength], axis=-1)


def srgb(lab: np.ndarray) -> np.ndarray:
    """L*a*b* under D50 -> levels of sRGB, 0 … 255, by the textbook (CIE 15, IEC 61966-2-1, Bradford)."""
    fy = (lab[..., 0] + 16) / 116
    f = np.stack([fy + lab[..., 1] / 500, fy, fy - lab[..., 2] / 200], axis=-1)
    return levels(np.where(f > 6 / 29, f**3, 3 * (6 / 29) ** 2 * (f - 4 / 29)) * [0.9642, 1.0, 0.8249])


def levels(xyz: np.ndarray) -> np.ndarray:
    """XYZ under D50 -> levels of sRGB."""
    matrix = [
        [3.1338561, -1.6168667, -0.4906146],
        [-0.9787684, 1.9161415, 0.0334540],
        [0.0719453, -0.2289914, 1.4052427],
    ]
    linear = np.clip(xyz @ np.array(matrix).T, 0, 1)
    return 255 * np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


STEPS = np.array([0, 85, 170, 255])  # of the profile's table: the colours that need no interpolation


def press_profile() -> bytes:
    """An ICC profile (version 2, "prtr", CMYK -> Lab) whose one table is `ink_lab` at STEPS."""
    grid = np.stack(np.meshgrid(*[STEPS / 255] * 4, indexing="ij"), axis=-1)
    lab = ink_lab(grid).reshape(-1, 3)
    table = np.stack([lab[:, 0] * 652.8, (lab[:, 1] + 128) * 256, (lab[:, 2] + 128) * 256], axis=-1)
    identity = struct.pack(">2H", 0, 65535)
    lut = b"mft2" + bytes(4) + bytes([4, 3, len(STEPS), 0])
    lut += struct.pack(">9i", *(np.eye(3, dtype=int) * 65536).ravel()) + struct.pack(">2H", 2, 2)
    lut += identity * 4 + table.round().astype(">u2").tobytes() + identity * 3
    words = b"text" + bytes(4) + b"made up\0"
    name = b"desc" + bytes(4) + struct.pack(">I", 6) + b"press\0" + bytes(4 + 4 + 2 + 1 + 67)
    white = b"XYZ " + bytes(4) + struct.pack(">3i", 63190, 65536, 54061)
    tags = {b"desc": name, b"cprt": words, b"wtpt": white, b"A2B0": lut}
    return profile(b"prtr", b"CMYK", b"Lab ", tags)


WIDE = np.array([[0.51512, 0.29198, 0.15710], [0.24120, 0.69225, 0.06657], [-0.00105, 0.04189, 0.78407]])
GAMMA = 563 / 256  # the primaries of a phone's camera, and a plain curve


def wide_profile() -> bytes:
    """An ICC profile (version 2, "mntr", RGB -> XYZ) of colours that sRGB has only in part."""
    texts = {b"cprt": b"text" + bytes(4) + b"made up\0"}
    texts[b"desc"] = b"desc" + bytes(4) + struct.pack(">I", 5) + b"wide\0" + bytes(4 + 4 + 2 + 1 + 67)
    texts[b"wtpt"] = b"XYZ " + bytes(4) + struct.pack(">3i", 63190, 65536, 54061)
    for letter, column in zip("rgb", WIDE.T, strict=True):
        texts[f"{letter}XYZ".encode()] = (
            b"XYZ " + bytes(4) + struct.pack(">3i", *(column * 65536).round().astype(int))
        )
        texts[f"{letter}TRC".encode()] = b"curv" + bytes(4) + struct.pack(">IH", 1, 563)
    return profile(b"mntr", b"RGB ", b"XYZ ", texts)


def wide(rgb: np.ndarray) -> np.ndarray:
    return levels((rgb / 255.0) ** GAMMA @ WIDE.T)


def profile(kind: bytes, colours: bytes, between: bytes, tags: dict[bytes, bytes]) -> bytes:
    place, directory, body = 128 + 4 + 12 * len(tags), struct.pack(">I", len(tags)), b""
    for tag, data in tags.items():
        directory += tag + struct.pack(">2I", place + len(body), len(data))
        body += data + bytes(-len(data) % 4)
    head = struct.pack(">I4sI4s4s4s", place + len(body), b"lcms", 0x02400000, kind, colours, between)
    head += struct.pack(">6H", 2026, 1, 1, 0, 0, 0) + b"acsp" + bytes(28)
    return (head + struct.pack(">3i", 63190, 65536, 54061)).ljust(128, b"\0") + directory + body


def inked(blocks: int) -> np.ndarray:
    """uint8 (64, 64, 4): inks out of STEPS, in blocks² squares."""
    rng = np.random.default_rng(0)
    inks = STEPS[rng.integers(0, len(STEPS), (blocks, blocks, 4))].astype(np.uint8)
    return inks.repeat(SIDE // blocks, 0).repeat(SIDE // blocks, 1)


def cmyk(format: str, profile: bytes | None, **options: object) -> Truth:
    inks = inked(blocks=8 if format == "JPEG" else 16)
    data = encoded(Image.fromarray(inks, "CMYK"), format, icc_profile=profile, **options)
    return data, srgb(ink_lab(inks / 255.0))


# --- the table


def deep(format: str) -> Truth:
    return encoded(Image.fromarray((RAMP * 65535).astype(np.uint16)), format), as_rgb(RAMP * 255)


def see_through(format: str, grey: bool) -> Truth:
    alpha = GREY.T
    bands = [GREY, alpha] if grey else [*np.moveaxis(COLOURS, -1, 0), alpha]
    image = Image.merge("LA" if grey else "RGBA", [Image.fromarray(np.ascontiguousarray(b)) for b in bands])
    share = alpha[..., None] / 255
    paint = as_rgb(GREY) if grey else COLOURS
    return encoded(image, format), paint * share + np.array(GROUND) * (1 - share)


def palette(format: str, hole: bool) -> Truth:
    indices = (np.add.outer(np.arange(SIDE), np.arange(SIDE)) // 8 % 4).astype(np.uint8)
    entries = np.array([[250, 20, 130], [10, 200, 40], [0, 0, 0], [255, 255, 255]], np.uint8)
    image = Image.fromarray(indices, "P")
    image.putpalette(entries.ravel().tolist())
    options = {"transparency": 1} if hole else {}
    means = entries.copy()
    if hole:
        means[1] = GROUND
    return encoded(image, format, **options), means[indices]


def turned(format: str, orientation: int) -> Truth:
    stored = {
        1: lambda a: a,
        2: np.fliplr,
        3: lambda a: np.rot90(a, 2),
        4: np.flipud,
        5: lambda a: a.swapaxes(0, 1),
        6: np.rot90,
        7: lambda a: np.rot90(a.swapaxes(0, 1), 2),
        8: lambda a: np.rot90(a, -1),
    }[orientation](QUARTERS)
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"quality": 100, "subsampling": 0} if format == "JPEG" else {}
    return encoded(Image.fromarray(np.ascontiguousarray(stored)), format, exif=exif, **options), QUARTERS


def moving(format: str) -> Truth:
    frames = [Image.new("RGB", (SIDE, SIDE), colour) for colour in [(220, 20, 40), (20, 220, 40), (20, 20, 240)]]
    frames[0].paste((30, 60, 90), (0, 0, 20, 64))
    options = {"lossless": True} if format == "WEBP" else {}
    data = encoded(frames[0], format, save_all=True, append_images=frames[1:], duration=100, **options)
    return data, np.asarray(frames[0])


def wide_gamut(alpha: bool) -> Truth:
    image = Image.fromarray(COLOURS)
    if alpha:
        image.putalpha(128)
    truth = wide(COLOURS)
    share = 128 / 255 if alpha else 1.0
    return encoded(image, "PNG", icc_profile=wide_profile()), truth * share + np.array(GROUND) * (1 - share)


def scan(bits: int, white: int) -> Truth:
    """A grey TIFF by hand: deep, and with 0 as white where `white` is 0."""
    values = (RAMP * (2**bits - 1)).round().astype(np.uint16)
    stored = values if white else 2**bits - 1 - values
    if bits == 12:
        first, second = stored.ravel()[::2], stored.ravel()[1::2]
        packed = (
            np.stack([first >> 4, (first & 15) << 4 | second >> 8, second & 255], 1).astype(np.uint8).tobytes()
        )
    else:
        packed = stored.astype("<u2").tobytes()
    fields = {256: SIDE, 257: SIDE, 258: bits, 259: 1, 262: white, 273: 122, 277: 1, 278: SIDE, 279: len(packed)}
    directory = b"".join(struct.pack("<2H2I", tag, 4, 1, value) for tag, value in fields.items())
    head = b"II*\0" + struct.pack("<IH", 8, len(fields)) + directory + bytes(4)
    assert len(head) == 122
    return head + packed, as_rgb(RAMP * 255)


def plain(format: str, values: np.ndarray) -> Truth:
    return encoded(Image.fromarray(values), format), values if values.ndim == 3 else as_rgb(values)


TRUTHS: dict[str, Callable[[], Truth]] = {
    "16-bit grey PNG": lambda: deep("PNG"),
    "16-bit grey TIFF": lambda: deep("TIFF"),
    "12-bit grey TIFF": lambda: scan(12, white=1),
    "16-bit grey TIFF, 0 is white": lambda: scan(16, white=0),
    "RGB PNG of many colours": lambda: wide_gamut(alpha=False),
    "RGBA PNG of many colours": lambda: wide_gamut(alpha=True),
    "CMYK TIFF with its profile": lambda: cmyk("TIFF", press_profile(), compression="tiff_lzw"),
    "RGBA PNG on a background": lambda: see_through("PNG", grey=False),
    "RGBA TIFF on a background": lambda: see_through("TIFF", grey=False),
    "LA PNG on a background": lambda: see_through("PNG", grey=True),
    "P PNG": lambda: palette("PNG", hole=False),
    "P GIF": lambda: palette("GIF", hole=False),
    "P PNG with a hole": lambda: palette("PNG", hole=True),
    "P GIF with a hole": lambda: palette("GIF", hole=True),
    "L PNG": lambda: plain("PNG", GREY),
    "L TIFF": lambda: plain("TIFF", GREY),
    "RGB PNG": lambda: plain("PNG", COLOURS),
    "RGB BMP": lambda: plain("BMP", COLOURS),
    "first of a GIF": lambda: moving("GIF"),
    "first of a WebP": lambda: moving("WEBP"),
    "first of an APNG": lambda: moving("PNG"),
}
TRUTHS |= {
    f"EXIF {n} {format}": lambda n=n, format=format: turned(format, n)
    for n in range(1, 9)
    for format in ("PNG", "TIFF", "JPEG")
}


@pytest.mark.parametrize("name", TRUTHS)
def test_colours_come_out_within_2_levels_of_the_truth(name):
    data, truth = TRUTHS[name]()
    pixels = decode.prepare(data, SIDE, "centre", GROUND)[0][0].astype(float)
    # At the seam of two colours a JPEG rings: there, as everywhere, the mean must fit.
    wrong = np.abs(pixels - truth)
    assert wrong.mean() <= 2 and (wrong.max() <= 2 or "JPEG" in name), (wrong.mean(), wrong.max())
    middles = wrong.reshape(8, 8, 8, 8, 3)[:, 2:6, :, 2:6]
    assert middles.max() <= 2, middles.max()


def test_a_cmyk_jpeg_is_converted_by_its_profile():
    data, truth = cmyk("JPEG", press_profile(), quality=100, subsampling=0)
    pixels = decode.prepare(data, SIDE, "centre", GROUND)[0][0].astype(float)
    assert np.abs(pixels - truth).mean() <= 2


def test_grey_pictures_with_a_profile_of_colours_stay_grey():
    data = encoded(Image.fromarray(as_rgb(GREY)), "PNG", icc_profile=wide_profile())
    pixels, about = decode.prepare(data, SIDE, "centre", GROUND)
    assert about["grey"] and np.abs(pixels[0] - wide(as_rgb(GREY))).max() <= 2


def test_srgb_by_any_name_changes_nothing():
    data = encoded(
        Image.fromarray(COLOURS),
        "PNG",
        icc_profile=ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes(),
    )
    assert (decode.prepare(data, SIDE, "centre", GROUND)[0][0] == COLOURS).all()


def test_the_picture_of_a_phone_with_another_behind_it_is_decoded_as_fast_as_one():
    """Such a JPEG calls itself MPO; its decoder can leave out pixels as well."""
    large = Image.fromarray(COLOURS).resize((1024, 1024))
    data = encoded(large, "MPO", save_all=True, append_images=[large.resize((64, 64))], quality=95)
    assert decode.open_picture(data, SIDE).size == (128, 128)


def test_the_table_tells_a_profile_from_none():
    """The reference is far from what Pillow makes of the same inks without a profile."""
    data, truth = cmyk("TIFF", None)
    pixels = decode.prepare(data, SIDE, "centre", GROUND)[0][0].astype(float)
    assert np.abs(pixels - truth).mean() > 20


@pytest.mark.parametrize(
    "profile", [b"no profile", press_profile()[:200], press_profile().replace(b"CMYK", b"RGB ", 1), b"\0" * 4000]
)
def test_a_damaged_profile_costs_exactness_and_not_the_picture(profile):
    inks = Image.fromarray(inked(16), "CMYK")
    data = encoded(inks, "TIFF", icc_profile=profile)
    pixels = decode.prepare(data, SIDE, "centre", GROUND)[0][0]
    assert np.abs(pixels.astype(int) - np.asarray(inks.convert("RGB")).astype(int)).max() <= 2


def test_a_lab_scan_has_its_colours():
    values = np.zeros((SIDE, SIDE, 3), np.uint8)
    values[:] = 255 * 60 // 100, 20, 256 - 10  # as TIFF has 60, 20, -10
    image = Image.frombytes("LAB", (SIDE, SIDE), values.tobytes())
    expected = srgb(np.array([60.0, 20.0, -10.0]))
    pixels = decode.prepare(encoded(image, "TIFF"), SIDE, "centre", GROUND)[0][0]
    assert np.abs(pixels - expected).max() <= 2


def test_a_picture_in_strips_is_the_same_as_in_one(monkeypatch):
    from ganart import plain as conversion

    data, truth = see_through("PNG", grey=False)
    whole = decode.prepare(data, SIDE, "centre", GROUND)
    monkeypatch.setattr(conversion, "STRIP", 5 * SIDE)
    strips = decode.prepare(data, SIDE, "centre", GROUND)
    assert (whole[0] == strips[0]).all() and whole[1] == strips[1]
    assert np.abs(strips[0][0] - truth).max() <= 2
