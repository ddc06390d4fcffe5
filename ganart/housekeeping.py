"""What lies in the workspace: other names for it, and its end. Imports no torch."""

import contextlib
import re
import secrets
import shutil
from pathlib import Path

from ganart import dataset, disk, exported, forecast, in_use, jobs, models, notes, workspace
from ganart.dataset import Dataset
from ganart.errors import DatasetError, GanartError, InputError, ModelError
from ganart.files import replace_with_retry, sweep_abandoned, sweep_temporary
from ganart.run import Run

DELETING = ".deleting-"
OF_A_MODEL = (".safetensors", ".webp", "-loop.webp", ".md")  # the model, its sheets, its loop, its words


# --- the sentence that asks before something goes


def describe_run(run: Run) -> str:
    """What goes with a run, and its size."""
    folder = _own(run)
    holds = ["its model"] if run.model.is_file() else []
    if sheets := run.samples():
        holds.append(disk.counted(len(sheets), "sheet"))
    if states := run.states():
        holds.append(f"{disk.counted(len(states), 'state')} to go back to")
    return f"{run.id}: {', '.join(holds) or 'no model yet'}; {disk.words(disk.size(folder))}."


def describe_dataset(name: str) -> str:
    """What goes with a dataset, its size, and which trainings cannot go on without it."""
    folder = _dataset_folder(name)
    stores = {store.name: store for store in dataset.list_datasets()}
    store = stores.get(name)
    holds = disk.counted(store.count, "picture") if store else "a dataset that this ganart cannot read"
    sentence = f"{name}: {holds}, {disk.words(disk.size(folder))}."
    twins = [other.name for other in stores.values() if store and other.hash == store.hash and other != store]
    if not (runs := in_use.users(name)):
        return sentence
    one = len(runs) == 1
    sentence += f" {disk.counted(len(runs), 'training')} learned from it ({', '.join(run.id for run in runs)}): "
    if twins:
        return f"{sentence}{'it goes' if one else 'they go'} on with “{twins[0]}”, which holds the same pictures."
    return sentence + (
        "its model stays, but it cannot go on without it."
        if one
        else "their models stay, but they cannot go on without it."
    )


def describe_model(name: str) -> str:
    """What goes with an imported model, and its size."""
    used = sum(disk.size(path) for path in _model_files(name))
    return f"{name}: an imported model, {disk.words(used)}. Films made with it stay, but cannot be made again."


def describe_export(file: str) -> str:
    """An export and its size."""
    return f"{file}: {disk.words(disk.size(_export_path(file)))}."


# --- other names


def rename_run(run: Run, name: str) -> Run:
    """0003-old -> 0003-NAME. Raises InputError for a name that is not usable, RunError while it is at work."""
    workspace.check_name(name)
    with in_use.launch_lock():
        folder = _own(run)
        if name == run.name:
            return run
        in_use.check_idle(run)
        renamed = Run(folder.with_name(f"{run.id.partition('-')[0]}-{name}"))
        _move(folder, _free(renamed.folder))
    notes.renamed(run.id, renamed.id)
    return renamed


def rename_dataset(name: str, new: str) -> Dataset:
    """The dataset under a new name; its runs find it by its hash.

    Raises InputError for a name that is taken or not usable, RunError while a run at work uses it.
    """
    workspace.check_name(new)
    with in_use.launch_lock(), dataset.lock():
        folder = _dataset_folder(name)
        if new != name:
            in_use.check_unused(name)
            _move(folder, _free(folder.with_name(new)))
    return dataset.open_dataset(new)


def rename_model(name: str, new: str) -> Path:
    """An imported model under a new name, with what lies beside it; raises InputError for one that is taken."""
    workspace.check_name(new)
    with in_use.launch_lock():
        files = _model_files(name)
        if new != name:
            models.check_free(new)
            targets = [_free(path.with_name(new + path.name.removeprefix(name))) for path in files]
            for path, target in zip(files, targets, strict=True):
                _move(path, target)
    return files[0].with_name(f"{new}.safetensors")


def rename_export(file: str, new: str) -> Path:
    """An export under a new name, given with its suffix or without; the suffix stays.

    Raises InputError for a name that is taken or not usable.
    """
    with in_use.launch_lock():
        path = _export_path(file)
        stem = new[: -len(path.suffix)] if path.suffix and new.lower().endswith(path.suffix.lower()) else new
        target = path.with_name(_plain(stem) + path.suffix)
        if target != path:
            same = target.name.casefold() == path.name.casefold() and target.exists() and target.samefile(path)
            _move(path, target if same else _free(target))  # some disks do not tell film.gif from Film.gif
    return target


