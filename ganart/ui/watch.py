"""A run to watch: its newest sheet, its figures, and the buttons that steer it."""

import time

import altair
import pandas as pd
import streamlit as st

from ganart import launch
from ganart.errors import GanartError
from ganart.run import Run, Status
from ganart.ui import page, sheets, words

CHART_POINTS = 300


def watch(run: Run) -> None:
    """Show a run, renewed every second while it is at work."""
    active = run.status().active
    st.fragment(_live, run_every=1.0 if active else None)(run, active)


def _live(run: Run, was_active: bool) -> None:
    status = run.status()
    if was_active != status.active:
        st.rerun()  # the run has ended or goes on: draw the page anew, without the timer or with it
    with st.container(horizontal=True, vertical_alignment="center"):
        page.state_badge(status)
        st.caption(words.progress(status))
    st.progress(status.progress)
    _messages(run, status)
    _buttons(run, status)
    left, right = st.columns([3, 2], gap="large")
    with left:
        _sheet(run)
    with right:
        _charts(run)


def _messages(run: Run, status: Status) -> None:
    if status.note:
        st.info(status.note, icon=":material/info:")
    if message := st.session_state.pop("watch_error", None):
        st.error(message, icon=":material/error:")
    if status.state == "failed":
        st.error(status.error or "The training stopped on an error.", icon=":material/error:")
        _log(run)
    elif status.state == "crashed":
        st.warning(
            "The training was interrupted: the computer was switched off, or the program was ended. "
            "Resume goes on exactly where the last state was saved.",
            icon=":material/bolt:",
        )
        _log(run)
    elif status.state == "stuck":
        silent = words.duration(time.time() - status.heartbeat)
        st.warning(f"The trainer has not answered for {silent}. It may only be slow; nothing is lost.")


def _log(run: Run) -> None:
    if log := run.log_tail():
        with st.expander("What the trainer wrote last"):
            st.code(log, language=None)


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


def _button(label: str, icon: str, action: object, argument: object) -> None:
    st.button(label, icon=icon, key=f"watch_{label.lower()}", on_click=action, args=(argument,))


def _resume(run: Run) -> None:
    try:
        launch.relaunch(run)
    except GanartError as error:
        st.session_state.watch_error = str(error)


def _sheet(run: Run) -> None:
    samples = run.samples()
    if not samples:
        st.skeleton(height=480)
        return
    batch = run.config().batch
    newest = samples[-1]
    try:
        sheet = newest.read_bytes()
    except FileNotFoundError:  # the run has just been taken back to an earlier state
        return
    st.image(
        sheets.larger(sheet),
        width=640,
        alt=f"Sheet of 36 pictures that the network draws after {int(newest.stem)} steps",
    )
    st.caption(f"The same 36 points of the latent space, after {int(newest.stem) * batch:,} pictures seen.")


def _charts(run: Run) -> None:
    lines = run.metrics()
    if not lines:
        st.caption("The first figures come in a moment.")
        return
    frame = pd.DataFrame(lines)
    width = max(1, len(frame) // CHART_POINTS)
    frame = frame.groupby(frame.index // width).mean()
    st.markdown("**Losses**")
    _chart(frame, {"loss_D": "critic", "loss_G": "painter"}, "Loss of critic and painter over pictures seen")
    st.caption("Two players: when one gets better, the other's loss rises. Neither line should run away for good.")
    st.markdown("**What the critic believes**")
    _chart(frame, {"D_real": "yours", "D_fake": "painted"}, "How real the critic takes both kinds to be", (0, 1))
    st.caption("1 means surely real. The closer the two lines, the better the painter fools the critic.")
    if run.config().augment == "steered":
        share = lines[-1].get("augment", 0.0)
        st.caption(
            f"The critic sees {share:.0%} of all pictures altered: shifted, tinted, with a piece missing. The "
            "share rises while it learns your pictures by heart."
        )


def _chart(
    frame: pd.DataFrame, names: dict[str, str], alt: str, domain: tuple[float, float] | None = None
) -> None:
    long = frame[["kimg", *names]].rename(columns=names).melt("kimg", var_name="who", value_name="value")
    chart = (
        altair.Chart(long)
        .mark_line(strokeWidth=1.5)
        .encode(
            x=altair.X("kimg", title="thousand pictures seen"),
            y=altair.Y("value", title=None, scale=altair.Scale(domain=domain) if domain else altair.Undefined),
            color=altair.Color("who", title=None, sort=list(names.values())).legend(orient="top"),
        )
        .properties(height=250)
    )
    st.altair_chart(chart, alt=alt)
