"""`doctor` on this machine, on one without torch and on one without extras: it always has an answer."""

import importlib.metadata
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from autopeft.api import extras
from autopeft.api.doctor import doctor
from autopeft.cli.main import cli

ROOT = Path(__file__).parents[3]


def told(block: str = "", *, offline: str = "0") -> dict[str, Any]:
    """The answer of a process of its own in which `block` cannot be imported."""
    program = (
        "import sys\n"
        f"sys.modules.update(dict.fromkeys({block.split()!r}))\n"
        "from autopeft.cli.main import cli\n"
        "cli(['doctor', '--format', 'json'])"
    )
    environment = os.environ | {"HF_HUB_OFFLINE": offline, "HF_TOKEN": "hf_secret"}
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "hf_secret" not in done.stdout + done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def works(found: dict[str, Any]) -> dict[str, bool]:
    return {check["what"]: check["works"] for check in found["checks"]}


def test_here_everything_but_perhaps_a_device_works() -> None:
    found = told()
    assert all(works(found).values()), found["checks"]
    assert found["versions"]["torch"] == importlib.metadata.version("torch")
    assert 0 < found["devices"][-1]["free_bytes"] <= found["devices"][-1]["total_bytes"]


def test_where_torch_does_not_load_the_catalogue_still_works() -> None:
    found = told("torch")
    assert works(found)["methods, explain, tasks"] is True
    broken = [check for check in found["checks"] if not check["works"]]
    assert {check["what"] for check in broken} == {"recommend, estimate", "search, predict, merge"}
    assert all("pip install" in check["hint"] for check in broken)
    assert found["devices"]


def test_a_device_comes_first_with_what_is_free_on_it(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    for name, value in {
        "is_available": True,
        "device_count": 1,
        "mem_get_info": (20 * 2**30, 24 * 2**30),
        "is_bf16_supported": True,
        "get_device_name": "A device",
    }.items():
        monkeypatch.setattr(torch.cuda, name, lambda *_, value=value: value)
    found = doctor()
    first = found.devices[0]
    assert (first.name, first.kind, first.free_bytes, first.note) == ("A device", "cuda", 20 * 2**30, "bfloat16")
    assert next(check for check in found.checks if check.what.startswith("search")).hint == "on the GPU"


def test_offline_is_told() -> None:
    assert works(told(offline="1"))["models from the hub"] is False


def test_a_missing_extra_comes_with_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    stated = [
        "click>=8.1",
        "here>=1; extra == 'onnx'",
        "absent>=2; extra == 'dashboard'",
        'here>=9; extra == "mine"',
        "absent; extra == 'dev'",
    ]

    def installed(name: str) -> str:
        if name != "here":
            raise importlib.metadata.PackageNotFoundError(name)
        return "1.5"

    monkeypatch.setattr(extras, "requires", lambda _name: stated)
    monkeypatch.setattr(extras, "version", installed)
    found = {extra.name: extra for extra in extras.known_extras()}
    assert {name: extra.installed for name, extra in found.items()} == {"dashboard": False, "mine": False, "onnx": True}
    assert found["dashboard"].missing == ("absent",)
    assert found["dashboard"].install_hint == "pip install 'autopeft[dashboard]'"


def test_where_autopeft_is_no_package_there_are_no_extras(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(name: str) -> list[str]:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(extras, "requires", unknown)
    assert extras.known_extras() == ()


@pytest.mark.parametrize("width", [80, 120])
def test_the_table_fits_the_terminal(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    shown = CliRunner().invoke(cli, ["doctor"], prog_name="autopeft").stdout
    assert max(map(len, shown.splitlines())) <= width
    assert all(check.what in shown for check in doctor().checks)
