"""The layers of the program, read from its source: who imports whom, and what may not be there at all."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted((ROOT / "ganart").rglob("*.py"))
}
SCRIPTS = {path.relative_to(ROOT).as_posix(): path for path in [ROOT / "app.py", *sorted(ROOT.glob("pages/*.py"))]}
PACKAGE = [name for name in SOURCES if not name.startswith("ganart.ui")]

TORCH_FREE = [
    "run",
    "launch",
    "kept",
    "cadence",
    "forecast",
    "housekeeping",
    "disk",
    "in_use",
    "selection",
    "loops",
    "pack",
    "unpack",
    "doctor",
    "config",
    "presets",
    "errors",
    "dataset",
    "intake",
    "decode",
    "decoders",
    "archive",
    "limits",
    "plain",
    "mnist",
    "models",
    "card",
    "workspace",
    "files",
    "randomness",
    "images",
    "latent",
    "places",
    "planes",
    "routes",
    "receive",
    "uploads",
    "entries",
    "server",
    "nearest",
    "notes",
    "copying",
    "evaluation",
    "jobs",
    "checks",
    "filmconfig",
    "paths",
    "pace",
    "layout",
    "gif",
    "video",
    "export",
    "recipes",
]
TRAINER = {
    f"ganart.{name}"
    for name in (
        "train",
        "training",
        "batches",
        "graph",
        "probe",
        "memory",
        "reporter",
        "recovery",
        "saving",
        "vitals",
        "trial",
    )
}
TORCH_FREE_UI = ["sheets", "watch", "history", "manage", "gallery", "cards", "page", "words"]
PICKLES = {"pickle", "cPickle", "_pickle", "marshal", "shelve", "joblib", "dill", "cloudpickle"}


def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imported(node: ast.AST) -> list[str]:
    """The dotted names that one import statement brings in; nothing for any other statement."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        assert node.level == 0, "relative imports would slip through these tests"
        return [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return []


def all_imports(path: Path) -> set[str]:
    """Every import of a file, also those inside functions."""
    return {name for node in ast.walk(tree_of(path)) for name in imported(node)}


def is_type_checking(node: ast.stmt) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def run_on_import(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements that run when a module is imported: not in functions, not under TYPE_CHECKING."""
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) or is_type_checking(node):
            continue
        yield node
        for part in ("body", "orelse", "finalbody"):
            yield from run_on_import(getattr(node, part, []))
        for handler in getattr(node, "handlers", []):
            yield from run_on_import(handler.body)


def loaded_with(module: str) -> set[str]:
    """All that comes along when `module` is imported, followed through the package."""
    seen: set[str] = set()
    waiting = [module]
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        if name in SOURCES:
            statements = run_on_import(tree_of(SOURCES[name]).body)
            waiting += [found for statement in statements for found in imported(statement)]
    return seen


def uses(names: set[str], package: str) -> bool:
    return any(name == package or name.startswith(package + ".") for name in names)


def test_the_reader_sees_the_imports_that_are_there():
    assert len(SOURCES) > 30 and len(SCRIPTS) >= 5
    assert uses(loaded_with("ganart.networks"), "torch")
    assert uses(loaded_with("ganart.film"), "torch") and uses(loaded_with("ganart.loaded"), "torch")
    assert uses(all_imports(SOURCES["ganart.ui.page"]), "streamlit")
    assert "ganart.train" in all_imports(SOURCES["ganart.commands.learn"])


@pytest.mark.parametrize("module", PACKAGE)
def test_only_the_ui_knows_streamlit(module):
    names = all_imports(SOURCES[module])
    assert not uses(names, "streamlit")
    assert not uses(names, "ganart.ui") and not uses(names, "pages") and not uses(names, "app")


def test_what_trains_is_imported_by_nobody_but_the_process_that_trains():
    for name, path in {**SOURCES, **SCRIPTS}.items():
        if name not in TRAINER:
            on_import = {found for statement in run_on_import(tree_of(path).body) for found in imported(statement)}
            assert not on_import & TRAINER, name
            if name != "ganart.commands.learn":  # which trains in the foreground, and imports it only then
                assert not all_imports(path) & TRAINER, name


@pytest.mark.parametrize(
    "module", [*(f"ganart.{name}" for name in TORCH_FREE), *(f"ganart.ui.{name}" for name in TORCH_FREE_UI)]
)
def test_torch_does_not_come_along(module):
    assert module in SOURCES
    assert not uses(loaded_with(module), "torch") and not uses(loaded_with(module), "torchvision")


def test_importing_all_of_them_really_leaves_torch_out():
    code = f"import sys; from ganart import {', '.join(TORCH_FREE)}; print('torch' in sys.modules)"
    answer = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert (answer.stdout.strip(), answer.stderr) == ("False", "")


@pytest.mark.parametrize("script", SCRIPTS)
def test_pages_hold_no_tensor_arithmetic(script):
    assert not uses(all_imports(SCRIPTS[script]), "torch")


def test_nothing_unpickles_or_runs_text():
    for name, path in SOURCES.items():
        for found in all_imports(path):
            assert found.partition(".")[0] not in PICKLES, f"{name} imports {found}"
            assert found not in {"torch.load", "yaml.load"}, f"{name} imports {found}"
        for node in ast.walk(tree_of(path)):
            where = f"{name}, line {getattr(node, 'lineno', '?')}"
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                assert (node.value.id, node.attr) not in {("torch", "load"), ("yaml", "load")}, where
            if isinstance(node, ast.Name):
                assert node.id not in {"eval", "exec"}, where
            if isinstance(node, ast.keyword) and node.arg == "allow_pickle":
                assert isinstance(node.value, ast.Constant) and node.value.value is False, where
