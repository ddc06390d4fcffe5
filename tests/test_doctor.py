"""What the doctor says of figures and signs with a known illness, and that it leaves healthy runs alone."""

import dataclasses
import itertools
import json

import pytest

from ganart import doctor, housekeeping, launch, train
from ganart.config import NetworkConfig, TrainConfig
from ganart.doctor import Finding
from ganart.run import Run

LOOKS = doctor.LOOKS
RIPE = 2 * doctor.GRACE_KIMG  # well past the grace, well before it is late
LATE = 2 * doctor.LATE_KIMG
SETTINGS = TrainConfig(networks=NetworkConfig(d_norm="none"), loss="rpgan", augment="steered", batch=64)
HEALTHY = {
    "telling": 0.8,
    "gap": 1.0,
    "diversity": 0.9,
    "rank": 0.8,
    "duplicates": 0.01,
    "sensitivity": 1.0,
    "overfitting": 0.2,
    "grad_D": 1.0,
    "grad_G": 0.5,
}
BLIND = {key: value for key, value in HEALTHY.items() if key != "overfitting"}  # without held-out pictures
DEAD = {"sensitivity": 0.001, "diversity": 0.01, "duplicates": 1.0, "rank": 0.01}
COLLAPSED = {"diversity": 0.05, "duplicates": 0.98, "rank": 0.1, "sensitivity": 0.2}
MEMORISING = {"overfitting": 0.97, "telling": 0.999}
AHEAD = {"telling": 1.0, "overfitting": 0.1}


def looks(*signs: dict, at: float = RIPE, every: float = 1.0, before: int = 5) -> list[dict]:
    """Lines of vitals.jsonl: `before` healthy ones, then one with each of `signs`, from `at` kimg on."""
    found = []
    for index, changed in enumerate([{}] * before + list(signs)):
        kimg = at + every * (index - before)
        found.append({"step": round(1000 * kimg / 64), "kimg": kimg, **HEALTHY, **changed})
    return found


def figures(*losses: tuple[float, float]) -> list[dict]:
    """Lines of metrics.jsonl with these losses of D and G."""
    return [
        {"step": 10 * index, "kimg": 0.64 * index, "loss_D": D, "loss_G": G, "D_real": 0.6, "D_fake": 0.4}
        for index, (D, G) in enumerate(losses, 1)
    ]


def found(vitals: list[dict], lines: list[dict] = (), settings: TrainConfig = SETTINGS) -> dict[str, Finding]:
    """The findings by their kinds."""
    return {finding.kind: finding for finding in doctor.examine(list(lines), vitals, settings, 812)}


# --- healthy runs


def test_of_a_run_without_a_line_nothing_is_said():
    assert doctor.examine([], [], SETTINGS, 0) == [] and doctor.light([]) == "green"


def test_a_healthy_run_is_left_alone_at_every_look():
    """Pictures that all look alike at first and differ more and more; a D that is first ahead, then matched."""
    vitals = []
    for index in range(100):
        done = min(1.0, index / 40)
        wobble = 1 + 0.04 * (-1) ** index
        vitals += looks(
            {
                "diversity": (0.07 + 0.9 * done) * wobble,
                "sensitivity": (0.1 + 0.9 * done) * wobble,
                "duplicates": max(0.0, 0.9 - 2 * done),
                "rank": 0.05 + 0.8 * done,
                "telling": 0.97 - 0.15 * done,
                "overfitting": 0.05 + 0.4 * done,
            },
            at=1.0 + index,
            before=0,
        )
    lines = figures(*[(0.6 + 0.1 * (-1) ** index, 0.9) for index in range(200)])
    for count in range(len(vitals) + 1):
        assert doctor.examine(lines[: 2 * count], vitals[:count], SETTINGS, 812) == [], vitals[count - 1]


@pytest.mark.parametrize("loss", ["bce", "hinge", "rpgan"])
def test_a_D_that_can_only_guess_does_not_diverge(loss):
    lines = figures(*[(1.05 * doctor.CHANCE[loss], 3.0)] * 50)
    assert found([], lines, dataclasses.replace(SETTINGS, loss=loss)) == {}


# --- each illness


