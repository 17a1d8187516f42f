"""Docstrings are plain text for a terminal; here they become reStructuredText without changing a word.

Formulas such as |x - z|^2 and names such as labels_ mean something else to reStructuredText, so all of it is
escaped. Sections (a title over dashes) become definition lists, indented or aligned lines keep their layout,
and `name` becomes code.
"""

import re
import textwrap

ENTRIES = {"Parameters", "Attributes", "Returns", "Raises", "Yields", "Methods"}
DASHES = re.compile(r"-{3,}\s*$")
CODE = re.compile(r"(?::\w+:)?(``.+?``|`[^`]+`)")


def escaped(text):
    """Text whose only markup is code between backticks."""
    parts = CODE.split(text)
    for i in range(0, len(parts), 2):
        parts[i] = re.sub(r"([\\*|])", r"\\\1", parts[i])
        parts[i] = re.sub(r"(?<=\w)_(?!\w)", r"\\_", parts[i]).replace("`", r"\`")
    for i in range(1, len(parts), 2):
        parts[i] = f"``{parts[i].strip('`')}``"
        if parts[i + 1][:1].isalnum():
            parts[i + 1] = rf"\ {parts[i + 1]}"
        if parts[i - 1][-1:].isalnum():
            parts[i - 1] += "\\ "
    return "".join(parts)


def paragraphs(lines):
    """Runs of lines between empty ones."""
    run = []
    for line in [*lines, ""]:
        if line.strip():
            run.append(line)
        elif run:
            yield run
            run = []


def runs(paragraph):
    """A paragraph in pieces: (as it stands?, lines). Indented and aligned lines keep their layout."""
    if paragraph[0].lstrip().startswith(">>>"):
        return [(True, paragraph)]
    aligned = sum(bool(re.search(r"\S {2,}\S", line)) for line in paragraph) > len(paragraph) / 2
    if aligned:
        return [(True, paragraph)]
    pieces = []
    for line in paragraph:
        kept = line.startswith("  ")
        if pieces and pieces[-1][0] == kept:
            pieces[-1][1].append(line)
        else:
            pieces.append((kept, [line]))
    return pieces


def text(lines):
    """Free text: paragraphs, and blocks that keep their layout."""
    out = []
    for paragraph in paragraphs(textwrap.dedent("\n".join(lines)).split("\n")):
        for kept, piece in runs(paragraph):
            body = textwrap.dedent("\n".join(piece)).split("\n")
            if body[0].startswith(">>>"):
                out += [".. code-block:: pycon", "", *("   " + line for line in body), ""]
            elif kept:
                out += ["::", "", *("   " + line for line in body), ""]
            else:  # the escaped space keeps a first character from starting a list
                out += ["\\ " + escaped(" ".join(line.strip() for line in body)), ""]
    return out


def entries(lines):
    """Entries `name : type` with what is indented below each, as a definition list."""
    out, heads = [], []
    for line in textwrap.dedent("\n".join(lines)).split("\n"):
        if line.strip() and not line.startswith(" "):
            heads.append((line, []))
        elif heads:
            heads[-1][1].append(line)
        elif line.strip():
            return text(lines)
    for head, below in heads:
        out += [term(head), *("   " + line for line in text(below) or ["\\ "]), ""]
    return out


def term(head):
    """The names of an entry as code, what follows the colon as text."""
    names, colon, kind = head.partition(" :")
    if not colon:
        return "\\ " + escaped(head)
    code = ", ".join(f"``{name.strip()}``" for name in names.split(","))
    return f"{code} : {escaped(kind.strip())}" if kind.strip() else code


def sections(lines):
    """(title, lines) of each section; the first has no title."""
    found = [("", [])]
    for i, line in enumerate(lines):
        if i and DASHES.match(line) and lines[i - 1].strip():
            found[-1][1].pop()
            found.append((lines[i - 1].strip(), []))
        else:
            found[-1][1].append(line)
    return found


def converted(lines):
    """The lines of a docstring as lines of reStructuredText."""
    out = []
    for title, body in sections(lines):
        if title:
            out += [f".. rubric:: {title}", "   :heading-level: 4", ""]
        out += entries(body) if title in ENTRIES else text(body)
    return out


def process(app, what, name, obj, options, lines):
    lines[:] = converted(list(lines))


def setup(app):
    app.connect("autodoc-process-docstring", process)
    return {"parallel_read_safe": True}
