"""Films of every kind of file, read back by other programs than the one that wrote them."""

import io
import json
import subprocess
import sys
import weakref
import zipfile
from collections.abc import Iterator
from pathlib import Path

import av
import imageio.v3 as iio
import numpy as np
import pytest
from av.video.reformatter import Colorspace
from PIL import Image, ImageSequence

from ganart import export, files, filmconfig, images, latent, layout, loaded, models, paths, recipes
from ganart.errors import GanartError, InputError

ANIMATED = (".gif", ".webp", ".apng")  # as Pillow reads them
ABOUT = recipes.recipe("ab" * 32, kind="film", note="Gemälde & <b>“x”</b>")


def moving(count: int = 20, height: int = 64, width: int = 96, channels: int = 3) -> np.ndarray:
    """A smooth clip in which everything moves and colours change softly."""
    y, x = np.mgrid[:height, :width] / 64
    frames = []
    for k in range(count):
        t = 2 * np.pi * k / count
        waves = [np.sin(4 * x + 3 * y + t + 0.6 * c) * np.cos(3 * y - 2 * x + 0.4 * c) for c in range(channels)]
        frames.append(np.stack(waves, -1))
    return (np.stack(frames) * 100 + 128).round().astype(np.uint8)


COLOUR, GREY = moving(), moving(channels=1)
CLIPS = {"colour": COLOUR, "grey": GREY}


def write(path: Path, frames: np.ndarray, fps: int = 25, about: dict = ABOUT) -> Path:
    export.write_film(path, iter(frames), len(frames), fps, about)
    return path


@pytest.fixture
def folder(tmp_path) -> Path:
    """An empty one."""
    (tmp_path / "films").mkdir()
    return tmp_path / "films"


@pytest.fixture(scope="module")
def written(tmp_path_factory) -> dict[tuple[str, str], Path]:
    """Both clips as every kind of file: (clip, suffix) -> path."""
    folder = tmp_path_factory.mktemp("written")
    return {(n, s): write(folder / f"{n}{s}", clip) for n, clip in CLIPS.items() for s in export.KINDS}


def as_rgb(frames: np.ndarray) -> np.ndarray:
    return frames if frames.shape[-1] == 3 else frames.repeat(3, -1)


def play(path: Path) -> tuple[np.ndarray, list[float], dict]:
    """An animation as Pillow reads it -> frames (N, H, W, 3), the ms that each is shown, what the file says."""
    with Image.open(path) as image:
        info, pictures, delays = dict(image.info), [], []
        for frame in ImageSequence.Iterator(image):
            pictures.append(np.asarray(frame.convert("RGB")))
            delays.append(frame.info["duration"])
    return np.stack(pictures), delays, info


