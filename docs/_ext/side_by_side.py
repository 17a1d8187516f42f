"""Both languages side by side: what is written in each, from api/side_by_side.toml, which a test runs.

```{side-by-side} side_by_side.toml
```
"""

from pathlib import Path

import tomllib
from docutils import nodes
from sphinx.util.docutils import SphinxDirective

HEADS = ("", "Python", "C++")


class SideBySide(SphinxDirective):
    required_arguments = 1

    def run(self):
        _, path = self.env.relfn2path(self.arguments[0])
        self.env.note_dependency(path)
        table = tomllib.loads(Path(path).read_text(encoding="utf-8"))
        found = []
        for section in table["section"]:
            title = section["title"]
            part = nodes.section("", nodes.title(title, title), ids=[nodes.make_id(title)], names=[])
            self.state.document.note_implicit_target(part, part)
            part += _table(section["row"])
            found.append(part)
        return found


def _table(rows):
    group = nodes.tgroup(cols=3)
    group += [nodes.colspec(colwidth=width) for width in (22, 39, 39)]
    head, body = nodes.thead(), nodes.tbody()
    head += nodes.row("", *(nodes.entry("", nodes.paragraph("", name)) for name in HEADS))
    for row in rows:
        cells = nodes.paragraph("", row["what"]), _code(row["python"]), _code(row["cpp"])
        body += nodes.row("", *(nodes.entry("", cell) for cell in cells))
    group += [head, body]
    return nodes.table("", group, classes=["side-by-side"])


def _code(text):
    """Code that may be broken between words, in a cell."""
    return nodes.paragraph("", "", nodes.literal(text, text))


def setup(app):
    app.add_directive("side-by-side", SideBySide)
    return {"parallel_read_safe": True}
