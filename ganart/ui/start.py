"""The settings of a new run and its start; runs that are there already."""

import dataclasses

import streamlit as st

from ganart import launch, presets, run, workspace
from ganart.config import TrainConfig
from ganart.dataset import Dataset
from ganart.errors import GanartError
from ganart.ui import expert, foretell, manage, page, words

WIDTHS = {16: "Small", 32: "Medium", 64: "Large"}  # channels next to the picture


def settings(store: Dataset) -> None:
    """Recipe, network and length, what they will cost, and the button that starts."""
    device = _device()
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
            format_func=WIDTHS.get,
            key=f"width-{name}",  # each recipe has its own usual one
            help="How much it has room for. Medium suits a laptop, large a graphics card; each takes about four "
            "times as long as the one before.",
        )
    st.number_input(
        "Length, in thousand pictures seen",
        1.0,
        100_000.0,
        preset.kimg,
        step=10.0,
        key=f"kimg-{name}",  # each recipe has its own usual length
        help="How many pictures the network looks at. You can stop at any time and keep what it learned, and go "
        "on later.",
    )
    budgets = st.container()
    expert.ask(preset)
    with budgets:
        fits = foretell.show(_chosen(store, name, device), f"kimg-{name}")
    st.caption(f"Trains on the {launch.device_words(device)} of this computer.")
    if message := st.session_state.pop("start_error", None):
        st.error(message, icon=":material/error:")
    st.button(
        "Start training",
        type="primary",
        icon=":material/play_arrow:",
        disabled=not fits,
        on_click=_start,
        args=(store, name, device),
    )


def _chosen(store: Dataset, name: str, device: str) -> TrainConfig:
    """The settings as they are chosen now; raises InputError where they do not fit together."""
    preset, state = presets.preset(name), st.session_state
    width = state.get(f"width-{name}", preset.networks.width)
    fitted = presets.for_dataset(preset, store.settings.size, store.channels, width)
    return dataclasses.replace(
        fitted,
        dataset=store.name,
        dataset_hash=store.hash,
        kimg=float(state.get(f"kimg-{name}", preset.kimg)),
        device=device,
        **expert.chosen(preset),
    )


@st.cache_resource(show_spinner=False)
def _device() -> str:
    from ganart import devices  # imports torch

    return devices.pick("auto")


def _start(store: Dataset, name: str, device: str) -> None:
    try:
        started = launch.launch(_chosen(store, name, device), workspace.slug(store.name))
    except GanartError as error:
        st.session_state.start_error = str(error)
        return
    st.query_params.from_dict({"run": started.id})


def active_run() -> None:
    """A line that leads to the training under way."""
    for item in run.list_runs():
        status = item.status()
        if status.active:
            with st.container(border=True, horizontal=True, vertical_alignment="center"):
                page.state_badge(status)
                st.markdown(f"**{words.run_title(item)}** {words.progress(status)}")
                st.button(
                    "Watch", icon=":material/visibility:", key=f"watch-{item.id}", on_click=_watch, args=(item.id,)
                )


def earlier_runs() -> None:
    """The trainings of before, newest first."""
    items = [(item, item.status()) for item in run.list_runs()]
    items = [(item, status) for item, status in items if not status.active]
    if not items:
        return
    st.subheader("Earlier trainings")
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
