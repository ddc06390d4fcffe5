"""What a training will cost, measured while the artist still chooses."""

import streamlit as st

from ganart import disk, forecast
from ganart.config import MOST_KIMG, TrainConfig
from ganart.errors import BusyError, GanartError
from ganart.forecast import Forecast, TooLargeError

LATER = "How long it takes will show once it runs."
ICONS = {
    "yes": ":material/check_circle:",
    "patience": ":material/hourglass_top:",
    "no": ":material/do_not_disturb_on:",
}


def show(settings: TrainConfig, length_key: str) -> bool:
    """The forecast for these settings, or how far it is -> whether they fit into the memory, as far as is known.

    length_key: of the widget whose value a click on a budget sets.
    """
    try:
        found = forecast.known(settings)
    except TooLargeError as error:
        st.error(str(error), icon=":material/error:")
        return False
    except GanartError:
        st.caption(LATER)
        return True  # that it could not be measured does not say that it cannot be done
    if found is None:
        st.fragment(_wait, run_every=1.0)(settings)
        return True
    _tell(found, settings, length_key)
    return found.fits


def _wait(settings: TrainConfig) -> None:
    """Have it measured, once, and draw the page anew when that is done."""
    try:
        if forecast.known(settings) is not None:
            st.rerun()
        if not forecast.under_way(settings):
            asked = st.session_state.setdefault("forecasts_asked", set())
            path = str(forecast.path_for(settings))
            if path in asked:
                st.caption(LATER)
                return
            forecast.begin(settings)
            asked.add(path)
    except BusyError:
        st.caption("Another training has the device, so how long this one takes cannot be measured now.")
        return
    st.caption(":material/timer: Measuring how fast this computer is …")
    st.skeleton(height=90)  # what comes is as high, so that nothing jumps


def _tell(found: Forecast, settings: TrainConfig, length_key: str) -> None:
    st.markdown(f"{ICONS[found.verdict()]} {found.sentence()}")
    with st.container(horizontal=True):
        for name, seconds in forecast.BUDGETS.items():
            kimg = min(_rounded(found.kimg(seconds)), MOST_KIMG)
            if kimg < 1:
                continue
            st.button(
                f"{name}: {kimg:,.0f}",
                key=f"budget-{name}",
                on_click=_set_length,
                args=(length_key, kimg),
                help=f"As many thousand pictures as this computer looks at in {forecast.duration(seconds)}.",
            )
    parts = [f"{settings.kimg:,.0f} thousand pictures take {forecast.duration(found.seconds(settings.kimg))}"]
    if found.disk:
        parts.append(f"up to {disk.words(found.disk)} on the disk")
    st.caption(", ".join(parts) + ".")


def _set_length(key: str, kimg: float) -> None:
    st.session_state[key] = float(kimg)


def _rounded(kimg: float) -> float:
    """Two digits are as many as can be foretold."""
    return float(f"{kimg:.1e}")
