"""Any mode of Pillow's -> plain RGB, a strip at a time, so that a large picture is not in memory several times."""

import functools
import io
from collections.abc import Callable, Iterator

import numpy as np
from PIL import Image, ImageChops, ImageCms

STRIP = 4_000_000  # pixels at a time
MAX_PROFILE = 16_000_000  # bytes of an ICC profile; those of printers have 0.5 to 3 MB
BRIGHTEST = 16.0  # in a picture of floats whose white is 1
BITS, WHITE_IS = 258, 262  # tags of a TIFF: bits of a value; 0 where 0 is white
REMEMBERED = 1_000_000  # bytes of a profile that is kept for the next picture: those of cameras are far smaller
SEE_THROUGH = ("RGBA", "LA", "PA", "La", "RGBa")


class NotNumbersError(Exception):
    """A picture of floats that are not all numbers."""


def flatten(image: Image.Image, background: tuple[int, int, int]) -> Image.Image:
    """Any Pillow image -> RGB: deep pixels scaled and not clipped, inks by their profile, transparency laid onto
    `background`. Raises NotNumbersError."""
    if (to_rgb := _conversion(image, background)) is None:
        return image
    result = Image.new("RGB", image.size)
    for box in strips(image):
        result.paste(to_rgb(image.crop(box)), box)
    return result


def strips(image: Image.Image) -> Iterator[tuple[int, int, int, int]]:
    """Boxes of the image's full width, from top to bottom."""
    width, height = image.size
    rows = max(1, STRIP // width)
    for top in range(0, height, rows):
        yield 0, top, width, min(height, top + rows)


def _conversion(
    image: Image.Image, background: tuple[int, int, int]
) -> Callable[[Image.Image], Image.Image] | None:
    """What makes RGB of a strip of this image; None where it is that already."""
    if image.mode.startswith("I") or image.mode == "F":
        top, turned = _top(image), image.mode.startswith("I;16") and _tag(image, WHITE_IS) == 0
        deep = functools.partial(_eight_bits, top=top, turned=turned)
        return lambda strip: Image.fromarray(deep(np.asarray(strip))).convert("RGB")
    transform = _profile_transform(image)
    if image.mode in SEE_THROUGH or "transparency" in image.info:
        return lambda strip: _onto(_see_through(strip.convert("RGBA"), transform), background)
    if transform is not None:
        return functools.partial(_by_profile, transform)
    return None if image.mode == "RGB" else lambda strip: strip.convert("RGB")


def _onto(image: Image.Image, background: tuple[int, int, int]) -> Image.Image:
    ground = Image.new("RGBA", image.size, (*background, 255))
    return Image.alpha_composite(ground, image).convert("RGB")


def _see_through(image: Image.Image, transform: ImageCms.ImageCmsTransform | None) -> Image.Image:
    if transform is None:
        return image
    result = _by_profile(transform, image.convert("RGB"))
    result.putalpha(image.getchannel("A"))
    return result


def _by_profile(transform: ImageCms.ImageCmsTransform, image: Image.Image) -> Image.Image:
    """What is grey stays exactly grey: a set of grey pictures is one of one channel."""
    result = transform.apply(image)
    if image.mode == "RGB" and _is_grey(image):
        return result.convert("L").convert("RGB")
    return result


def _is_grey(image: Image.Image) -> bool:
    red, green, blue = image.split()
    return not any(ImageChops.difference(one, green).getbbox() for one in (red, blue))


def _profile_transform(image: Image.Image) -> ImageCms.ImageCmsTransform | None:
    """From the colours of the picture, as its own profile has them, to sRGB; from L*a*b* as well. None where there
    is nothing to change, or where Pillow's own conversion has to do."""
    mode, data = "RGB" if image.mode == "RGBA" else image.mode, image.info.get("icc_profile") or b""
    if mode == "LAB":
        return _transform(mode, b"")
    if mode not in ("RGB", "CMYK") or not 0 < len(data) <= MAX_PROFILE:
        return None
    return _transform(mode, data) if len(data) <= REMEMBERED else _transform.__wrapped__(mode, data)


@functools.lru_cache(maxsize=8)  # the pictures of a folder come from few cameras
def _transform(mode: str, data: bytes) -> ImageCms.ImageCmsTransform | None:
    try:
        if mode == "LAB":
            source = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB"))
        else:
            source = ImageCms.ImageCmsProfile(io.BytesIO(data))
            if source.profile.xcolor_space.strip() != mode:
                return None
        transform = ImageCms.buildTransform(
            source,
            ImageCms.createProfile("sRGB"),
            mode,
            "RGB",
            renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
            flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,  # as programs for pictures show it
        )
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return None  # a damaged profile costs exactness, not the picture
    return None if mode == "RGB" and _changes_nothing(transform) else transform


def _changes_nothing(transform: ImageCms.ImageCmsTransform) -> bool:
    """Whether colours stay what they are, within two levels: sRGB by any name."""
    steps = np.linspace(0, 255, 6).astype(np.uint8)
    colours = np.stack(np.meshgrid(steps, steps, steps), -1).reshape(1, -1, 3)
    changed = np.asarray(transform.apply(Image.fromarray(colours)))
    return int(np.abs(changed.astype(int) - colours).max()) <= 2


def _top(image: Image.Image) -> float:
    """The value that is white: a picture's type, or what its largest value hints at."""
    if image.mode.startswith("I;16"):
        bits = _tag(image, BITS)
        return float(2**bits - 1) if isinstance(bits, int) and 8 < bits < 16 else 65535.0
    largest = -np.inf
    for box in strips(image):
        values = np.asarray(image.crop(box))
        if not np.isfinite(values).all():
            raise NotNumbersError
        largest = max(largest, float(values.max()))
    if image.mode == "F" and 1 < largest <= BRIGHTEST:  # light, with highlights beyond white
        return largest
    steps = [1.0, 255.0, 65535.0] if image.mode == "F" else [255.0, 65535.0, float(2**31 - 1)]
    return next((step for step in steps if largest <= step), steps[-1])


def _tag(image: Image.Image, number: int) -> object:
    """The first value of a TIFF's tag; None where it is no TIFF or has none."""
    value = getattr(image, "tag_v2", {}).get(number)
    return value[0] if isinstance(value, tuple) and value else value


def _eight_bits(deep: np.ndarray, top: float, turned: bool) -> np.ndarray:
    """Grey values of 16 or 32 bits or floats -> uint8; turned: 0 is white. Pillow's own conversion would clip them
    to white."""
    light = np.clip(deep.astype(np.float64) * (255.0 / top) + 0.5, 0, 255).astype(np.uint8)
    return 255 - light if turned else light
