"""Processes that outlive the app: trainers, jobs, measurements. Imports no torch."""

import contextlib
import os
import subprocess
import sys
import threading
from pathlib import Path

from ganart import workspace

# A trainer with passive waiting leaves the processor to the pages between its parallel parts. Alone it loses
# nothing by it; beside a rendering page it is what keeps both usable.
# On Apple's chips an operation that is missing there is made on the processor.
ENVIRONMENT = {
    "OMP_WAIT_POLICY": "PASSIVE",
    "GOMP_SPINCOUNT": "0",
    "KMP_BLOCKTIME": "0",
    "PYTORCH_ENABLE_MPS_FALLBACK": "1",
}


def start(module: str, target: Path, log: Path | None = None, **environment: str) -> subprocess.Popen:
    """Start `python -m module target`, on this workspace.

    log: the file that its words are added to. environment: what it gets beside ENVIRONMENT.
    """
    with log.open("ab") if log else contextlib.nullcontext(subprocess.DEVNULL) as words:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", module, str(target)],
            stdin=subprocess.DEVNULL,
            stdout=words,
            stderr=words,
            close_fds=True,
            env={
                **os.environ,
                **ENVIRONMENT,
                "PYTHONPATH": os.pathsep.join(
                    filter(None, [str(workspace.CHECKOUT), os.environ.get("PYTHONPATH")])
                ),
                "PYTHONUNBUFFERED": "1",
                "PYTHONUTF8": "1",
                "GANART_HOME": str(workspace.home()),
                **environment,
            },
            **_options(),
        )
    threading.Thread(target=process.wait, daemon=True).start()  # collects the exit status: no zombie is left
    return process


def _options() -> dict:
    """Of Popen, for a process that is no part of this one's session, nor of its console."""
    if sys.platform != "win32":
        return {"start_new_session": True}
    return {
        "creationflags": subprocess.CREATE_NEW_PROCESS_GROUP
        | subprocess.CREATE_NO_WINDOW
        | subprocess.BELOW_NORMAL_PRIORITY_CLASS
    }
