"""README is so: its Python runs and prints what stands beside it, its C++ is an example that tests run."""

import contextlib
import io
import re
from pathlib import Path

import pytest

from likewise import _explain

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.S | re.M)


def test_python_prints_what_it_says():
    names = {}
    for block in blocks("python"):
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(block, names)
        said = re.findall(r"^# (.*)$", block, re.M)
        assert printed.getvalue().split() == " ".join(said).split()


@pytest.mark.parametrize("block", blocks("cpp"))
def test_cpp_is_the_quick_start(block):
    program = (ROOT / "examples" / "quick_start.cpp").read_text(encoding="utf-8")

    def statements(text):
        """Lines without comments and layout."""
        return [
            re.sub(r"\s+", " ", line).strip()
            for line in re.sub(r"//.*", "", text).splitlines()
            if line.strip()
        ]

    for line in statements(block):
        assert line in re.sub(r"\s+", " ", re.sub(r"//.*", "", program)), line


def test_files_that_it_names_exist():
    for target in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / target).exists(), target


def test_the_table_of_methods_is_what_the_estimators_say():
    """python scripts/methods_table.py writes it."""
    assert _explain.table() in README
