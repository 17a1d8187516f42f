"""The notebooks: run them, write their outputs, check the pairs.

    python scripts/notebooks.py make [NAME...]     run NAME.py from top to bottom and write NAME.ipynb
    python scripts/notebooks.py check [NAME...]    that both files of each pair agree and are fit to be read

Each notebook is a pair: NAME.py, in jupytext's percent format, is what is edited; NAME.ipynb is what is
opened, with its outputs. LIKEWISE_QUICK=1 makes them small.
"""

import argparse
import re
import sys
from pathlib import Path

import jupytext
import nbformat
from nbclient import NotebookClient

FOLDER = Path(__file__).resolve().parent.parent / "notebooks"
LARGEST = 1_000_000  # bytes of a notebook with its outputs
KEPT_METADATA = ("tags", "jupyter")
WIDGET = "application/vnd.jupyter.widget-view+json"  # a dead box without a kernel


def names():
    return sorted(path.stem for path in FOLDER.glob("*.py"))


def source_of(name):
    """The cells of NAME.py."""
    return jupytext.read(FOLDER / f"{name}.py")


def run(notebook, seconds=600):
    """The notebook with its outputs; nbclient's CellExecutionError names the cell that failed."""
    NotebookClient(
        notebook, timeout=seconds, kernel_name="python3", resources={"metadata": {"path": str(FOLDER)}}
    ).execute()
    return notebook


def make(name):
    notebook = run(source_of(name))
    for number, cell in enumerate(notebook.cells):
        cell["id"] = f"cell-{number}"  # the same in every run
        cell["metadata"] = {key: cell["metadata"][key] for key in KEPT_METADATA if key in cell["metadata"]}
        if cell["cell_type"] == "code":
            cell["outputs"] = [output for output in cell["outputs"] if not _is_noise(output)]
            for output in cell["outputs"]:
                output.get("data", {}).pop(WIDGET, None)
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    notebook["metadata"] = {"kernelspec": kernel, "language_info": {"name": "python"},
                            "jupytext": {"formats": "ipynb,py:percent"}}  # fmt: skip
    nbformat.write(notebook, FOLDER / f"{name}.ipynb")


def _is_noise(output):
    """Progress bars and warnings of the machine that it ran on."""
    return output.get("name") == "stderr"


def faults(name):
    """What is wrong with a pair, in words."""
    path = FOLDER / f"{name}.ipynb"
    if not path.exists():
        yield f"{name}.ipynb is missing: python scripts/notebooks.py make {name}"
        return
    source, shown = source_of(name), nbformat.read(path, as_version=4)
    if path.stat().st_size > LARGEST:
        yield f"{path.name} has {path.stat().st_size} bytes, more than {LARGEST}"
    if [(c.cell_type, c.source) for c in source.cells] != [(c.cell_type, c.source) for c in shown.cells]:
        yield f"{path.name} is not what {name}.py says: python scripts/notebooks.py make {name}"
    code = [cell for cell in shown.cells if cell.cell_type == "code"]
    if [cell.execution_count for cell in code] != list(range(1, len(code) + 1)):
        yield f"{path.name} was not run from top to bottom"
    outputs = [output for cell in code for output in cell.outputs]
    if any(output.output_type == "error" for output in outputs):
        yield f"{path.name} shows an error"
    if re.search(r"/(?:home|root|work|tmp|Users)/", str(outputs)):
        yield f"{path.name} shows a path of the machine that it ran on"
    text = [cell.source for cell in source.cells if cell.cell_type == "markdown"]
    if not text or "?" not in text[0]:
        yield f"{name}.py does not begin with the question that it answers"
    if len(re.findall(r"^### Exercise \d", "\n".join(text), re.M)) != 2:
        yield f"{name}.py does not end with two exercises"
    hidden = [cell for cell in source.cells if "hide-cell" in cell.metadata.get("tags", [])]
    if len(hidden) < 2 or not all(cell.metadata.get("jupyter", {}).get("source_hidden") for cell in hidden):
        yield f"{name}.py does not hide the solutions of its exercises"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("what", choices=("make", "check"))
    parser.add_argument("names", nargs="*", help="notebooks, default all")
    arguments = parser.parse_args()
    found = []
    for name in arguments.names or names():
        if arguments.what == "make":
            make(name)
        found += faults(name)
    print(*found, sep="\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
