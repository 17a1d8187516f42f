"""likewise.heads on scores: the split, nats, nulls and fidelity against definitions in plain loops."""

import itertools
import math

import numpy as np
import pytest
from numpy.testing import assert_allclose

import likewise as lw
from likewise import heads
from likewise.heads import _null, _position
from likewise.heads._head import FIELDS

PARTS = ("keys", "metric", "repulsion", "transport")
NATS = ("sink_nats", *(f"{part}_nats" for part in PARTS))


def softmax(S):
    w = np.exp(S - S.max(-1, keepdims=True))
    return w / w.sum(-1, keepdims=True)


def random_head(n_texts=8, d=3, seed=0, special=True):
    """Queries, keys, values and masks of some texts."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(6, 11, n_texts)
    q = [1.3 * rng.normal(size=(n, d)) + 0.4 for n in lengths]
    k = [0.5 * a + rng.normal(size=a.shape) for a in q]
    v = [rng.normal(size=(n, 4)) for n in lengths]
    masks = [np.arange(n) % n == (0 if special else n) for n in lengths]
    for mask in masks:
        mask[-1] = special
    return q, k, v, masks


def read(q, k, v, masks, **given):
    scores = [a @ b.T / math.sqrt(a.shape[1]) for a, b in zip(q, k)]
    return heads.read_head(scores, v, special=masks, queries=q, keys=k, **given)


# --- the split ----------------------------------------------------------------------------------------------


def test_the_parts_sum_to_the_scores_and_their_energies_to_all_of_it():
    S = np.random.default_rng(0).normal(size=(9, 9)) * 3
    split = heads.split_scores(S)
    gap = S - split.log_key_weight - split.metric - split.repulsion - split.transport
    assert_allclose(gap, np.broadcast_to(gap[:, :1], gap.shape), atol=1e-13)
    R = S - S.mean(1, keepdims=True)
    assert_allclose(sum(split.energy.values()), (R**2).sum(), rtol=1e-13)
    assert np.linalg.eigvalsh(-split.metric)[:-1].min() < 1e-12 < split.energy["repulsion"]
    roots = np.linalg.eigvalsh((np.eye(9) - 1 / 9) @ -split.distance @ (np.eye(9) - 1 / 9))
    assert roots.min() > -1e-12  # D_P is a squared Euclidean distance
    assert_allclose(split.transport, -split.transport.T)
    assert_allclose(softmax(split.scores), softmax(S), atol=1e-13)


@pytest.mark.parametrize("phi", [0.0, 0.7, 1.5, 2.5])
def test_scores_on_a_circle_have_known_energies(phi):
    theta = 2 * np.pi * np.arange(24) / 24
    energy = heads.split_scores(3 * np.cos(theta - theta[:, None] - phi)).energy
    total = sum(energy.values())
    want = {"metric": np.cos(phi) ** 2, "repulsion": 0.0, "transport": np.sin(phi) ** 2, "keys": 0.0}
    if np.cos(phi) < 0:
        want["metric"], want["repulsion"] = want["repulsion"], want["metric"]
    for part, share in want.items():
        assert energy[part] / total == pytest.approx(share, abs=1e-13)


def test_an_antisymmetric_form_is_transport_up_to_its_column_mean():
    rng = np.random.default_rng(1)
    x, B = rng.normal(size=(20, 5)), rng.normal(size=(5, 5))
    energy = heads.split_scores(x @ (B - B.T) @ x.T).energy
    assert energy["transport"] > 1 and energy["keys"] > 1
    assert energy["metric"] + energy["repulsion"] < 1e-20 * energy["transport"] + 1e-20


def one_part(kind):
    rng = np.random.default_rng(2)
    found = []
    for n in (8, 9, 12):
        x = rng.normal(size=(n, 2))
        D = ((x[:, None] - x) ** 2).sum(-1)
        found.append({"metric": -D, "repulsion": D, "keys": np.tile(rng.normal(size=n), (n, 1))}[kind])
    return found


@pytest.mark.parametrize("kind", ["metric", "repulsion", "keys"])
def test_kernels_of_one_part_have_all_their_nats_there(kind):
    S = one_part(kind)
    head = heads.read_head(S, [np.eye(12)[: len(s)] for s in S])
    assert head.mechanism == kind and head.nats > 0.1
    assert getattr(head, f"{kind}_nats") == pytest.approx(head.nats, rel=1e-12)
    for part in NATS:
        assert part == f"{kind}_nats" or abs(getattr(head, part)) < 1e-12
    if kind == "metric":
        assert head.self_first == 1 and head.reciprocity == pytest.approx(1)
        assert head.fidelity["metric"] == pytest.approx(1, abs=1e-12)
        assert head.fidelity["keyed_metric"] == pytest.approx(1, abs=1e-12)
    if kind == "keys":
        assert head.fidelity["keys"] == pytest.approx(1) and head.fidelity["linear"] == pytest.approx(1)


# --- nats and numbers, by their definitions -----------------------------------------------------------------


def parts_by_loops(S):
    n = len(S)
    R = S - S.mean(1, keepdims=True)
    c = R.mean(0)
    E = R - c
    values, vectors = np.linalg.eigh((E + E.T) / 2)
    P, N = (sum(max(s * w, 0) * np.outer(u, u) for w, u in zip(values, vectors.T)) for s in (1, -1))
    keys, metric, repulsion = np.zeros((3, n, n))
    for i, j in itertools.product(range(n), repeat=2):
        keys[i, j] = c[j] + E[j, j] / 2
        metric[i, j] = -(P[i, i] + P[j, j] - 2 * P[i, j]) / 2
        repulsion[i, j] = (N[i, i] + N[j, j] - 2 * N[i, j]) / 2
    return (keys, metric, repulsion, (E - E.T) / 2), (c, P, N)


def nats_by_loops(S, special):
    """Rows' nats: all, then of sink and parts by permutations of the parts (not by subsets)."""
    C = np.flatnonzero(~special)
    W = softmax(S)
    parts, _ = parts_by_loops(S[np.ix_(C, C)])
    rows = []
    for place, i in enumerate(C):
        a = W[i, C].sum()
        w = W[i, C] / a
        nats = math.log(len(S)) + (W[i] * np.log(W[i])).sum()
        inside = a * (math.log(len(C)) + (w * np.log(w)).sum())

        def worth(chosen, a=a, w=w, place=place):
            q = softmax(sum([parts[p][place] for p in chosen], np.zeros(len(C))))
            return -a * (w * np.log(w / q)).sum()

        gains = np.zeros(4)
        for order in itertools.permutations(range(4)):
            for step, part in enumerate(order):
                gains[part] += (worth(order[: step + 1]) - worth(order[:step])) / 24
        rows.append([nats, nats - inside, *gains])
    return np.array(rows)


