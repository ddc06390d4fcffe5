"""Files that an earlier ganart wrote, one of each kind, kept as they were (before there were checkpoints, branches
and signs of health): they open and go on."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageSequence

from ganart import checkpoint, dataset, launch, models, recipes, run, train, workspace

OLD = Path(__file__).parent / "old"


@pytest.fixture
def old_run(home) -> run.Run:
    """The old workspace: a dataset, and a run that was stopped after 20 of 50 steps."""
    shutil.copytree(OLD / "dataset", workspace.folder("datasets") / "old")
    shutil.copytree(OLD / "run", workspace.folder("runs") / "0001-old")
    return run.find_run("old")


def test_an_old_dataset_opens(old_run):
    store = dataset.open_dataset("old")
    assert (store.count, store.held_out, store.images().shape) == (20, 0, (20, 32, 32, 3))
    assert store.hash == old_run.config().dataset_hash


def test_an_old_model_draws(old_run):
    G, card = checkpoint.load_generator(old_run.model)
    assert card.step == 20 and G.config.size == 32
    assert models.find_model("old").path == old_run.model


def test_an_old_run_goes_on_to_its_end(old_run):
    before = checkpoint.load_state(old_run.state)[1]
    assert before["step"] == 20 and "history" not in before
    launch.make_ready(old_run)
    assert train.work(old_run) == "done"
    assert old_run.status().step == 50 and old_run.states() and old_run.vitals()
    assert [line["step"] for line in old_run.metrics()][:2] == [10, 20]


def test_an_old_run_branches(old_run):
    branch = launch.branch(old_run, None, {"kimg": 0.8})
    launch.make_ready(branch)
    assert train.work(branch) == "done" and branch.status().step == 100


FILMS = {"walk.gif": ("slerp", ["1", "2"]), "grid.gif": ("circle", ["3", "14", "15", "9"])}


@pytest.mark.parametrize("name", FILMS)
def test_the_recipe_in_an_old_film_is_read(name):
    recipe = recipes.read(OLD / name)
    assert recipe["kind"] == Path(name).stem and [str(seed) for seed in recipe["seeds"]] == FILMS[name][1]
    assert recipe["model"] == checkpoint.load_generator(OLD / "run" / "model.safetensors")[1].hash


def played(path: Path) -> np.ndarray:
    """What a GIF shows every 10 ms, (N, H, W, 3)."""
    shown = []
    with Image.open(path) as image:
        for frame in ImageSequence.Iterator(image):
            shown += [np.asarray(frame.convert("RGB")).astype(int)] * (frame.info["duration"] // 10)
    return np.stack(shown)


@pytest.mark.parametrize("given", [True, False])
@pytest.mark.parametrize("name", FILMS)
def test_an_old_film_is_made_again(ganart, old_run, tmp_path, name, given):
    """By the model that is given, or by the one that its recipe names."""
    model = [OLD / "run" / "model.safetensors"] if given else []
    answer = ganart("animate", *model, "--recipe", OLD / name, "--out", tmp_path / "again.gif")
    assert answer.status == 0, answer.err
    before, after = played(OLD / name), played(tmp_path / "again.gif")
    assert before.shape == after.shape
    assert abs(before - after).mean((1, 2, 3)).max() < 4
    film = recipes.read(tmp_path / "again.gif")["film"]
    assert (film["path"], [frame["place"] for frame in film["keyframes"]]) == FILMS[name]
