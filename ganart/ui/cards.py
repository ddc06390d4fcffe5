"""A model as a card: its loop, what it is, how good it is, and where to go with it."""

import re
from collections.abc import Sequence

import streamlit as st

from ganart import card as cards
from ganart import evaluation, jobs, loops, workspace
from ganart.card import Card
from ganart.dataset import Dataset
from ganart.errors import GanartError
from ganart.evaluation import METRICS, Figure
from ganart.jobs import Job
from ganart.models import Model
from ganart.ui import manage, moving, page, sheets, words


def show(model: Model, stores: Sequence[Dataset]) -> None:
    """The card. stores: the datasets of the workspace, which it can be measured against."""
    card = model.card()
    with st.container(key=f"square-{model.id}"):  # its room is kept free, see page.css
        _picture(model, card)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"**{words.model_title(model)}**", width="stretch")
        clicked = st.button("About it", icon=":material/info:", key=f"about-{model.id}", type="tertiary")
        if page.is_open(f"about-{model.id}", clicked):
            _about(model, card, evaluation.own_store(card, stores))
        if model.run:
            manage.run(model.run)
        elif model.path.is_relative_to(workspace.home()):
            manage.model(model.id)
    st.caption(words.model_line(card))
    _links(model)


def _about(model: Model, card: Card, store: Dataset | None) -> None:
    @st.dialog(words.model_title(model), width="medium", icon=":material/info:", on_dismiss=page.closed)
    def about() -> None:
        st.caption(words.model_line(card))
        if card.about:
            # A card may come from anywhere: its words may not fetch pictures from there.
            told = card.about.partition("**How good it is**")[0]
            st.markdown(re.sub(r"!+\[", "[", told))
        st.markdown("**How good it is**")
        st.fragment(_figures, run_every=2.0)(model, card, store)
        _save(model, card)

    about()


def _links(model: Model) -> None:
    to_it = {"model": model.id}
    with st.container(horizontal=True):
        st.page_link("pages/explore.py", label="Explore", icon=":material/explore:", query_params=to_it)
        st.page_link("pages/animate.py", label="Animate", icon=":material/animation:", query_params=to_it)
        if model.run:
            to_run = {"run": model.run.id}
            st.page_link("pages/train.py", label="Run", icon=":material/history:", query_params=to_run)
        if cards.has_D(model.path):
            to_train = {"from": model.id}
            st.page_link(
                "pages/train.py",
                label="Continue on my pictures",
                icon=":material/add_photo_alternate:",
                query_params=to_train,
                help="A training that starts from what this model has learned.",
            )


# --- its picture


def _picture(model: Model, card: Card) -> None:
    """The loop, where there is one; else, until it is drawn, the sheet."""
    if (path := loops.find(model, card)) is not None:
        moving.loop(model, card, path)
        return
    if not (model.run and model.run.status().active):  # else it changes every minute
        job = loops.draw(model, card)
        if (status := job.status()) and status.active:
            st.session_state.setdefault("drawing", set()).add(str(job.folder))
    with page.error_box():
        if sheet := model.sheet():
            sheets.show(sheets.larger(sheet), f"36 pictures painted by {model.id}")


@st.fragment(run_every=2.0)
def watch() -> None:
    """Draws the page anew when a loop is there that it was waiting for."""
    waiting = {folder for folder in st.session_state.get("drawing", set())}
    if any(Job(workspace.folder("jobs") / folder).result() is not None for folder in waiting):
        st.session_state.drawing = set()
        page.redraw()


# --- how good it is


def _figures(model: Model, card: Card, store: Dataset | None) -> None:
    """The figures, measured here or on the card; the button that measures them; how far that is. Looks again every
    other second, since the measuring goes on beside the page."""
    measured = evaluation.known(model, card, store) if store else None
    if measured:
        job, figures = measured
        _table(figures)
        sheets.show((job.folder / "pairs.png").read_bytes(), "Painted pictures above training ones")
        st.caption(
            "Above, the painted pictures that come closest to what it learned from; below, what each is near to."
        )
        return
    if told := evaluation.figures(card.figures):
        _table(told)
    if store is None:
        if not told:
            st.caption("Its pictures are not in this workspace, so it cannot be measured here.")
        return
    try:
        evaluation.check(card.networks, store)
    except GanartError as error:
        st.caption(str(error))
        return
    job = jobs.find(evaluation.request(model, card, store))
    status = job.status()
    if status and status.active:
        share = status.done / status.total if status.total else 0.0
        st.progress(share, "Measuring …" if status.state == "running" else "Waiting for other work …")
        return
    if status and status.state in ("failed", "interrupted"):
        st.error(status.error, icon=":material/error:")
    busy = model.run is not None and model.run.status().active
    st.button(
        "Measure how good it is",
        icon=":material/straighten:",
        key=f"measure-{model.id}",
        on_click=_measure,
        args=(evaluation.request(model, card, store),),
        disabled=busy,
        help="Compares its pictures with ones that it never saw, and looks for copies. Half a minute, or a few.",
    )


def _measure(request: dict) -> None:
    try:
        jobs.begin(request)
    except GanartError as error:
        st.session_state.manage_error = str(error)


def _table(figures: dict[str, Figure]) -> None:
    for sentence in evaluation.verdict(figures):
        st.markdown(sentence)
    rows = []
    for name, figure in figures.items():
        metric = METRICS[name]
        value, floor = (f"{number:.{metric.digits}f}" for number in (figure.value, figure.floor))
        rows.append({"": metric.name, "Painted": value, "Real": floor, "What it says": metric.meaning})
    n = next(iter(figures.values())).n
    st.dataframe(rows, hide_index=True, column_config={"What it says": st.column_config.Column(width="large")})
    st.caption(f"{n} pictures on each side. Real: what as many other real pictures reach, as good as it gets.")


def _save(model: Model, card: Card) -> None:
    """The model as one file to give away."""

    def made() -> bytes:
        from ganart import share  # imports torch, which a gallery does not wait for

        return share.model_file(model, figures=evaluation.best_known(model))

    if model.run and model.run.status().active:
        return
    st.download_button(
        "Save as one file",
        made,
        file_name=f"{workspace.slug(card.name)}.safetensors",
        mime="application/octet-stream",
        icon=":material/download:",
        key=f"save-{model.id}",
        on_click="ignore",
        help="The weights and the card, for another computer or another person: “Open a packed run or a model”.",
    )
