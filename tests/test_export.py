"""GIFs and PNGs, read back with Pillow: how long, how large, how true, and what they say of themselves."""

import io
import json
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageSequence

from ganart import export, files
from ganart.errors import InputError


def read(data: bytes) -> tuple[np.ndarray, list[int], dict]:
    """A GIF -> frames (N, H, W, 3), the delay of each in ms, and what it says of itself."""
    with Image.open(io.BytesIO(data)) as image:
        info = dict(image.info)
        pictures, delays = [], []
        for frame in ImageSequence.Iterator(image):
            pictures.append(np.asarray(frame.convert("RGB")))
            delays.append(frame.info["duration"])
    return np.stack(pictures), delays, info


def as_played(data: bytes, fps: int) -> np.ndarray:
    """What is on the screen at each moment: a frame that stays longer counts more than once."""
    frames, delays, _ = read(data)
    return np.repeat(frames, [round(delay * fps / 1000) for delay in delays], axis=0).astype(int)


def moving(count: int = 20, side: int = 48, channels: int = 3) -> np.ndarray:
    """A smooth clip in which everything moves and colours change softly."""
    y, x = np.mgrid[:side, :side] / side
    frames = []
    for k in range(count):
        t = 2 * np.pi * k / count
        waves = [np.sin(4 * x + 3 * y + t + 0.6 * c) * np.cos(3 * y - 2 * x + 0.4 * c) for c in range(channels)]
        frames.append(np.stack(waves, -1))
    return (np.stack(frames) * 100 + 128).round().astype(np.uint8)


COLOUR = moving()
GREY = moving(channels=1)


@pytest.fixture(scope="module")
def colour_gif() -> bytes:
    return export.gif_bytes(COLOUR, 25)


def local_palettes(data: bytes) -> int:
    """How many frames of a GIF bring a palette of their own (GIF89a, sections 18 to 26)."""

    def table(flags: int) -> int:
        return 3 * 2 ** ((flags & 7) + 1) if flags & 128 else 0

    found, at = 0, 13 + table(data[10])
    while data[at] != 0x3B:
        if data[at] == 0x2C:
            found += bool(data[at + 9] & 128)
            at += 11 + table(data[at + 9])
        else:
            at += 2
        while data[at]:  # sub-blocks, each led by its length
            at += data[at] + 1
        at += 1
    return found


@pytest.mark.parametrize("fps", export.FPS)
def test_a_clip_is_as_long_as_its_frames_and_loops_for_ever(fps):
    data = export.gif_bytes(GREY, fps)
    pictures, delays, info = read(data)
    assert data[:6] == b"GIF89a"
    assert pictures.shape == (20, 48, 48, 3)
    assert delays == [1000 // fps] * 20
    assert info["loop"] == 0


def test_a_colour_clip_is_as_long_and_loops_too(colour_gif):
    pictures, delays, info = read(colour_gif)
    assert (pictures.shape, delays, info["loop"]) == ((20, 48, 48, 3), [40] * 20, 0)


def test_frames_that_repeat_take_their_time_all_the_same():
    frames = np.concatenate([GREY[:3], GREY[2:3].repeat(7, 0), GREY[3:5]])
    _, delays, _ = read(export.gif_bytes(frames, 25))
    assert sum(delays) == 12 * 40
    assert len(as_played(export.gif_bytes(frames, 25), 25)) == 12


def test_a_clip_that_stands_still_is_as_long_as_was_asked():
    frames = GREY[:1].repeat(50, 0)
    pictures, delays, _ = read(export.gif_bytes(frames, 25))
    assert sum(delays) == 2000
    assert abs(pictures.astype(int) - frames[0]).max() <= 3


@pytest.mark.parametrize("fps", [0, 24, 30, 60, 100])
def test_speeds_that_players_do_not_honour_are_refused(fps):
    with pytest.raises(InputError, match="10, 20, 25, 50"):
        export.gif_bytes(GREY, fps)


def test_grey_clips_are_true_to_three_levels():
    every = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1).repeat(4, 0)
    every = np.stack([np.roll(frame, 3 * k, 0) for k, frame in enumerate(every)])
    for frames in (every, GREY):
        played = as_played(export.gif_bytes(frames, 25), 25)
        assert played.shape == (*frames.shape[:3], 3)
        assert abs(played - frames).max() <= 3
        assert (played == played[..., :1]).all()


