"""From the artist's files to a dataset: where the pictures are, and what the network will see of them."""

import numpy as np
import streamlit as st

from ganart import config, dataset, images
from ganart.config import IntakeConfig, NetworkConfig
from ganart.dataset import Dataset
from ganart.errors import GanartError
from ganart.ui import drop, manage, page, words
from ganart.uploads import Upload

SOURCES = {
    "drop": "Drop pictures",
    "path": "A folder on this computer",
    "mnist": "Handwritten digits",
    "before": "Prepared before",
}
SHEET = 96  # pictures on the contact sheet
SHEET_COLUMNS = 12
TOLD = 10  # files left out that are told in full


def choose_pictures(networks: NetworkConfig | None = None) -> None:
    """The form that ends in a dataset, whose name is then in the address. networks: those that will learn them,
    where that is known: their size is offered first, and the pictures get as many channels."""
    offered = [s for s in SOURCES if s != "path" or page.is_local()]
    source = st.segmented_control(
        "Where are the pictures?",
        offered,
        default="drop",
        required=True,
        format_func=SOURCES.__getitem__,
        key="source",
    )
    if source == "before":
        _choose_prepared()
        return
    if source == "mnist":
        st.caption("60,000 handwritten digits of 28 px, and 10,000 more held out: the classic first training.")
        if st.button("Use the digits", type="primary", icon=":material/arrow_forward:"):
            _prepare("mnist", None)
        return
    given = _ask(source)
    size, crop, background = _ask_shape(networks.size if networks else 64)
    asked = st.button("Look at the pictures", type="primary", icon=":material/arrow_forward:", disabled=not given)
    if given and asked:
        settings = IntakeConfig(size, crop, background, channels=networks.channels if networks else 0)
        _prepare(given, settings)
    if not given:
        st.caption("JPEG, PNG, WebP, AVIF, BMP, GIF or TIFF; 8 at least, 500 or more are better.")


def _ask(source: str) -> str | Upload | None:
    if source == "path":
        return st.text_input("Path of the folder or zip", placeholder="Pictures/paintings", key="path").strip()
    return drop.drop()


def _ask_shape(usual: int) -> tuple[int, str, tuple[int, int, int]]:
    with st.container(horizontal=True):
        sizes = [s for s in config.SIZES if s != 28 or usual == 28]
        size = st.selectbox(
            "Size in pixels",
            sizes,
            index=sizes.index(usual) if usual in sizes else 1,
            key="size",
            width=140,
            help="Side of the square pictures that the network learns. Twice the side takes four times as long.",
        )
        crop = st.segmented_control(
            "Shape",
            config.CROPS,
            default="centre",
            required=True,
            format_func={"centre": "Cut out the centre", "fit": "Fit with bars"}.__getitem__,
            key="crop",
        )
        colour = st.color_picker("Behind transparency and bars", "#ffffff", key="background")
    red, green, blue = bytes.fromhex(colour[1:])
    return size, crop, (red, green, blue)


def _choose_prepared() -> None:
    stores = {store.name: store for store in dataset.list_datasets()}
    if not stores:
        st.info(
            "Nothing was prepared yet. Drop a folder of pictures to begin.", icon=":material/add_photo_alternate:"
        )
        return

    def line(name: str) -> str:
        return f"{name} · {stores[name].count:,} pictures of {stores[name].settings.size} px"

    name = st.selectbox("Dataset", list(stores), format_func=line)
    with st.container(horizontal=True, vertical_alignment="center"):
        if st.button("Look at the pictures", type="primary", icon=":material/arrow_forward:"):
            _open(name)
        manage.dataset(name)


def _prepare(source: str | Upload, settings: IntakeConfig | None) -> None:
    bar = st.progress(0.0, "Looking at the files …")

    def progress(done: int, total: int) -> None:
        bar.progress(done / total, f"Looking at the files: {done:,} of {total:,}")

    try:
        if isinstance(source, Upload):
            store = source.prepare(settings or IntakeConfig(), progress)
        else:
            store = dataset.prepare(source, settings, progress=progress)
    except GanartError as error:
        bar.empty()
        st.error(str(error), icon=":material/error:")
        return
    _open(store.name)


def _open(name: str) -> None:
    kept = {"from": asked} if (asked := st.query_params.get("from")) else {}
    st.query_params.from_dict({"dataset": name, **kept})
    st.rerun()


def contact_sheet(store: Dataset) -> None:
    """What the network will see, and what became of every file."""
    pixels = store.images()
    shown = np.unique(np.linspace(0, store.training - 1, min(SHEET, store.training)).round().astype(int))
    st.image(
        images.encode(images.tile(np.asarray(pixels[shown]), min(SHEET_COLUMNS, len(shown)))),
        width="stretch",
        alt=f"{len(shown)} of the {store.count} pictures as the network will see them",
    )
    counts = [f"{store.count:,} pictures"]
    if store.held_out:
        counts.append(f"{store.held_out:,} of them held out to measure with")
    if store.skipped:
        counts.append(f"{len(store.skipped):,} file{'' if len(store.skipped) == 1 else 's'} left out")
    st.caption(f"What the network will see: {', '.join(counts)}.")
    for warning in store.warnings():
        st.warning(warning, icon=":material/info:")
    with st.expander("What became of every file", expanded=bool(store.skipped) and len(store.skipped) <= 5):
        report = sorted(store.report, key=lambda entry: entry["ok"])
        for entry in report[: min(len(store.skipped), TOLD)]:  # a column of the table may cut a reason off
            st.markdown(f"{words.plain(entry['file'])}: {words.plain(entry['reason'])}")
        st.dataframe(
            [{"File": entry["file"], "Result": _result(entry)} for entry in report],
            hide_index=True,
            column_config={"File": st.column_config.Column(width=220)},
            height=min(38 + 35 * len(report), 300),
        )


def _result(entry: dict) -> str:
    if not entry["ok"]:
        return f"left out: {entry['reason']}"
    return ", ".join(
        ["kept"]
        + ["enlarged"] * bool(entry.get("enlarged"))
        + ["held out to measure with"] * bool(entry.get("held_out"))
    )
