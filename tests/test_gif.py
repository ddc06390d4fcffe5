"""GIFs, read back with Pillow: how long, how large, how true."""

import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image, ImageSequence

from ganart import filmconfig, gif
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
    return gif.gif_bytes(COLOUR, 25)


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


@pytest.mark.parametrize("fps", filmconfig.FPS)
def test_a_clip_is_as_long_as_its_frames_and_loops_for_ever(fps):
    data = gif.gif_bytes(GREY, fps)
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
    _, delays, _ = read(gif.gif_bytes(frames, 25))
    assert sum(delays) == 12 * 40
    assert len(as_played(gif.gif_bytes(frames, 25), 25)) == 12


def test_a_clip_that_stands_still_is_as_long_as_was_asked():
    frames = GREY[:1].repeat(50, 0)
    pictures, delays, _ = read(gif.gif_bytes(frames, 25))
    assert sum(delays) == 2000
    assert abs(pictures.astype(int) - frames[0]).max() <= 3


@pytest.mark.parametrize("fps", [0, 24, 30, 60, 100])
def test_speeds_that_players_do_not_honour_are_refused(fps):
    with pytest.raises(InputError, match="10, 20, 25, 50"):
        gif.gif_bytes(GREY, fps)


def test_grey_clips_are_true_to_three_levels():
    every = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1).repeat(4, 0)
    every = np.stack([np.roll(frame, 3 * k, 0) for k, frame in enumerate(every)])
    for frames in (every, GREY):
        played = as_played(gif.gif_bytes(frames, 25), 25)
        assert played.shape == (*frames.shape[:3], 3)
        assert abs(played - frames).max() <= 3
        assert (played == played[..., :1]).all()


def test_colour_frames_without_colour_are_taken_as_grey():
    played = as_played(gif.gif_bytes(GREY.repeat(3, -1), 25), 25)
    assert abs(played - GREY).max() <= 3


def test_smooth_colours_stay_close(colour_gif):
    played = as_played(colour_gif, 25)
    assert abs(played - COLOUR).mean() < 6
    assert abs(played.mean((1, 2)) - COLOUR.mean((1, 2))).max() < 4  # nothing gets darker or greener as a whole


def test_a_clip_of_few_colours_keeps_them():
    rng = np.random.default_rng(0)
    colours = np.array([[255, 0, 0], [0, 0, 255], [255, 255, 255], [12, 120, 40]], np.uint8)
    frames = colours[rng.integers(0, 4, (6, 24, 24))]
    assert abs(as_played(gif.gif_bytes(frames, 25), 25) - frames).max() <= 3


def test_one_palette_serves_the_whole_clip():
    """Else unchanged pixels could not stay, and still parts would flicker."""
    frames = COLOUR.copy()
    frames[:, :24] = COLOUR[0, :24]
    played = as_played(gif.gif_bytes(frames, 25), 25)
    assert (played[:, :24] == played[0, :24]).all()
    assert not (played[:, 24:] == played[0, 24:]).all()


def test_frames_bring_no_palettes_of_their_own(colour_gif):
    """768 bytes for each frame, more than a still frame has in all."""
    assert local_palettes(gif.gif_bytes(GREY, 25)) == 0
    assert local_palettes(colour_gif) == 0


def blinking(frames: np.ndarray) -> np.ndarray:
    """The first frame all along but for one pixel, which blinks so that no frame can be left out."""
    still = frames[:1].repeat(len(frames), 0).copy()
    still[1::2, 0, 0] = 255 - still[0, 0, 0]
    return still


def test_grey_that_stands_still_costs_nearly_nothing():
    still = gif.gif_bytes(blinking(GREY), 25)
    assert len(read(still)[0]) == len(GREY)
    assert len(still) < len(gif.gif_bytes(GREY, 25)) / 4


def test_colour_that_stands_still_costs_nearly_nothing(colour_gif):
    still = gif.gif_bytes(blinking(COLOUR), 25)
    assert len(read(still)[0]) == len(COLOUR)
    assert len(still) < len(colour_gif) / 4


def test_small_changes_of_colour_are_held_back():
    rng = np.random.default_rng(0)
    noisy = np.clip(COLOUR[:1].astype(int) + rng.integers(-3, 4, (12, 48, 48, 3)), 0, 255).astype(np.uint8)
    palette = replace(gif.palette_of(noisy), hold=0)
    held, all_of_it = gif.gif_bytes(noisy, 25), gif.gif_bytes(noisy, 25, palette=palette)
    assert len(held) < 0.7 * len(all_of_it)
    assert abs(as_played(held, 25) - noisy).mean() < 6


def test_what_is_held_back_never_adds_up():
    """A slow change arrives: no pixel stays behind by more than the hold and the palette's step."""
    ramp = np.linspace(40, 220, 30)[:, None, None, None] * np.array([1, 0.5, 0.25])
    frames = np.broadcast_to(ramp, (30, 8, 8, 3)).round().astype(np.uint8)
    assert abs(as_played(gif.gif_bytes(frames, 25), 25) - frames).max() <= gif.COLOUR_HOLD + 4


def test_the_same_clip_is_the_same_file(colour_gif):
    assert gif.gif_bytes(COLOUR, 25) == colour_gif


# --- a palette made before


def test_the_palette_of_a_clip_makes_the_same_file(colour_gif):
    assert gif.gif_bytes(COLOUR, 25, palette=gif.palette_of(COLOUR)) == colour_gif


def test_a_palette_that_is_given_is_the_one_that_is_used():
    two = gif.Palette(
        np.array([[10, 20, 30], [200, 210, 220]], np.uint8),
        lambda frame: (frame[..., 0] > 128).astype(np.uint8),
        0,
    )
    played = as_played(gif.gif_bytes(COLOUR, 25, palette=two), 25)
    np.testing.assert_array_equal(played, two.colours[(COLOUR[..., 0] > 128).astype(int)])


def test_a_palette_of_fewer_pixels_serves_nearly_as_well(colour_gif):
    """By which sizes are estimated."""
    data = gif.gif_bytes(COLOUR, 25, palette=gif.palette_of(COLOUR, 2000))
    assert len(data) == pytest.approx(len(colour_gif), rel=0.15)
    assert abs(as_played(data, 25) - COLOUR).mean() < 7


@pytest.mark.parametrize("size", [(5, 9), (9, 5), (1, 7)])
def test_sides_may_differ_or_be_odd(size):
    rng = np.random.default_rng(0)
    frames = rng.integers(0, 2, (4, *size, 1), np.uint8) * 255
    played = as_played(gif.gif_bytes(frames, 25), 25)
    np.testing.assert_array_equal(played, frames.repeat(3, -1))


def test_a_clip_of_one_frame_is_a_gif_all_the_same():
    pictures, _, _ = read(gif.gif_bytes(GREY[:1], 25))
    assert pictures.shape == (1, 48, 48, 3)
