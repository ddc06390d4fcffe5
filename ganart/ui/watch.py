"""A run to watch: its newest sheet, its health and its figures, and the buttons that steer it."""

import time
from collections.abc import Callable

import streamlit as st

from ganart import dataset, doctor, forecast, images, launch, nearest, pack
from ganart.doctor import Finding
from ganart.errors import GanartError
from ganart.run import Run, Status
from ganart.ui import figures, history, manage, notify, page, sheets, start, words

SHEET_WIDTH = 640  # px
COMPARED = 6  # painted pictures that are shown beside their nearest training pictures


def watch(run: Run) -> None:
    """Show a run, renewed every second while it is at work."""
    active = run.status().active
    st.fragment(_live, run_every=1.0 if active else None)(run, active)
    st.fragment(history.show, run_every=5.0 if active else None)(run)


def _live(run: Run, was_active: bool) -> None:
    if not run.folder.is_dir():
        st.rerun()  # it was deleted or has another name by now, which the page as a whole will say
    page.follow()
    manage.message()  # what its menu did; a click there draws this part of the page alone
    status = run.status()
    if was_active != status.active:
        st.rerun()  # the run has ended or goes on: draw the page anew, without the timer or with it
    with st.container(horizontal=True, vertical_alignment="center"):
        page.state_badge(status)
        st.caption(words.progress(status))
    st.progress(status.progress)
    _messages(run, status)
    _buttons(run, status)
    settings, lines, vitals = run.config(), run.metrics(), run.vitals()
    pictures = _pictures(settings.dataset, settings.dataset_hash)
    _health(run, doctor.examine(lines, vitals, settings, pictures), bool(vitals))
    left, right = st.columns([3, 2], gap="large")
    with left:
        _sheet(run, settings.batch)
    with right:
        figures.show(lines, vitals, settings)


@st.cache_data(max_entries=50, show_spinner=False)
def _pictures(name: str, digest: str) -> int:
    try:
        return dataset.find(name, digest).training
    except GanartError:
        return 0


def _messages(run: Run, status: Status) -> None:
    if status.note:
        st.info(words.plain(status.note), icon=":material/info:")
    if message := st.session_state.pop("watch_error", None):
        st.error(message, icon=":material/error:")
    if status.state == "failed":
        st.error(words.plain(status.error) or "The training stopped on an error.", icon=":material/error:")
        _log(run)
    elif status.state == "crashed":
        st.warning(
            "The training was interrupted: the computer was switched off, or the program was ended. "
            "Resume goes on exactly where the last state was saved.",
            icon=":material/bolt:",
        )
        _log(run)
    elif status.state == "stuck":
        silent = forecast.duration(time.time() - status.heartbeat)
        st.warning(f"The trainer has not answered for {silent}. It may only be slow; nothing is lost.")


def _log(run: Run) -> None:
    """What the trainer wrote last; tracebacks and lines that name a place on this computer stay in log.txt."""
    lines = run.log_tail().partition("Traceback (most recent")[0].splitlines()
    told = "\n".join(line for line in lines if not line[:1].isspace() and not pack.PATH.search(line))
    if told.strip():
        with st.expander("What the trainer wrote last"):
            st.code(told, language=None)


def _buttons(run: Run, status: Status) -> None:
    state = status.state
    with st.container(horizontal=True, vertical_alignment="center"):
        if state in ("running", "starting"):
            _button("Pause", ":material/pause:", run.request, "pause")
        if state == "paused":
            _button("Continue", ":material/play_arrow:", run.request, "run")
        if state in ("running", "starting", "paused", "stuck"):
            _button("Stop", ":material/stop:", run.request, "stop")
        if state in ("stopped", "crashed", "failed"):
            _button("Resume", ":material/play_arrow:", _resume, run)
        if run.model.is_file():
            for label, file, icon in (
                ("Explore", "pages/explore.py", ":material/explore:"),
                ("Animate", "pages/animate.py", ":material/animation:"),
            ):
                st.page_link(file, label=label, icon=icon, query_params={"model": run.id})
        if not status.active:
            history.longer(run)
            manage.run(run)
        notify.at_the_end(run, status)