# --- the end


def delete_run(run: Run) -> None:
    """Delete a run whole; raises RunError while it is at work."""
    with in_use.launch_lock():
        folder = _own(run)
        in_use.check_idle(run)
        hidden = _hide(folder)
    notes.renamed(run.id, None)
    _erase(hidden)


def delete_dataset(name: str) -> None:
    """Delete a prepared dataset; raises RunError while a run at work uses it."""
    with in_use.launch_lock():
        folder = _dataset_folder(name)
        in_use.check_unused(name)
        hidden = _hide(folder)
    _erase(hidden)


def delete_model(name: str) -> None:
    """Delete an imported model, with what lies beside it."""
    for path in _model_files(name):
        remove(path)


def delete_export(file: str) -> None:
    """Delete an export."""
    remove(_export_path(file))


def remove(path: Path) -> None:
    """Take a file or folder of the workspace out of all lists in one move, then delete it."""
    _erase(_hide(path))


def sweep() -> None:
    """Delete what a process left behind that was killed while it deleted, prepared, wrote or unpacked something,
    uploads that nothing was added to for a day, and the oldest answers of very many jobs."""
    sweep_abandoned(workspace.folder("uploads"), "*")
    for kind in disk.KINDS:
        parent = workspace.folder(kind)
        for path in parent.glob(f"{DELETING}*"):
            _erase(path)
        for pattern in (".preparing-*", ".unpacking-*", f"{exported.MAKING}*"):
            sweep_abandoned(parent, pattern)
        sweep_temporary(parent, 86_400, deep=False)
    sweep_abandoned(workspace.folder("forecasts"), f"{forecast.MEASURING}*")
    jobs.forget_oldest()


# --- paths


def _own(run: Run) -> Path:
    """The folder of a run of this workspace; a run given by its path may be any folder of the disk."""
    if run.folder.parent.resolve() != workspace.folder("runs").resolve():
        raise InputError(
            f"The run {run.id} lies outside of this workspace, in {run.folder.parent}. Rename or delete it there."
        )
    if not run.folder.is_dir():
        raise InputError(f"There is no run {run.id} any more. Look for it in the list of runs.")
    return run.folder


def _dataset_folder(name: str) -> Path:
    folder = workspace.folder("datasets") / workspace.check_name(name)
    if not folder.is_dir():
        raise DatasetError(f"There is no dataset “{name}”. Look for it in the list of datasets.")
    return folder


def _model_files(name: str) -> list[Path]:
    """The model file first, then what lies beside it."""
    path = workspace.folder("models") / f"{_plain(name)}.safetensors"
    if not path.is_file():
        raise ModelError(f"There is no imported model “{name}”. Look for it in the list of models.")
    return [beside for end in OF_A_MODEL if (beside := path.with_name(name + end)).is_file()]


def _export_path(file: str) -> Path:
    path = workspace.folder("exports") / _plain(file)
    if not path.exists():
        raise InputError(f"There is no export “{file}”. Look for it in the list of exports.")
    return path


def _plain(name: str) -> str:
    """`name` itself; raises InputError where it could mean another folder or no system could keep it."""
    if not re.fullmatch(r'[^.\x00-\x1f/\\:*?"<>|][^\x00-\x1f/\\:*?"<>|]{0,119}', name) or name[-1] in " .":
        raise InputError(
            f"“{name[:120]}” is not a usable file name. Use letters, digits, spaces and hyphens, as in slow dawn."
        )
    return name


def _free(path: Path) -> Path:
    """`path` itself; raises InputError where something has that name."""
    if path.exists() or path.is_symlink():
        raise InputError(f"The name “{path.name}” is taken. Choose another one.")
    return path


def _move(source: Path, target: Path) -> None:
    try:
        replace_with_retry(source, target)
    except OSError as error:
        raise GanartError(
            f"“{source.name}” cannot be moved ({error.strerror}). Close what has it open, then try again."
        ) from error


def _hide(path: Path) -> Path:
    """Take it out of all lists in one move, so that nothing half deleted is ever seen."""
    hidden = path.with_name(f"{DELETING}{secrets.token_hex(8)}")
    _move(path, hidden)
    return hidden


def _erase(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            path.unlink()