def test_nats_are_what_they_are_defined_as():
    q, k, v, masks = random_head(5)
    head = read(q, k, v, masks)
    rows = np.concatenate([nats_by_loops(a @ b.T / math.sqrt(3), m) for a, b, m in zip(q, k, masks)])
    assert_allclose([head.nats, *(getattr(head, name) for name in NATS)], rows.mean(0), atol=1e-13)
    assert sum(getattr(head, name) for name in NATS) == pytest.approx(head.nats, abs=1e-13)
    assert head.content_nats == pytest.approx(head.nats - head.sink_nats, abs=1e-13)


def test_the_other_numbers_are_what_they_are_defined_as():
    q, k, v, masks = random_head(6, seed=3)
    head = read(q, k, v, masks)
    sums = dict.fromkeys(("rows", "sink", "near", "cold", "own", "raw", "P", "N", "T", "trace", "dim"), 0.0)
    for a, b, mask in zip(q, k, masks):
        S, C = a @ b.T / math.sqrt(3), np.flatnonzero(~mask)
        inner, m = S[np.ix_(C, C)], len(C)
        (keys, _, _, T), (_, P, N) = parts_by_loops(inner)
        W, inside = softmax(S)[C], softmax(inner)
        sums["rows"] += m
        sums["sink"] += W[:, mask].sum()
        sums["near"] += np.exp(-(inside * np.log(inside)).sum(1)).sum()
        sums["cold"] += (inner.std(1) / math.sqrt(2 * math.log(m))).sum()
        sums["own"] += ((inner - keys).argmax(1) == np.arange(m)).sum()
        sums["raw"] += (inner.argmax(1) == np.arange(m)).sum()
        for name, part in (("P", P), ("N", N), ("T", T)):
            sums[name] += (part**2).sum() / m
        sums["trace"] += np.trace(P)
        sums["dim"] += m * np.trace(P) ** 2 / (P**2).sum()
    rows, P, N, T = (sums[name] for name in ("rows", "P", "N", "T"))
    want = {
        "sink_mass": sums["sink"] / rows,
        "n_neighbors": sums["near"] / rows,
        "coldness": sums["cold"] / rows,
        "self_first": sums["own"] / rows,
        "argmax_self": sums["raw"] / rows,
        "reciprocity": (P + N - T) / (P + N + T),
        "positivity": (P - N) / (P + N),
        "bandwidth": (2 * sums["trace"] / rows) ** -0.5,
        "dimension": sums["dim"] / rows,
    }
    for name, value in want.items():
        assert getattr(head, name) == pytest.approx(value, rel=1e-12), name


