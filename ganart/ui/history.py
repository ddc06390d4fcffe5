"""The way that a run has come: its checkpoints as a strip of film, going back to one, and training longer."""

import numpy as np
import streamlit as st

from ganart import housekeeping, images, launch, workspace
from ganart.config import MOST_KIMG
from ganart.dataset import list_datasets
from ganart.errors import GanartError, ModelError
from ganart.run import Run
from ganart.ui import page, words
from ganart.ui.wall import wall

LESS = {1.0: "As before", 0.5: "Half", 0.25: "A quarter"}  # learning rate of a branch


def show(run: Run) -> None:
    """The strip, and below it what can be done with the checkpoint that was picked."""
    page.follow()
    checkpoints = run.checkpoints()
    samples = {int(path.stem): path for path in run.samples()}
    if not checkpoints or not samples:
        return
    batch = run.config().batch
    steps = list(checkpoints)
    seen = {step: f"{step * batch:,} pictures seen" for step in steps}
    st.header("The way here")
    found = [_frame(samples[min(samples, key=lambda at: abs(at - step))].read_bytes()) for step in steps]
    blank = np.zeros_like(next((frame for frame in found if frame is not None), np.zeros((2, 2, 3), np.uint8)))
    frames = [blank if frame is None else frame for frame in found]

    def pick(index: int) -> None:
        st.session_state.picked_step = steps[index]

    picked = st.session_state.get("picked_step")
    wall(
        np.stack(frames),
        [f"After {seen[step]}{', can be gone back to' if step in run.states() else ''}" for step in steps],
        key="strip",
        title="Checkpoints of this run, oldest first",
        on_pick=pick,
        selected=[steps.index(picked)] if picked in steps else [],
        across=12,
        side=72,
    )
    if picked not in steps:
        st.caption("Checkpoints that were kept on the way. Pick one to play with it, or to go on from there.")
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"After **{seen[picked]}**")
        st.page_link(
            "pages/explore.py",
            label="Explore this one",
            icon=":material/explore:",
            query_params={"model": f"{run.id}@{picked}"},
        )
        if picked in run.states():
            _go_on_from(run, picked)
        else:
            nearest = min(run.states(), key=lambda step: abs(step - picked), default=None)
            if nearest is not None:
                st.caption(f"Its whole state was not kept. The nearest that was: {seen.get(nearest, nearest)}.")


@st.cache_data(max_entries=48, show_spinner=False)  # as many as two runs have checkpoints
def _frame(sheet: bytes) -> np.ndarray | None:
    """The first four pictures of a sheet of 6x6, as one; None of a damaged one."""
    try:
        pixels = images.read_png(sheet)
    except ModelError:
        return None
    side = pixels.shape[0] // 6
    return pixels[: 2 * side, : 2 * side]


def _go_on_from(run: Run, step: int) -> None:
    settings = run.config()
    with st.popover("Go on from here", icon=":material/undo:"):
        st.caption("A branch: a new run that starts from this state. The run itself stays as it is.")
        st.segmented_control(
            "Learning rate",
            list(LESS),
            default=1.0,
            required=True,
            format_func=LESS.__getitem__,
            key="branch_rate",
        )
        st.segmented_control(
            "Altered pictures for the critic",
            list(words.AUGMENT),
            default=settings.augment,
            required=True,
            format_func=words.AUGMENT.__getitem__,
            key="branch_augment",
        )
        least = min(step * settings.batch / 1000, MOST_KIMG - 1)
        st.number_input(
            "Length in all, in thousand pictures seen",
            least + 1,
            MOST_KIMG,
            max(settings.kimg, least + 1),
            key="branch_kimg",
        )
        st.button(
            "Start the branch",
            type="primary",
            icon=":material/alt_route:",
            on_click=_branch_as_asked,
            args=(run, step),
        )