def unzipped(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


# --- every kind of file, read back


@pytest.mark.parametrize("clip", CLIPS)
@pytest.mark.parametrize(("suffix", "apart"), [(".gif", 6), (".webp", 5), (".apng", 0)])
def test_animations_have_their_frames_and_loop_for_ever(written, clip, suffix, apart):
    pictures, delays, info = play(written[clip, suffix])
    assert pictures.shape == (20, 64, 96, 3)
    assert delays == [40] * 20 and info["loop"] == 0
    assert abs(pictures.astype(int) - CLIPS[clip]).mean() <= apart
    means = pictures.mean((1, 2)) - as_rgb(CLIPS[clip]).mean((1, 2))
    assert abs(means).max() <= (4 if apart else 0)  # nothing gets darker or greener as a whole


@pytest.mark.parametrize("fps", filmconfig.FPS)
@pytest.mark.parametrize("suffix", ANIMATED)
def test_animations_are_as_fast_as_was_asked(folder, suffix, fps):
    _, delays, _ = play(write(folder / f"a{suffix}", GREY[:5, :16, :16], fps))
    assert delays == [1000 / fps] * 5


@pytest.mark.parametrize("suffix", ANIMATED)
def test_an_animation_that_rests_is_as_long_as_was_asked(folder, suffix):
    frames = np.concatenate([GREY[:3], GREY[2:3].repeat(30, 0)])[:, :16, :16]
    _, delays, _ = play(write(folder / f"a{suffix}", frames))
    assert sum(delays) == 33 * 40


@pytest.mark.parametrize("clip", CLIPS)
def test_an_mp4_has_its_frames_and_its_speed(written, clip):
    with av.open(str(written[clip, ".mp4"])) as container:
        [stream] = container.streams
        assert (stream.frames, stream.average_rate) == (20, 25)
        shown = [
            frame.reformat(format="rgb24", src_colorspace=Colorspace.ITU709).to_ndarray()
            for frame in container.decode(stream)
        ]
    assert abs(np.stack(shown).astype(int) - CLIPS[clip]).mean() < 3


@pytest.mark.parametrize("clip", CLIPS)
def test_a_zip_holds_every_frame_exactly(written, clip):
    held = unzipped(written[clip, ".zip"])
    names = [f"frame-{index:04}.png" for index in range(20)]
    assert list(held) == ["recipe.json", *names]
    for name, frame in zip(names, CLIPS[clip], strict=True):
        np.testing.assert_array_equal(images.read_png(held[name]), frame)
    assert json.loads(held["recipe.json"]) == ABOUT


def test_frames_in_a_zip_sort_by_their_names_however_many_there_are(folder):
    held = unzipped(write(folder / "a.zip", np.zeros((10_001, 1, 1, 1), np.uint8)))
    names = [name for name in held if name.endswith(".png")]
    assert len(names) == 10_001 and names == sorted(names) and names[-1] == "frame-10000.png"


@pytest.mark.parametrize("clip", CLIPS)
def test_a_contact_sheet_shows_pictures_at_equal_times(written, clip):
    with Image.open(written[clip, ".png"]) as image:
        assert (image.format, getattr(image, "n_frames", 1)) == ("PNG", 1)
        sheet = images.from_pillow(image.copy())
    assert sheet.shape[:2] == (4 * 64, 5 * 96)
    np.testing.assert_array_equal(sheet, images.tile(CLIPS[clip], 5))


def test_a_contact_sheet_of_a_long_film_shows_36_of_its_frames(folder):
    frames = (np.arange(200) + 50).astype(np.uint8)[:, None, None, None].repeat(4, 1).repeat(4, 2)
    sheet = images.read_png(write(folder / "a.png", frames).read_bytes())
    assert sheet.shape == (24, 24, 1)
    levels = sheet[::4, ::4, 0].ravel().astype(int)
    assert (levels[0], levels[-1], len(set(levels))) == (50, 249, 36)
    assert set(np.diff(levels)) <= {5, 6}


@pytest.mark.parametrize(
    ("count", "height", "width"), [(1, 64, 64), (3, 40, 60), (36, 300, 400), (100, 600, 40), (7, 40, 2000)]
)
def test_the_sides_of_a_contact_sheet_are_foretold_and_not_too_large(folder, count, height, width):
    frames = np.zeros((count, height, width, 1), np.uint8)
    sheet = images.read_png(write(folder / "a.png", frames).read_bytes())
    assert export.sides(".png", count, width, height) == sheet.shape[1::-1]
    assert max(sheet.shape) <= export.SHEET_SIDE
    assert export.sides(".gif", count, width, height) == (width, height)


AS_ARRAYS = {
    **{suffix: {"plugin": "pillow", "mode": "RGB", "index": ...} for suffix in ANIMATED},
    ".mp4": {"plugin": "pyav", "format": "rgb24"},
    ".png": {},
}


@pytest.mark.parametrize("suffix", AS_ARRAYS)
def test_scripts_of_other_people_read_it_with_imageio(written, suffix):
    found = iio.imread(written["colour", suffix], **AS_ARRAYS[suffix])
    expected = images.tile(COLOUR, 5) if suffix == ".png" else COLOUR
    assert found.shape == expected.shape and abs(found.astype(int) - expected).mean() < 8


@pytest.mark.parametrize("suffix", export.KINDS)
def test_the_recipe_is_inside(written, folder, suffix):
    for clip in CLIPS:
        assert recipes.read(written[clip, suffix]) == ABOUT
    renamed = folder / "renamed"
    renamed.write_bytes(written["colour", suffix].read_bytes())
    assert recipes.read(renamed) == ABOUT


@pytest.mark.parametrize("suffix", export.KINDS)
@pytest.mark.parametrize("filled", ["x", "&"])
def test_a_recipe_of_the_greatest_length_is_inside(folder, suffix, filled):
    about = {"ganart": "1", "note": ""}
    about["note"] = filled * (recipes.MOST_BYTES - len(recipes.to_json(about)))
    assert len(recipes.to_json(about)) == recipes.MOST_BYTES
    assert recipes.read(write(folder / f"a{suffix}", GREY[:2], about=about)) == about
    with pytest.raises(InputError, match="fewer keyframes"):
        write(folder / f"b{suffix}", GREY[:2], about={**about, "one": "more"})
    assert [path.name for path in folder.iterdir()] == [f"a{suffix}"]


@pytest.mark.parametrize("suffix", [".webp", ".apng", ".png"])
def test_files_with_xmp_carry_the_mark_of_what_a_model_made(written, suffix):
    data = written["colour", suffix].read_bytes()
    assert f"<Iptc4xmpExt:DigitalSourceType>{recipes.MARK}</Iptc4xmpExt:DigitalSourceType>".encode() in data


@pytest.mark.parametrize("suffix", export.KINDS)
def test_the_same_film_is_the_same_file_whatever_its_name(written, folder, suffix):
    again = write(folder / f"another name{suffix.upper()}", COLOUR)
    assert again.read_bytes() == written["colour", suffix].read_bytes()


def test_a_picture_has_its_recipe_and_every_pixel(folder):
    for picture in (COLOUR[0], GREY[0]):
        data = export.png_bytes(picture, ABOUT)
        assert recipes.read(Path("a.png"), data) == ABOUT
        np.testing.assert_array_equal(images.read_png(data), picture)


def test_a_small_webp_loops_at_its_quality():
    sizes = {}
    for quality in (30, 90):
        data = export.webp_bytes(list(COLOUR), 20, quality)
        pictures, delays, info = play(io.BytesIO(data))
        assert pictures.shape == COLOUR.shape and delays == [50] * 20 and info["loop"] == 0
        sizes[quality] = len(data)
    assert sizes[30] < sizes[90]


# --- in a folder where there is a file already


def breaking(frames: np.ndarray, error: Exception) -> Iterator[np.ndarray]:
    yield from frames
    raise error


@pytest.mark.parametrize("suffix", export.KINDS)
def test_a_film_that_breaks_off_leaves_the_old_file_and_no_other(folder, suffix):
    path = folder / f"a{suffix}"
    path.write_bytes(b"old")
    for count in (0, 1, 15):
        with pytest.raises(RuntimeError, match="no more"):
            export.write_film(path, breaking(GREY[:count], RuntimeError("no more")), 20, 25, ABOUT)
        assert path.read_bytes() == b"old" and list(folder.iterdir()) == [path]


@pytest.mark.parametrize("suffix", export.KINDS)
def test_an_old_file_is_there_until_the_new_one_is_whole(folder, suffix):
    path = folder / f"a{suffix}"
    path.write_bytes(b"old")

    def looking() -> Iterator[np.ndarray]:
        for frame in GREY:
            assert path.read_bytes() == b"old"
            yield frame

    export.write_film(path, looking(), len(GREY), 25, ABOUT)
    assert recipes.read(path) == ABOUT and list(folder.iterdir()) == [path]


ON_A_FULL_DISK = """
import json, resource, sys
from pathlib import Path
import numpy as np
from ganart import export
from ganart.errors import GanartError, InputError

frames = np.random.default_rng(0).integers(0, 256, (12, 128, 128, 3), np.uint8)
answers = {}
for limit in (200, 20_000, int(sys.argv[2])):
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    for suffix in export.KINDS:
        path = Path(sys.argv[1]) / f"a{suffix}"
        try:
            export.write_film(path, iter(frames), 12, 25, {})
            answers[f"{limit} {suffix}"] = "written"
        except InputError as error:
            answers[f"{limit} {suffix}"] = repr(error)
        except GanartError as error:
            answers[f"{limit} {suffix}"] = str(error)
print(json.dumps(answers))
"""


def test_a_full_disk_is_one_sentence_and_leaves_the_old_file(folder):
    pytest.importorskip("resource")  # POSIX
    for suffix in export.KINDS:
        (folder / f"a{suffix}").write_bytes(b"old")
    command = [sys.executable, "-c", ON_A_FULL_DISK, str(folder), "50000"]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=60, cwd=Path(__file__).parent.parent, check=True
    )
    answers = json.loads(done.stdout)
    assert len(answers) == 3 * len(export.KINDS)
    for place, told in answers.items():
        assert "could not be written (" in told and told.endswith(".") and "choose another place" in told, place
    assert sorted(path.name for path in folder.iterdir()) == sorted(f"a{suffix}" for suffix in export.KINDS)
    assert {path.read_bytes() for path in folder.iterdir()} == {b"old"}


