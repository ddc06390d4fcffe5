"""Where one is in a model's latent space: the way there, and what can be done with the picture."""

import time
from pathlib import Path
from urllib.parse import urlencode

import streamlit as st

from ganart import export, images, loaded, notes, places, recipes, reopen, workspace
from ganart.models import Model
from ganart.notes import Kept
from ganart.places import Place, Way
from ganart.ui import choose, page, pins, timeline, words

SIDES = (256, 512, 1024, 2048)  # px, of a saved picture
LATE = 1.0  # seconds after a run of the page in which a browser may still tell the address from before it


def way(model: Model) -> Way:
    """The way that was taken through this model, in this tab; it begins where the address says."""
    _, card = loaded.generator(model)
    state, asked = st.session_state, st.query_params.get("at")
    ways: dict[str, Way] = state.setdefault("ways", {})
    _follow_a_new_save(model, card.hash, card.networks.z_dim)
    told, settled = state.get("at_told"), state.pop("at_settled", None)
    # An address that is not a link: what was written there, or, of a click that came before the browser heard of
    # it, what had been written before.
    ours = told is not None and (asked == told or settled is None or time.monotonic() - settled < LATE)
    text = told if ours else asked
    found = ways.get(card.hash)
    if found is None or (text is not None and not ours):
        place = places.of_seed(0, card.networks.z_dim)
        with page.error_box():
            if text is not None and (not ours or text.isdecimal()):
                kept = notes.find(card.hash, text)
                z_dim = card.networks.z_dim
                place = pins.place(kept, z_dim) if kept else places.read(text, z_dim)
        if found is None:
            found = ways[card.hash] = Way.begin(place)
        else:
            found.go(place)
    if not asked == told == found.place.text:
        st.query_params["at"] = found.place.text
    state.at_told = found.place.text
    return found


def settled() -> None:
    """Last line of a page that asks for the way: from here on, another address is one that somebody chose."""
    st.session_state.at_settled = time.monotonic()


def _follow_a_new_save(model: Model, model_hash: str, z_dim: int) -> None:
    """A run that saves while one explores it is another model, but the way through it goes on."""
    ways, before = st.session_state.ways, st.session_state.get("way_of", (model.id, model_hash))
    if before[0] == model.id and model_hash not in ways and before[1] in ways:
        found = ways.pop(before[1])
        if len(found.place.z) == z_dim:
            ways[model_hash] = found
    st.session_state.way_of = (model.id, model_hash)


@page.error_box()
def go(model: Model, place: Place) -> None:
    """In a callback, or before the page runs again: to another place."""
    _, card = loaded.generator(model)
    _follow_a_new_save(model, card.hash, card.networks.z_dim)
    ways = st.session_state.ways
    if card.hash in ways:
        ways[card.hash].go(place)
    else:
        ways[card.hash] = Way.begin(place)


@page.error_box()
def go_to_seed(model: Model, seed: int) -> None:
    """In a callback: to the place of a seed."""
    _, card = loaded.generator(model)
    go(model, places.of_seed(seed, card.networks.z_dim))


@page.error_box()
def pin_seed(model: Model, seed: int, pinned: bool) -> None:
    """In a callback: pin a seed, or take it off the pins."""
    _, card = loaded.generator(model)
    mark(model, places.of_seed(seed, card.networks.z_dim), pinned=pinned)


def hear_the_pad() -> None:
    """First line of a callback that is about where one is: Streamlit calls those of buttons before those of
    components, where a hand that lets go of the pad and clicks at once has both told together."""
    if moved := st.session_state.get("pad_moved"):
        moved()


@page.error_box()
def step(model: Model, by: int) -> None:
    """In a callback: back or forth on the way."""
    hear_the_pad()
    _, card = loaded.generator(model)
    _follow_a_new_save(model, card.hash, card.networks.z_dim)
    if found := st.session_state.ways.get(card.hash):
        found.step(by)


@page.error_box()
def mark(model: Model, place: Place, **marks: bool) -> None:
    """In a callback: pin a place or like it, or no longer."""
    _, card = loaded.generator(model)
    found = notes.find(card.hash, place.text)
    before = {"pinned": found.pinned, "liked": found.liked} if found else {}
    name = found.name if found else place.label
    line = place.line or (found.line if found else ())
    notes.keep(card.hash, Kept(place.text, name, **{**before, **marks}, line=line))


def _mark_here(model: Model, way: Way, drawn: Place, **marks: bool) -> None:
    """In a callback: `mark` where one is by now. A hand that drags on and goes to the buttons at once sees the new
    picture, when these are still those of the one before."""
    hear_the_pad()
    if way.place.text != drawn.text:
        marks = dict.fromkeys(marks, True)
    mark(model, way.place, **marks)


def _film_here(model: Model, way: Way) -> None:
    """In a callback: the place where one is by now as the next keyframe."""
    hear_the_pad()
    timeline.take(model, [way.place])


@page.error_box()
def _rename(model: Model, way: Way, place: Place, key: str) -> None:
    _, card = loaded.generator(model)
    name = st.session_state[key].strip()
    if name and (found := notes.find(card.hash, place.text)):
        notes.keep(card.hash, Kept(place.text, name, found.pinned, found.liked, found.line))
        way.name(place.text, name)


def name_of(model: Model, place: Place) -> str:
    """What the artist calls it, or what it is."""
    _, card = loaded.generator(model)
    found = notes.find(card.hash, place.text)
    return found.name if found else place.label


