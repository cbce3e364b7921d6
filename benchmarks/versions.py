"""Tests under other versions than the pinned ones: a fresh virtual environment, filled by uv.

python benchmarks/versions.py lowest-direct|highest FOLDER TEST ...    uv takes its index from UV_* variables
"""

import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

# What the tests themselves need is no dependency: the pinned versions do.
TOOLS = ("pytest", "hypothesis")
CORE = ("click", "datasets", "numpy", "optuna", "peft", "pyarrow", "pydantic", "scikit-learn", "torch", "transformers")


def main(resolution: str, folder: str, *tests: str) -> int:
    """Make the environment, name its versions, run the tests; the exit status."""
    uv, python = [sys.executable, "-m", "uv"], str(Path(folder, "bin", "python").absolute())
    tools = [f"{name}=={version(name)}" for name in TOOLS]
    subprocess.run([*uv, "venv", "--quiet", "--clear", folder], check=True)
    subprocess.run(
        [*uv, "pip", "install", "--quiet", "--python", python, "--resolution", resolution, "--editable", ".", *tools],
        check=True,
    )
    names = subprocess.run([*uv, "pip", "freeze", "--python", python], check=True, capture_output=True, text=True)
    print(*[line for line in names.stdout.splitlines() if line.partition("==")[0] in CORE], flush=True)
    return subprocess.run([python, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests]).returncode


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
