"""What is read of one head, and reading one from scores of any model."""

from dataclasses import dataclass, field
from typing import Optional

import numpy as np

from likewise import _checks, kernels, metrics
from likewise.heads import _numbers as _n
from likewise.heads import _reading
from likewise.heads._mechanisms import MECHANISMS
from likewise.heads._split import PARTS, checked
from likewise.heads._tokens import Tokens

DIFFUSE = 0.25  # nats: below, a head hardly tells the tokens of C apart
BY_POSITION = 0.5
FIELDS = (
    *("nats", "sink_nats", *_n.NATS, "sink_mass", "n_neighbors", "coldness", "reciprocity", "positivity"),
    *("self_first", "argmax_self", "bandwidth", "dimension", "position_share"),
)


@dataclass(frozen=True)
class HeadXray:
    """One attention head as a slot of y = l sum phi(c) r v, read on many texts.

    C are the tokens that are not special, m of a text; all numbers are means over the rows of C, or pooled
    over texts as energies e_t / m_t are.

    Attributes
    ----------
    nats : float
        mean_i (log n - H(w_i)), how far the head is from uniform. The sum of the next five.
    sink_nats : float
        What parting the special tokens from C is worth.
    keys_nats, metric_nats, repulsion_nats, transport_nats : float
        Shapley values of the four parts of the scores in C (:func:`split_scores`). Slightly negative ones
        are possible.
    sink_mass : float, the mass on special tokens
    n_neighbors : float, mean exp H(w~), w~ the weights in C
    coldness : float, mean sd_j(S_ij) / sqrt(2 ln m); at 1 Gaussian scores would condense on one key
    reciprocity : float in [-1, 1], (|P|^2 + |N|^2 - |T|^2) / sum
    positivity : float in [-1, 1], (|P|^2 - |N|^2) / (|P|^2 + |N|^2)
    self_first : float
        Share of rows whose best key is the token itself once log r_j is subtracted: 1 of a metric kernel.
    argmax_self : float, the same of the scores themselves
    bandwidth : float, (2 tr P / m)^-1/2: of exp(-D_P / 2), in units of the rms distance of two tokens
    dimension : float, mean (tr P)^2 / |P|^2
    position_share : float in [0, 1]
        Share of the scores' energy that positions tell; NaN of fewer than 30 texts. From queries and keys
        by analysis of variance; of scores alone by a profile over offsets, cross-validated.
    mechanism : str
        "diffuse" where content nats are below 0.25; else "position" where position_share is above 0.5; else
        the largest of keys, metric, repulsion, transport.
    fidelity : dict
        mechanism -> 1 - sum |dy|^2 / sum |y - mean y|^2 of the head's output when its weights in C become
        those of the mechanism. Can be far below 0.
    energy : dict, shares of |R|^2. Energy is not effect: see nats and fidelity beside it.
    offset : dict, k -> mean weight w~ of the token k places on, -4 to 4
    se : dict, standard errors by a bootstrap over texts, of 200
    null : dict, name -> (mean, sd) of the same number where queries are rotated at random against keys: 200
        rotations for reciprocity, 8 for what needs all scores. Uniform attention for nats, sink and
        fidelity; positions dealt out at random for position_share.
    name : str; n_texts, n_rows : int

    References
    ----------
    The split and its Shapley values are this library's own. Symmetry of weights: Saponati et al. (2025),
    arXiv 2502.10927. Routing and filtering: Jamil and Kapadia (2026), arXiv 2605.18826. Special tokens as
    sinks: Clark et al. (2019). Norms of values beside weights: Kobayashi et al. (2020).
    """

    nats: float
    sink_nats: float
    keys_nats: float
    metric_nats: float
    repulsion_nats: float
    transport_nats: float
    sink_mass: float
    n_neighbors: float
    coldness: float
    reciprocity: float
    positivity: float
    self_first: float
    argmax_self: float
    bandwidth: float
    dimension: float
    position_share: float
    mechanism: str
    fidelity: dict
    energy: dict
    offset: dict
    se: dict
    null: dict
    name: str = ""
    n_texts: int = 0
    n_rows: int = 0
    _geometry: Optional[object] = field(default=None, repr=False, compare=False)

    @property
    def content_nats(self):
        """The sum of the four parts: how far weights in C are from uniform."""
        return self.keys_nats + self.metric_nats + self.repulsion_nats + self.transport_nats

    @property
    def reciprocity_null(self):
        """(mean, sd) of reciprocity over 200 rotations."""
        return self.null["reciprocity"]

    def metric(self):
        """The head's metric, a value that goes into any estimator; of points that are states of its layer.

        With the covariance Cov of the states and A = Wq' Wk / sqrt(d):
        M = Cov^-1/2 (Cov^1/2 sym(A) Cov^1/2)_+ Cov^-1/2, and exp(-(x-z)' M (x-z) / 2) is the kernel,
        Gaussian(1.0). Its factor has at most d rows.

        Returns
        -------
        metrics.Mahalanobis

        Raises
        ------
        ValueError : the head was read from scores, without states and weights of its maps
        """
        if self._geometry is None:
            raise ValueError(
                "metric() needs the states and the maps Wq, Wk that the scores are made of: "
                "heads.read_transformer has them, or give read_head states=, queries= and keys=."
            )
        return metrics.Mahalanobis(self._geometry.factor())

    def equation(self):
        """The head as an equation with its numbers, nulls in brackets; text."""
        null, told = self.null, {f"{part}_nats": f"{getattr(self, part + '_nats'):.2f}" for part in PARTS}
        cells = {name: f"{value} nats [{null[name][0]:.2f}]" for name, value in told.items()}
        of_null = f"{null['reciprocity'][0]:.2f} +- {null['reciprocity'][1]:.2f}"
        return "\n".join(
            [
                f"head {self.name or '-'}: {self.mechanism}, {self.nats:.2f} nats from uniform [0]",
                "y_i = l_i * sum_j exp(-D_P(i,j)/2) * r_j * exp(D_N(i,j)/2 + T_ij) * v_j",
                f"  metric     D_P, {cells['metric_nats']}; reciprocity {self.reciprocity:.2f} [{of_null}]",
                f"  kernel     {kernels.Gaussian(1.0)!r} of D_P; {self.bandwidth:.2f} of the rms distance",
                f"  support    all pairs, {self.n_neighbors:.1f} effective [{null['n_neighbors'][0]:.1f}]",
                f"  keys       r_j, {cells['keys_nats']}",
                f"  sink       {self.sink_mass:.2f} of the mass [{null['sink_mass'][0]:.2f}], "
                f"{self.sink_nats:.2f} nats [0]: a null mass in l_i",
                f"  no metric  D_N {cells['repulsion_nats']}, T {cells['transport_nats']}; "
                f"position {self.position_share:.2f} [{null['position_share'][0]:.2f}]",
            ]
        )

    __str__ = equation

    def to_dict(self):
        """All numbers as plain values, for JSON; what is not finite is None."""
        found = {name: value for name, value in vars(self).items() if not name.startswith("_")}
        return _plain({**found, "content_nats": self.content_nats})


