"""Which model is meant by what one types, and the sheets that come with it."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ganart import config, images, models, workspace
from ganart.config import TrainConfig
from ganart.errors import InputError, ModelError
from ganart.files import write_json
from ganart.models import Model
from ganart.run import Run


@pytest.fixture(autouse=True)
def shelf(tmp_path, monkeypatch) -> Path:
    """An empty folder in place of the models that come with the program."""
    folder = tmp_path / "shelf"
    folder.mkdir()
    monkeypatch.setattr(workspace, "pretrained_folder", lambda: folder)
    return folder


@pytest.fixture
def make_run(home, tiny_model):
    """Makes a run folder, with a model in it or without."""

    def make(name: str, saved: bool = True) -> Run:
        made = Run(home / "runs" / name)
        (made.folder / "samples").mkdir(parents=True)
        write_json(made.folder / "config.json", config.to_dict(TrainConfig()))
        if saved:
            made.model.write_bytes(tiny_model.read_bytes())
        return made

    return make


def put_on_shelf(shelf: Path, tiny_model: Path, name: str) -> Path:
    path = shelf / f"{name}.safetensors"
    path.write_bytes(tiny_model.read_bytes())
    return path


def sheets(count: int, channels: int = 3) -> list[tuple[int, bytes]]:
    rng = np.random.default_rng(0)
    made = [images.enlarge(rng.integers(0, 256, (2, 3, channels), np.uint8), 16) for _ in range(count)]
    return [(step**3, images.encode(sheet)) for step, sheet in enumerate(made)]


def test_a_model_is_found_by_its_path(tiny_model, monkeypatch):
    assert models.find_model(str(tiny_model)) == Model("tiny", tiny_model.resolve())
    monkeypatch.chdir(tiny_model.parent)
    assert models.find_model("tiny.safetensors").path == tiny_model.resolve()
    assert models.find_model("./tiny.safetensors").card().name == "tiny"


def test_a_run_is_a_model_by_id_name_and_path(make_run):
    run = make_run("0001-van-gogh")
    expected = Model("0001-van-gogh", run.model, run)
    for text in ("0001-van-gogh", "van-gogh", str(run.folder)):
        assert models.find_model(text) == expected


def test_a_built_in_model_is_found_by_its_name(shelf, tiny_model):
    path = put_on_shelf(shelf, tiny_model, "mnist")
    assert models.find_model("mnist") == Model("mnist", path)


def test_a_path_comes_before_names_and_what_is_listed_before_the_name_of_a_run(
    shelf, make_run, tiny_model, monkeypatch
):
    built_in = put_on_shelf(shelf, tiny_model, "mnist")
    assert models.find_model("mnist").path == built_in
    run = make_run("0001-mnist")
    assert models.find_model("mnist").path == built_in and models.find_model("0001-mnist").run == run
    monkeypatch.chdir(tiny_model.parent)
    (tiny_model.parent / "mnist").write_bytes(tiny_model.read_bytes())
    built_in.unlink()
    assert models.find_model("mnist").run == run  # without a separator it is a name, whatever lies in the folder
    assert models.find_model("./mnist").path == (tiny_model.parent / "mnist").resolve()


def test_a_name_that_two_runs_share_is_refused_with_both(make_run):
    make_run("0001-art")
    make_run("0002-art")
    with pytest.raises(InputError, match="0001-art, 0002-art"):
        models.find_model("art")
    assert models.find_model("0002-art").id == "0002-art"


def test_a_run_that_has_saved_nothing_says_so(make_run):
    run = make_run("0001-art", saved=False)
    for text in ("art", str(run.folder)):
        with pytest.raises(ModelError, match="0001-art has saved no model yet"):
            models.find_model(text)
    assert models.list_models() == []


def test_an_unknown_name_lists_the_known_ones(shelf, make_run, tiny_model):
    with pytest.raises(InputError, match="There are: none yet"):
        models.find_model("monet")
    put_on_shelf(shelf, tiny_model, "mnist")
    make_run("0001-art")
    with pytest.raises(InputError, match=r"“monet”\. There are: 0001-art, mnist"):
        models.find_model("monet")


def test_what_macos_lays_beside_models_on_foreign_disks_is_none(shelf, home, tiny_model):
    for folder in (shelf, home / "models"):
        folder.mkdir(exist_ok=True)
        put_on_shelf(folder, tiny_model, f"of-{folder.name}")
        (folder / f"._of-{folder.name}.safetensors").write_bytes(b"\0\5\26\7 what a disk cannot hold of a file")
    assert [model.id for model in models.list_models()] == ["of-shelf", "of-models"]


def test_a_path_to_nothing_is_refused(tmp_path):
    for text in (str(tmp_path / "no.safetensors"), str(tmp_path), "../no"):
        with pytest.raises(InputError, match="no model file"):
            models.find_model(text)


def test_all_models_newest_runs_first_then_built_ins(shelf, make_run, tiny_model):
    for name in ("b", "a"):
        put_on_shelf(shelf, tiny_model, name)
    for name in ("0001-old", "0002-new"):
        make_run(name)
    make_run("0003-unsaved", saved=False)
    assert [model.id for model in models.list_models()] == ["0002-new", "0001-old", "a", "b"]


# --- sheets


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("count", [1, 5])
def test_a_strip_holds_every_sheet(tmp_path, count, channels):
    path = tmp_path / "strip.webp"
    path.write_bytes(models.strip_bytes(sheets(count, channels)))
    found = models.read_strip(path)
    assert [step for step, _ in found] == [step for step, _ in sheets(count)]
    for (_, one), (_, other) in zip(found, sheets(count, channels), strict=True):
        one, other = images.read_png(one).astype(int), images.read_png(other)
        assert one.shape == other.shape and np.abs(one - other).mean() < 12  # it is not kept exactly


def with_steps(value: object) -> bytes:
    """A WebP of 12 rows that claims to be a strip."""
    about = Image.Exif()
    about[models.DESCRIPTION] = json.dumps({"version": 1, "steps": value, "channels": 3})
    return images.encode(np.zeros((12, 6, 3), np.uint8), "WEBP", exif=about.tobytes())


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no picture",
        images.encode(np.zeros((4, 4, 3), np.uint8)),
        images.encode(np.zeros((4, 4, 3), np.uint8), "JPEG"),
        with_steps([1, 2, 3])[:40],
        with_steps([1] * 5),
        with_steps([]),
        with_steps(5),
    ],
    ids=["empty", "text", "other-png", "jpeg", "cut", "steps-do-not-divide", "no-steps", "steps-are-no-list"],
)
def test_what_is_no_strip_is_refused(tmp_path, data):
    (tmp_path / "strip.webp").write_bytes(data)
    with pytest.raises(ModelError, match=r"strip\.webp is not a strip"):
        models.read_strip(tmp_path / "strip.webp")


def test_a_run_shows_its_own_sheets(make_run):
    run = make_run("0001-art")
    model = models.find_model("art")
    assert model.sheets() == [] and model.sheet() is None
    for step, data in sheets(3):
        run.sample_path(step).write_bytes(data)
    assert model.sheets() == sheets(3)
    assert model.sheet() == sheets(3)[0][1], "the sheet of the model's own step, which is 0"
    run.model.write_bytes(b"damaged")
    assert model.sheet() == sheets(3)[-1][1], "the newest, where nothing better is known"


def test_a_built_in_model_shows_the_strip_beside_it(shelf, tiny_model):
    path = put_on_shelf(shelf, tiny_model, "mnist")
    model = models.find_model("mnist")
    assert model.sheets() == [] and model.sheet() is None
    path.with_suffix(".webp").write_bytes(models.strip_bytes(sheets(3)))
    assert [step for step, _ in model.sheets()] == [0, 1, 8]
    shown, drawn = images.read_png(model.sheet()).astype(int), images.read_png(sheets(3)[-1][1])
    assert np.abs(shown - drawn).mean() < 12


def test_a_card_is_read_from_the_file(tiny_model):
    card = models.find_model(str(tiny_model)).card()
    assert (card.name, card.networks.size, card.networks.channels) == ("tiny", 32, 3)


def test_sheets_are_thinned_dense_early_and_keep_both_ends():
    many = [(step, b"") for step in (0, 4, 8, 12, *range(20, 10_000, 40))]
    steps = [step for step, _ in models.thinned(many, 12)]
    assert steps[0] == 0 and steps[-1] == many[-1][0] and len(steps) <= 12
    gaps = np.diff(steps)
    assert (np.diff(gaps) >= 0).all(), "sheets should lie ever wider apart"
    assert [step for step, _ in models.thinned(many[:2], 12)] == [0, 4]


def test_what_is_listed_is_found_under_its_name_whatever_runs_are_called(make_run, home, tiny_model):
    for name in ("0001-flowers", "0002-flowers"):
        make_run(name)
    (home / "models").mkdir(exist_ok=True)
    (home / "models" / "flowers.safetensors").write_bytes(tiny_model.read_bytes())
    for listed in models.list_models():
        assert models.find_model(listed.id) == listed
    assert models.find_model("flowers").run is None
