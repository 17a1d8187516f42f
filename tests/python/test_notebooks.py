"""The notebooks run from top to bottom, small; what is committed is what they say."""

import importlib.util
import re
from pathlib import Path

import pytest

import likewise

SCRIPT = Path(__file__).resolve().parents[2] / "scripts/notebooks.py"

pytestmark = pytest.mark.skipif(
    not SCRIPT.exists(), reason="the tests of an installed copy have no notebooks"
)
for _package in ("jupytext", "nbclient", "ipykernel", "ipywidgets", "matplotlib"):
    pytest.importorskip(_package)


def _script():
    spec = importlib.util.spec_from_file_location("notebooks_script", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


notebooks = _script() if SCRIPT.exists() else None
NAMES = notebooks.names() if notebooks else []


@pytest.mark.parametrize("name", NAMES)
def test_both_files_agree_and_are_fit_to_be_read(name):
    assert not list(notebooks.faults(name))


@pytest.mark.parametrize("name", NAMES)
def test_it_runs_from_top_to_bottom(name, monkeypatch):
    monkeypatch.setenv("LIKEWISE_QUICK", "1")
    monkeypatch.setenv(
        "PYTHONPATH", str(Path(likewise.__file__).absolute().parents[1])
    )  # the copy under test
    notebook = notebooks.run(notebooks.source_of(name))
    assert any(cell.get("outputs") for cell in notebook.cells)


def test_the_checks_find_what_is_wrong(tmp_path, monkeypatch):
    monkeypatch.setattr(notebooks, "FOLDER", tmp_path)
    (tmp_path / "plain.py").write_text(
        "# %% [markdown]\n# No question.\n\n# %%\nprint(1)\n", encoding="utf-8"
    )
    assert "is missing" in next(iter(notebooks.faults("plain")))
    notebooks.make("plain")
    found = "\n".join(notebooks.faults("plain"))
    for part in ("the question", "two exercises", "hide the solutions"):
        assert part in found
    assert "not what" not in found
    path = tmp_path / "plain.ipynb"
    path.write_text(path.read_text(encoding="utf-8").replace("print(1)", "print(2)"), encoding="utf-8")
    assert "is not what plain.py says" in "\n".join(notebooks.faults("plain"))
    path.write_text(re.sub(r'"execution_count": 1', '"execution_count": 3', path.read_text(encoding="utf-8")))
    assert "not run from top" in "\n".join(notebooks.faults("plain"))