def _plain(value):
    if isinstance(value, dict):
        return {str(name): _plain(one) for name, one in value.items()}
    if isinstance(value, (tuple, list)):
        return [_plain(one) for one in value]
    if isinstance(value, float):
        return value if np.isfinite(value) else None
    return value


def label(numbers):
    """The name of what a head mostly is, of its numbers."""
    if numbers["content_nats"] < DIFFUSE:
        return "diffuse"
    if numbers["position_share"] > BY_POSITION:  # False of NaN
        return "position"
    return max(PARTS, key=lambda part: numbers[f"{part}_nats"])


def xray(found, h, tokens, name="", geometry=None):
    """The HeadXray of head h of what `read_layer` found."""
    numbers = {key: float(of_heads[h]) for key, of_heads in found.numbers.items()}
    return HeadXray(
        **{key: numbers[key] for key in FIELDS},
        mechanism=label(numbers),
        fidelity={key: numbers[f"fidelity_{key}"] for key in MECHANISMS if f"fidelity_{key}" in numbers},
        energy={part: numbers[f"{part}_energy"] for part in PARTS},
        offset={k: numbers[f"offset{k}"] for k in _n.OFFSETS},
        se={key: float(of_heads[h]) for key, of_heads in found.errors.items()},
        null={key: (float(mean[h]), float(sd[h])) for key, (mean, sd) in found.null.items()},
        name=name,
        n_texts=tokens.n_texts,
        n_rows=len(tokens.content),
        _geometry=geometry,
    )


# --- scores of any model ------------------------------------------------------------------------------------


