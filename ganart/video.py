"""Frames -> an MP4 that plays everywhere: H.264, 4:2:0, BT.709, its index in front. Imports no torch."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from ganart import recipes
from ganart.errors import GanartError
from ganart.files import FULL

if TYPE_CHECKING:
    from av import VideoStream
    from av.container import OutputContainer

CRF, PRESET = "18", "medium"
BT709, LIMITED = 1, 1  # as FFmpeg numbers them
MACROBLOCK, AT_ONCE = 16, 8  # px on a side, and how many of a row x264 takes together


def write(target: Path | BinaryIO, frames: Iterable[np.ndarray], fps: int, about: dict) -> None:
    """uint8 frames (H, W, C) with even sides, as they come, in constant memory; `about` becomes the comment.

    The colours are converted to BT.709 and marked so: FFmpeg's own choice is BT.601 without a mark, which players
    take for BT.709. Raises GanartError where the library is missing or cannot write.
    """
    try:
        import av  # takes a while, and only films of this kind need it
        from av.video.reformatter import ColorRange, Colorspace
    except ImportError as error:
        raise GanartError(
            "MP4 needs the package av. Install it with: pip install av. GIF and WebP go without."
        ) from error
    on_disk = isinstance(target, Path)
    options = {"movflags": "+faststart"} if on_disk else {}  # which writes the file a second time
    try:
        with av.open(str(target) if on_disk else target, "w", format="mp4", options=options) as container:
            if about:
                container.metadata["comment"] = recipes.to_json(about)
            stream = None
            for frame in frames:
                if stream is None:
                    stream = _stream(container, frame.shape[1], frame.shape[0], fps)
                colours = np.ascontiguousarray(np.broadcast_to(frame, (*frame.shape[:2], 3)))
                picture = av.VideoFrame.from_ndarray(colours, format="rgb24").reformat(
                    format="yuv420p",
                    src_colorspace=Colorspace.ITU709,
                    dst_colorspace=Colorspace.ITU709,
                    dst_color_range=ColorRange.MPEG,
                )
                container.mux(stream.encode(picture))
            if stream is not None:
                container.mux(stream.encode(None))
    except av.FFmpegError as error:
        way = "Make room on the disk, or choose" if error.errno in FULL else "Choose"
        raise GanartError(
            f"The MP4 could not be written ({error.strerror}). {way} another place or size."
        ) from error


def _stream(container: "OutputContainer", width: int, height: int, fps: int) -> "VideoStream":
    # One thread in the encoder: the same film is the same file, and the pages stay smooth beside it.
    options = {"crf": CRF, "preset": PRESET, "threads": "1"}
    if -(-width // MACROBLOCK) % AT_ONCE:
        # There x264's macroblock tree, as written for AVX-512, reads beyond the row: every time another file.
        options["x264-params"] = "mbtree=0"
    stream = container.add_stream("libx264", rate=fps, options=options)
    stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
    context = stream.codec_context
    context.colorspace = context.color_primaries = context.color_trc = BT709
    context.color_range = LIMITED
    return stream