@pytest.mark.parametrize(
    ("kind", "ill", "many"),
    [
        ("dead", DEAD, LOOKS),
        ("collapse", COLLAPSED, LOOKS),
        ("memorising", MEMORISING, LOOKS),
        ("ahead", AHEAD, 3 * LOOKS),
    ],
)
def test_an_illness_is_found_when_it_holds_at_enough_looks_in_a_row(kind, ill, many):
    for count in (1, LOOKS - 1):
        assert found(looks(*[ill] * count)) == {}
    vitals = looks(*[ill] * many)
    assert list(found(vitals)) == [kind]
    assert found(vitals)[kind].since == vitals[5]["step"], "the step at which it began"
    longer = looks(*[ill] * (many + 10))
    assert found(longer)[kind].since == longer[5]["step"]


@pytest.mark.parametrize("ill", [DEAD, COLLAPSED, MEMORISING, AHEAD])
def test_what_passes_by_itself_is_forgotten(ill):
    many = [ill] * 3 * LOOKS
    assert found(looks(*many)) and found(looks(*many, {})) == {}
    assert found(looks(*many, {}, *[ill] * (LOOKS - 1))) == {}, "looks in a row count"


def test_what_comes_again_has_begun_when_it_came_again():
    vitals = looks(*[DEAD] * 10, {}, *[DEAD] * LOOKS)
    assert found(vitals)["dead"].since == vitals[5 + 10 + 1]["step"]


@pytest.mark.parametrize("ill", [COLLAPSED, MEMORISING, AHEAD])
def test_in_the_grace_nothing_is_said(ill):
    assert_silent_in_the_grace(ill)


def test_a_painter_that_has_only_begun_is_not_dead():
    """At 128 and 256 px small networks heed their input less than DEAD until 2 to 3 kimg, and then learn well."""
    assert_silent_in_the_grace(DEAD)


def assert_silent_in_the_grace(ill: dict) -> None:
    every = 0.9 * doctor.GRACE_KIMG / (5 + 4 * LOOKS)
    assert found(looks(*[ill] * 4 * LOOKS, at=6 * every, every=every)) == {}


def test_looks_in_the_grace_do_not_count():
    every = doctor.GRACE_KIMG / 20
    ill = [MEMORISING] * (20 + LOOKS)  # the first twenty at 0 … 9.5 kimg
    assert found(looks(*ill[:-1], at=0.0, every=every, before=0)) == {}
    vitals = looks(*ill, at=0.0, every=every, before=0)
    assert found(vitals)["memorising"].since == vitals[20]["step"]


def test_the_painter_that_died_is_not_called_collapsed_as_well():
    for at in (RIPE, LATE):
        assert list(found(looks(*[DEAD] * 3 * LOOKS, at=at))) == ["dead"]


def test_pictures_that_differ_a_little_less_than_they_did_are_no_collapse():
    assert found(looks(*[{"diversity": 0.8}, {"diversity": 0.75}] * LOOKS)) == {}
    assert found(looks({"diversity": 1.6}, *[{"diversity": 0.85}] * 9)) == {}, "as much as real ones is enough"


def test_after_long_pictures_that_are_still_alike_are_a_collapse():
    """Though they have never been less alike."""
    alike = [{"diversity": value, "duplicates": 0.2} for value in (0.2, 0.15, 0.15, 0.15, 0.15, 0.15)]
    assert found(looks(*alike, before=0)) == {}
    vitals = looks(*alike, at=LATE, before=0)
    assert list(found(vitals)) == ["collapse"] and "15%" in found(vitals)["collapse"].sentence


def test_after_long_pictures_that_hardly_differ_more_than_before_are_a_collapse_too():
    every = doctor.LATE_KIMG / 40
    alike = [{"diversity": 0.002 * index, "duplicates": 0.2} for index in range(70)]
    vitals = looks(*alike, at=0.0, every=every, before=0)
    assert list(found(vitals)) == ["collapse"]
    assert found(vitals)["collapse"].since == vitals[40]["step"], "before, that was no illness"


def test_after_long_a_few_pictures_again_and_again_are_a_collapse():
    few = {"diversity": 0.85, "duplicates": 0.9}
    assert found(looks(*[few] * 2 * LOOKS)) == {}
    told = found(looks(*[few] * 2 * LOOKS, at=LATE))
    assert list(told) == ["collapse"] and "90% have a twin" in told["collapse"].sentence


def test_without_held_out_pictures_a_critic_that_is_always_right_counts_as_memorising():
    sure = [{key: value for key, value in line.items() if key != "overfitting"} for line in looks(*[AHEAD] * 9)]
    assert list(found(sure)) == ["memorising"]
    unsure = [{**BLIND, "step": line["step"], "kimg": line["kimg"], "telling": 0.93} for line in sure]
    assert found(unsure) == {}