def test_an_export_that_is_there_already_is_replaced_whole(home):
    for data in (b"old and longer", b"new"):
        export.write(home / "a.gif", data)
        assert (home / "a.gif").read_bytes() == data
    files.sweep_temporary(home)
    assert [path.name for path in home.iterdir()] == ["a.gif"]


def test_a_place_that_cannot_be_written_is_one_sentence(folder):
    (folder / "file").write_bytes(b"")
    with pytest.raises(GanartError, match=r"“a\.gif” could not be written \(Not a directory\)"):
        export.write(folder / "file" / "a.gif", b"data")


# --- as the frames come


@pytest.mark.parametrize("suffix", [".mp4", ".zip", ".png"])
def test_frames_are_taken_one_at_a_time_and_let_go(folder, suffix):
    """So that a film of any length needs the memory of a moment."""
    alive, most, asked = weakref.WeakSet(), 0, []

    class Frame(np.ndarray):
        __hash__ = object.__hash__

    def coming() -> Iterator[np.ndarray]:
        nonlocal most
        for index in range(120):
            frame = moving(1, 32, 32)[0].view(Frame)
            alive.add(frame)
            asked.append(index)
            most = max(most, len(alive))
            yield frame
            del frame

    export.write_film(folder / f"a{suffix}", coming(), 120, 25, ABOUT)
    assert asked == list(range(120))
    assert most <= (3 if suffix != ".png" else export.SHEET_PICTURES + 3)


