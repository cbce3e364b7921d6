"""What importing autopeft costs: nothing heavy before something heavy is asked for."""

import subprocess
import sys

import pytest

HEAVY = {"torch", "transformers", "peft", "datasets", "sklearn", "optuna", "numpy", "plotly", "matplotlib"}


def loaded_by(code: str) -> set[str]:
    """Top-level names of the modules that a fresh interpreter holds after running `code`."""
    show = "import sys; print(*{name.partition('.')[0] for name in sys.modules}, sep='\\n', file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", f"{code}\n{show}"], capture_output=True, text=True, check=True)
    return set(done.stderr.split())


def test_importing_autopeft_loads_no_third_party() -> None:
    found = loaded_by("import autopeft")
    assert "autopeft" in found
    assert not found & (HEAVY | {"pydantic", "yaml", "click", "rich", "jinja2"})


def test_looking_at_the_public_names_loads_nothing() -> None:
    assert not loaded_by("import autopeft; assert 'recommend' in dir(autopeft)") & HEAVY


def test_the_help_text_loads_nothing_heavy() -> None:
    code = (
        "import sys; from autopeft.cli.main import main; sys.argv = ['autopeft', '--help']\n"
        "try:\n    main()\nexcept SystemExit as stop:\n    assert not stop.code"
    )
    assert not loaded_by(code) & (HEAVY | {"pydantic", "yaml"})


def test_what_starts_the_clock_of_a_search_loads_nothing_heavy() -> None:
    loaded = loaded_by("import autopeft.api.search")
    assert not loaded & {"torch", "transformers", "peft", "datasets", "sklearn", "optuna"}


@pytest.mark.parametrize("package", ["recommend", "domain", "errors"])
def test_the_pure_packages_load_no_third_party(package: str) -> None:
    code = (
        f"import importlib, pkgutil\npackage = importlib.import_module('autopeft.{package}')\n"
        "for module in pkgutil.iter_modules(getattr(package, '__path__', [])):\n"
        "    importlib.import_module(f'{package.__name__}.{module.name}')"
    )
    assert not loaded_by(code) & (HEAVY | {"pydantic", "yaml", "click", "rich", "jinja2"})


@pytest.mark.parametrize("name", ["nothing_of_the_kind", "Recommend"])
def test_an_unknown_public_name_is_an_attribute_error(name: str) -> None:
    import autopeft

    with pytest.raises(AttributeError, match=name):
        getattr(autopeft, name)


def test_the_package_runs_as_the_command() -> None:
    done = subprocess.run([sys.executable, "-m", "autopeft", "--version"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.startswith("autopeft")) == (0, True)