@pytest.mark.parametrize(
    ("peak", "told"),  # at 32 and 64 px: (telling, gap) at each look from 10 kimg on
    [
        (4.69, "1 4.5, 1 3.9, .997 1.84, .982 1.5, .985 1.21, .987 .97, .977 .84, .995 .77, .987 .75, .991 .74"),
        (6.63, "1 3.17, .996 2.73, .994 2.74, .998 2.35, 1 2.38, .999 1.79, .998 2.11, .982 1.75, 1 1.79, 1 1.64"),
    ],
)
def test_without_held_out_pictures_a_critic_that_becomes_less_sure_is_healthy(peak, told):
    """As seen of `sketch` on 100 paintings: nearly always right, long after the painter has left the noise."""
    pairs = [tuple(map(float, pair.split())) for pair in told.split(",")]
    signs = [{"telling": telling, "gap": gap} for telling, gap in [(1.0, peak)] * 3 + pairs]
    vitals = looks(*signs, at=doctor.GRACE_KIMG - 2, before=0)
    blind = [{key: value for key, value in line.items() if key != "overfitting"} for line in vitals]
    for count in range(len(blind) + 1):
        assert found(blind[:count]) == {}, blind[count - 1]


def test_a_critic_that_is_right_of_held_out_pictures_too_does_not_memorise():
    assert "memorising" not in found(looks(*[AHEAD] * 9))
    assert found(looks(*[{"overfitting": 0.95, "telling": 0.7}] * 9)) == {}, "one that is often wrong does not"


def test_the_critic_is_called_ahead_only_where_nothing_worse_is_found():
    assert list(found(looks(*[{**AHEAD, **COLLAPSED}] * 9))) == ["collapse"]


# --- figures


@pytest.mark.parametrize("loss", ["bce", "hinge", "rpgan"])
@pytest.mark.parametrize("wild", ["D", "G"])
def test_losses_far_from_all_reason_diverge(loss, wild):
    settings = dataclasses.replace(SETTINGS, loss=loss)
    calm, ill = (0.9 * doctor.CHANCE[loss], 1.0), (20 * doctor.CHANCE[loss], 1.0)
    if wild == "G":
        ill = 0.1, -400.0
    assert found([], figures(*[calm] * 20), settings) == {}
    assert list(found([], figures(*[calm] * 20, *[ill] * 10), settings)) == ["diverging"]
    assert found([], figures(*[calm] * 20, *[ill] * 10, *[calm] * 10), settings) == {}


def test_a_few_wild_figures_are_no_divergence():
    assert found([], figures(*[(0.6, 1.0)] * 20, (40.0, 90.0), (30.0, 80.0))) == {}
    assert found([], figures(*[(40.0, 90.0)] * 2)) == {}, "too little was seen"


def test_a_divergence_began_about_where_its_figures_went_wild():
    lines = figures(*[(0.6, 1.0)] * 30, *[(40.0, 1.0)] * 10)
    since = found([], lines)["diverging"].since
    assert lines[20]["step"] <= since <= lines[30]["step"]


def test_a_divergence_of_long_ago_began_long_ago():
    lines = figures(*[(0.6, 1.0)] * 30, *[(40.0, 1.0)] * 70)
    since = found([], lines)["diverging"].since
    assert lines[15]["step"] <= since <= lines[31]["step"], "a state of later on is an ill one"


# --- what is said


ILL = {
    "dead": looks(*[DEAD] * 9),
    "collapse": looks(*[COLLAPSED] * 9),
    "memorising": looks(*[MEMORISING] * 9),
    "ahead": looks(*[AHEAD] * 9),
    "diverging": [],
}


@pytest.mark.parametrize("augment", ["off", "steered", "full"])
@pytest.mark.parametrize("kind", ILL)
def test_a_remedy_is_a_setting_that_can_be_taken_and_changes_something(kind, augment):
    settings = dataclasses.replace(SETTINGS, augment=augment)
    lines = figures(*[(40.0, 1.0)] * 20) if kind == "diverging" else []
    finding = found(ILL[kind], lines, settings)[kind]
    assert finding.level in ("yellow", "red") and finding.sentence.endswith(".") and finding.remedy.endswith(".")
    if (kind, augment) == ("memorising", "full"):
        assert finding.changes == {} and "More pictures" in finding.remedy
        return
    changed = dataclasses.replace(settings, **finding.changes)
    assert changed != settings and finding.changes
    if kind == "memorising":
        strength = ["off", "steered", "full"]
        assert strength.index(changed.augment) == strength.index(augment) + 1
    else:
        assert set(finding.changes) == {"lr"} and 0.1 * settings.lr < changed.lr < settings.lr


