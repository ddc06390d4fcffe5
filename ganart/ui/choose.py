"""The choices that pages share: which model, which seeds."""

import streamlit as st

from ganart import loaded, models
from ganart.errors import GanartError
from ganart.models import Model


def model() -> Model:
    """The model that the address names or the artist picks; without any model, a hint and the end of the page."""
    found = {m.id: m for m in models.list_models()}
    if not found:
        st.info("There is no model to play with yet. Train one first.", icon=":material/image_search:")
        st.page_link("pages/train.py", label="Train on your pictures", icon=":material/add_photo_alternate:")
        st.stop()
    asked = st.query_params.get("model")
    switched = st.session_state.pop("switched", None)
    for name in {asked, switched} - {None, *found}:
        try:
            found[name] = models.find_model(name)  # a checkpoint of a run, such as 0003-van-gogh@12000
        except GanartError:
            st.warning(f"There is no model “{name}” any more. Here is another one.", icon=":material/help:")
    if switched in found:
        st.session_state.model = switched
    if st.session_state.get("model", asked) not in found:
        st.session_state.model = next(iter(found))
    # Without a first choice of its own, which Streamlit would leave out of the address: a model that is trained
    # meanwhile comes before it, and a link would lead there.
    picked = st.selectbox("Model", list(found), index=None, required=True, key="model", bind="query-params")
    chosen = found[picked or next(iter(found))]
    try:
        loaded.generator(chosen)
    except GanartError as error:
        st.error(str(error), icon=":material/error:")
        st.stop()
    return chosen


def is_still(model: Model) -> bool:
    """In a callback: whether this is the model that is chosen by now. A hand that chooses another and goes on to a
    button at once clicks on one that was drawn for the model before."""
    chosen = st.session_state.get("model", model.id)
    try:  # a link may name a run otherwise than by its id
        return chosen == model.id or models.find_model(chosen).id == model.id
    except GanartError:
        return False


def switch(model: Model) -> None:
    """Before the page runs again: to another model."""
    st.session_state.switched = model.id