def _button(label: str, icon: str, action: Callable[..., None], argument: object) -> None:
    st.button(label, icon=icon, key=f"watch_{label.lower()}", on_click=action, args=(argument,))


def _resume(run: Run) -> None:
    if run.status().active:
        return  # the second of two clicks
    try:
        device = run.config().device
        if device not in ("cpu", here := start.this_device()):  # it came from another computer
            history.branch(run, None, {"device": here})
        else:
            launch.relaunch(run)
    except GanartError as error:
        st.session_state.watch_error = str(error)


# --- health


def _health(run: Run, found: list[Finding], measured: bool) -> None:
    """The traffic light, what is wrong, and the button that mends it."""
    label, colour, icon = words.LIGHTS[doctor.light(found)]
    with st.container(horizontal=True, vertical_alignment="center", key="health"):
        st.badge(label, color=colour, icon=icon)
        if not found:
            st.caption("Nothing looks wrong." if measured else "The first look at its health comes in a moment.")
            return
        st.markdown(f"{found[0].sentence} {found[0].remedy}")
        if found[0].changes:
            # What the critic knows by heart is no reason to lose what the painter has learned.
            newest = set(found[0].changes) == {"augment"} and run.status().state != "done"
            at = None if newest else history.healthy(run, found[0].since)
            st.button(
                words.changes(found[0].changes),
                icon=":material/healing:",
                key=f"remedy-{found[0].kind}",  # a click is meant for what was seen
                on_click=history.branch,
                args=(run, at, found[0].changes),
                help=f"Starts a branch beside this run, from its {'newest' if newest else 'last healthy'} state. "
                "This run stays as it is.",
            )
    for other in found[1:]:
        st.caption(f"{other.sentence} {other.remedy}")


# --- pictures


def _sheet(run: Run, batch: int) -> None:
    samples = run.samples()
    if not samples:
        st.skeleton(height=480)
        return
    back = f"back-{run.id}"  # each run has its own: a branch is not to be seen as it was before its time
    share = st.session_state.get(back, 100) / 100
    chosen = samples[round(share * (len(samples) - 1))]
    try:
        sheet = chosen.read_bytes()
    except FileNotFoundError:  # the run has just been taken back to an earlier state
        return
    step = int(chosen.stem)
    with st.container(key="square-sheet"), page.error_box():  # its room is kept free, see page.css
        # No larger than it is shown, or Streamlit would shrink it anew every second.
        shown = sheets.larger(sheet, SHEET_WIDTH)
        sheets.show(shown, f"Sheet of 36 pictures that the network draws after {step} steps", SHEET_WIDTH)
    st.caption(f"The same 36 points of the latent space, after {step * batch:,} pictures seen.")
    st.slider(
        "Back through the training",
        0,
        100,
        100,
        key=back,
        format="%d %%",
        width=640,
        help="All the way to the right follows the newest sheet.",
    )
    if st.toggle("Compare with your pictures", key=f"compare-{run.id}", help="Does it invent, or does it copy?"):
        with page.error_box():
            _compare(run, sheet)


def _compare(run: Run, sheet: bytes) -> None:
    settings = run.config()
    painted, yours = _nearest(sheet, settings.networks.size, settings.dataset, settings.dataset_hash)
    sheets.show(painted, f"{COMPARED} painted pictures, those nearest to one of yours first", 640)
    sheets.show(yours, "For each of them the picture of yours that is nearest to it", 640)
    st.caption(
        "Above, the painted pictures that come nearest to yours; below each, the one of yours it is nearest to."
    )


@st.cache_data(max_entries=20, show_spinner=False)
def _nearest(sheet: bytes, size: int, name: str, digest: str) -> tuple[bytes, bytes]:
    store = dataset.find(name, digest)
    painted = images.untile(images.read_png(sheet), size)
    real, distances = nearest.nearest(painted, store)
    closest = distances.argsort()[:COMPARED]
    above, below = (sheets.png(images.tile(some[closest], COMPARED), 640) for some in (painted, real))
    return above, below
