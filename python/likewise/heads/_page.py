"""The page of a model's heads: one HTML file with everything in it."""

from pathlib import Path

from likewise._extras import need
from likewise.heads import _table
from likewise.heads._ablation import REPLACEMENTS

SHOWN = (3, 6)  # heads whose words are shown, and words of each


def write(path, model, ablations=(), command=""):
    """Write the page of a ModelXray to a file and return its path.

    ablations : list of Ablation; command : the command line that makes it again
    """
    need("the page of heads", "matplotlib", "jinja2", extra="study")
    from likewise._experiments import page

    environment = page.environment("likewise.heads")
    environment.globals["cell"] = _table.cell
    text = environment.get_template("heads.html.j2").render(
        model=model,
        columns=(*_table.COLUMNS, *_table.MORE),
        sentences=_table.sentences(model),
        nulls=_table.NULLS,
        figure=page.data_uri(model.plot()),
        ablations=_rows(ablations),
        about=REPLACEMENTS,
        words=_words(model),
        command=command,
        date=page.today(),
        versions=page.versions(("numpy", "scipy", "safetensors", "tokenizers")),
    )
    path = Path(path)
    path.write_text(text, encoding="utf-8")
    return path


def _rows(ablations):
    """Each mechanism with what was found of it by what became of the special tokens."""
    found = {}
    for one in ablations:
        found.setdefault(one.mechanism, {})[one.special] = one
    return found


def _words(model):
    """The nearest words under the metrics of the heads with the most metric nats."""
    best = sorted(model.heads, key=lambda place: -model.heads[place].metric_nats)[: SHOWN[0]]
    return [(model.heads[place], list(model.nearest_words(place).items())[: SHOWN[1]]) for place in best]