def _branch_as_asked(run: Run, step: int) -> None:
    """In a callback, so from what the fields say now; not where another checkpoint has been picked since the
    button was drawn."""
    state = st.session_state
    if state.get("picked_step") != step or (state.get("strip") or {}).get("picked") is not None:
        return
    rate = run.config().lr * state.branch_rate
    branch(run, step, {"lr": rate, "augment": state.branch_augment, "kimg": float(state.branch_kimg)})


def longer(run: Run) -> None:
    """Go on with a run that has ended: longer, and on other pictures if wanted."""
    if not run.state.is_file():
        return
    settings, status = run.config(), run.status()
    if status.kimg + 1 > MOST_KIMG:
        return
    with st.popover("Train longer", icon=":material/more_time:"):
        st.number_input(
            "Length in all, in thousand pictures seen",
            status.kimg + 1,
            MOST_KIMG,
            min(MOST_KIMG, max(settings.kimg, 2 * status.kimg, status.kimg + 1)),
            key="longer_kimg",
        )
        form = settings.networks.size, settings.networks.channels
        stores = {s.name: s for s in list_datasets() if (s.settings.size, s.channels) == form}
        if stores:
            names = list(stores)
            st.selectbox(
                "Pictures",
                names,
                names.index(settings.dataset) if settings.dataset in names else 0,
                key="longer_pictures",
                help="To add pictures, prepare the larger folder first; then choose it here.",
            )
        st.caption("A branch: a new run that goes on from the end of this one.")
        st.button(
            "Go on",
            type="primary",
            icon=":material/play_arrow:",
            on_click=_longer_as_asked,
            args=(run, {name: store.hash for name, store in stores.items()}),
        )


def _longer_as_asked(run: Run, hashes: dict[str, str]) -> None:
    """In a callback, so from what the fields say now. hashes: of the datasets that can be chosen."""
    changes: dict[str, float | str] = {"kimg": float(st.session_state.longer_kimg)}
    if (name := st.session_state.get("longer_pictures")) in hashes:
        changes |= {"dataset": name, "dataset_hash": hashes[name]}
    branch(run, None, changes)


def healthy(run: Run, since: int) -> int | None:
    """The newest kept state from before the step `since`, else the oldest; None where no state was kept."""
    states = list(run.states())
    return next((step for step in reversed(states) if step < since), states[0] if states else None)


def branch(run: Run, step: int | None, changes: dict) -> None:
    """In a callback: make the branch, stop this run where it is at work, and start it. Where that cannot be, no
    branch is left over, and the page says why."""
    state, made = st.session_state, None
    try:
        device = changes.get("device", run.config().device)
        if other := launch.active_run(device, but=run):
            if state.get("branched") == (run.id, other.id):  # the second of two clicks
                page.go(run=other.id)
                return
            raise launch.busy_error(other, device)
        if step is None and run.status().active:
            launch.stop(run)
        made = launch.branch(run, step, changes)
        if run.status().active:
            launch.stop(run)
        launch.relaunch(made)
    except (GanartError, FileNotFoundError) as error:  # of a run at work, which thins its checkpoints
        if made is not None:
            housekeeping.delete_run(made)
        state.watch_error = str(error) if isinstance(error, GanartError) else "That state has just been let go of."
        state.gone = True  # the message stands in another part of the page
        return
    state.branched = run.id, made.id
    state.pop("picked_step", None)
    page.go(run=made.id)


def origin(run: Run) -> str:
    """What a run is made of, "Recipe sketch on the pictures of van-gogh, 64 px, width 32.", and, for a branch,
    "Goes on from van-gogh (0003), after 76,800 pictures seen."."""
    settings = run.config()
    recipe, pictures = words.plain(settings.preset or "of its own"), words.plain(settings.dataset)
    form = f"{settings.networks.size} px, width {settings.networks.width}"
    told = f"Recipe {recipe} on the pictures of {pictures}, {form}."
    source, _, step = settings.parent.partition("@")
    if not step:
        return told
    folder = workspace.folder("runs") / source
    title = words.run_title(Run(folder)) if folder.is_dir() else source
    return f"{told} Goes on from {title}, after {int(step) * settings.batch:,} pictures seen."
