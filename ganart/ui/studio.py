"""Films on the page: their settings, the making, the file."""

from dataclasses import dataclass
from pathlib import Path

import streamlit as st

from ganart import export, film, housekeeping, images, loaded, workspace
from ganart.models import Model
from ganart.ui import manage

WALK, GRID, GROWTH = "Walk", "Grid of loops", "Growth"
KINDS = {  # as they are called on the page and in the address; what the film is
    WALK: "From picture to picture and back to the first, through everything in between.",
    GRID: "Many pictures at once, each morphing on a loop of its own.",
    GROWTH: "The training in fast motion: the same 36 points of the latent space, from noise to now.",
}
SIDES = (256, 512, 768)
MOST_EARLIER = 30


@dataclass(frozen=True)
class FilmSettings:
    """What the page asks for; pixels are enlarged until the film has about `side` px, never shrunk to it."""

    seconds: float
    fps: int
    side: int
    rows: int = 6
    columns: int = 6


def settings(kind: str) -> FilmSettings:
    """Ask for the length, the speed and the size of a film."""
    rows = columns = 6
    with st.container(horizontal=True):
        seconds = st.number_input("Seconds", 1.0, 60.0, 8.0 if kind == GROWTH else 6.0, 1.0, key=f"seconds-{kind}")
        fps = st.selectbox("Frames a second", export.FPS, index=export.FPS.index(25), key="fps")
        side = st.selectbox("Size", SIDES, index=1, format_func="{} px".format, key="side")
    if kind == GRID:
        with st.container(horizontal=True):
            rows = st.number_input("Rows", 1, 12, 6, key="rows")
            columns = st.number_input("Columns", 1, 12, 6, key="columns")
    return FilmSettings(seconds, fps, side, rows, columns)


def make(model: Model, kind: str, seeds: list[int], wanted: FilmSettings) -> str:
    """Make the film and keep it in the workspace -> its file name. Raises GanartError."""
    bar = st.progress(0.0, "Painting …")

    def progress(done: int, total: int) -> None:
        bar.progress(done / total, f"Painting: {done:,} of {total:,} pictures")

    try:
        return _make(model, kind, seeds, wanted, progress)
    finally:
        bar.empty()


def _make(model: Model, kind: str, seeds: list[int], wanted: FilmSettings, progress: film.Progress) -> str:
    G, card = loaded.generator(model)
    size = card.networks.size
    if kind == GRID:
        scale = images.best_scale(size * max(wanted.rows, wanted.columns), wanted.side)
        cells = list(range(wanted.rows * wanted.columns))
        data = film.grid(
            G, card.hash, wanted.rows, wanted.columns, cells, wanted.seconds, wanted.fps, scale, progress
        )
    elif kind == WALK:
        scale = images.best_scale(size, wanted.side)
        data = film.walk(G, card.hash, seeds, wanted.seconds, wanted.fps, scale, progress)
    else:
        sheet = model.sheet()
        side = max(images.read_png(sheet).shape[:2]) if sheet else size
        data = film.growth(model, wanted.seconds, wanted.fps, images.best_scale(side, wanted.side))
    folder = workspace.folder("exports")
    stem = f"{workspace.slug(card.name)}-{workspace.slug(kind)}"
    name, number = f"{stem}.gif", 2
    while (folder / name).exists():
        name, number = f"{stem}-{number}.gif", number + 1
    export.write(folder / name, data)
    return name


def show(name: str | None) -> None:
    """The film in motion and the button that saves it; before there is one, what will be here."""
    path = workspace.folder("exports") / Path(name).name if name else None
    if path is None or not path.is_file():
        st.info("The film will play here.", icon=":material/movie:")
        return
    data = path.read_bytes()
    st.image(data, alt="The film, playing in a loop")
    with st.container(horizontal=True, vertical_alignment="center"):
        st.download_button(
            "Download GIF",
            data,
            file_name=path.name,
            mime="image/gif",
            icon=":material/download:",
            type="primary",
            on_click="ignore",
        )
        st.caption(f"{len(data) / 1e6:.1f} MB · kept in the workspace as exports/{path.name}")
    if len(data) > 8e6:
        st.caption("Over 8 MB is much for a GIF: a smaller size or fewer seconds travel better.")


def earlier() -> None:
    """The files that were made before, with their menus."""
    files = sorted(workspace.folder("exports").glob("*.*"), key=lambda path: path.stat().st_mtime, reverse=True)
    if not files:
        return
    with st.expander(f"Made before ({len(files)})", icon=":material/folder:"):
        for path in files[:MOST_EARLIER]:
            with st.container(horizontal=True, vertical_alignment="center"):
                st.markdown(f"{path.name}  :gray[{housekeeping.words(path.stat().st_size)}]")
                st.download_button(
                    "Download", path.read_bytes, file_name=path.name, key=f"get-{path.name}", on_click="ignore"
                )
                manage.export(path.name)
        if len(files) > MOST_EARLIER:
            st.caption(f"{len(files) - MOST_EARLIER} older ones lie in the workspace under exports/.")