# --- how large it will be


@pytest.fixture(scope="module")
def walk() -> np.ndarray:
    """A walk through a model that comes with the program, 60 frames of 128 px."""
    [model] = [model for model in models.pretrained() if model.id == "landscapes"]
    curve = paths.slerps(latent.sample_z([3, 14, 15], 128))
    return images.enlarge(loaded.pictures(model, curve.at(np.arange(60) / 20)), 2)


@pytest.mark.parametrize("suffix", export.KINDS)
def test_the_size_is_foretold_within_a_third(folder, walk, suffix):
    for count in (7, 60):
        real = write(folder / f"a{suffix}", walk[:count], about={}).stat().st_size
        assert export.estimate(suffix, walk[:count].__getitem__, count, 25, 128**2) == pytest.approx(real, rel=0.3)


def test_the_size_of_a_zip_of_tiny_frames_is_foretold_too(folder):
    """Their headers are as large as they are."""
    frames = GREY.repeat(5, 0)[:, :4, :4]
    real = write(folder / "a.zip", frames, about={}).stat().st_size
    assert export.estimate(".zip", frames.__getitem__, 100, 25, 16) == pytest.approx(real, rel=0.05)


@pytest.mark.parametrize("count", [2, 3, 5, 6, 7, 17, 40, 150, 6000])
@pytest.mark.parametrize("suffix", export.KINDS)
def test_a_size_is_foretold_from_a_few_frames_of_all_parts(suffix, count):
    segments = export.segments_of(suffix, count, 128**2)
    used = [index for part in segments for index in part]
    assert all(0 <= index < count for index in used) and len(used) <= 36
    assert used[0] == 0 and (used[-1] == count - 1 or len(segments) == 1)
    assert len(segments) > 1 or count < 32 or suffix == ".png"
    if suffix != ".png":
        assert all(np.diff(part).tolist() == [1] * (len(part) - 1) for part in segments)


# --- what can be asked for