def test_the_number_of_pictures_is_named_where_they_are_what_is_learned_by_heart():
    assert "812 pictures" in found(ILL["memorising"])["memorising"].sentence


def test_the_light_is_the_worst_of_all_findings():
    yellow, red = (Finding("kind", level, 0, "", "") for level in ("yellow", "red"))
    for order in itertools.permutations([yellow, yellow, red]):
        assert doctor.light(list(order)) == "red"
    assert doctor.light([yellow, yellow]) == "yellow" and doctor.light([]) == "green"
    assert doctor.light(list(found(ILL["dead"]).values())) == "red"
    assert doctor.light(list(found(ILL["ahead"]).values())) == "yellow"


def test_the_worst_is_said_first():
    ill = looks(*[{**MEMORISING, **COLLAPSED}] * 9)
    kinds = doctor.examine(figures(*[(40.0, 1.0)] * 20), ill, SETTINGS, 812)
    assert {finding.kind for finding in kinds} == {"diverging", "collapse", "memorising"}
    levels = [doctor.LEVELS.index(finding.level) for finding in kinds]
    assert levels == sorted(levels, reverse=True) and levels[0] > levels[-1]


# --- lines of other times


def test_lines_of_a_run_from_before_there_were_signs_are_read():
    lines = [{"step": k, "kimg": k / 10, "loss_D": 0.6, "loss_G": 1.0, "img_s": 80.0} for k in range(10, 500, 10)]
    assert doctor.examine(lines, [], SETTINGS, 812) == []


def test_signs_that_are_not_always_there_may_be_missing():
    few = ("step", "kimg", "telling", "diversity", "duplicates", "sensitivity")
    vitals = [{key: line[key] for key in few} for line in looks(*[COLLAPSED] * 9)]
    assert list(found(vitals)) == ["collapse"]


def test_lines_without_some_figures_say_nothing_and_break_nothing():
    """A packed run from elsewhere is taken with any lines that have a step."""
    bare = [{"step": step} for step in range(0, 300, 10)]
    assert doctor.examine(bare, [], SETTINGS, 812) == []
    assert doctor.examine([], bare, SETTINGS, 812) == []
    assert doctor.examine([{**line, "loss_D": 1.5} for line in bare], bare, SETTINGS, 812) == []


# --- runs


@pytest.fixture
def done(settings) -> Run:
    """A finished run of some steps."""
    target = launch.create(dataclasses.replace(settings, kimg=0.2, save_seconds=60.0), "done")
    assert train.work(target) == "done"
    return target


def test_a_run_is_examined_by_what_lies_in_its_folder(done, store):
    assert len(done.vitals()) == 1 and doctor.examine_run(done) == []
    for line in looks(*[MEMORISING] * 9):
        done.append_vitals(line)
    (finding,) = doctor.examine_run(done)
    assert finding.kind == "memorising" and f"{store.training} pictures" in finding.sentence
    assert finding.level == "red", "the settings are those of the run, which has no augmentation"


def test_a_run_whose_pictures_are_gone_is_examined_all_the_same(done, store):
    for line in looks(*[COLLAPSED] * 9):
        done.append_vitals(line)
    housekeeping.delete_dataset(store.name)
    assert [finding.kind for finding in doctor.examine_run(done)] == ["collapse"]


def test_pictures_that_are_gone_are_not_counted_as_none(done, store):
    for line in looks(*[MEMORISING] * 9):
        done.append_vitals(line)
    housekeeping.delete_dataset(store.name)
    (finding,) = doctor.examine_run(done)
    assert finding.kind == "memorising" and "0 pictures" not in finding.sentence


def test_a_torn_last_line_is_passed_over(done):
    with (done.folder / "vitals.jsonl").open("a") as file:
        file.writelines(json.dumps(line) + "\n" for line in looks(*[DEAD] * 9))
        file.write('{"step": 99')
    assert [finding.kind for finding in doctor.examine_run(done)] == ["dead"]
