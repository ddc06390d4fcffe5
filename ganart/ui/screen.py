"""The making of a film beside the page, the film on the screen, the files that were made before."""

import shutil
from pathlib import Path

import streamlit as st

from ganart import disk, export, exported, film, filmconfig, jobs, loaded, loops, recipes, reopen, workspace
from ganart.jobs import Job, JobStatus
from ganart.models import Model
from ganart.ui import choose, login, manage, moving, page, studio, timeline, words
from ganart.ui.studio import Asked

MOST_EARLIER = 30


def request(model: Model, asked: Asked) -> dict:
    """The job that makes this film."""
    _, card = loaded.generator(model)
    grown = {}
    if model.run and asked.film.path in filmconfig.GROWTHS:  # painted from what a training has left until now
        kept = model.run.samples() if asked.film.path == "sheets" else list(model.run.checkpoints().values())
        status = model.run.status()
        grown = {"grown": [len(kept), kept[-1].name if kept else "", 0 if status.active else status.step]}
    return {
        "kind": "film",
        "id": model.id,
        "hash": card.hash,
        "name": workspace.slug(card.name),
        "film": filmconfig.to_dict(asked.film),
        "suffix": asked.suffix,
        **grown,
    }


def begin(model: Model, asked: Asked) -> None:
    """Have it made; what was made before is shown again if it is still there."""
    wanted = request(model, asked)
    job = jobs.find(wanted)
    if (done := job.result()) is not None and _exported(done) is None:
        shutil.rmtree(job.folder, ignore_errors=True)
    begun = str(jobs.begin(wanted).folder)
    others = [folder for folder in _asked() if folder != begun and Job(Path(folder)).is_active()]
    st.session_state.films = [begun, *others]


def _exported(result: dict) -> Path | None:
    """The film that a job has made, whatever it is called by now; None where it is gone, even if another one has
    its name."""
    made = result.get("written"), result["bytes"]
    found = exported.list_exports()
    return next((path for path, facts in found if (facts.st_mtime_ns, facts.st_size) == made), None)


def _asked() -> list[str]:
    """The folders of the jobs that this tab has asked for, the last one first; in a new tab, or after a reload, of
    those that are under way. Where people log in, they do not call off each other's."""
    state = st.session_state
    if "films" not in state:
        found = [] if login.is_on() else jobs.under_way("film")
        state.films = [str(job.folder) for job in reversed(found)]
    return state.films


def show(model: Model) -> None:
    """How far the making is; when it is done, the film in motion and the button that saves it."""
    if not (asked := [Job(Path(folder)) for folder in _asked()]):
        _, card = loaded.generator(model)
        if (path := loops.find(model, card)) is not None:
            with st.container(key="square-loop"):  # its room is kept free, see page.css
                moving.loop(model, card, path)
        st.caption("Your film will play here.")
        return
    active = [job for job in asked if job.is_active()]
    st.fragment(_progress, run_every=1.0 if active else None)(asked, active)
    job, status = asked[0], asked[0].status()
    if job in active or status is None:
        return
    if status.state != "done":
        st.error(status.error, icon=":material/error:")
        return
    result = job.result()
    if result is None or (file := _exported(result)) is None:
        st.info("The film was deleted. Make it again.", icon=":material/movie:")
        return
    _play(result, file)


def _progress(asked: list[Job], was_active: list[Job]) -> None:
    """A line for each film that is being made or waits, with the button that calls it off."""
    wanted = [Job(Path(folder)) for folder in _asked()]
    if wanted != asked or [job for job in wanted if job.is_active()] != was_active:
        st.rerun()
    for job in was_active:
        status = job.status() or JobStatus()
        share = min(1.0, status.done / status.total) if status.total else 0.0
        told = "Waiting for other work …" if status.state == "waiting" else "Getting ready …"
        if status.done:  # until then an even pace may be sought
            told = f"Painting: {status.done:,} of {status.total:,} frames"
        with st.container(horizontal=True, vertical_alignment="center"):
            st.progress(share, told if job == asked[0] else f"Asked for before. {told}")
            key = f"cancel-{job.folder.name}"
            st.button("Cancel", icon=":material/close:", key=key, on_click=_cancel, args=(job,))


