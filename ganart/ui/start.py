"""The settings of a new run and its start; runs that are there already."""

import dataclasses
import time

import streamlit as st

from ganart import launch, models, presets, run, workspace
from ganart.config import MOST_KIMG, NetworkConfig, TrainConfig
from ganart.dataset import Dataset
from ganart.errors import GanartError
from ganart.models import Model
from ganart.ui import expert, foretell, manage, page, words

TWICE = 5.0  # seconds within which a second click is of the same hand
WIDTHS = {16: "Small", 32: "Medium", 64: "Large"}  # channels next to the picture


def settings(store: Dataset) -> None:
    """Recipe, network and length, what they will cost, and the button that starts."""
    device, initial = this_device(), _initial(store)
    preset = presets.going_on_from(initial.card()) if initial else _recipe(store, device)
    key = expert.key(preset)
    st.number_input(
        "Length, in thousand pictures seen",
        1.0,
        MOST_KIMG,
        max(1.0, presets.PRESETS.get(preset.preset, preset).kimg),
        step=10.0,
        key=f"kimg-{key}",  # each recipe has its own usual length
        help="How many pictures the network looks at. You can stop at any time and keep what it learned, and go "
        "on later.",
    )
    budgets = st.container()
    expert.ask(preset)
    with budgets:
        fits = foretell.show(_chosen(store, preset, device), f"kimg-{key}")
    st.caption(f"Trains on the {launch.device_words(device)} of this computer.")
    if message := st.session_state.pop("start_error", None):
        st.error(message, icon=":material/error:")
    st.button(
        "Start training",
        type="primary",
        icon=":material/play_arrow:",
        disabled=not fits,
        on_click=_start,
        args=(store, preset, device, initial),
    )


def _recipe(store: Dataset, device: str) -> TrainConfig:
    """Ask for the recipe and the size of its networks."""
    form = store.settings.size, store.channels
    fitting = presets.fitting(*form)
    name = st.selectbox("Recipe", fitting, fitting.index(presets.usual(*form, device)), key="preset")
    st.caption(presets.DESCRIPTIONS[name])
    preset = presets.preset(name)
    if not name.startswith("mnist-"):
        st.segmented_control(
            "Network",
            list(WIDTHS),
            default=preset.networks.width,
            required=True,
            format_func=WIDTHS.__getitem__,
            key=f"width-{name}",  # each recipe has its own usual one
            help="How much it has room for. Medium suits a laptop, large a graphics card; each takes two to three "
            "times as long as the one before.",
        )
    return preset


def _initial(store: Dataset) -> Model | None:
    """The model to start from that the address names, where it paints pictures of the same kind; said on the
    page."""
    if not (asked := st.query_params.get("from")):
        return None
    try:
        model = models.find_model(asked)
        networks = presets.going_on_from(model.card()).networks
    except GanartError as error:
        st.warning(f"{error} The training will start from noise.", icon=":material/info:")
        return None
    if (networks.size, networks.channels) != (store.settings.size, store.channels):
        kind = "colour" if networks.channels == 3 else "grey"
        st.warning(
            f"{words.model_title(model)} paints {networks.size} px pictures in {kind}, and these are other ones, "
            "so the training will start from noise. To start from it, choose the pictures again, at "
            f"{networks.size} px: they are then prepared in {kind}.",
            icon=":material/info:",
        )
        return None
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"Starts from what **{words.model_title(model)}** has learned, with its recipe.")
        st.button("Start from noise instead", icon=":material/grain:", on_click=_from_noise)
    return model


def from_line() -> NetworkConfig | None:
    """While the pictures are chosen: which model the training will start from, where the address names one -> its
    networks, for which the pictures are prepared."""
    if not (asked := st.query_params.get("from")):
        return None
    with page.error_box():
        model = models.find_model(asked)
        networks = model.card().networks
        st.markdown(f"Choose the pictures that **{words.model_title(model)}** is to learn next.")
        return networks
    return None


def _from_noise() -> None:
    st.query_params.pop("from", None)


def _chosen(store: Dataset, preset: TrainConfig, device: str) -> TrainConfig:
    """The settings as they are chosen now; raises InputError where they do not fit together."""
    state = st.session_state
    if not preset.initial:
        width = state.get(f"width-{preset.preset}", preset.networks.width)
        preset = presets.for_dataset(preset, store.settings.size, store.channels, width)
    return dataclasses.replace(
        preset,
        dataset=store.name,
        dataset_hash=store.hash,
        kimg=float(state.get(f"kimg-{expert.key(preset)}", preset.kimg)),
        device=device,
        **expert.chosen(preset),
    )


@st.cache_resource(show_spinner=False)
def this_device() -> str:
    """What trains on this computer: "cuda", "mps" or "cpu"."""
    from ganart import devices  # imports torch

    return devices.pick("auto")


def _start(store: Dataset, preset: TrainConfig, device: str, initial: Model | None) -> None:
    """In a callback, so from what is chosen by now: a hand that chooses another recipe and starts at once clicks
    on a button that was drawn for the one before."""
    state = st.session_state
    if initial and "from" not in st.query_params:
        return  # it is to start from noise, and nobody has seen yet with which settings
    if not initial:
        preset = presets.preset(state.get("preset", preset.preset))
    try:
        started = launch.launch(
            _chosen(store, preset, device), workspace.slug(store.name), initial.path if initial else None
        )
    except GanartError as error:
        run_id, at = state.get("started", ("", 0.0))
        if time.monotonic() - at < TWICE and (own := launch.active_run(device)) and own.id == run_id:
            _watch(run_id)  # the second of two clicks
        else:
            state.start_error = str(error)
        return
    state.started = started.id, time.monotonic()
    _watch(started.id)


def under_way() -> None:
    """A line for each training under way, which leads to it; when one ends, the page is drawn anew."""
    if found := _active():
        st.fragment(_lines, run_every=2.0)([item.id for item in found])


def _active() -> list[run.Run]:
    return [item for item in run.list_runs() if item.status().active]


def _lines(before: list[str]) -> None:
    found = _active()
    if [item.id for item in found] != before:
        page.redraw()
    for item in found:
        status = item.status()
        with st.container(border=True, horizontal=True, vertical_alignment="center"):
            page.state_badge(status)
            st.markdown(f"**{words.run_title(item)}**  {words.progress(status)}")
            to_it = {"run": item.id}
            st.page_link("pages/train.py", label="Watch", icon=":material/visibility:", query_params=to_it)


def earlier_runs() -> None:
    """The trainings of before, newest first."""
    items = [(item, item.status()) for item in run.list_runs()]
    items = [(item, status) for item, status in items if not status.active]
    if not items:
        return
    st.header("Earlier trainings")
    for item, status in items:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.button(
                words.run_title(item),
                icon=":material/visibility:",
                key=f"open-{item.id}",
                on_click=_watch,
                args=(item.id,),
            )
            page.state_badge(status)
            st.caption(f"{status.kimg:.1f} thousand pictures seen")
            manage.run(item)


def _watch(run_id: str) -> None:
    st.query_params.from_dict({"run": run_id})
