"""What can go wrong through no fault of the program.

GanartError
├── InputError            what was given cannot be used      exit status 2
│   ├── DatasetError      pictures, folders, zips, stores
│   └── ModelError        model files and checkpoints
└── RunError              a run cannot go on                 exit status 1
    └── BusyError         another run holds the device

Every message is one sentence or two that say what was found, what is needed and what to do.
A bug is not a GanartError: it stays a traceback.
"""


class GanartError(Exception):
    """Base of everything a user can cause; `exit_status` is what the command line returns."""

    exit_status = 1


class InputError(GanartError):
    """What was given cannot be used."""

    exit_status = 2


class DatasetError(InputError):
    """Pictures, a folder, a zip or a prepared dataset cannot be used."""


class ModelError(InputError):
    """A model file or a checkpoint cannot be used."""


class RunError(GanartError):
    """A run cannot start or go on."""


class BusyError(RunError):
    """The device already trains another run."""
