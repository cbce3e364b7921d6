"""The pages: generated ones are fresh; written ones name links, targets, commands and calls that exist."""

import ast
import importlib.util
import inspect
import re
import shlex
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import click
import pytest

import autopeft
from autopeft.cli.main import cli

REPOSITORY = Path(__file__).parents[2]
SCRIPT = REPOSITORY / "docs" / "generate.py"
WRITTEN = sorted(
    path
    for pattern in ("*.md", "docs/**/*.md", "benchmarks/*.md", "search_spaces/**/*.md")
    for path in REPOSITORY.glob(pattern)
)
FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
INLINE_CODE = re.compile(r"`([^`\n]+)`")
SHELLS = {"console", "sh", "bash", "shell"}

each_page = pytest.mark.parametrize("page", WRITTEN, ids=lambda page: str(page.relative_to(REPOSITORY)))


@pytest.fixture(scope="module")
def generate() -> Iterator[ModuleType]:
    sys.path.insert(0, str(SCRIPT.parent))
    spec = importlib.util.spec_from_file_location("generate_docs", SCRIPT)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    sys.path.remove(str(SCRIPT.parent))


def test_the_pages_in_the_repository_are_fresh(generate: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    assert generate.main(["--check"]) == 0, capsys.readouterr().err


def test_a_stale_page_is_named_and_not_written(
    generate: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert generate.main([], tmp_path) == 0
    (tmp_path / "methods.md").write_text("old")
    assert generate.main(["--check"], tmp_path) == 1
    assert capsys.readouterr().err == "docs/methods.md is out of date; run `make docs`\n"
    assert (tmp_path / "methods.md").read_text() == "old"


def test_every_method_and_rule_has_its_section(generate: ModuleType, tmp_path: Path) -> None:
    from autopeft.catalog import load_catalog

    generate.main([], tmp_path)
    methods, rules = ((tmp_path / name).read_text() for name in ("methods.md", "rules.md"))
    assert all(f"\n## {method}\n" in methods for method in load_catalog().methods)
    assert all(f"\n## {rule}\n" in rules for rule in load_catalog().rules)


def prose(page: Path) -> str:
    return FENCE.sub("", page.read_text("utf-8"))


def anchors(page: Path) -> set[str]:
    """The anchors that GitHub gives to a page's headings."""
    headings = re.findall(r"^#+ +(.+)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@each_page
def test_relative_links_lead_somewhere(page: Path) -> None:
    dead = []
    for target in LINK.findall(prose(page)):
        if re.match(r"[a-z]+:", target):
            continue
        file, _, anchor = target.partition("#")
        path = (page.parent / file) if file else page
        if not path.exists() or (anchor and anchor not in anchors(path)):
            dead.append(target)
    assert not dead


def shown_commands(page: Path) -> Iterator[tuple[str, bool]]:
    """Command lines of a page, and whether they are whole: those in blocks are, those within a sentence may not be."""
    text = page.read_text("utf-8")
    for _, language, body in FENCE.findall(text):
        for line in body.replace("\\\n", " ").splitlines():
            if line.lstrip().startswith("$ ") or language in SHELLS:
                yield line.strip().removeprefix("$ "), True
    for line in re.findall(r"^    (\S.*)$", prose(page), re.MULTILINE):
        yield line, True
    for code in INLINE_CODE.findall(prose(page)):
        yield code, False


def arguments_of(line: str, program: str) -> list[str] | None:
    """What `program` is given on a command line, up to a pipe; None where another program runs."""
    try:
        words = shlex.split(line, comments=True)
    except ValueError:
        return None
    if not words or words[0].removeprefix(".venv/bin/") != program:
        return None
    end = next((place for place, word in enumerate(words) if word in {"|", ">", "&&", ";"}), len(words))
    return words[1:end]


def check_parses(arguments: list[str], *, whole: bool) -> None:
    """Parse as the command line does, without running anything.

    Raises:
        click.UsageError: there is no such command or option, a value is refused, or a whole line lacks something.
    """
    try:
        with cli.make_context("autopeft", list(arguments)) as group:
            name, command, rest = cli.resolve_command(group, arguments[group_words(arguments) :])
            assert command is not None
            with command.make_context(name, rest, parent=group):
                pass
    except click.exceptions.Exit:
        pass  # --help and --version print and leave
    except click.MissingParameter:
        if whole:
            raise


def group_words(arguments: list[str]) -> int:
    """How many words stand before the command; the group's own options take no values."""
    return next((place for place, word in enumerate(arguments) if not word.startswith("-")), len(arguments))


@each_page
def test_shown_commands_parse(page: Path) -> None:
    wrong = []
    for line, whole in shown_commands(page):
        arguments = arguments_of(line, "autopeft")
        if not arguments:
            continue
        try:
            check_parses([word for word in arguments if word != "--debug"], whole=whole)
        except click.UsageError as error:
            wrong.append(f"{line}: {error.format_message()}")
    assert not wrong


@pytest.mark.parametrize(
    "line",
    ["serch --demo", "search --modle x", "recommend --gpu-mem 24GB --rows many", "estimate --metod lora", "resume"],
)
def test_a_wrong_command_is_noticed(line: str) -> None:
    with pytest.raises(click.UsageError):
        check_parses(shlex.split(line), whole=True)


@each_page
def test_shown_make_targets_exist(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (REPOSITORY / "Makefile").read_text("utf-8"), re.MULTILINE))
    calls = [arguments_of(line, "make") or [] for line, _ in shown_commands(page)]
    assert not {word for call in calls for word in call if "=" not in word and not word.startswith("-")} - targets


def test_the_readme_shows_commands_and_targets_first() -> None:
    lines = [line for line, _ in shown_commands(REPOSITORY / "README.md")]
    assert {"make demo", "make test", "autopeft search --demo"} <= set(lines)
    text = (REPOSITORY / "README.md").read_text("utf-8")
    assert text.index("make demo") < text.index("make test") < text.index("autopeft recommend")


def python_calls(page: Path) -> Iterator[ast.Call]:
    """Calls of autopeft's public functions in a page's blocks of Python."""
    for _, language, body in FENCE.findall(page.read_text("utf-8")):
        if language == "python":
            for node in ast.walk(ast.parse(body)):
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in autopeft.__all__:
                    yield node


def test_python_of_the_readme_calls_what_there_is() -> None:
    calls = list(python_calls(REPOSITORY / "README.md"))
    assert calls
    for call in calls:
        assert isinstance(call.func, ast.Name)
        function = getattr(autopeft, call.func.id)
        keywords = {str(keyword.arg): None for keyword in call.keywords}
        inspect.signature(function).bind(*call.args, **keywords)


def test_every_dependency_has_its_reason() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))["project"]
    extras = project["optional-dependencies"]
    wanted = [*project["dependencies"], *(requirement for extra in extras.values() for requirement in extra)]
    # What an extra's tests need stands in `dev` too, and is explained once.
    names = sorted({re.split(r"[<>=!~\[ ]", requirement)[0] for requirement in wanted})
    page = (REPOSITORY / "docs" / "dependencies.md").read_text("utf-8")
    given = re.findall(r"^\| (?!package|---)(\S+) \| (.+) \| (.+) \|$", page, re.MULTILINE)
    assert sorted(name for name, _, _ in given) == names


DECISIONS = sorted((REPOSITORY / "docs" / "adr").glob("*.md"))


def test_decisions_are_numbered_without_gaps() -> None:
    assert [int(path.name[:4]) for path in DECISIONS] == list(range(1, len(DECISIONS) + 1))


@pytest.mark.parametrize("page", DECISIONS, ids=lambda page: page.stem)
def test_a_decision_says_what_was_refused_and_what_follows(page: Path) -> None:
    text = page.read_text("utf-8")
    assert re.match(rf"# {int(page.name[:4])}\. \S", text)
    parts = re.split(r"^## (.+)\n", text, flags=re.MULTILINE)[1:]
    assert parts[::2] == ["Context", "Decision", "Alternatives refused", "Consequences"]
    assert all(part.strip() for part in parts[1::2])
