"""The rules of the house that a machine can hold: sizes, names, docstrings, and no traces of a machine."""

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
PACKAGE = REPOSITORY / "autopeft"
MODULES = sorted(path for path in PACKAGE.rglob("*.py") if "search_spaces" not in path.parts)
MAX_MODULE_LINES = 400
MAX_FUNCTION_LINES = 40
BANNED_NAMES = {"utils", "util", "helpers", "helper", "common", "misc"}
# Home folders, and the folders in which build machines check out.
MACHINE_PATH = re.compile(r"(?<![\w.:/])/(?:home/\w|Users/\w|root/|work/|tmp/v/|mnt/|workspace/)")

each_module = pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(REPOSITORY)))


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def public_definitions(tree: ast.Module) -> Iterator[ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in tree.body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and not node.name.startswith("_"):
            yield node
            if isinstance(node, ast.ClassDef):
                yield from (f for f in functions(ast.Module(node.body, [])) if not f.name.startswith("_"))


def test_there_is_something_to_look_at() -> None:
    assert len(MODULES) > 40


@each_module
def test_a_module_is_short(path: Path) -> None:
    assert len(path.read_text("utf-8").splitlines()) <= MAX_MODULE_LINES


def body_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines from the first statement after the docstring to the end."""
    statements = function.body[1:] if ast.get_docstring(function) else function.body
    return (function.end_lineno or 0) - statements[0].lineno + 1 if statements else 0


@each_module
def test_functions_are_short(path: Path) -> None:
    lengths = {f.name: body_lines(f) for f in functions(ast.parse(path.read_text("utf-8")))}
    assert not {name: lines for name, lines in lengths.items() if lines > MAX_FUNCTION_LINES}


@each_module
def test_no_module_is_named_after_nothing(path: Path) -> None:
    assert not {part.strip("_") for part in path.relative_to(PACKAGE).with_suffix("").parts} & BANNED_NAMES


@each_module
def test_modules_and_public_names_say_what_they_are(path: Path) -> None:
    tree = ast.parse(path.read_text("utf-8"))
    assert ast.get_docstring(tree), "the module has no docstring"
    nested = {id(inner) for outer in functions(tree) for inner in functions(outer) if inner is not outer}
    mute = [node.name for node in public_definitions(tree) if id(node) not in nested and not says_what(node)]
    assert not mute


def says_what(node: ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    overload = any(ast.unparse(decorator).endswith(("overload", ".setter")) for decorator in node.decorator_list)
    return overload or bool(ast.get_docstring(node))


@pytest.mark.parametrize("path", [p for p in MODULES if p.name == "__init__.py"], ids=lambda p: p.parent.name)
def test_a_package_says_what_it_takes_gives_and_imports(path: Path) -> None:
    text = ast.get_docstring(ast.parse(path.read_text("utf-8"))) or ""
    assert text
    if path.parent.parent == PACKAGE:
        assert "import" in text.lower(), "say what it may import and what it must not"


def test_every_folder_with_modules_is_a_package() -> None:
    folders = {path.parent for path in MODULES}
    assert not [folder for folder in folders if not (folder / "__init__.py").is_file()]


def test_the_data_holds_no_python() -> None:
    assert not list((REPOSITORY / "search_spaces").rglob("*.py"))


def kept_files() -> list[Path]:
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    if listing.returncode:
        pytest.skip("no git checkout: an installed or unpacked copy has no list of files")
    return [REPOSITORY / name for name in listing.stdout.split("\0") if name]


def test_no_file_names_a_path_of_a_machine() -> None:
    found = []
    for path in kept_files():
        if not path.is_file() or path == Path(__file__):
            continue
        text = path.read_bytes().decode("utf-8", errors="ignore")
        found += [f"{path.relative_to(REPOSITORY)}: {match.group()}" for match in MACHINE_PATH.finditer(text)]
    assert not found