def test_colour_frames_without_colour_are_taken_as_grey():
    played = as_played(export.gif_bytes(GREY.repeat(3, -1), 25), 25)
    assert abs(played - GREY).max() <= 3


def test_smooth_colours_stay_close(colour_gif):
    played = as_played(colour_gif, 25)
    assert abs(played - COLOUR).mean() < 6
    assert abs(played.mean((1, 2)) - COLOUR.mean((1, 2))).max() < 4  # nothing gets darker or greener as a whole


def test_a_clip_of_few_colours_keeps_them():
    rng = np.random.default_rng(0)
    colours = np.array([[255, 0, 0], [0, 0, 255], [255, 255, 255], [12, 120, 40]], np.uint8)
    frames = colours[rng.integers(0, 4, (6, 24, 24))]
    assert abs(as_played(export.gif_bytes(frames, 25), 25) - frames).max() <= 3


def test_one_palette_serves_the_whole_clip():
    """Else unchanged pixels could not stay, and still parts would flicker."""
    frames = COLOUR.copy()
    frames[:, :24] = COLOUR[0, :24]
    played = as_played(export.gif_bytes(frames, 25), 25)
    assert (played[:, :24] == played[0, :24]).all()
    assert not (played[:, 24:] == played[0, 24:]).all()


def test_frames_bring_no_palettes_of_their_own(colour_gif):
    """768 bytes for each frame, more than a still frame has in all."""
    assert local_palettes(export.gif_bytes(GREY, 25)) == 0
    assert local_palettes(colour_gif) == 0


def blinking(frames: np.ndarray) -> np.ndarray:
    """The first frame all along but for one pixel, which blinks so that no frame can be left out."""
    still = frames[:1].repeat(len(frames), 0).copy()
    still[1::2, 0, 0] = 255 - still[0, 0, 0]
    return still


def test_grey_that_stands_still_costs_nearly_nothing():
    still = export.gif_bytes(blinking(GREY), 25)
    assert len(read(still)[0]) == len(GREY)
    assert len(still) < len(export.gif_bytes(GREY, 25)) / 4


def test_colour_that_stands_still_costs_nearly_nothing(colour_gif):
    still = export.gif_bytes(blinking(COLOUR), 25)
    assert len(read(still)[0]) == len(COLOUR)
    assert len(still) < len(colour_gif) / 4


def test_small_changes_of_colour_are_held_back():
    rng = np.random.default_rng(0)
    noisy = np.clip(COLOUR[:1].astype(int) + rng.integers(-3, 4, (12, 48, 48, 3)), 0, 255).astype(np.uint8)
    held, all_of_it = export.gif_bytes(noisy, 25), export.gif_bytes(noisy, 25, hold=0)
    assert len(held) < 0.7 * len(all_of_it)
    assert abs(as_played(held, 25) - noisy).mean() < 6


def test_what_is_held_back_never_adds_up():
    """A slow change arrives: no pixel stays behind by more than the hold and the palette's step."""
    ramp = np.linspace(40, 220, 30)[:, None, None, None] * np.array([1, 0.5, 0.25])
    frames = np.broadcast_to(ramp, (30, 8, 8, 3)).round().astype(np.uint8)
    assert abs(as_played(export.gif_bytes(frames, 25), 25) - frames).max() <= export.COLOUR_HOLD + 4


def test_the_same_clip_is_the_same_file(colour_gif):
    assert export.gif_bytes(COLOUR, 25) == colour_gif


# --- the recipe


def about(**more: object) -> dict:
    return export.recipe("ab" * 32, kind="walk", seeds=[3, 14, 2**32 - 1], seconds=1.5, **more)


def test_the_recipe_says_how_it_was_made_and_that_a_model_made_it():
    found = about(fps=25)
    assert found["model"] == "ab" * 32 and found["seeds"] == [3, 14, 2**32 - 1] and found["fps"] == 25
    assert found["source_type"].endswith("trainedAlgorithmicMedia")
    assert found["ganart"] == export.__version__