def test_bandwidth_and_dimension_of_points():
    """Of exp(-|x - z|^2 / (2 h^2)): h over the rms distance, and a participation ratio."""
    x = np.random.default_rng(5).normal(size=(40, 3)) * [3, 1, 0.5]
    D = ((x[:, None] - x) ** 2).sum(-1)
    head = heads.read_head([-D / (2 * 0.7**2)], [x])
    assert head.bandwidth == pytest.approx(0.7 / math.sqrt(D.mean()), rel=1e-12)
    values = np.linalg.eigvalsh(np.cov(x, rowvar=False))
    assert head.dimension == pytest.approx(values.sum() ** 2 / (values**2).sum(), rel=1e-12)


def test_fidelity_is_that_of_the_heads_output():
    q, k, v, masks = random_head(5, seed=7)
    Wo = np.random.default_rng(8).normal(size=(6, 4))
    head = read(q, k, v, masks, output=Wo)
    places = max(map(len, q))
    mean_of = [
        [np.mean([x[p] for x, m in zip(side, masks) if p < len(x) and not m[p]] or [[0.0] * 3], axis=0)]
        for side in (q, k)
        for p in range(places)
    ]
    mean_q, mean_k = np.concatenate(mean_of[:places]), np.concatenate(mean_of[places:])
    outputs, changed = [], {name: [] for name in head.fidelity}
    for a, b, values, mask in zip(q, k, v, masks):
        S, C = a @ b.T / math.sqrt(3), np.flatnonzero(~mask)
        W = softmax(S)[C]
        inner = S[np.ix_(C, C)]
        (keys, metric, _, T), (c, P, N) = parts_by_loops(inner)
        pi, E, w = softmax(c), P - N + T, softmax(inner)
        fixed = mean_q[C] @ mean_k[C].T / math.sqrt(3)
        of_columns = fixed - fixed.mean(1, keepdims=True)
        top = np.where(w >= np.sort(w, axis=1)[:, [-min(8, len(C))]], w, 0)
        mechanisms = {
            "uniform": np.full_like(w, 1 / len(C)),
            "keys": np.tile(pi, (len(C), 1)),
            "metric": softmax(metric),
            "keyed_metric": softmax(keys + metric),
            "symmetric": softmax(c + P - N),
            "linear": pi * (1 + E - (E @ pi)[:, None]),
            "top8": top / top.sum(1, keepdims=True),
            "fixed": softmax(fixed),
            "keyed_fixed": softmax(c + of_columns - of_columns.mean(0)),
        }
        outputs.append(W @ values @ Wo.T)
        for name, weights in mechanisms.items():
            new = W.copy()
            new[:, C] = W[:, C].sum(1, keepdims=True) * weights
            changed[name].append(new @ values @ Wo.T)
    y = np.concatenate(outputs)
    spread = ((y - y.mean(0)) ** 2).sum()
    assert set(head.fidelity) == set(mechanisms)
    for name, of_texts in changed.items():
        want = 1 - ((np.concatenate(of_texts) - y) ** 2).sum() / spread
        assert head.fidelity[name] == pytest.approx(want, rel=1e-11), name


