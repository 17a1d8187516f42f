"""likewise explain DIR: read the heads of a model, print them, write what was asked for."""

import shlex
from pathlib import Path

from likewise.heads._ablation import OTHERS, REPLACEMENTS
from likewise.heads._mechanisms import MECHANISMS
from likewise.heads._texts import texts_of_file
from likewise.heads._transformer import read_transformer


def run(path, texts=None, layers=None, ablate=False, figure=None, json=None, page=None, progress=True):
    """What the command prints; files are written where their names are given."""
    for name, file in (("figure", figure), ("json", json), ("page", page)):
        _require_place(name, file)
    model = read_transformer(path, None if texts is None else texts_of_file(texts), layers, progress=progress)
    ablations = ablate_all(model) if ablate else []
    told = [str(model)] + ([ablation_table(ablations)] if ablations else [])
    if figure is not None:
        model.plot().savefig(figure, dpi=100)
    if json is not None:
        Path(json).write_text(model.to_json(), encoding="utf-8")
    if page is not None:
        from likewise.heads import _page

        told.append(str(_page.write(page, model, ablations, _again(path, texts, layers, ablate, page))))
    return "\n\n".join(told)


def ablate_all(model):
    """All replacements, with special tokens replaced, and where that is another question kept."""
    names = [name for name in REPLACEMENTS if name != "actual"]
    replaced = [model.ablate(name) for name in names]
    kept = [model.ablate(name, special="kept", per_layer=False) for name in names if name in MECHANISMS]
    return [*replaced, *kept]


def ablation_table(ablations):
    """Ablations as text: cosine, token cosine and Spearman."""
    kept = {one.mechanism: one for one in ablations if one.special == "kept"}
    width = max(map(len, REPLACEMENTS))
    lines = [f"{'all heads become':<{width}}  cosine  tokens  Spearman  (special tokens kept: the same)"]
    for one in ablations:
        if one.special != "kept":
            beside = f"  ({_told(kept[one.mechanism])})" if one.mechanism in kept else ""
            lines.append(f"{one.mechanism:<{width}}  {_told(one)}{beside}")
    return "\n".join([*lines, f'The floor is "none": {OTHERS["none"]}.'])


def _told(one):
    return f"{one.cosine:6.3f}  {one.token_cosine:6.3f}  {one.spearman:8.3f}"


def _require_place(name, file):
    """A ValueError, before the work, where a file could not be written."""
    if file is not None and not Path(file).resolve().parent.is_dir():
        raise ValueError(f"{name} must be a file in a folder that exists; got {str(file)!r}.")


def _again(path, texts, layers, ablate, page):
    words = ["likewise", "explain", path]
    words += [] if texts is None else ["--texts", texts]
    words += [] if layers is None else ["--layers", *layers]
    words += ["--ablate"] if ablate else []
    return shlex.join(map(str, [*words, "--page", page]))
