"""Measuring a model: sets whose verdict is known, and what it is measured against."""

import dataclasses
import types
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ganart import checkpoint, dataset, evaluate, evaluation, files, images, jobs, metrics, models
from ganart.commands.prepare import prepare_for
from ganart.config import IntakeConfig, NetworkConfig
from ganart.dataset import Dataset
from ganart.errors import DatasetError, ModelError
from ganart.evaluation import METRICS, Figure
from ganart.networks import Generator

HELD_OUT, LEARNED, SIDE = 40, 160, 32


def discs(seed: int, count: int = HELD_OUT + LEARNED) -> np.ndarray:
    """Pictures of one soft disc in a colour on another, with a fine grain."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:SIDE, :SIDE] / SIDE
    row, column = rng.uniform(0.2, 0.8, (2, count, 1, 1))
    disc = np.exp(-((rows - row) ** 2 + (columns - column) ** 2) / (2 * 0.12**2))[..., None]
    colour, ground = rng.uniform(60, 220, (count, 1, 1, 3)), rng.uniform(20, 120, (count, 1, 1, 3))
    values = ground + disc * (colour - ground) + 4 * rng.standard_normal((count, SIDE, SIDE, 3))
    return values.clip(0, 255).round().astype(np.uint8)


def noise(seed: int, count: int = LEARNED) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, SIDE, SIDE, 3), np.uint8)


def store_of(folder: Path, pictures: np.ndarray, held_out: int) -> Dataset:
    """A store of these pictures, the held-out ones last."""
    np.save(folder / f"images-{pictures.shape[1]}.npy", pictures)
    settings = IntakeConfig(size=pictures.shape[1])
    return Dataset(folder, "discs", "d15c5", settings, len(pictures), pictures.shape[3], held_out, [])


class Painter(nn.Module):
    """A generator that paints given pictures one after the other, and again from the first."""

    def __init__(self, pictures: np.ndarray) -> None:
        super().__init__()
        _, size, _, channels = pictures.shape
        self.config = types.SimpleNamespace(size=size, channels=channels, z_dim=4)
        self.pictures, self.done = pictures, 0
        self.weight = nn.Parameter(torch.zeros(1))

    def forward(self, z: Tensor) -> Tensor:
        some = self.pictures[(self.done + np.arange(len(z))) % len(self.pictures)]
        self.done += len(z)
        return images.to_float(torch.from_numpy(some))


def off_by(figure: Figure) -> float:
    return abs(figure.value - figure.floor)


@pytest.fixture(scope="module")
def learned(tmp_path_factory) -> Dataset:
    """160 pictures to learn from and 40 held out, of one source."""
    return store_of(tmp_path_factory.mktemp("discs"), discs(0), HELD_OUT)


@pytest.fixture(scope="module")
def measured(learned):
    """The figures of a painter of these pictures, measured once for each name."""
    known = {}

    def measured(name: str) -> dict[str, Figure]:
        if name not in known:
            fresh, training = discs(1), np.asarray(learned.images())[:LEARNED]
            odd = np.arange(LEARNED) % 2 == 1
            painter = {
                "fresh": lambda: Painter(fresh),
                "copied": lambda: Painter(training),
                "mirrored": lambda: Painter(training[:, :, ::-1].copy()),
                "half copied": lambda: Painter(np.where(odd[:, None, None, None], training, fresh[:LEARNED])),
                "collapsed": lambda: Painter(fresh[:4]),
                "shifted": lambda: Painter((fresh.astype(int) + 30).clip(0, 255).astype(np.uint8)),
                "shifted more": lambda: Painter((fresh.astype(int) + 60).clip(0, 255).astype(np.uint8)),
                "noise": lambda: Painter(noise(0)),
                "untrained": lambda: untrained(),
            }[name]
            known[name] = evaluate.measure(painter(), learned)[0]
        return known[name]

    return measured


def untrained() -> Generator:
    torch.manual_seed(0)
    return Generator(NetworkConfig(size=SIDE, channels=3, z_dim=8, width=4)).eval()


# --- known verdicts


def test_all_figures_are_there_as_plain_numbers_with_their_floor(measured):
    figures = measured("fresh")
    assert figures.keys() == METRICS.keys()
    for figure in figures.values():
        assert type(figure.value) is float and type(figure.floor) is float
        assert figure.n == HELD_OUT and np.isfinite([figure.value, figure.floor]).all()


def test_floors_are_those_of_real_pictures_whatever_is_painted(measured):
    floors = [{name: figure.floor for name, figure in measured(case).items()} for case in ("fresh", "noise")]
    assert floors[0] == floors[1]
    floor = floors[0]
    assert floor["coverage"] == pytest.approx(1 - 2**-5, abs=0.05)
    assert floor["density"] == pytest.approx(1, abs=0.25)
    expected = (HELD_OUT - 1) / (2 * HELD_OUT - 1)
    assert [floor["nn_accuracy_real"], floor["nn_accuracy_fake"]] == pytest.approx([expected] * 2, abs=0.12)
    assert floor["nn_ratio"] == pytest.approx(1, abs=0.15) and abs(floor["c_t"]) < 3


def test_new_pictures_of_the_source_are_at_the_floor(measured):
    figures, bad = measured("fresh"), measured("noise")
    assert figures["swd"].value == pytest.approx(figures["swd"].floor, rel=0.3)
    assert off_by(figures["kid_rf"]) < 1e-3 * off_by(bad["kid_rf"])
    for name in ("coverage", "density", "nn_accuracy_real", "nn_accuracy_fake", "ms_ssim", "nn_ratio"):
        assert off_by(figures[name]) < 0.12, name
    assert abs(figures["c_t"].value) < 3


@pytest.mark.parametrize("how", ["copied", "mirrored"])
def test_copies_of_training_pictures_show_in_the_two_figures_for_it_and_in_no_other(measured, how):
    figures, fresh = measured(how), measured("fresh")
    assert figures["nn_ratio"].value == 0
    # Every copy is nearer than every held-out picture, and this is how far that can bring it.
    assert figures["c_t"].value == pytest.approx(-((3 * HELD_OUT**2 / (2 * HELD_OUT + 1)) ** 0.5))
    assert figures["swd"].value == pytest.approx(fresh["swd"].value, rel=0.4)
    for name in ("coverage", "density", "nn_accuracy_real", "nn_accuracy_fake", "ms_ssim"):
        assert off_by(figures[name]) < 0.15, name


def test_copies_among_new_pictures_show_in_the_statistic(measured):
    figures = measured("half copied")
    assert measured("copied")["c_t"].value < figures["c_t"].value < -3
    assert off_by(figures["coverage"]) < 0.15


def test_a_collapsed_set_is_alike_and_covers_little_and_is_no_copy(measured):
    figures = measured("collapsed")
    assert figures["ms_ssim"].value > figures["ms_ssim"].floor + 0.12
    assert figures["coverage"].value < 0.5 and figures["nn_accuracy_fake"].value == 1
    assert figures["swd"].value > 1.5 * figures["swd"].floor
    assert figures["c_t"].value > -3 and figures["nn_ratio"].value > 0.5


def test_shifted_colours_are_farther_away_the_more_they_are_shifted(measured):
    fresh, some, more = (measured(name) for name in ("fresh", "shifted", "shifted more"))
    for name in ("swd", "kid_rf", "nn_accuracy_real", "nn_ratio", "c_t"):
        assert fresh[name].value < some[name].value <= more[name].value, name
    for name in ("coverage", "density"):
        assert fresh[name].value > some[name].value >= more[name].value, name
    assert some["swd"].value > 3 * some["swd"].floor and some["coverage"].value < 0.7
    assert more["swd"].value - fresh["swd"].value == pytest.approx(2 * some["swd"].value, rel=0.5)


@pytest.mark.parametrize("how", ["noise", "untrained"])
def test_what_is_no_picture_of_the_source_is_far_from_every_floor(measured, how):
    """So is what a generator paints before it is trained."""
    figures = measured(how)
    assert figures["swd"].value > 5 * figures["swd"].floor
    assert figures["kid_rf"].value > 1000 * abs(figures["kid_rf"].floor)
    assert figures["coverage"].value == figures["density"].value == 0
    assert figures["nn_accuracy_real"].value == figures["nn_accuracy_fake"].value == 1
    assert figures["nn_ratio"].value > 1.3 and figures["c_t"].value > 3
    likeness = figures["ms_ssim"]
    assert likeness.value > 0.95 if how == "untrained" else likeness.value < likeness.floor / 2
    assert off_by(likeness) > 0.1


@pytest.mark.parametrize(
    ("how", "said", "unsaid"),
    [
        ("fresh", ["No sign of copying", "covers all", "hardly be told"], ["repeats", "easily"]),
        ("copied", ["It repeats pictures", "covers all"], ["No sign"]),
        ("half copied", ["It repeats pictures", "covers all"], ["No sign"]),
        ("collapsed", ["No sign of copying", "easily told"], ["covers all", "repeats"]),
        ("noise", ["nothing like the real ones"], ["copying", "covers", "hardly"]),
    ],
)
def test_the_verdict_in_words_is_that_of_the_figures(measured, how, said, unsaid):
    sentences = " ".join(evaluation.verdict(measured(how)))
    assert all(words in sentences for words in said), sentences
    assert not any(words in sentences for words in unsaid), sentences


def test_some_copies_are_told_from_a_set_of_copies_and_from_a_floor_as_low():
    figures = {"c_t": Figure(-4.0, 0.5, 100), "nn_ratio": Figure(0.9, 1.0, 100)}
    assert "some may be copies" in evaluation.verdict(figures)[0]
    figures["c_t"] = Figure(-4.0, -3.8, 100)  # as real pictures have it
    assert "No sign of copying" in evaluation.verdict(figures)[0]


def test_of_few_pictures_it_is_said_that_figures_are_rough():
    for n, said in ((evaluation.FEW - 1, True), (evaluation.FEW, False)):
        figures = {"coverage": Figure(0.9, 0.95, n)}
        assert (evaluation.ROUGH in evaluation.verdict(figures)) == said


def test_of_figures_that_are_not_there_nothing_is_said():
    assert evaluation.verdict({}) == []


def test_the_same_model_and_pictures_give_the_same_figures(learned, measured):
    assert evaluate.measure(untrained(), learned)[0] == measured("untrained")


def test_copying_is_told_beside_held_out_pictures_however_far_they_are(tmp_path):
    """Here they are of a kind of their own, far from what was learned; what is painted is as far, and no copy."""
    pictures = np.concatenate([discs(0, LEARNED), noise(0, HELD_OUT)])
    figures, _, _ = evaluate.measure(Painter(noise(1)), store_of(tmp_path, pictures, HELD_OUT))
    assert figures["nn_ratio"].value == pytest.approx(1, abs=0.1) and abs(figures["c_t"].value) < 3
    assert figures["nn_ratio"].floor < 0.6 and figures["c_t"].floor < -3


def test_without_held_out_pictures_one_half_is_measured_against_the_other(tmp_path):
    pictures = discs(0, 80)
    store = store_of(tmp_path, pictures, 0)
    fresh, _, _ = evaluate.measure(Painter(discs(1, 80)), store)
    assert fresh.keys() == METRICS.keys() and {figure.n for figure in fresh.values()} == {40}
    for name in ("coverage", "density", "nn_accuracy_real", "nn_accuracy_fake", "ms_ssim"):
        assert off_by(fresh[name]) < 0.3, name
    assert fresh["nn_ratio"].floor == 1 and fresh["c_t"].floor == 0
    assert fresh["nn_ratio"].value == pytest.approx(1, abs=0.25) and abs(fresh["c_t"].value) < 3
    copied, _, _ = evaluate.measure(Painter(pictures), store)
    assert copied["nn_ratio"].value == 0
    assert copied["c_t"].value == pytest.approx(-((3 * 40**2 / 81) ** 0.5))


def test_grey_pictures_work(tmp_path):
    store = store_of(tmp_path, discs(0, 32)[..., :1], 0)
    figures, fakes, originals = evaluate.measure(Painter(discs(1, 32)[..., :1]), store)
    assert np.isfinite([figure.value for figure in figures.values()]).all()
    assert fakes.shape == originals.shape == (6, SIDE, SIDE, 1)


def test_progress_goes_up_to_its_end(learned):
    seen = []
    evaluate.measure(Painter(discs(1)), learned, lambda *parts: seen.append(parts))
    assert [done for done, _ in seen] == list(range(1, seen[-1][1] + 1))
    assert {total for _, total in seen} == {2 * evaluate.DRAWS + 1}


# --- the closest pairs


def test_the_closest_pairs_are_copies_beside_their_originals(learned):
    training, painted = np.asarray(learned.images())[:LEARNED], discs(1)[:LEARNED]
    copies = [3, 50, 77, 100, 130, 159]  # wherever among the painted ones
    grain = np.random.default_rng(0).integers(-2, 3, (6, SIDE, SIDE, 3))
    painted[copies] = (training[copies[::-1]].astype(int) + grain).clip(0, 255)
    _, fakes, originals = evaluate.measure(Painter(painted), learned)
    assert fakes.shape == originals.shape == (6, SIDE, SIDE, 3) and fakes.dtype == np.uint8
    for fake, original in zip(fakes, originals, strict=True):
        [place] = np.flatnonzero((painted == fake).all((1, 2, 3)))
        assert place in copies
        np.testing.assert_array_equal(original, training[copies[::-1][copies.index(place)]])


def test_flat_pictures_that_are_all_near_each_other_are_no_copies(tmp_path):
    """What counts is how near a painted picture is beside how near real pictures are to each other there."""
    pictures = discs(0)
    pictures[:40] = np.arange(100, 180, 2)[:, None, None, None]
    store = store_of(tmp_path, pictures, HELD_OUT)
    painted = discs(1)[:LEARNED]
    painted[:80] = np.arange(101, 181, 2).repeat(2)[:, None, None, None]  # at 1 from a grey, which are 2 apart
    grain = 4 * np.random.default_rng(0).choice([-1, 1], (6, 16, 16, 3))
    painted[90:96] = (pictures[90:96].astype(int) + images.enlarge(grain, 2)).clip(0, 255)
    _, fakes, originals = evaluate.measure(Painter(painted), store)
    assert sorted(fake.tobytes() for fake in fakes) == sorted(copy.tobytes() for copy in painted[90:96])
    assert sorted(real.tobytes() for real in originals) == sorted(real.tobytes() for real in pictures[90:96])


# --- the real side


def numbered(folder: Path, count: int, held_out: int) -> Dataset:
    """A store whose pictures are each of one grey, their place in it."""
    greys = np.arange(count, dtype=np.uint8)[:, None, None, None]
    return store_of(folder, np.broadcast_to(greys, (count, 28, 28, 1)), held_out)


def places_of(pictures: np.ndarray) -> list[int]:
    return pictures[:, 0, 0, 0].tolist()


@pytest.mark.parametrize(("count", "held_out", "draws"), [(240, 30, 4), (200, 40, 4), (200, 60, 2), (100, 50, 1)])
def test_held_out_pictures_are_the_real_side_and_training_ones_the_others(tmp_path, count, held_out, draws):
    store = numbered(tmp_path, count, held_out)
    real, sets = evaluate._real_sides(store)
    assert places_of(real) == list(range(store.training, count))
    assert len(sets) == draws
    for places, pictures in sets:
        assert len(places) == held_out and places_of(pictures) == places.tolist()
        assert places.max() < store.training
    everything = np.concatenate([places for places, _ in sets])
    assert len(set(everything.tolist())) == draws * held_out, "no picture is in two sets"
    mean = (store.training - 1) / 2
    assert everything.mean() == pytest.approx(mean, abs=4 * store.training / (12 * len(everything)) ** 0.5)


@pytest.mark.parametrize("count", [32, 33, 100])
def test_without_held_out_pictures_the_sides_are_two_halves_that_share_none(tmp_path, count):
    real, sets = evaluate._real_sides(numbered(tmp_path, count, 0))
    [(places, pictures)] = sets
    assert len(real) == len(places) == count // 2 and places_of(pictures) == places.tolist()
    assert not set(places_of(real)) & set(places.tolist())
    assert np.ptp(places_of(real)) > count / 2 and np.ptp(places) > count / 2, "both from the whole store"


def test_more_held_out_pictures_than_are_measured_are_drawn_from_all_of_them(tmp_path, monkeypatch):
    monkeypatch.setattr(evaluate, "MOST", 20)
    store = numbered(tmp_path, 250, 100)
    real, sets = evaluate._real_sides(store)
    places = np.array(places_of(real))
    assert len(set(places.tolist())) == 20 and places.min() >= 150
    assert places.mean() == pytest.approx(199.5, abs=4 * 100 / (12 * 20) ** 0.5) and np.ptp(places) > 60
    assert len(set(np.diff(places).tolist())) > 3, (
        "at even steps, which the order of the pictures may fall in with"
    )
    assert [len(places) for places, _ in sets] == [20] * evaluate.DRAWS


def test_more_pictures_than_are_measured_without_held_out_ones_make_more_sets(tmp_path, monkeypatch):
    monkeypatch.setattr(evaluate, "MOST", 20)
    real, sets = evaluate._real_sides(numbered(tmp_path, 120, 0))
    everything = places_of(real) + [place for places, _ in sets for place in places.tolist()]
    assert len(real) == 20 and len(sets) == 3 and len(set(everything)) == 80


def test_the_sides_are_the_same_every_time(tmp_path):
    store = numbered(tmp_path, 100, 0)
    (one, [(places, _)]), (other, [(again, _)]) = evaluate._real_sides(store), evaluate._real_sides(store)
    assert places_of(one) == places_of(other) and places.tolist() == again.tolist()


# --- what cannot be compared


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"settings": IntakeConfig(size=64)}, "discs has 64 px ones with 3. Prepare it with --size 32."),
        ({"channels": 1}, "32 px pictures with 3 channels, but discs has 32 px ones with 1"),
        ({"count": 31}, "discs has 31 pictures, and measuring needs 32 or more"),
    ],
)
def test_pictures_of_another_form_and_too_few_are_refused(learned, changes, words):
    evaluation.check(untrained().config, learned)
    store = dataclasses.replace(learned, **changes)
    with pytest.raises(DatasetError, match=words):
        evaluation.check(untrained().config, store)
    with pytest.raises(DatasetError, match=words):
        evaluate.measure(untrained(), store)


def test_as_few_as_32_pictures_can_be_measured(tmp_path):
    store = store_of(tmp_path, discs(0, 32), 0)
    figures, _, _ = evaluate.measure(untrained(), store)
    assert figures["swd"].n == 16 and np.isfinite([figure.value for figure in figures.values()]).all()


# --- the job


@pytest.fixture
def prepared(picture_folder) -> Dataset:
    return dataset.prepare(picture_folder(40), IntakeConfig(size=32))


@pytest.fixture
def wanted(tiny_model, prepared) -> dict:
    model = models.find_model(str(tiny_model))
    return evaluation.request(model, model.card(), prepared)


def test_the_work_is_the_figures_and_a_sheet_of_the_closest_pairs(tiny_model, prepared, wanted, tmp_path):
    result = evaluate.work(wanted, tmp_path, lambda *_: None)
    G, _ = checkpoint.load_generator(tiny_model)
    figures, fakes, originals = evaluate.measure(G, prepared)
    assert evaluation.figures(result["figures"]) == figures
    assert (result["dataset"], result["held_out"]) == (prepared.name, False)
    assert result["features"] == metrics.FEATURES
    pairs = images.untile(images.read_png((tmp_path / "pairs.png").read_bytes()), 32)
    np.testing.assert_array_equal(pairs, np.concatenate([fakes, originals]))


def test_a_model_that_has_changed_since_and_pictures_that_are_gone_are_refused(wanted, tmp_path):
    with pytest.raises(ModelError, match="has changed since"):
        evaluate.work({**wanted, "hash": "other"}, tmp_path, lambda *_: None)
    with pytest.raises(DatasetError, match="is gone"):
        evaluate.work({**wanted, "dataset_hash": "other"}, tmp_path, lambda *_: None)
    assert not (tmp_path / "pairs.png").exists()


def test_another_model_or_other_pictures_are_another_job(tiny_model, prepared, wanted):
    model = models.find_model(str(tiny_model))
    card = model.card()
    assert evaluation.request(model, card, prepared) == wanted and wanted["kind"] == "evaluate"
    others = [
        evaluation.request(model, dataclasses.replace(card, hash="other"), prepared),
        evaluation.request(model, card, dataclasses.replace(prepared, hash="other")),
    ]
    assert len({jobs.find(request).folder for request in [wanted, *others]}) == 3


def test_what_was_measured_before_is_known(tiny_model, prepared, wanted):
    model = models.find_model(str(tiny_model))
    card = model.card()
    assert evaluation.known(model, card, prepared) is None
    job = jobs.find(wanted)
    job.folder.mkdir()
    figures = {"swd": {"value": 1.5, "floor": 1.0, "n": 20}, "of a later version": {"value": 0, "what": 1}}
    files.write_json(job.folder / "result.json", {"figures": figures})
    assert evaluation.known(model, card, prepared) == (job, {"swd": Figure(1.5, 1.0, 20)})
    renamed = dataclasses.replace(model, path=model.path.with_stem("another-name"))
    assert evaluation.known(renamed, card, dataclasses.replace(prepared, name="another")) is not None


def test_the_pictures_a_model_was_trained_on_are_found_by_their_hash(tiny_model, prepared):
    card = models.find_model(str(tiny_model)).card()
    other = dataclasses.replace(prepared, name="other", hash="other")
    assert evaluation.own_store(card, [other, prepared]) is None
    own = dataclasses.replace(card, dataset={"name": "renamed since", "hash": prepared.hash})
    assert evaluation.own_store(own, [other, prepared]) == prepared
    assert evaluation.own_store(own, [other]) is None


@pytest.mark.parametrize(("size", "channels"), [(28, 1), (32, 3), (64, 1)])
@pytest.mark.parametrize("grey", [False, True])
def test_pictures_are_prepared_in_the_form_that_the_model_paints(tmp_path, size, channels, grey):
    for index, picture in enumerate(discs(0, 9)):
        shown = images.to_pillow(picture).convert("L") if grey else images.to_pillow(picture)
        shown.resize((64, 64)).save(tmp_path / f"{index}.png")
    store = prepare_for(str(tmp_path), NetworkConfig(size=size, channels=channels))
    assert (store.settings.size, store.channels, store.count) == (size, channels, 9)


def test_every_figure_says_what_it_is_and_which_way_is_good():
    for metric in METRICS.values():
        assert metric.name and metric.meaning.endswith(".") and metric.good in ("low", "high", "floor")