# --- what changes nothing -----------------------------------------------------------------------------------


def changed_heads():
    q, k, v, masks = random_head(32, seed=9)
    rng = np.random.default_rng(10)
    M = rng.normal(size=(3, 3)) + 2 * np.eye(3)
    yield "rows shifted and k + c", (q, [b + np.array([1.0, -2.0, 0.5]) for b in k], v, masks)
    yield "v + c", (q, k, [values + 3.0 for values in v], masks)
    yield "q M^-1, k M'", ([a @ np.linalg.inv(M) for a in q], [b @ M.T for b in k], v, masks)
    yield "k / 10, 10 q", ([10 * a for a in q], [b / 10 for b in k], v, masks)


CHANGED = dict(changed_heads())


@pytest.mark.parametrize("changed", CHANGED.values(), ids=CHANGED)
def test_what_leaves_attention_alone_changes_nothing(changed):
    before, after = read(*random_head(32, seed=9)), read(*changed)
    for field in FIELDS:
        assert getattr(after, field) == pytest.approx(getattr(before, field), abs=1e-12), field
    for name, value in before.fidelity.items():
        assert after.fidelity[name] == pytest.approx(value, abs=1e-11), name
    assert_allclose(after.reciprocity_null, before.reciprocity_null, atol=1e-10)


def test_the_order_of_tokens_is_nothing_but_position():
    q, k, v, masks = random_head(4, seed=11)
    rng = np.random.default_rng(12)
    orders = [rng.permutation(len(a)) for a in q]
    moved = [[side[order] for side, order in zip(part, orders)] for part in (q, k, v, masks)]
    before, after = read(q, k, v, masks), read(*moved)
    for field in FIELDS[:-1]:  # without position_share
        assert getattr(after, field) == pytest.approx(getattr(before, field), abs=1e-13), field
    for name in ("metric", "keyed_metric", "symmetric", "linear", "top8"):
        assert after.fidelity[name] == pytest.approx(before.fidelity[name], abs=1e-12)


def test_log_weights_will_do_for_scores():
    q, k, v, masks = random_head(4, seed=13)
    scores = [a @ b.T / math.sqrt(3) for a, b in zip(q, k)]
    of_scores = heads.read_head(scores, v, special=masks)
    of_weights = heads.read_head([np.log(softmax(S)) for S in scores], v, special=masks)
    for name in NATS:
        assert getattr(of_weights, name) == pytest.approx(getattr(of_scores, name), abs=1e-13)


# --- nulls, errors ------------------------------------------------------------------------------------------


def test_the_rotation_null_is_that_of_rotated_scores():
    q, k, *_ = random_head(6, seed=14, special=False)
    centered = [[x - x.mean(0) for x in side] for side in (q, k)]
    Q, K = (np.concatenate(side) for side in centered)
    O = _null.rotations(5, 3, np.random.default_rng(0))
    assert_allclose(O @ O.transpose(0, 2, 1), np.tile(np.eye(3), (5, 1, 1)), atol=1e-12)
    got = _null.reciprocities(Q, K, np.cumsum([len(x) for x in q])[:-1], O)
    for one, value in zip(O, got):
        difference = energy = 0.0
        for a, b in zip(*centered):
            E = a @ one @ b.T
            difference += (E * E.T).sum() / len(E)
            energy += (E**2).sum() / len(E)
        assert value == pytest.approx(difference / energy, rel=1e-12)