def read_head(scores, values, output=None, special=None, states=None, *, queries=None, keys=None, name=""):
    """Read one head of any model from its scores and values on some texts.

    Parameters
    ----------
    scores : list of (n_t, n_t), one for each text, in nats: q.k / sqrt(d) of all pairs. What softmax does
        not see changes nothing, so log attention weights will do.
    values : list of (n_t, d), v_j
    output : (width, d) or None, the head's columns of the output's map Wo; None: values as they are
    special : list of boolean (n_t,) or None, True = a special token such as [CLS]; None: there are none
    states : list of (n_t, width) or None, what queries and keys are linear maps of; for .metric()
    queries, keys : lists of (n_t, d) or None, with scores q.k / sqrt(d). With them rotations are common to
        all texts and position_share is from means by position.
    name : str, for equation() and tables

    Returns
    -------
    HeadXray

    Raises
    ------
    ValueError : scores that are not square, not finite or masked (-inf: see :func:`split_scores`); lists of
        unlike lengths; fewer than three tokens of a text that are not special; weights without data

    Notes
    -----
    O(n_t^3) a text, some two hundred times for the nulls.

    Examples
    --------
    >>> import numpy as np
    >>> from likewise import heads
    >>> points = [np.random.default_rng(t).normal(size=(12, 2)) for t in range(5)]
    >>> scores = [-((x[:, None] - x) ** 2).sum(-1) / 2 for x in points]
    >>> read = heads.read_head(scores, points)
    >>> print(read.mechanism, round(read.metric_nats / read.nats, 12))
    metric 1.0
    """
    scores = _scores(scores)
    lengths = [len(S) for S in scores]
    values = _of_texts(values, "values", lengths)
    tokens = Tokens(_masks(special, lengths))
    stacked = np.concatenate(values)[:, None]
    factor = None if output is None else _checks.finite(output, "output", np.float64)
    if factor is not None:
        if factor.ndim != 2 or factor.shape[1] != stacked.shape[-1]:
            raise ValueError(
                f"output must be of shape (width, {stacked.shape[-1]}), values' last; got {factor.shape}."
            )
        stacked = stacked @ folded(factor).T
    given = [
        None if side is None else _of_texts(side, which, lengths) for which, side in _sides(queries, keys)
    ]
    q, k = (None if side is None else np.concatenate(side)[:, None] for side in given)
    if q is not None:
        _check_products(scores, *given)

    def of_group(group):
        return np.stack([scores[t] for t in group.texts])[:, None]

    found = _reading.read_layer(_reading.Layer(tokens, of_group, stacked, q, k))
    return xray(found, 0, tokens, name, _geometry_of(states, lengths, tokens, q, k))


def folded(output):
    """R (d, d) with |R v| = |Wo v|, from Wo (width, d): outputs as long as they are, in few dimensions."""
    return np.linalg.qr(np.asarray(output, np.float64), mode="r")


def _scores(scores):
    if hasattr(scores, "ndim") and scores.ndim == 2:
        scores = [scores]
    if not isinstance(scores, (list, tuple)) and getattr(scores, "ndim", 0) != 3:
        raise ValueError(f"scores must be a list of (n, n), one for each text; got {_checks.told(scores)}.")
    if not len(scores):
        raise ValueError(
            "scores must be of one text or more; got none. What a head does cannot be told from its weights "
            "alone: over the heads of a model their symmetry misleads."
        )
    return [checked(S, f"scores[{t}]") for t, S in enumerate(scores)]


def _of_texts(given, name, lengths):
    given = [given] if getattr(given, "ndim", 0) == 2 else given
    if len(given) != len(lengths):
        raise ValueError(f"{name} must be a list, one for each of {len(lengths)} texts; got {len(given)}.")
    found = [_checks.finite(each, f"{name}[{t}]", np.float64) for t, each in enumerate(given)]
    for t, (each, n) in enumerate(zip(found, lengths)):
        if each.ndim != 2 or len(each) != n or each.shape[1] != found[0].shape[1]:
            raise ValueError(
                f"{name}[{t}] must be of shape ({n}, {found[0].shape[-1]}), as scores[{t}] has rows; got "
                f"{each.shape}."
            )
    return found


def _masks(special, lengths):
    if special is None:
        return [np.zeros(n, bool) for n in lengths]
    if getattr(special, "ndim", 0) == 1:
        special = [special]
    if len(special) != len(lengths):
        raise ValueError(f"special must be a list, one for each of {len(lengths)} texts; got {len(special)}.")
    return [_checks.booleans(mask, n, f"special[{t}]") for t, (mask, n) in enumerate(zip(special, lengths))]


def _sides(queries, keys):
    if (queries is None) != (keys is None):
        missing = "queries" if queries is None else "keys"
        raise ValueError(f"queries and keys must be given together; {missing} are missing.")
    return ("queries", queries), ("keys", keys)


def _check_products(scores, queries, keys):
    """Scores must be those of the queries and keys, but for constants of rows."""
    for t, (S, q, k) in enumerate(zip(scores, queries, keys)):
        if q.shape != k.shape:
            raise ValueError(f"keys[{t}] must be of queries' shape {q.shape}; got {k.shape}.")
        gap = S - q @ k.T / np.sqrt(q.shape[1])
        gap = np.abs(gap - gap.mean(1, keepdims=True)).max()
        if gap > 1e-4 * max(1.0, np.abs(S).max()):
            raise ValueError(
                f"queries and keys must give the scores, q.k / sqrt(d) but for constants of rows; those of "
                f"text {t} differ by {gap:.2g}."
            )


def _geometry_of(states, lengths, tokens, q, k):
    """The Geometry of states whose linear maps queries and keys are, or None."""
    if states is None:
        return None
    if q is None:
        raise ValueError("states must be given with queries and keys, which are maps of them.")
    from likewise.heads._metric import Geometry, maps_of

    x = np.concatenate(_of_texts(states, "states", lengths))
    return Geometry.of(x[tokens.content], maps_of(x, q[:, 0], "queries"), maps_of(x, k[:, 0], "keys"))