@pytest.mark.parametrize("seeds", [3, 3000])
def test_the_recipe_travels_in_the_gif(tmp_path, seeds):
    recipe = about(seeds_too=list(range(seeds)))
    data = export.gif_bytes(GREY[:3], 25, recipe)
    assert json.loads(read(data)[2]["comment"]) == recipe
    export.write(tmp_path / "a.gif", data)
    assert export.read_recipe(tmp_path / "a.gif") == recipe


def test_the_recipe_travels_in_the_png(tmp_path):
    recipe = about(note="Gemälde")
    export.write(tmp_path / "a.png", export.png_bytes(COLOUR[0], recipe))
    assert export.read_recipe(tmp_path / "a.png") == recipe
    with Image.open(tmp_path / "a.png") as image:
        np.testing.assert_array_equal(np.asarray(image), COLOUR[0])


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
        assert export.read_recipe(path) is None
    for text in (b"made by hand", b"null", b'"ganart"'):
        path.write_bytes(png_of((1, 1), (b"tEXt", b"ganart\0" + text)))
        assert export.read_recipe(path) is None
    path.write_bytes(png_of((1, 1)))
    assert export.read_recipe(path) is None


@pytest.mark.parametrize("data", [b"", b"GIF89a", b"\x89PNG\r\n\x1a\n", b"hello" * 100, GREY.tobytes()])
def test_what_is_no_picture_is_refused(tmp_path, data):
    (tmp_path / "a.gif").write_bytes(data)
    with pytest.raises(InputError, match=r"“a\.gif” cannot be read as a GIF or PNG"):
        export.read_recipe(tmp_path / "a.gif")


def test_other_kinds_of_pictures_and_missing_files_are_refused(tmp_path):
    Image.new("RGB", (4, 4)).save(tmp_path / "a.gif", "JPEG")
    for name in ("a.gif", "b.gif"):
        with pytest.raises(InputError, match="cannot be read"):
            export.read_recipe(tmp_path / name)


def test_a_picture_that_claims_to_be_enormous_is_refused(tmp_path):
    (tmp_path / "a.png").write_bytes(png_of((30_000, 30_000)))
    with pytest.raises(InputError, match="cannot be read"):
        export.read_recipe(tmp_path / "a.png")


def test_a_recipe_nested_without_end_is_none(tmp_path):
    (tmp_path / "a.png").write_bytes(png_of((1, 1), (b"tEXt", b"ganart\0" + b"[" * 100_000)))
    assert export.read_recipe(tmp_path / "a.png") is None


# --- what can be asked for


@pytest.mark.parametrize(
    ("seconds", "fps", "frames"), [(6, 25, 150), (0.2, 10, 2), (1.01, 50, 50), (120, 20, 2400)]
)
def test_a_length_makes_a_number_of_frames(seconds, fps, frames):
    assert export.frame_count(seconds, fps) == frames


@pytest.mark.parametrize("seconds", [0, 0.1, -1, 121, float("nan"), float("inf")])
def test_lengths_out_of_range_are_refused(seconds):
    with pytest.raises(InputError, match=r"0\.2 to 120"):
        export.frame_count(seconds, 25)


def test_what_would_not_fit_into_memory_is_refused():
    export.check_memory(150, 1024, 1024)
    with pytest.raises(InputError, match=r"7\.9 GB.*fewer seconds"):
        export.check_memory(2500, 1024, 1024)


def test_a_file_name_must_say_what_to_write(tmp_path):
    assert export.check_suffix(tmp_path / "a.GIF", ".gif") == tmp_path / "a.GIF"
    with pytest.raises(InputError, match=r"should end in \.gif or \.png"):
        export.check_suffix(tmp_path / "a.mov", ".gif", ".png")
    with pytest.raises(InputError, match=r"missing does not exist"):
        export.check_suffix(tmp_path / "missing" / "a.gif", ".gif")
    assert export.check_suffix(Path("a.gif"), ".gif") == Path("a.gif")


def test_an_export_that_is_there_already_is_replaced_whole(home):
    for data in (b"old and longer", b"new"):
        export.write(home / "a.gif", data)
        assert (home / "a.gif").read_bytes() == data
    files.sweep_temporary(home)
    assert [path.name for path in home.iterdir()] == ["a.gif"]