def test_the_balanced_gauge_is_one():
    """Whatever factors of the scores are given, and in whatever order the tokens come."""
    rng = np.random.default_rng(22)
    Q, K = rng.normal(size=(2, 30, 4))
    q, k = _null.balanced(Q, K)
    assert_allclose(q @ k.T, Q @ K.T, atol=1e-13)
    assert_allclose(q.T @ q, k.T @ k, atol=1e-12)
    for _ in range(5):
        M, order = rng.normal(size=(4, 4)), rng.permutation(30)
        q2, k2 = _null.balanced(Q[order] @ np.linalg.inv(M), K[order] @ M.T)
        assert_allclose(q2, q[order], atol=1e-11)
        assert_allclose(k2, k[order], atol=1e-11)


def test_the_null_of_reciprocity_is_near_its_formula_and_not_0():
    q, k, v, masks = random_head(60, d=4, seed=15)
    head = read(q, k, v, masks)
    C = [~m for m in masks]
    Q, K = (np.concatenate([x[c] - x[c].mean(0) for x, c in zip(side, C)]) for side in (q, k))
    s = np.linalg.svd(Q @ K.T, compute_uv=False)[:4]
    Q, K = _null.balanced(Q, K)
    ends = np.cumsum([c.sum() for c in C])[:-1]
    of_texts = list(zip(np.split(Q, ends), np.split(K, ends)))
    above = sum(((b.T @ a) ** 2).sum() / len(a) for a, b in of_texts)
    want = above / sum((a**2).sum() * (b**2).sum() / len(a) for a, b in of_texts)
    mean, sd = head.reciprocity_null
    assert_allclose((Q**2).sum(0), s)
    assert abs(mean - want) < 0.05 and mean > 0.05 and sd > 0.01
    assert head.reciprocity > mean + 2 * sd
    assert head.null["nats"] == (0, 0) and head.null["positivity"] == (0, 0)
    assert head.null["fidelity_keys"][0] == head.fidelity["uniform"]


def test_standard_errors_are_those_of_a_bootstrap_over_texts():
    q, k, v, masks = random_head(40, seed=16)
    head = read(q, k, v, masks)
    of_texts, n_rows = [], []
    for a, b, mask in zip(q, k, masks):
        of_texts.append(nats_by_loops(a @ b.T / math.sqrt(3), mask)[:, 0].sum())
        n_rows.append((~mask).sum())
    ratio = np.sum(of_texts) / np.sum(n_rows)
    left = (np.array(of_texts) - ratio * np.array(n_rows)) / np.mean(n_rows)
    assert head.se["nats"] == pytest.approx(left.std() / math.sqrt(40), rel=0.2)


# --- position -----------------------------------------------------------------------------------------------


def anova_by_loops(points, positions):
    X, g = np.concatenate(points), np.concatenate(positions)
    N, mean = len(X), X.mean(0)
    groups = [X[g == value] for value in np.unique(g)]
    within = sum((x - x.mean(0)).T @ (x - x.mean(0)) for x in groups) / (N - len(groups))
    between = sum(len(x) * np.outer(x.mean(0) - mean, x.mean(0) - mean) for x in groups) / N
    return between - within * (len(groups) - 1) / N, within


def test_position_share_is_the_analysis_of_variance_of_the_states():
    rng = np.random.default_rng(17)
    places = rng.normal(size=(12, 5))
    x = [places[: rng.integers(6, 12)] for _ in range(35)]
    x = [a + 0.8 * rng.normal(size=a.shape) for a in x]
    Wq, Wk = rng.normal(size=(2, 3, 5))
    q, k = [a @ Wq.T + 1 for a in x], [a @ Wk.T for a in x]
    head = read(q, k, x, [np.zeros(len(a), bool) for a in x])
    B, W = anova_by_loops(x, [np.arange(len(a)) for a in x])
    share = [np.trace(Wq @ V @ Wq.T @ Wk @ V @ Wk.T) for V in (B, B + W)]
    assert head.position_share == pytest.approx(share[0] / share[1], rel=1e-10)
    assert 0.2 < head.position_share < 0.95 and head.null["position_share"][0] < 0.05
    assert 0 < head.se["position_share"] < 0.2


