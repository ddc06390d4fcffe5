"""Any mode of Pillow's -> plain RGB, a strip at a time, so that a large picture is not in memory several times."""

import io
from collections.abc import Callable, Iterator

import numpy as np
from PIL import Image, ImageCms

STRIP = 4_000_000  # pixels at a time
MAX_PROFILE = 16_000_000  # bytes of an ICC profile; those of printers have 0.5 to 3 MB
SEE_THROUGH = ("RGBA", "LA", "PA", "La", "RGBa")


class NotNumbersError(Exception):
    """A picture of floats that are not all numbers."""


def flatten(image: Image.Image, background: tuple[int, int, int]) -> Image.Image:
    """Any Pillow image -> RGB: deep pixels scaled and not clipped, inks by their profile, transparency laid onto
    `background`. Raises NotNumbersError."""
    if image.mode == "RGB" and "transparency" not in image.info:
        return image
    to_rgb = _conversion(image, background)
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


def _conversion(image: Image.Image, background: tuple[int, int, int]) -> Callable[[Image.Image], Image.Image]:
    """What makes RGB of a strip of this image."""
    if image.mode.startswith("I") or image.mode == "F":
        top = _top(image)
        return lambda strip: Image.fromarray(_eight_bits(np.asarray(strip), top)).convert("RGB")
    if image.mode in SEE_THROUGH or "transparency" in image.info:
        return lambda strip: _onto(strip.convert("RGBA"), background)
    if (transform := _profile_transform(image)) is not None:
        return transform.apply
    return lambda strip: strip.convert("RGB")


def _onto(image: Image.Image, background: tuple[int, int, int]) -> Image.Image:
    ground = Image.new("RGBA", image.size, (*background, 255))
    return Image.alpha_composite(ground, image).convert("RGB")


def _profile_transform(image: Image.Image) -> ImageCms.ImageCmsTransform | None:
    """From the inks of the picture, as its own profile has them, to sRGB; from L*a*b* as well. None where Pillow's
    own conversion has to do."""
    if image.mode not in ("CMYK", "LAB"):
        return None
    data = image.info.get("icc_profile") or b""
    try:
        if image.mode == "LAB":
            source = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB"))
        elif 0 < len(data) <= MAX_PROFILE:
            source = ImageCms.ImageCmsProfile(io.BytesIO(data))
            if source.profile.xcolor_space.strip() != "CMYK":
                return None
        else:
            return None
        return ImageCms.buildTransform(
            source,
            ImageCms.createProfile("sRGB"),
            image.mode,
            "RGB",
            renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
            flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,  # as programs for pictures show it
        )
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return None  # a damaged profile costs exactness, not the picture


def _top(image: Image.Image) -> float:
    """The value that is white: a picture's type, or what its largest value hints at."""
    if image.mode.startswith("I;16"):
        return 65535.0
    largest = -np.inf
    for box in strips(image):
        values = np.asarray(image.crop(box))
        if not np.isfinite(values).all():
            raise NotNumbersError
        largest = max(largest, float(values.max()))
    steps = [1.0, 255.0, 65535.0] if image.mode == "F" else [255.0, 65535.0, float(2**31 - 1)]
    return next((step for step in steps if largest <= step), steps[-1])


def _eight_bits(deep: np.ndarray, top: float) -> np.ndarray:
    """Grey values of 16 or 32 bits or floats -> uint8. Pillow's own conversion would clip them to white."""
    return np.clip(deep.astype(np.float64) * (255.0 / top) + 0.5, 0, 255).astype(np.uint8)
