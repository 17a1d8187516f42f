"""Pages that lie elsewhere in the repository, copied beside the others: notebooks, the map for developers."""

import json
import os
import re

from generated_pages import ROOT, write_pages

NOTEBOOKS = ROOT / "notebooks"
DEVELOPERS = ("ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md")
TITLE = re.compile(r"(?:set_title|suptitle|title)\(\s*f?\"([^\"]+)\"|title=f?\"([^\"]+)\"")
DEVELOPERS_INDEX = """# Developers

* [Architecture](ARCHITECTURE.md): the map of the source, and what was decided, with its reason.
* [Contributing](CONTRIBUTING.md): which file a new metric, kernel or method goes into, and its test.
* [Changes](CHANGELOG.md): what is in.

```{toctree}
:hidden:
ARCHITECTURE
CONTRIBUTING
CHANGELOG
```
"""
SECONDS = 600  # of a cell
A_NUMBER = re.compile(r"\{[^{}]*\}")


# --- notebooks ---------------------------------------------------------------------------------------------


def said_by(source):
    """What the figures of a cell are called, from the titles in its code, numbers left open."""
    titles = [first or second for first, second in TITLE.findall(source)]
    return "; ".join(A_NUMBER.sub("…", title).replace("\\n", ", ") for title in titles)


def heading_above(cells, place):
    """The last heading before a cell."""
    for cell in reversed(cells[:place]):
        found = (
            re.findall(r"^#+ (.*)$", "".join(cell["source"]), re.M) if cell["cell_type"] == "markdown" else []
        )
        if found:
            return found[-1]
    return "Figure"


def with_alt_texts(notebook):
    """Each figure says to those who cannot see it what it is called."""
    cells = notebook["cells"]
    for place, cell in enumerate(cells):
        pictures = [o for o in cell.get("outputs", []) if "image/png" in o.get("data", {})]
        if pictures:
            alt = said_by("".join(cell["source"])) or heading_above(cells, place)
            cell["metadata"].setdefault("mystnb", {})["image"] = {"alt": f"Figure: {alt}"}
    return notebook


def outputs_of(path):
    """A notebook with its committed outputs; with LIKEWISE_DOCS_EXECUTE=1 run again, from its own folder."""
    if os.environ.get("LIKEWISE_DOCS_EXECUTE") != "1":
        return json.loads(path.read_text(encoding="utf-8"))
    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.read(path, as_version=4)
    place = {"metadata": {"path": str(NOTEBOOKS)}}
    NotebookClient(notebook, timeout=SECONDS, kernel_name="python3", resources=place).execute()
    return json.loads(nbformat.writes(notebook))


def notebook_pages():
    """{file: text} of all notebooks that have outputs."""
    pages = {}
    for path in sorted(NOTEBOOKS.glob("*.ipynb")):
        notebook = with_alt_texts(outputs_of(path))
        pages[path.name] = json.dumps(notebook, indent=1, ensure_ascii=False)
    return pages


def title_and_question(path):
    """The first heading of a notebook and the sentence with its question."""
    first = "".join(json.loads(path.read_text(encoding="utf-8"))["cells"][0]["source"])
    title = re.search(r"^# (.*)$", first, re.M)
    text = " ".join(line for line in first.split("\n") if line.strip() and not line.startswith("#"))
    question = re.search(r"[^.?]*\?", text)
    return (title[1] if title else path.stem), (question[0].strip() if question else "")


def notebook_index(names):
    lines = [
        "# Notebooks",
        "",
        "Each begins with a question and ends with two exercises whose solutions are folded. The figures and",
        "numbers are the committed outputs of one run from top to bottom; tests run the same cells, smaller.",
        "",
    ]
    for name in names:
        title, question = title_and_question(NOTEBOOKS / name)
        lines += [f"* [{title}]({name}): {question}"]
    lines += ["", "```{toctree}", ":hidden:", "", *(name[:-6] for name in names), "```", ""]
    lines += [
        "Get them with the source: `notebooks/NAME.ipynb`, and `notebooks/NAME.py` to edit (jupytext).",
        "",
    ]
    return "\n".join(lines)


# --- for developers ----------------------------------------------------------------------------------------


def rewritten(text):
    """Links to files of the repository lead to their page where there is one; else the path is code."""
    text = re.sub(r"\[([^\]]+)\]\((?!https?:|#)([^)#]+)\)", _page_or_path, text)
    return text.replace("```layers", "```text")


def _page_or_path(link):
    words, target = link.groups()
    if target in DEVELOPERS:
        return f"[{words}]({target})"
    if target.startswith("docs/") and target.endswith(".md"):
        return f"[{words}](../{target[5:]})"
    return f"`{words.strip('`')}`"


def generate(app, config):
    pages = notebook_pages()
    write_pages("notebooks", pages | {"index.md": notebook_index(list(pages))})
    texts = {name: rewritten((ROOT / name).read_text(encoding="utf-8")) for name in DEVELOPERS}
    write_pages("developers", texts | {"index.md": DEVELOPERS_INDEX})


def setup(app):
    app.connect("config-inited", generate)
    return {"parallel_read_safe": True}