def controls(model: Model, way: Way) -> None:
    """The name of the place, and what can be done with it."""
    _, card = loaded.generator(model)
    place = way.place
    kept = notes.find(card.hash, place.text)
    pinned, liked = (kept.pinned, kept.liked) if kept else (False, False)
    st.markdown(f"**{words.plain(name_of(model, place))}**")
    with st.container(horizontal=True, vertical_alignment="center"):
        for name, by, able, keys in (
            ("undo", -1, way.can_undo, "Mod+Z"),
            ("redo", 1, way.can_redo, "Mod+Y"),
        ):
            st.button(
                "",
                icon=f":material/{name}:",
                help=name.capitalize(),
                key=name,
                on_click=step,
                args=(model, by),
                disabled=not able,
                shortcut=keys,
            )
        st.button(
            "Pinned" if pinned else "Pin",
            icon=":material/push_pin:",
            key="pin",
            type="primary" if pinned else "secondary",
            on_click=_mark_here,
            args=(model, way, place),
            kwargs={"pinned": not pinned},
            help="Pins are what you breed, add and film with.",
        )
        st.button(
            "Liked" if liked else "Like",
            icon=":material/favorite:",
            key="like",
            type="primary" if liked else "secondary",
            on_click=_mark_here,
            args=(model, way, place),
            kwargs={"liked": not liked},
        )
    with st.container(horizontal=True, vertical_alignment="center"):
        with st.popover("Save", icon=":material/download:"):
            _save(model, way)
        with st.popover("Link", icon=":material/link:"):
            _link(model, place)
        if kept:
            with st.popover("Name", icon=":material/edit:"):
                key = f"place_name-{place.text}"  # each its own: no name is heard of as that of the next picture
                st.text_input(
                    "Name",
                    kept.name,
                    max_chars=notes.LONGEST,
                    key=key,
                    on_change=_rename,
                    args=(model, way, place, key),
                )
        st.button(
            "Add to the film",
            icon=":material/movie:",
            key="film",
            on_click=_film_here,
            args=(model, way),
            help="As the next keyframe on the page Animate.",
        )
    if count := len(notes.shots(card.hash) or []):
        st.page_link(
            "pages/animate.py",
            label="Animate 1 keyframe" if count == 1 else f"Animate {count} keyframes",
            icon=":material/animation:",
            query_params={"model": model.id},
        )


def _save(model: Model, way: Way) -> None:
    _, card = loaded.generator(model)
    size = card.networks.size
    side = st.select_slider(
        "Size", SIDES, 1024, format_func="{} px".format, key="save_side", persist_state="session"
    )
    smooth = st.segmented_control(
        "Pixels",
        [False, True],
        default=False,
        required=True,
        format_func={False: "Squares", True: "Smooth"}.__getitem__,
        key="save_smooth",
        persist_state="session",
        help="Squares keep every pixel as it was painted; smooth blends them (Lanczos).",
    )

    def made() -> bytes:
        place = way.place
        picture = images.resize(loaded.pictures(model, place.z[None])[0], side, smooth)
        kept = {"name": name_of(model, place)} | ({"line": list(place.line)} if place.line else {})
        about = recipes.recipe(
            card.hash,
            origin=card.origin,
            kind="picture",
            place=place.text,
            side=picture.shape[0],
            smooth=smooth,
            **kept,
        )
        return export.png_bytes(picture, about)

    place = way.place
    spot = str(place.seed) if place.seed is not None else workspace.slug(name_of(model, place), "spot")
    stem = f"{workspace.slug(card.name)}-{spot}"
    st.download_button(
        "Save as PNG",
        made,
        file_name=f"{stem}.png",
        mime="image/png",
        icon=":material/download:",
        type="primary",
        on_click="ignore",
    )
    if side < size or (not smooth and side % size):
        st.caption(f"Whole squares of its {size} px make {images.squares(size, side)} px.")
    st.caption("The exact spot is written into the file: drop it under “Open a saved picture” to come back.")


def _link(model: Model, place: Place) -> None:
    """The exact place as a link, and as text."""
    query = urlencode({"model": model.id, "at": place.text})
    address = (st.context.url or "").partition("?")[0]
    st.caption("A link to this spot, for whoever has this model under this name.")
    st.code(f"{address}?{query}", language=None, wrap_lines=True)
    if place.seed is None:
        st.caption("The latent itself, to the bit.")
        st.code(place.text, language=None, wrap_lines=True)


def open_file(model: Model) -> None:
    """Drop a picture that ganart saved, and be where it was painted."""
    turn = st.session_state.get("open_turn", 0)
    file = st.file_uploader("Open a saved picture", type=["png"], key=f"open-{turn}", max_upload_size=100)
    if file is None:
        if told := st.session_state.pop("opened", ""):
            st.caption(told)
        return
    with page.error_box():
        recipe = recipes.read(Path(Path(file.name).name), file.getvalue())
        if recipe is None:
            st.error(
                "This PNG has no recipe of ganart inside. Open one that was saved here.", icon=":material/error:"
            )
            return
        _, card = loaded.generator(model)
        painter = model if card.hash == recipe.get("model") else reopen.model_of(recipe)
        place = reopen.place_of(recipe, painter)
        st.session_state.open_turn = turn + 1  # frees what the uploader holds
        st.session_state.opened = f"Back at {words.plain(place.label)}."
        go(painter, place)
        if painter is not model:
            choose.switch(painter)
        st.rerun()
