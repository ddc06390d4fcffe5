"""What an artist asks of a film: its way, length, pace, place."""

from dataclasses import dataclass
from typing import Any

import streamlit as st

from ganart import export, filmconfig
from ganart.errors import InputError
from ganart.filmconfig import PLACES, FilmConfig, Keyframe
from ganart.models import Model
from ganart.notes import Shot
from ganart.ui import steer, timeline

WALK, LOOPS, GROWTH = "Walk", "Loops", "Growth"
KINDS = {  # as they are called on the page and in the address; what the film is
    WALK: "From picture to picture and back to the first, through everything in between.",
    LOOPS: "One picture or many, each on a loop of its own: the morphing digits.",
    GROWTH: "The training in fast motion, from noise to now.",
}
WAYS = {
    WALK: {"slerp": "Straight", "spline": "In a curve"},
    LOOPS: {"circle": "Round", "noise": "Wandering", "direction": "To and fro"},
    GROWTH: {"sheets": "Its sheets", "growth": "Painted anew"},
}
LENGTHS = ("Seconds", "Frames", "Beats")


@dataclass(frozen=True)
class Asked:
    """A film and the kind of file for it."""

    film: FilmConfig
    suffix: str


def first_kind() -> str:
    """The key of the choice of films; a walk, unless the address says otherwise."""
    if "kind" not in st.query_params:
        st.session_state.setdefault("kind", WALK)
    return "kind"


def _kept(key: str, value: object = None) -> dict[str, Any]:
    """Options of a widget that shows this value until it has another one, from the artist or from a file, and
    keeps that while other pages are looked at."""
    if value is not None:
        st.session_state.setdefault(key, value)
    return {"key": key, "persist_state": "session"}


def settle() -> None:
    """Before anything is asked: what a file has set (see `set_to`)."""
    for key, value in st.session_state.pop("film_set", {}).items():
        st.session_state[key] = value


def ask(model: Model, kind: str) -> Asked | None:
    """Ask for a film of this kind; None where something is wrong, which then is said."""
    ways = WAYS[kind]
    first = next(iter(ways))
    chosen = st.segmented_control(
        "Its way",
        list(ways),
        required=True,
        format_func=ways.__getitem__,
        **_kept(f"film_path_{kind}", first),
    )
    path = chosen or first  # one is always chosen, but its type leaves that open
    values: dict = {"path": path}
    if kind == WALK:
        timeline.show(model)
        values["keyframes"] = timeline.keyframes(model)
        values |= _pace(with_easing=True)
    elif kind == LOOPS:
        values |= _loops(model, path)
    elif path == "growth":
        values |= _growth(model)
    length = _length(8.0 if kind == GROWTH else 6.0, kind)
    place, canvas = _place()
    wanted = st.session_state.pop("film_wanted", None)
    if length is None:
        return None
    try:
        film = FilmConfig(**values, **length, **canvas)
    except InputError as error:
        st.error(str(error), icon=":material/error:")
        return None
    if wanted is not None and film != wanted:
        st.session_state.film_opened = (
            "Its settings are here again, as far as this page can ask for them. The command “ganart animate "
            "--recipe FILE” makes exactly this film."
        )
    return Asked(film, place)


def _pace(with_easing: bool) -> dict:
    with st.container(horizontal=True):
        even = st.toggle(
            "Even pace", **_kept("film_even"), help="Timed so that the picture changes at constant speed."
        )
        slow = with_easing and st.toggle(
            "Slow at keyframes", **_kept("film_slow"), help="Where the pace is not even."
        )
    return {"even": even, "easing": "smooth" if slow else "linear"}


def _grid(rows: int, columns: int) -> tuple[int, int]:
    with st.container(horizontal=True):
        high = st.number_input("Rows", 1, filmconfig.MOST_ACROSS, **_kept("film_rows", rows))
        wide = st.number_input("Columns", 1, filmconfig.MOST_ACROSS, **_kept("film_columns", columns))
    return high, wide


def _loops(model: Model, path: str) -> dict:
    rows, columns = _grid(6, 6)
    values: dict = {"rows": rows, "columns": columns}
    kept = timeline.keyframes(model)
    source = st.segmented_control(
        "Begin at", ["Seeds", "Keyframes"], required=True, **_kept("film_source", "Seeds")
    )
    if source == "Seeds":
        first = st.number_input("First seed", 0, 2**32 - 1 - rows * columns, **_kept("film_first"))
        values["keyframes"] = tuple(Keyframe(str(first + cell)) for cell in range(rows * columns))
    else:
        timeline.show(model, timed=False)
        values["keyframes"] = (kept * (rows * columns))[: rows * columns]
    if path == "noise":
        values["waves"] = st.slider("From calm to lively", 1, 6, **_kept("film_waves", 2))
    if path == "direction":
        names = steer.names(model, "ganspace", min(steer.SHOWN, model.card().networks.z_dim))
        values["index"] = st.selectbox(
            "Along",
            range(len(names)),
            format_func=names.__getitem__,
            **_kept("film_index"),
            help="Of the page Explore.",
        )
        values["reach"] = st.slider("How far", 0.5, 5.0, step=0.5, **_kept("film_reach", 3.0))
    return values | _pace(with_easing=False)


