"""Where one is in a model's latent space: the way there, and what can be done with the picture."""

from pathlib import Path
from urllib.parse import urlencode

import streamlit as st

from ganart import export, images, loaded, notes, places, recipes, reopen, workspace
from ganart.models import Model
from ganart.notes import Kept
from ganart.places import Place, Way
from ganart.ui import page

SIDES = (256, 512, 1024, 2048)  # px, of a saved picture


def way(model: Model) -> Way:
    """The way that was taken through this model, in this tab; it begins where the address says."""
    _, card = loaded.generator(model)
    state, asked = st.session_state, st.query_params.get("at")
    ways: dict[str, Way] = state.setdefault("ways", {})
    ours = asked == state.get("at_told")  # the address is what was written there, not a link
    found = ways.get(card.hash)
    if found is None or (asked is not None and not ours):
        place = places.of_seed(0, card.networks.z_dim)
        with page.error_box():
            if asked is not None and (not ours or asked.isdecimal()):
                kept = notes.find(card.hash, asked)
                place = places.read(asked, card.networks.z_dim, kept.name if kept else "")
        if found is None:
            found = ways[card.hash] = Way.begin(place)
        else:
            found.go(place)
    if asked != found.place.text:
        st.query_params["at"] = found.place.text
    state.at_told = found.place.text
    return found


def go(model: Model, place: Place) -> None:
    """In a callback: to another place."""
    _, card = loaded.generator(model)
    st.session_state.ways[card.hash].go(place)


def go_to_seed(model: Model, seed: int) -> None:
    """In a callback: to the place of a seed."""
    _, card = loaded.generator(model)
    go(model, places.of_seed(seed, card.networks.z_dim))


def pin_seed(model: Model, seed: int) -> None:
    """In a callback: pin a seed, or take it off the pins."""
    _, card = loaded.generator(model)
    found = notes.find(card.hash, str(seed))
    mark(model, places.of_seed(seed, card.networks.z_dim), pinned=not (found and found.pinned))


def step(model: Model, by: int) -> None:
    """In a callback: back or forth on the way."""
    _, card = loaded.generator(model)
    st.session_state.ways[card.hash].step(by)


def mark(model: Model, place: Place, **marks: bool) -> None:
    """In a callback: pin a place or like it, or no longer."""
    _, card = loaded.generator(model)
    found = notes.find(card.hash, place.text)
    before = {"pinned": found.pinned, "liked": found.liked} if found else {}
    name = found.name if found else place.label
    with page.error_box():
        notes.keep(card.hash, Kept(place.text, name, **{**before, **marks}, line=place.line))


def _rename(model: Model, place: Place) -> None:
    _, card = loaded.generator(model)
    name = st.session_state.place_name.strip()
    if name and (found := notes.find(card.hash, place.text)):
        notes.keep(card.hash, Kept(place.text, name, found.pinned, found.liked, found.line))


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
    st.markdown(f"**{name_of(model, place)}**")
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
            on_click=mark,
            args=(model, place),
            kwargs={"pinned": not pinned},
            help="Pins are what you breed, add and film with.",
        )
        st.button(
            "Liked" if liked else "Like",
            icon=":material/favorite:",
            key="like",
            type="primary" if liked else "secondary",
            on_click=mark,
            args=(model, place),
            kwargs={"liked": not liked},
        )
    with st.container(horizontal=True, vertical_alignment="center"):
        with st.popover("Save", icon=":material/download:"):
            _save(model, place)
        with st.popover("Link", icon=":material/link:"):
            _link(model, place)
        if kept:
            with st.popover("Name", icon=":material/edit:"):
                st.text_input(
                    "Name",
                    kept.name,
                    max_chars=notes.LONGEST,
                    key="place_name",
                    on_change=_rename,
                    args=(model, place),
                )
        keyframes = frames_of(model)
        st.button(
            "Add to the film",
            icon=":material/movie:",
            key="film",
            on_click=keyframes.append,
            args=(place,),
            help="As the next keyframe on the page Animate.",
        )
    if keyframes:
        count = "1 keyframe" if len(keyframes) == 1 else f"{len(keyframes)} keyframes"
        st.page_link(
            "pages/animate.py",
            label=f"Animate {count}",
            icon=":material/animation:",
            query_params={"model": model.id},
        )


def frames_of(model: Model) -> list[Place]:
    """The keyframes of the film that this tab is at, for this model; pages change it in place."""
    _, card = loaded.generator(model)
    return st.session_state.setdefault("keyframes", {}).setdefault(card.hash, [])


def _save(model: Model, place: Place) -> None:
    _, card = loaded.generator(model)
    size = card.networks.size
    side = st.select_slider("Size", SIDES, 1024, format_func="{} px".format, key="save_side")
    smooth = st.segmented_control(
        "Pixels",
        [False, True],
        default=False,
        required=True,
        format_func={False: "Squares", True: "Smooth"}.get,
        key="save_smooth",
        help="Squares keep every pixel as it was painted; smooth blends them (Lanczos).",
    )

    def made() -> bytes:
        picture = images.resize(loaded.pictures(model, place.z[None])[0], side, smooth)
        kept = {"name": name_of(model, place)} | ({"line": list(place.line)} if place.line else {})
        about = recipes.recipe(
            card.hash, kind="picture", place=place.text, side=picture.shape[0], smooth=smooth, **kept
        )
        return export.png_bytes(picture, about)

    stem = workspace.slug(f"{card.name}-{place.seed if place.seed is not None else name_of(model, place)}")
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
        st.session_state.opened = f"Back at {place.label}."
        if painter is model:
            go(model, place)
            st.rerun()
        st.session_state.pop("model", None)
        st.query_params.from_dict({"model": painter.id, "at": place.text})
        st.rerun()