def test_fewer_than_thirty_texts_have_no_position_share():
    head = read(*random_head(29))
    assert math.isnan(head.position_share) and head.mechanism in (*PARTS, "diffuse")
    assert not math.isnan(read(*random_head(30)).position_share)


def test_of_scores_alone_position_is_told_by_a_profile_over_offsets():
    rng = np.random.default_rng(18)
    lengths = rng.integers(8, 14, 40)
    profile = {n: -0.5 * np.abs(np.subtract.outer(np.arange(n), np.arange(n))) for n in set(lengths)}
    by_offset = heads.read_head([profile[n] for n in lengths], [np.eye(14)[:n] for n in lengths])
    noise = [2 * rng.normal(size=(n, n)) for n in lengths]
    by_words = heads.read_head(noise, [np.eye(14)[:n] for n in lengths])
    assert by_offset.position_share > 0.8 and by_offset.mechanism == "position"
    assert by_words.position_share < 0.05
    E = [S - S.mean(1, keepdims=True) for S in noise]
    E = [S - S.mean(0) for S in E]
    left = total = 0.0
    for t, S in enumerate(E):
        for i, j in np.ndindex(S.shape):
            others = [o[a, b] for u, o in enumerate(E) if u != t for a, b in _at(len(o), i - j)]
            left += (S[i, j] - (np.mean(others) if others else 0)) ** 2
            total += S[i, j] ** 2
    sums = [_position.offset_sums(S) for S in E]
    got = _position.offset_share([(s[None], n, np.array([e])) for s, n, e in sums])
    assert got[0] == pytest.approx(max(1 - left / total, 0), abs=1e-12)


def _at(n, offset):
    return [(i, i - offset) for i in range(n) if 0 <= i - offset < n]


# --- our layers, the metric, what is refused ----------------------------------------------------------------


def test_the_heads_of_our_own_trained_layer():
    """An L2 head is a metric kernel; so says the reading of its weights."""
    rng = np.random.default_rng(19)
    X = rng.normal(size=(60, 6, 8))
    y = (X[:, :, 0].max(1) > 1).astype(int)
    rows = X.reshape(60, -1)
    model = lw.AttentionClassifier("l2", n_tokens=6, embed_dim=8, num_heads=2, max_epochs=5, random_state=0)
    weights = model.fit(rows, y).attention_weights(rows[:20])
    scores = [np.log(P) for P in weights[:, 0, 0].astype(float)]
    assert len(scores) == 20
    head = heads.read_head(scores, [np.eye(len(P)) for P in scores])
    assert head.metric_nats == pytest.approx(head.nats, rel=1e-3) and head.self_first == 1
    assert head.fidelity["metric"] == pytest.approx(1, abs=1e-3)


