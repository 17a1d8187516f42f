"""Tables of equivalents: what another library says and what likewise says, from a TOML file that a test runs.

    ```{equivalents} scikit_learn.toml
    ```

A file has `peer`, `setup` (code for both), `setup_theirs`, `setup_ours`, and [[row]]s with `task`, `theirs`,
`ours`, a `note`, and what is compared:

    same = "numbers"    within `tolerance` (relative to the largest), 1e-9 unless it says more
           "sets"       the same groups, whatever their names
           "signs"      columns, each up to its sign
           ""           nothing: the answers differ, and the note says how

`needs` of a file or row are packages; where one is missing, only our side runs.
"""

import tomllib
from docutils import nodes
from sphinx.util.docutils import SphinxDirective

SAME = {
    "numbers": "equal within {tolerance}",
    "sets": "the same groups",
    "signs": "equal within {tolerance}, up to signs",
    "": "not compared",
}
TOLERANCE = 1e-9
WIDEST = 58  # characters of a line that fit beside another


def read(path):
    """The table of a file; each row has every key."""
    table = tomllib.loads(path.read_text(encoding="utf-8"))
    empty = {"note": "", "same": "numbers", "tolerance": TOLERANCE, "needs": [], "section": ""}
    table["row"] = [{**empty, **row} for row in table["row"]]
    return {"setup": "", "setup_theirs": "", "setup_ours": "", "needs": [], **table}


def compared(row):
    """How far the test has seen two answers agree, in words."""
    return SAME[row["same"]].format(tolerance=f"{row['tolerance']:g}".replace("e-0", "e-"))


class Equivalents(SphinxDirective):
    required_arguments = 1

    def run(self):
        _, path = self.env.relfn2path(self.arguments[0])
        self.env.note_dependency(path)
        from pathlib import Path

        table = read(Path(path))
        found = []
        section = None
        for row in table["row"]:
            if row["section"] != section and row["section"]:
                section = row["section"]
                found.append(nodes.rubric(section, section, classes=["equivalents-section"]))
            found.append(self.entry(table, row))
        return [self.setup(table), *found]

    def setup(self, table):
        """What both sides have at hand."""
        code = "\n".join(table[key].strip() for key in ("setup_ours", "setup", "setup_theirs") if table[key])
        return nodes.container("", _code(code), classes=["equivalents-setup"])

    def entry(self, table, row):
        box = nodes.container(classes=["equivalent"])
        head = nodes.paragraph(classes=["equivalent-task"])
        head += nodes.strong(row["task"], row["task"])
        head += nodes.inline("", compared(row), classes=["equivalent-same"])
        longest = max(len(line) for key in ("theirs", "ours") for line in row[key].split("\n"))
        sides = nodes.container(classes=["equivalent-sides", *(["stacked"] if longest > WIDEST else [])])
        for who, key in ((table["peer"], "theirs"), ("likewise", "ours")):
            label = nodes.paragraph("", who, classes=["equivalent-who"])
            sides += nodes.container("", label, _code(row[key].strip()), classes=["equivalent-side"])
        box += [head, sides]
        if row["note"]:
            inline, messages = self.parse_inline(row["note"].strip().replace("\n", " "))
            box += [nodes.paragraph("", "", *inline, classes=["equivalent-note"]), *messages]
        return box


def _code(text):
    block = nodes.literal_block(text, text)
    block["language"] = "python"
    return block


def setup(app):
    app.add_directive("equivalents", Equivalents)
    return {"parallel_read_safe": True}
