"""Finished cells in a file of JSON lines, each appended at once: a later run goes on where one ended."""

import json
from dataclasses import fields

from likewise.study.paper.cells import Cell

NAMES = tuple(field.name for field in fields(Cell))


class Store:
    """Records by their cell, in memory and in a file.

    Parameters
    ----------
    path : Path; what is there is read. A last line that a crash cut short is run again.
    """

    def __init__(self, path):
        self.path, self.records = path, {}
        self._is_cut = False
        if path.exists():
            text = path.read_text(encoding="utf-8")
            self._is_cut = bool(text) and not text.endswith("\n")
            for line in text.splitlines():
                self._take(line)

    def _take(self, line):
        try:
            record = json.loads(line)
            cell = cell_of(record)
        except (ValueError, KeyError, TypeError):
            return
        if not record["error"]:  # what failed is tried again
            self.records[cell] = record

    def add(self, record):
        """Keep a record, and write it before anything else happens."""
        self.records[cell_of(record)] = record
        line = ("\n" if self._is_cut else "") + json.dumps(_short(record)) + "\n"
        self._is_cut = False
        with self.path.open("a", encoding="utf-8") as file:
            file.write(line)

    def missing(self, entries):
        """Those whose cell is not there yet, each cell once."""
        by_cell = {entry.cell: entry for entry in reversed(entries)}
        return [by_cell[cell] for cell in reversed(by_cell) if cell not in self.records]


def cell_of(record):
    """The Cell of a record."""
    return Cell(**{name: record[name] for name in NAMES})


def _short(value):
    """Six digits of measures and curves; fields of the cell stay what they are."""
    if isinstance(value, dict):
        return {key: part if key in NAMES else _short(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_short(part) for part in value]
    return float(f"{value:.6g}") if isinstance(value, float) else value