def test_a_layers_dot_scores_are_read_as_they_are():
    layer = lw.nn.SelfAttention(8, 2, dtype=np.float64, random_state=0)
    x = 2 * np.random.default_rng(20).normal(size=(5, 9, 8))
    layer.forward(x)
    scores = [np.log(layer.attention_weights(t)[1]) for t in range(5)]
    state = layer.state_dict()
    Wq, Wk, Wv = np.split(state["in_proj_weight"], 3)
    bq, bk, bv = np.split(state["in_proj_bias"], 3)
    of_head = slice(4, 8)
    q, k, v = ([(a @ W.T + b)[:, of_head] for a in x] for W, b in ((Wq, bq), (Wk, bk), (Wv, bv)))
    head = heads.read_head(
        scores, v, state["out_proj.weight"][:, of_head], states=list(x), queries=q, keys=k, name="layer.1"
    )
    assert head.nats > 0.05 and head.name == "layer.1"
    metric = head.metric()
    assert isinstance(metric, lw.metrics.Mahalanobis)
    flat = x.reshape(-1, 8)
    A = (Wq[of_head].T @ Wk[of_head]) / 2
    values, vectors = np.linalg.eigh(np.cov(flat, rowvar=False))
    root, inverse = (vectors * values**p @ vectors.T for p in (0.5, -0.5))
    values, vectors = np.linalg.eigh(root @ (A + A.T) @ root / 2)
    want = inverse @ (vectors * np.maximum(values, 0) @ vectors.T) @ inverse
    assert_allclose(metric.factor.T @ metric.factor, want, atol=1e-12)
    assert len(metric.factor) <= 4
    found = lw.KNeighborsClassifier(3, metric=metric).fit(flat, np.arange(45) % 3).predict_proba(flat[:4])
    near = np.argsort([[(a - b) @ want @ (a - b) for b in flat] for a in flat[:4]], axis=1)[:, :3]
    assert_allclose(found, [[(row % 3 == c).mean() for c in range(3)] for row in near])


def test_the_equation_has_the_numbers_and_their_nulls():
    head = read(*random_head(32, seed=21), name="3.1")
    text = head.equation()
    assert text.startswith(f"head 3.1: {head.mechanism}, {head.nats:.2f} nats")
    assert f"{head.metric_nats:.2f} nats [{head.null['metric_nats'][0]:.2f}]" in text
    assert f"{head.sink_mass:.2f} of the mass [{head.null['sink_mass'][0]:.2f}]" in text


CAUSAL = np.where(np.tri(5, dtype=bool), 0.0, -np.inf)
GOOD = [np.zeros((5, 5))]


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: heads.split_scores(np.zeros((3, 4))), r"S must be a square matrix.*got shape \(3, 4\)"),
        (lambda: heads.split_scores([[np.nan, 0], [0, 0]]), "S must be finite; got NaN"),
        (lambda: heads.split_scores(CAUSAL), "Under a causal mask half of them is undefined"),
        (
            lambda: heads.read_head([CAUSAL], [np.eye(5)]),
            r"scores\[0\] must be scores of all pairs; got -inf",
        ),
        (lambda: heads.read_head([], []), "cannot be told from its weights alone"),
        (lambda: heads.read_head(GOOD, [np.eye(4)]), r"values\[0\] must be of shape \(5, 4\)"),
        (lambda: heads.read_head(GOOD, []), "values must be a list, one for each of 1 texts; got 0"),
        (
            lambda: heads.read_head([np.eye(2)], [np.eye(2)]),
            "3 tokens or more that are not special; text 0 has 2",
        ),
        (
            lambda: heads.read_head(GOOD, [np.eye(5)], special=[np.arange(5) < 3]),
            "tokens or more that are not special; text 0 has 2",
        ),
        (
            lambda: heads.read_head(GOOD, [np.eye(5)], special=[np.zeros(5)]),
            r"special\[0\] must be a boolean",
        ),
        (
            lambda: heads.read_head(GOOD, [np.eye(5)], output=np.eye(3)),
            r"output must be of shape \(width, 5\)",
        ),
        (
            lambda: heads.read_head(GOOD, [np.eye(5)], queries=[np.eye(5)]),
            "queries and keys must be given together",
        ),
        (
            lambda: heads.read_head(GOOD, [np.eye(5)], queries=[np.eye(5)], keys=[np.eye(5)]),
            "queries and keys must give the scores",
        ),
        (lambda: heads.read_head(GOOD, [np.eye(5)], states=[np.eye(5)]), "states must be given with queries"),
        (lambda: heads.read_head(GOOD, [np.eye(5)]).metric(), "needs the states and the maps"),
    ],
)
def test_what_is_refused_and_why(call, message):
    with pytest.raises(ValueError, match=message):
        call()
