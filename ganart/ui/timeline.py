"""The keyframes of a film: in what order, how long each rests, how long the way to the next takes."""

import dataclasses
import functools
from collections.abc import Callable

import numpy as np
import streamlit as st

from ganart import latent, loaded, notes, places
from ganart.errors import GanartError, InputError
from ganart.filmconfig import MOST_KEYFRAMES, Keyframe
from ganart.models import Model
from ganart.notes import Shot
from ganart.places import Place
from ganart.ui import choose, page, pins, words
from ganart.ui.wall import wall

FIRST = (3, 14, 15, 92)  # until the artist has chosen


def shots(model: Model) -> list[Shot]:
    """The keyframes, as they were left."""
    _, card = loaded.generator(model)
    return _or_first(notes.shots(card.hash))


def _or_first(kept: list[Shot] | None) -> list[Shot]:
    return [Shot(str(seed), f"Seed {seed}") for seed in FIRST] if kept is None else kept


def keyframes(model: Model) -> tuple[Keyframe, ...]:
    """The same for a film."""
    return tuple(Keyframe(shot.text, shot.rest, shot.way) for shot in shots(model))


def put(model: Model, kept: list[Shot]) -> None:
    """These are the keyframes from here on."""
    _, card = loaded.generator(model)
    notes.set_shots(card.hash, kept[:MOST_KEYFRAMES])


def add(model: Model, found: list[Place]) -> None:
    """Places as the next keyframes; the first ones take the place of those that nobody chose. Raises InputError
    where they are too many."""
    _, card = loaded.generator(model)

    def added(kept: list[Shot] | None) -> list[Shot]:
        all_of_them = [*(kept or []), *(Shot(place.text, place.label) for place in found)]
        if len(all_of_them) > MOST_KEYFRAMES:
            raise InputError(
                f"{len(all_of_them)} keyframes are too many. A film has up to {MOST_KEYFRAMES}; remove some first."
            )
        return all_of_them

    notes.change_shots(card.hash, added)


@page.error_box()
def take(model: Model, found: list[Place]) -> None:
    """In a callback: `add`, or why not."""
    add(model, found)


def show(model: Model, timed: bool = True) -> None:
    """The keyframes as thumbnails; what can be done with the one that is picked; how to add more. timed: one can
    say how long the film stays at each and takes to the next."""
    kept, state = shots(model), st.session_state
    _, card = loaded.generator(model)
    found = []
    for shot in kept:
        try:
            found.append(places.read(shot.text, card.networks.z_dim, shot.name))
        except InputError:
            put(model, [other for other in kept if other is not shot])
            st.rerun()
    picked = min(state.get("shot", 0), len(kept) - 1)
    if found:
        wall(
            loaded.pictures(model, np.stack([place.z for place in found])),
            [f"Keyframe {number}: {shot.name}" for number, shot in enumerate(kept, 1)],
            key="keyframes",
            title="Keyframes of the film",
            on_pick=_pick,
            selected=[picked],
            across=8,
        )
        _tools(model, kept, picked)
        if timed:
            _timing(model, kept, picked)
    else:
        st.caption("No keyframes yet. Add some, or go exploring and send them here.")
    _more(model)


def _pick(index: int) -> None:
    st.session_state.shot = index


def _tools(model: Model, kept: list[Shot], picked: int) -> None:
    shot, last = kept[picked], len(kept) - 1
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"**{picked + 1}**  {words.plain(shot.name)}")
        tools = (
            ("Earlier", ":material/arrow_back:", functools.partial(_move, by=-1), picked == 0),
            ("Later", ":material/arrow_forward:", functools.partial(_move, by=1), picked == last),
            ("Twice", ":material/content_copy:", _double, len(kept) >= MOST_KEYFRAMES),
            ("Remove", ":material/delete:", _remove, False),
        )
        for name, icon, how, unable in tools:
            act = functools.partial(_act, model, picked, shot, how)
            st.button(name, icon=icon, key=f"shot-{name}", on_click=act, disabled=unable, type="tertiary")


