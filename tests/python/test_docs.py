"""The documentation is so: its Python runs and prints what it says, its C++ compiles, its tables hold.

A page's blocks are run one after the other with the same names. Lines that are comments are what a block
prints. The site itself (links, pictures, other hosts) is checked by `make docs`.
"""

import contextlib
import importlib.util
import io
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

tomllib = pytest.importorskip("tomllib", reason="tables of equivalents are TOML: Python 3.11")
ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
MADE = ("notebooks", "developers", "reports", "api/python", "api/cpp", "study")  # copied, generated, dated

pytestmark = pytest.mark.skipif(not (DOCS / "conf.py").exists(), reason="no documentation here")


def _pages():
    for path in sorted(DOCS.rglob("*.md")):
        name = path.relative_to(DOCS).as_posix()
        if not name.startswith(MADE) and name != "package.md":
            yield name


PAGES = list(_pages())


def text(page):
    return (DOCS / page).read_text(encoding="utf-8")


def blocks(page, language):
    return re.findall(rf"^```{language}\n(.*?)^```$", text(page), re.S | re.M)


def with_blocks(language):
    return [page for page in PAGES if blocks(page, language)]


def said(block, mark):
    """What the lines of a block that are comments say: what it prints."""
    return " ".join(re.findall(rf"^{mark}(.*)$", block, re.M))


def missing(packages):
    """Packages that are not installed; PyTorch is not there unless asked for, as in conftest.py."""
    asked = os.environ.get("LIKEWISE_TORCH") == "1"
    return [
        p for p in packages if importlib.util.find_spec(p) is None or (p.startswith("torch") and not asked)
    ]


# --- Python ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", with_blocks("python"))
def test_python_prints_what_it_says(page, tmp_path, monkeypatch):
    absent = missing(re.findall(r"^(?:import|from) (torch|matplotlib|pandas)\b", text(page), re.M))
    if absent:
        pytest.skip(f"needs {', '.join(absent)}")
    monkeypatch.chdir(tmp_path)  # what a page saves
    names = {"__name__": "page"}
    for block in blocks(page, "python"):
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(block, f"{page}", "exec"), names)
        assert printed.getvalue().split() == said(block, "# ").split(), block


# --- C++ ---------------------------------------------------------------------------------------------------

COMPILER = shutil.which("g++") or shutil.which("c++")
LIBRARY = ROOT / "build" / "liblikewise.a"
BEGIN = """#include <iostream>
#include <likewise/likewise.hpp>
namespace lw = likewise;
"""


def eigen():
    """The folder of Eigen that the build found, or the system's."""
    cache = ROOT / "build" / "CMakeCache.txt"
    found = re.search(r"^Eigen3_DIR:PATH=(.*)$", cache.read_text() if cache.exists() else "", re.M)
    places = [Path(found[1]).parents[1] / "include" / "eigen3"] if found else []
    places += [Path(found[1]).parents[2] / "include" / "eigen3"] if found else []
    places += [Path("/usr/include/eigen3"), Path("/usr/local/include/eigen3")]
    return next((place for place in places if (place / "Eigen" / "Core").exists()), None)


def is_built():
    """Whether the library is as new as its headers, so that programs can be linked with it and run."""
    newest = max(path.stat().st_mtime for path in (ROOT / "include").rglob("*.hpp"))
    return LIBRARY.exists() and LIBRARY.stat().st_mtime > newest


def program(statements):
    """Blocks of a page as one program: what stands alone, then statements in main, where X and y are data."""
    top, inside = [], []
    for block in statements:
        alone = re.search(r"^(struct|template|class|int main|void|double) ?", block, re.M)
        lines = block.split("\n")
        top += [line for line in lines if line.startswith(("#include", "namespace lw"))]
        rest = [line for line in lines if not line.startswith(("#include", "namespace lw"))]
        (top if alone else inside).append("\n".join(rest))
    data = "Eigen::MatrixXd X = Eigen::MatrixXd::Random(60, 3), y = X.col(0).array().sin();"
    body = "\n".join(inside)
    main = "" if "int main" in "\n".join(top) else f"int main() {{\n{data}\n{{\n{body}\n}}\n}}\n"
    return BEGIN + "\n".join(top) + "\n" + main


