"""Tables of what was measured, from the CSV files that are committed under docs/measured.

    ```{measured} bench.csv
    :columns: title, package, ratio, ratio_low, ratio_high
    :where: ours == False
    ```

A file that is not there is said to be not there: no number is on a page without its file.
"""

import csv
import re
from pathlib import Path

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

LARGEST = 200  # rows of a table on a page


def rows_of(path):
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def kept(rows, where):
    """Rows for which "column == text" or "column != text" holds; several are joined by " and "."""
    for condition in filter(None, re.split(r"\s+and\s+", where)):
        column, relation, text = re.fullmatch(r"(\w+)\s*(==|!=)\s*(.*)", condition.strip()).groups()
        rows = [row for row in rows if (row[column] == text) == (relation == "==")]
    return rows


def shown(text):
    """A number with four digits, other text as it is."""
    try:
        return f"{float(text):.4g}" if not re.fullmatch(r"-?\d+", text) else text
    except ValueError:
        return text


def table_of(columns, rows):
    """A docutils table of rows of text, or of nodes."""
    group = nodes.tgroup(cols=len(columns))
    group += [nodes.colspec(colwidth=1) for _ in columns]
    head, body = nodes.thead(), nodes.tbody()
    for place, cells in ((head, [columns]), (body, rows)):
        for line in cells:
            place += nodes.row("", *(nodes.entry("", _cell(content)) for content in line))
    group += [head, body]
    return nodes.container("", nodes.table("", group, classes=["measured"]), classes=["wide-table"])


def _cell(content):
    """A block node as it is; text, and what stands in a line of text, in a paragraph."""
    if isinstance(content, str):
        return nodes.paragraph("", content)
    return nodes.paragraph("", "", content) if isinstance(content, nodes.Inline) else content


class Measured(SphinxDirective):
    """A table of one file."""

    required_arguments = 1
    option_spec = {"columns": str, "names": str, "where": str}  # noqa: RUF012

    def run(self):
        _, found = self.env.relfn2path(self.arguments[0])
        path = Path(found)
        self.env.note_dependency(found)
        if not path.exists():
            said = f"Not measured yet: {self.arguments[0]} is not among the committed files."
            return [nodes.note("", nodes.paragraph("", said))]
        rows = kept(rows_of(path), self.options.get("where", ""))
        columns = _listed(self.options.get("columns", "")) or list(rows[0] if rows else {})
        names = _listed(self.options.get("names", "")) or [name.replace("_", " ") for name in columns]
        lines = [[shown(row[column]) for column in columns] for row in rows[:LARGEST]]
        source = (
            f"From docs/measured/{path.relative_to(Path(self.env.srcdir) / 'measured')}, {len(rows)} rows"
        )
        source += f", of which the first {LARGEST} are shown." if len(rows) > LARGEST else "."
        return [table_of(names, lines), nodes.paragraph("", source, classes=["measured-source"])]


def _listed(text):
    return [part.strip() for part in text.split(",") if part.strip()]


class Reports(SphinxDirective):
    """The reports of docs/reports: name, date, command, newest first."""

    def run(self):
        folder = Path(self.env.srcdir) / "reports"
        lines = []
        for path in sorted(folder.glob("*.md"), key=lambda p: p.stem[-10:], reverse=True):
            text = path.read_text(encoding="utf-8")
            title = re.match(r"# (.*?),? *(\d{4}-\d\d-\d\d)?$", text.split("\n")[0])
            command = re.search(r"^\* command: `(.*?)`", text, re.M)
            lines.append((path.stem, title[1], title[2] or path.stem[-10:], command[1] if command else ""))
        return self.parse_text_to_nodes(_as_markdown(lines))


def _as_markdown(lines):
    rows = [f"| [{title}](../reports/{stem}.md) | {date} | {f'`{said}`' if said else ''} |"
            for stem, title, date, said in lines]  # fmt: skip
    return "\n".join(["| check | date | command |", "|---|---|---|", *rows])


def setup(app):
    app.add_directive("measured", Measured)
    app.add_directive("reports", Reports)
    return {"parallel_read_safe": True}