def _act(model: Model, place: int, shot: Shot, how: Callable[[list[Shot], int], int]) -> None:
    """In a callback: `_change` the one that is picked by now. A hand that picks another and goes on at once to the
    buttons is faster than these are drawn for that one; where both clicks come together nobody knows which was
    first, so the keyframes stay as they are."""
    if not choose.is_still(model) or (st.session_state.get("keyframes") or {}).get("picked") is not None:
        return
    if (now := st.session_state.get("shot", place)) != place and now < len(kept := shots(model)):
        place, shot = now, kept[now]
    _change(model, place, shot, how)


def _timing(model: Model, kept: list[Shot], picked: int) -> None:
    change = functools.partial(_act, model, picked, kept[picked])
    with st.container(horizontal=True):
        for name, label, low, told in (
            ("rest", "Rests", 0.0, "How long it stays; 1 is as long as a usual way."),
            (
                "way",
                "Way to the next",
                0.1,
                "How long the way takes beside the others; at even pace it follows by itself.",
            ),
        ):
            key = f"{name}-{picked}"
            page.tell(key, float(np.clip(getattr(kept[picked], name), low, 4.0)))
            timed = functools.partial(_time, name=name, key=key)
            st.slider(label, low, 4.0, step=0.1, key=key, on_change=change, args=(timed,), help=told)


def _move(order: list[Shot], at: int, by: int) -> int:
    there = min(max(at + by, 0), len(order) - 1)
    order.insert(there, order.pop(at))
    return there


def _double(order: list[Shot], at: int) -> int:
    order.insert(at, order[at])
    return at + 1


def _remove(order: list[Shot], at: int) -> int:
    del order[at]
    return at


def _time(order: list[Shot], at: int, name: str, key: str) -> int:
    order[at] = dataclasses.replace(order[at], **{name: st.session_state[key]})
    return at


def _change(model: Model, place: int, shot: Shot, how: Callable[[list[Shot], int], int]) -> None:
    """In a callback: change the keyframes as they are now, around the one that was shown at this place. Another
    tab may have added some, or taken this one out; this tab may not have heard of its own last click yet.

    how(keyframes, where it is) -> which one is picked from then on.
    """
    _, card = loaded.generator(model)

    def changed(kept: list[Shot] | None) -> list[Shot]:
        now = _or_first(kept)
        alike = [at for at, other in enumerate(now) if (other.text, other.name) == (shot.text, shot.name)]
        if alike:
            _pick(how(now, min(alike, key=lambda at: abs(at - place))))
        return now[:MOST_KEYFRAMES]

    notes.change_shots(card.hash, changed)


def _more(model: Model) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        with st.popover("Add seeds", icon=":material/add:"):
            st.text_input("Seeds", key="more_seeds", placeholder="3, 14-16", on_change=_add_seeds, args=(model,))
            if told := st.session_state.pop("more_told", ""):
                st.error(told, icon=":material/error:")
        if found := pins.pinned(model):
            with st.popover("Add pins", icon=":material/push_pin:"):
                pins.pictures(
                    model,
                    found,
                    key="more_pins",
                    title="Pins to add",
                    on_pick=lambda index: take(model, [found[index]]),
                    across=6,
                )
                st.button("Add all of them", on_click=take, args=(model, found))
        st.page_link(
            "pages/explore.py", label="Find more", icon=":material/explore:", query_params={"model": model.id}
        )
        st.button("Start anew", icon=":material/restart_alt:", key="anew", on_click=_anew, args=(model,))


def _anew(model: Model) -> None:
    if choose.is_still(model):
        put(model, [])


def _add_seeds(model: Model) -> None:
    state = st.session_state
    if not choose.is_still(model):
        return
    try:
        seeds = latent.parse_seeds(state.more_seeds)
        _, card = loaded.generator(model)
        add(model, [places.of_seed(seed, card.networks.z_dim) for seed in seeds])
        state.more_seeds = ""
    except GanartError as error:
        state.more_told = str(error)