def compile_cpp(source, folder, link):
    if COMPILER is None or eigen() is None:
        pytest.skip("no C++ compiler, or no Eigen")
    path = folder / "page.cpp"
    path.write_text(source, encoding="utf-8")
    options = ["-std=c++20", "-I", str(ROOT / "include"), "-isystem", str(eigen()), str(path)]
    options += ["-fopenmp", str(LIBRARY), "-o", str(folder / "page")] if link else ["-fsyntax-only"]
    found = subprocess.run([COMPILER, *options], capture_output=True, text=True)
    if link and "hwy" in found.stderr:
        found = subprocess.run([COMPILER, *options, "-lhwy"], capture_output=True, text=True)
    assert found.returncode == 0, found.stderr


@pytest.mark.parametrize("page", with_blocks("cpp"))
def test_cpp_compiles_and_prints_what_it_says(page, tmp_path):
    found = blocks(page, "cpp")
    prints = any(said(block, "// ") for block in found)
    compile_cpp(program(found), tmp_path, link=prints and is_built())
    if prints and is_built():
        run = subprocess.run([str(tmp_path / "page")], capture_output=True, text=True, check=True)
        assert run.stdout.split() == " ".join(said(block, "// ") for block in found).split()


# --- identities and theory ---------------------------------------------------------------------------------


def directives(page, name):
    """What directives of a page are about."""
    return re.findall(rf"^```{{{name}}} (.*)$", text(page), re.M)


def test_every_identity_is_on_its_page_once():
    from likewise import identities

    shown = []
    for asked in directives("measured/identities.md", "identities"):
        first, *last = map(int, asked.split(" to "))
        shown += range(first, (last or [first])[0] + 1)
    assert shown == [row.number for row in identities.registry()]


def test_every_group_of_theory_is_on_a_page_and_every_slip_with_both_formulas():
    from likewise import theory
    from likewise.theory import sampling, slips

    groups = directives("measured/theory.md", "theory") + directives("measured/slips.md", "theory")
    assert sorted(groups) == sorted(set(theory.ABOUT) - {sampling.GROUP})
    printed = directives("measured/slips.md", "printed")
    assert all(any(check.name.startswith(asked) for asked in printed) for check in slips.CHECKS)
    page = text("measured/slips.md")
    assert len(re.findall(r"^\| printed \|", page, re.M)) == len(re.findall(r"^\| holds \|", page, re.M)) == 5


def test_the_committed_monte_carlo_results_are_those_of_today_s_checks():
    from likewise.theory import sampling

    (file,) = directives("measured/theory.md", "sampling")
    rows = json.loads((DOCS / "measured" / file).read_text(encoding="utf-8"))
    stated = [(check.name, check.statement, check.source, check.constants) for check in sampling.CHECKS]
    assert [tuple(row[k] for k in ("name", "statement", "source", "constants")) for row in rows] == stated
    assert all(row["passed"] and row["error"] <= row["tolerance"] for row in rows)


# --- other blocks ------------------------------------------------------------------------------------------

KNOWN = {"python", "cpp", "bash", "cmake", "text", "toml"}


@pytest.mark.parametrize("page", PAGES)
def test_every_block_is_of_a_kind_that_is_tested(page):
    kinds = re.findall(r"^ *(?:`{3,}|:{3,})([^\n]*)\n", text(page), re.M)
    plain = {kind.strip() for kind in kinds if kind.strip() and not kind.strip().startswith("{")}
    assert plain <= KNOWN
    assert not re.search(r"\{(code-block|code-cell|code)\}", text(page))


