"""Executes the notebooks and stores their outputs, small and without traces of the machine.

python notebooks/execute.py [NAME ...]
"""

import sys
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient

HERE = Path(__file__).parent
TIMEOUT_SECONDS = 900
MOST_LETTERS = 4000
KEPT = ("text/plain", "text/html", "image/png")


def execute(path: Path, folder: Path) -> nbformat.NotebookNode:
    """The notebook with the outputs of a run of all its cells, which happened in `folder`.

    Raises:
        nbclient.exceptions.CellExecutionError: a cell raised.
    """
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(notebook, timeout=TIMEOUT_SECONDS, resources={"metadata": {"path": str(folder)}})
    client.execute()
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        if cell.cell_type == "code":
            cell.outputs = [small(output) for output in cell.outputs if output.get("name") != "stderr"]
    return notebook


def small(output: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """The output without what only one machine has, cut where it is long."""
    if "text" in output:
        output.text = output.text[:MOST_LETTERS]
    if "data" in output:
        output.data = {kind: content for kind, content in output.data.items() if kind in KEPT}
        output.metadata = {}
    return output


def main(names: list[str]) -> None:
    """Execute all notebooks, or those named."""
    for path in sorted(HERE.glob("*.ipynb")):
        if not names or path.stem in names:
            with tempfile.TemporaryDirectory(prefix="autopeft-notebook-") as folder:
                notebook = execute(path, Path(folder))
            path.write_text(nbformat.writes(notebook) + "\n", encoding="utf-8")
            sys.stderr.write(f"{path.name}: done\n")


if __name__ == "__main__":
    main(sys.argv[1:])