def test_what_would_not_fit_into_memory_is_refused():
    for suffix, needed in ((".gif", "13.1"), (".webp", "13.1"), (".apng", "23.6")):
        export.check(suffix, 150, 1024, 1024)
        with pytest.raises(InputError, match=rf"take {needed} GB of memory.*fewer seconds.*MP4"):
            export.check(suffix, 2500, 1024, 1024)
    export.check(".mp4", 2500, 1024, 1024)
    export.check(".zip", 2500, 1024, 1024)


PEAK = """
import re, sys
from pathlib import Path
import numpy as np
from ganart import export
writer = {".gif": export._gif, ".webp": export._webp, ".apng": export._apng}[sys.argv[1]]
still = np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8).repeat(8, 0).repeat(8, 1)
frames = lambda count: (np.roll(still, 3 * index, 1) for index in range(count))
peak = lambda: int(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1])
writer(frames(3), 3, 25, {})
before = peak()
writer(frames(150), 150, 25, {})
print(peak() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells the peak of a process")
@pytest.mark.parametrize("suffix", export.HELD)
def test_a_film_takes_no_more_memory_than_is_counted(suffix):
    peak = subprocess.run([sys.executable, "-c", PEAK, suffix], capture_output=True, check=True, text=True).stdout
    share = 1024 * int(peak) / (150 * 256 * 256)
    print(f"{suffix}: {share:.1f} bytes a pixel")
    assert 0.5 * export.HELD[suffix] < share < 1.05 * export.HELD[suffix]


@pytest.mark.parametrize("suffix", export.KINDS)
def test_every_kind_has_a_greatest_side(suffix):
    name, most = export.KINDS[suffix]
    for width, height in ((most, 16), (16, most)):
        export.check(suffix, 10, width, height)
    for width, height in ((most + 2, 16), (16, most + 2)):
        with pytest.raises(InputError, match=f"{width}x{height} px, and {name} may have up to {most} px"):
            export.check(suffix, 10, width, height)


@pytest.mark.parametrize("suffix", export.KINDS)
def test_films_without_end_are_for_kinds_that_stream(suffix):
    if suffix in export.HELD:
        with pytest.raises(InputError, match="GB"):
            export.check(suffix, 6000, 512, 512)
    else:
        export.check(suffix, 6000, 512, 512)


@pytest.mark.parametrize(("width", "height"), [(101, 100), (100, 101)])
def test_an_mp4_has_even_sides(width, height):
    with pytest.raises(InputError, match=f"even sides, but {width}x{height} px"):
        export.check(".mp4", 10, width, height)
    export.check(".gif", 10, width, height)


def test_where_no_size_was_asked_for_every_kind_can_be_written():
    """Whatever the grid."""
    for suffix, (_, most) in export.KINDS.items():
        for rows, columns in ((1, 1), (11, 12), (12, 5), (1, 12)):
            for side in (28, 64, 128, 256):
                film = filmconfig.FilmConfig("direction", (filmconfig.Keyframe("1"),), rows=rows, columns=columns)
                found = layout.canvas(film, columns * side, rows * side, min(most, layout.MOST_SIDE))
                export.check(suffix, 150, found.width, found.height)


@pytest.mark.parametrize("name", ["a.mov", "a", "a.gif.txt", ".gif", "a.jpg", "a.PNG5"])
def test_other_suffixes_are_refused_before_a_frame_is_asked_for(folder, name):
    with pytest.raises(InputError, match=r"should end in \.gif or \.mp4"):
        export.write_film(folder / name, breaking(COLOUR[:0], AssertionError("asked")), 20, 25, ABOUT)
    assert not list(folder.iterdir())


def test_a_file_name_must_say_what_to_write(folder):
    assert export.check_suffix(folder / "a.GIF", ".gif") == folder / "a.GIF"
    with pytest.raises(InputError, match=r"should end in \.gif or \.png"):
        export.check_suffix(folder / "a.mov", ".gif", ".png")
    with pytest.raises(InputError, match=r"missing does not exist"):
        export.check_suffix(folder / "missing" / "a.gif", ".gif")
    (folder / "folder.gif").mkdir()
    with pytest.raises(InputError, match="is a folder"):
        export.check_suffix(folder / "folder.gif", ".gif")
    assert export.check_suffix(Path("a.gif"), ".gif") == Path("a.gif")