@pytest.mark.parametrize("page", with_blocks("bash"))
def test_commands_exist(page):
    """`likewise explain` of a method is run; of others the target, the extra or the option exists."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    for line in "\n".join(blocks(page, "bash")).split("\n"):
        words = line.split("#")[0].split()
        if words[:1] == ["likewise"]:
            explained = words[1:2] == ["explain"] and len(words) == 3  # with options it reads a model
            command = [sys.executable, "-m", "likewise", *words[1:], *([] if explained else ["--help"])]
            found = subprocess.run(command, capture_output=True, text=True)
            assert found.returncode == 0, found.stderr
            assert all(word in found.stdout for word in words if word.startswith("--"))
        elif words[:1] == ["make"]:
            assert re.search(rf"^{words[1]}:", makefile, re.M), line
        for extra in re.findall(r"likewise\[([\w,]+)\]", line):
            assert all(re.search(rf"^{name} = \[", project, re.M) for name in extra.split(",")), line


@pytest.mark.parametrize("page", PAGES)
def test_pictures_are_described_and_files_exist(page):
    prose = re.sub(r"^(`{3,}).*?^\1$|`[^`\n]+`", "", text(page), flags=re.S | re.M)
    for alt, target in re.findall(r"(!?\[[^\]]*\])\((?!https?:|#)([^)#\s]+)", prose):
        made = (DOCS / page).parent.joinpath(target).resolve().relative_to(DOCS).as_posix().startswith(MADE)
        assert made or ((DOCS / page).parent / target).exists(), target
        assert not alt.startswith("!") or len(alt) > 30, f"{target} needs a description"


# --- tables of equivalents ---------------------------------------------------------------------------------

TABLES = sorted((DOCS / "coming_from").glob("*.toml"))


def _rows():
    found = []
    for path in TABLES:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
        for place, row in enumerate(table["row"]):
            found.append(pytest.param(table, row, id=f"{path.stem}-{place}"))
    return found


def value_of(code, names):
    """What the last expression of some lines gives."""
    lines = code.strip().split("\n")
    start = max(i for i, line in enumerate(lines) if not line.startswith((" ", ")", "]", "}")))
    exec("\n".join(lines[:start]), names)
    return eval("\n".join(lines[start:]), names)


def as_numbers(value):
    for dense in ("toarray", "detach", "numpy"):
        value = getattr(value, dense)() if hasattr(value, dense) else value
    return np.asarray(value, float)


def same_groups(theirs, ours):
    return len({*zip(theirs, ours)}) == len({*theirs}) == len({*ours})


def agree(theirs, ours, row):
    same, tolerance = row.get("same", "numbers"), row.get("tolerance", 1e-9)
    if same == "":
        return True
    if same == "sets":
        return same_groups(list(theirs), list(ours))
    theirs, ours = as_numbers(theirs), as_numbers(ours)
    assert theirs.shape == ours.shape and theirs.size
    if same == "signs":
        ours = ours * np.sign((theirs * ours).sum(0))
    return np.abs(theirs - ours).max() <= tolerance * max(np.abs(theirs).max(), 1e-300)


@pytest.mark.parametrize("table, row", _rows())
def test_both_sides_of_a_row_give_the_same(table, row, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    needs = [*table.get("needs", []), *row.get("needs", [])]
    ours_alone = missing(needs)
    if missing(row.get("needs_ours", table.get("needs_ours", []))):
        pytest.skip("our side needs PyTorch")
    names = {}
    exec(table.get("setup_ours", "") + "\n" + table.get("setup", ""), names)
    ours = value_of(row["ours"], dict(names))
    if ours_alone:
        pytest.skip(f"ours runs; {', '.join(ours_alone)} not installed")
    exec(table.get("setup_theirs", ""), names)
    assert agree(value_of(row["theirs"], dict(names)), ours, row)


def test_the_comparison_finds_what_differs():
    numbers = {"tolerance": 1e-6}
    assert not agree([1.0, 2.0], [1.0, 2.1], numbers)
    assert agree([1.0, 2.0], [1.0, 2.0 + 1e-7], numbers)
    assert not agree([0, 0, 1], [1, 0, 0], {"same": "sets"})
    assert agree([0, 0, 1], [5, 5, 2], {"same": "sets"})
    assert agree([[1.0], [-2.0]], [[-1.0], [2.0]], {"same": "signs"})
    assert not agree([[1.0], [-2.0]], [[1.0], [2.0]], {"same": "signs"})


# --- both languages side by side ---------------------------------------------------------------------------


def side_by_side():
    return tomllib.loads((DOCS / "api/side_by_side.toml").read_text(encoding="utf-8"))


def test_what_stands_side_by_side_exists_in_python():
    table = side_by_side()
    names = {}
    exec(table["setup_python"], names)
    for row in (row for section in table["section"] for row in section["row"]):
        exec(row["python"], dict(names))


def test_what_stands_side_by_side_exists_in_cpp(tmp_path):
    table = side_by_side()
    rows = [row for section in table["section"] for row in section["row"]]
    lines = [f"  {{ {row['cpp'].rstrip(';')}; }}" for row in rows if row["cpp"] != "-"]
    source = BEGIN + "int main() {\n" + table["setup_cpp"] + "\n".join(lines) + "\n}\n"
    compile_cpp(source, tmp_path, link=False)