def _growth(model: Model) -> dict:
    wander = st.toggle(
        "Wander meanwhile", **_kept("film_wander"), help="Goes from keyframe to keyframe while the network learns."
    )
    if wander:
        timeline.show(model, timed=False)
        return {"keyframes": timeline.keyframes(model)}
    rows, columns = _grid(3, 3)
    first = st.number_input("First seed", 0, 2**32 - 1 - rows * columns, **_kept("film_first"))
    kept = tuple(Keyframe(str(first + cell)) for cell in range(rows * columns))
    return {"keyframes": kept, "rows": rows, "columns": columns}


def _length(usual: float, kind: str) -> dict | None:
    """Frames and frames a second; None where they are too many beats, which then is said."""
    with st.container(horizontal=True):
        unit = st.segmented_control("Length in", LENGTHS, required=True, **_kept("film_unit", LENGTHS[0]))
        fps = st.selectbox("Frames a second", filmconfig.FPS, **_kept("film_fps", 25), width=130)
        if unit == "Seconds":
            seconds = st.number_input(
                "Seconds", 0.5, 120.0, step=0.5, **_kept(f"film_seconds_{kind}", usual), width=130
            )
            frames = filmconfig.frame_count(seconds, fps)
        elif unit == "Frames":
            frames = st.number_input(
                "Frames", 2, filmconfig.MOST_FRAMES, **_kept("film_frames", round(usual * 25)), width=130
            )
        else:
            bpm = st.number_input("Beats a minute", 20.0, 400.0, step=1.0, **_kept("film_bpm", 120.0), width=130)
            bars = st.number_input("Bars", 1, 64, **_kept("film_bars", 4), width=110)
            try:
                frames = filmconfig.beats(bpm, bars, fps)
            except InputError as error:
                st.error(str(error), icon=":material/error:")
                return None
    if kind == GROWTH:
        st.caption(f"And {filmconfig.REST_SECONDS:g} s on the last picture.")
    return {"frames": frames, "fps": fps}


def _place() -> tuple[str, dict]:
    """For where, as what, how large -> the suffix, and the canvas."""
    names = [*PLACES, "other"]
    titles = {name: place.title for name, place in PLACES.items()} | {"other": "Something else"}
    with st.container(horizontal=True):
        name = st.selectbox("For", names, format_func=titles.__getitem__, **_kept("film_for"))
        if name != "other":
            place = PLACES[name]
            suffix, width, height = place.suffix, place.width, place.height
        else:
            kinds = {kind: told for kind, (told, _) in export.KINDS.items()}
            suffix = st.selectbox("File", list(kinds), format_func=kinds.__getitem__, **_kept("film_suffix"))
            width, height = _side("Width"), _side("Height")
    with st.container(horizontal=True, vertical_alignment="center"):
        smooth = st.toggle("Smooth", **_kept("film_smooth"), help="Scaled by Lanczos, in place of squares.")
        background = "000000"
        if width:
            background = st.color_picker("Around it", **_kept("film_ground", "#000000")).lstrip("#").lower()
    return suffix, {"width": width, "height": height, "smooth": smooth, "background": background}


def _side(label: str) -> int:
    kept = _kept(f"film_{label.lower()}")
    return st.number_input(
        label, 0, filmconfig.MOST_SIDE, step=2, width=130, help="0 in both: what suits.", **kept
    )


def set_to(model: Model, film: FilmConfig, suffix: str) -> None:
    """When the page runs again, it asks for exactly this film as this kind of file."""
    st.session_state.film_set, shots = settings_of(film, suffix)
    st.session_state.film_wanted = film
    if shots is not None:
        timeline.put(model, shots)


def settings_of(film: FilmConfig, suffix: str) -> tuple[dict, list[Shot] | None]:
    """The state of the page's widgets that asks for this film, and its keyframes where they are not just seeds
    in a row."""
    kind = next(kind for kind, ways in WAYS.items() if film.path in ways)
    shots = [Shot(frame.place, _name(frame.place), frame.rest, frame.way) for frame in film.keyframes]
    first = int(shots[0].text) if shots and shots[0].text.isdecimal() else 0
    in_a_row = [shot.text for shot in shots] == [str(first + place) for place in range(len(shots))]
    wander = film.path == "growth" and film.rows * film.columns == 1 and len(shots) > 1
    on_timeline = film.path in filmconfig.WALKS or wander or (film.path in WAYS[LOOPS] and not in_a_row)
    sides = film.width, film.height
    fitting = (
        name for name, place in PLACES.items() if (place.width, place.height, place.suffix) == (*sides, suffix)
    )
    values = {
        "kind": kind,
        f"film_path_{kind}": film.path,
        "film_even": film.even,
        "film_slow": film.easing == "smooth",
        "film_rows": film.rows,
        "film_columns": film.columns,
        "film_source": "Seeds" if in_a_row else "Keyframes",
        "film_first": first if in_a_row else 0,
        "film_waves": film.waves,
        "film_index": min(film.index, steer.SHOWN - 1),
        "film_reach": min(max(float(film.reach), 0.5), 5.0),
        "film_wander": wander,
        "film_unit": "Frames",
        "film_frames": film.frames,
        "film_fps": film.fps,
        "film_for": next(fitting, "other"),
        "film_suffix": suffix if suffix in export.KINDS else ".gif",
        "film_smooth": film.smooth,
        "film_ground": f"#{film.background}",
        "film_width": film.width,
        "film_height": film.height,
    }
    return values, shots if on_timeline else None


def _name(text: str) -> str:
    return f"Seed {text}" if text.isdecimal() else "From the film"