def _cancel(job: Job) -> None:
    jobs.cancel(job)
    st.session_state.films = [folder for folder in _asked() if folder != str(job.folder)]


def _play(result: dict, path: Path) -> None:
    data, suffix = path.read_bytes(), path.suffix
    if suffix == ".mp4":
        st.video(data, format="video/mp4", loop=True, autoplay=True, muted=True, alt="The film, playing in a loop")
    elif suffix != ".zip":
        moving.film(path, "The film, playing in a loop" if suffix != ".png" else "The contact sheet of the film")
    with st.container(horizontal=True, vertical_alignment="center"):
        st.download_button(
            f"Download {export.KINDS[suffix][0]}",
            data,
            file_name=path.name,
            icon=":material/download:",
            type="primary",
            on_click="ignore",
        )
        told = f"{disk.words(len(data))}, {result['width']} x {result['height']} px, {result['seconds']:g} s"
        st.caption(f"{told} · kept in the workspace as exports/{path.name}")
    st.caption(" ".join(_told(result)))
    if suffix == ".gif" and len(data) > 8e6:
        st.caption("Over 8 MB is much for a GIF: fewer seconds, a smaller size or MP4 travel better.")


def _told(result: dict) -> list[str]:
    """What was measured on the film."""
    parts = []
    if result["seam"] is not None:
        parts.append(f"Where it closes, the step is {result['seam']:.2f} of the longest other one.")
    if result["uneven_before"] != result["uneven"]:
        parts.append(f"Steps varied by {result['uneven_before']:.0%}, now by {result['uneven']:.0%}.")
    else:
        parts.append(f"Its steps vary by {result['uneven']:.0%}.")
    return parts


def size(model: Model, asked: Asked) -> None:
    """The button that says how large the file will be."""
    key = str(jobs.find(request(model, asked)).folder)
    told: dict[str, int] = st.session_state.setdefault("film_sizes", {})
    if key in told:
        st.caption(f"About {disk.words(told[key])}")
    elif st.button("How large?", icon=":material/straighten:", help="Paints a few frames and reckons."):
        with page.error_box():
            told[key] = film.estimate(model, asked.film, asked.suffix)
            st.rerun()


# --- files that are there


def earlier() -> None:
    """The files that were made before, with their menus."""
    if not (files := exported.list_exports()):
        return
    with st.expander(f"Made before ({len(files)})", icon=":material/folder:", key="made_before"):
        for path, facts in files[:MOST_EARLIER]:
            with st.container(horizontal=True, vertical_alignment="center"):
                st.markdown(f"{words.plain(path.name)}  :gray[{disk.words(facts.st_size)}]")
                st.download_button(
                    "Download", path.read_bytes, file_name=path.name, key=f"get-{path.name}", on_click="ignore"
                )
                manage.export(path.name)
        if len(files) > MOST_EARLIER:
            st.caption(f"{len(files) - MOST_EARLIER} older ones lie in the workspace under exports/.")


def open_file(model: Model) -> None:
    """Drop a film or a picture that ganart made, and have its settings here again."""
    turn = st.session_state.get("film_turn", 0)
    types = [suffix[1:] for suffix in recipes.SUFFIXES]
    file = st.file_uploader("Open a film or a picture", type=types, key=f"film-{turn}", max_upload_size=1000)
    if told := st.session_state.pop("film_opened", ""):
        st.caption(told)
    if file is None:
        return
    with page.error_box():
        recipe = recipes.read(Path(Path(file.name).name), file.getbuffer())
        if recipe is None:
            st.error(
                "There is no recipe of ganart inside. Open a file that was made here.", icon=":material/error:"
            )
            return
        _, card = loaded.generator(model)
        painter = model if card.hash == recipe.get("model") else reopen.model_of(recipe)
        if recipe.get("kind") == "picture":
            timeline.add(painter, [reopen.place_of(recipe, painter)])
            told = "Added as a keyframe."
        else:
            studio.set_to(painter, reopen.film_of(recipe, painter), Path(file.name).suffix.lower())
            told = "Its settings are here again."
        st.session_state.film_turn = turn + 1  # frees what the uploader holds
        st.session_state.film_opened = told
        if painter is not model:
            choose.switch(painter)
        st.rerun()
