"""MP4s, read back with PyAV: how long, how true, and how they are marked."""

import json
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest
from av.video.reformatter import Colorspace

from ganart import recipes, video
from ganart.errors import GanartError

BT709, LIMITED = 1, 1  # as ITU-T H.273 and FFmpeg number them


def clip(count: int = 20, width: int = 96, height: int = 64, channels: int = 3) -> np.ndarray:
    """A smooth clip in which everything moves and colours change softly."""
    y, x = np.mgrid[:height, :width] / 64
    frames = []
    for k in range(count):
        t = 2 * np.pi * k / count
        waves = [np.sin(4 * x + 3 * y + t + 0.6 * c) * np.cos(3 * y - 2 * x + 0.4 * c) for c in range(channels)]
        frames.append(np.stack(waves, -1))
    return (np.stack(frames) * 100 + 128).round().astype(np.uint8)


COLOUR = clip()
ABOUT = recipes.recipe("ab" * 32, kind="film", note="Gemälde & <b>“x”</b>")


def written(path: Path, frames: np.ndarray, fps: int = 25, about: dict | None = None) -> Path:
    video.write(path, iter(frames), fps, ABOUT if about is None else about)
    return path


def played(path: Path) -> np.ndarray:
    """The frames as a player shows them that takes the marks at their word, (N, H, W, 3)."""
    with av.open(str(path)) as container:
        shown = [
            frame.reformat(format="rgb24", src_colorspace=Colorspace.ITU709).to_ndarray()
            for frame in container.decode(video=0)
        ]
    return np.stack(shown)


@pytest.fixture(scope="module")
def film(tmp_path_factory) -> Path:
    return written(tmp_path_factory.mktemp("film") / "a.mp4", COLOUR)


def boxes(data: bytes) -> Iterator[tuple[bytes, int]]:
    """The boxes of an MP4, each with its length (ISO/IEC 14496-12, section 4.2)."""
    at = 0
    while at < len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        yield data[at + 4 : at + 8], size
        at += size


@pytest.mark.parametrize("fps", [10, 20, 25, 50])
@pytest.mark.parametrize("count", [1, 2, 70])
def test_a_film_is_as_long_and_as_fast_as_was_asked(tmp_path, fps, count):
    path = written(tmp_path / "a.mp4", clip(count, 32, 32), fps)
    with av.open(str(path)) as container:
        [stream] = container.streams
        assert (stream.frames, stream.average_rate) == (count, fps)
        assert stream.duration * stream.time_base == pytest.approx(count / fps)
        times = [frame.time for frame in container.decode(stream)]
    np.testing.assert_allclose(times, np.arange(count) / fps, atol=1e-6)


def test_it_is_the_kind_of_file_that_every_player_knows(film):
    with av.open(str(film)) as container:
        assert "mp4" in container.format.name.split(",")
        context = container.streams.video[0].codec_context
        assert (context.name, context.profile, context.pix_fmt) == ("h264", "High", "yuv420p")
        assert (context.width, context.height) == (96, 64)


def test_its_colours_are_marked_as_bt_709(film):
    with av.open(str(film)) as container:
        context = container.streams.video[0].codec_context
        assert (context.colorspace, context.color_primaries, context.color_trc) == (BT709, BT709, BT709)
        assert context.color_range == LIMITED


def test_its_index_comes_before_its_pictures(film):
    """So that it plays before all of it has arrived."""
    names = [name for name, _ in boxes(film.read_bytes())]
    assert sum(size for _, size in boxes(film.read_bytes())) == film.stat().st_size
    assert names.index(b"moov") < names.index(b"mdat")


def test_flat_colours_come_back_within_a_few_levels(tmp_path):
    """Converted by BT.601, or to a wrong range, they are off by twenty and more."""
    colours = [(r, g, b) for r in (0, 90, 180, 255) for g in (0, 90, 180, 255) for b in (0, 90, 180, 255)]
    tiles = np.array(colours, np.uint8).reshape(8, 8, 1, 3).repeat(16, 0).repeat(16, 1)[:, :, 0]
    shown = played(written(tmp_path / "a.mp4", tiles[None].repeat(5, 0)))
    middles = shown.reshape(5, 8, 16, 8, 16, 3)[:, :, 4:12, :, 4:12].astype(int)
    expected = np.array(colours).reshape(8, 1, 8, 1, 3)
    assert abs(middles - expected).max() <= 8 and abs(middles - expected).mean() < 1.5


def test_a_moving_clip_stays_close(film):
    shown = played(film).astype(int)
    assert shown.shape == COLOUR.shape
    assert abs(shown - COLOUR).mean() < 3
    assert abs(shown.mean((1, 2)) - COLOUR.mean((1, 2))).max() < 2.5  # nothing gets darker or greener as a whole


def test_grey_clips_stay_grey(tmp_path):
    frames = clip(6, channels=1)
    shown = played(written(tmp_path / "a.mp4", frames)).astype(int)
    assert abs(shown - frames).mean() < 2 and np.ptp(shown, axis=-1).max() <= 3


def test_the_recipe_travels_as_the_comment(film):
    with av.open(str(film)) as container:
        assert json.loads(container.metadata["comment"]) == ABOUT
    assert recipes.read(film) == ABOUT


def test_a_film_without_a_recipe_has_no_comment(tmp_path):
    path = written(tmp_path / "a.mp4", COLOUR[:2], about={})
    with av.open(str(path)) as container:
        assert "comment" not in container.metadata
    assert recipes.read(path) is None


@pytest.mark.parametrize("size", [(84, 84), (96, 64), (112, 112), (192, 128), (256, 64)])
def test_the_same_frames_are_the_same_file(tmp_path, size):
    """Whatever the memory held before that the encoder gets."""
    frames = clip(20, *size)
    made = set()
    for again in range(4):
        stirred = [np.random.default_rng(again).bytes(300_000 + 7000 * again) for _ in range(3 * again)]
        made.add(written(tmp_path / f"{len(stirred)}.mp4", frames).read_bytes())
    assert len(made) == 1
    assert written(tmp_path / "other.mp4", frames[::-1]).read_bytes() not in made


@pytest.mark.parametrize("size", [(33, 32), (32, 33)])
def test_odd_sides_are_refused_in_a_sentence(tmp_path, size):
    with pytest.raises(GanartError, match=r"MP4 could not be written \(.+\)\. Choose another place or size\."):
        written(tmp_path / "a.mp4", clip(2, *size))


def test_a_place_that_cannot_be_written_is_one_sentence(tmp_path):
    with pytest.raises(GanartError, match="The MP4 could not be written"):
        written(tmp_path / "missing" / "a.mp4", COLOUR)


def test_without_the_package_the_sentence_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "av", None)  # as Python marks what is not there
    with pytest.raises(GanartError, match="pip install av"):
        written(tmp_path / "a.mp4", COLOUR)
