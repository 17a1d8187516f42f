"""The benchmark's report: one HTML file with everything inlined."""

from likewise._experiments import page
from likewise._experiments.page import drawn
from likewise.bench import figures, goals
from likewise.bench.results import beyond, bytes_text, seconds_text
from likewise.bench.workload import spaced


def write(found, path):
    """Write the page of these Results."""
    environment = page.environment("likewise.bench")
    environment.filters |= {"seconds": seconds_text, "bytes": bytes_text, "number": _number}
    html = environment.get_template("bench.html.j2").render(**_context(found))
    path.write_text(html, encoding="utf-8")


def _context(found):
    slopes = found.slopes()
    timed = [row for row in found.records if row["status"] == "ok"]
    return {
        "found": found,
        "n_timed": len(timed),
        "judged": [row for row in found.records if row["goal"] is not None],
        "ratios": drawn(figures.ratios(found.records)),
        "records": found.records,
        "beyond": beyond,
        "memory": [row for row in [*found.records, *found.growth] if row["memory_verdict"]],
        "memory_goals": (goals.MEMORY_GOAL, goals.MEMORY_STRETCH),
        "growth": drawn(figures.growth(found.growth, slopes)),
        "slopes": slopes,
        "problems": [row for row in [*found.records, *found.growth] if row["status"] != "ok"],
        "notes": _notes(found),
    }


def _notes(found):
    """The options of each contender, once each."""
    rows = [*found.records, *found.growth]
    return dict.fromkeys((row["group"], row["contender"], row["note"]) for row in rows if row["note"])


def _number(x):
    """Three digits at least; a thousand is no power of ten."""
    return f"{x:.3g}" if abs(x) < 1000 else spaced(round(x))
