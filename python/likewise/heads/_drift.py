"""Whether a trained layer moves tokens along the gradient of their density, as theory has it."""

from dataclasses import dataclass

import numpy as np

from likewise import Mechanism, kernels
from likewise.heads._bert import group_scores
from likewise.heads._nats import softmax


@dataclass(frozen=True)
class Drift:
    """Correlations with grad log p of the tokens of each text, by a Gaussian of median bandwidth.

    A step of weights carries x_i to sum_j w_ij x_j. Any weights pull to the mean, and so does grad log p: the
    correlation is trivially positive, of uniform attention too. Corrected is what is left once the mean over
    rows and the pull to the mean are removed from both fields of each text.

    Attributes
    ----------
    layer : int
    uniform : float, of uniform attention, which knows nothing: the null of `weights`
    weights : float, of the mean of the layer's heads as weights: sum_j w_ij x_j - x_i
    weights_corrected : float
    written : float, of what the layer writes, sum over heads of Wo sum_j w_ij v_j
    written_corrected : float, the drift-diffusion law of a trained layer; about 0 says that it has none
    """

    layer: int
    uniform: float
    weights: float
    weights_corrected: float
    written: float
    written_corrected: float


def drift_of_layer(encoder, batch, x, layer):
    """The Drift of states (N, width) at the input of a layer."""
    q, k, v = encoder.queries_keys_values(layer, x)
    written = encoder.sublayer(layer, encoder.attend(batch, q, k, v))
    uniform, density, moved, sent, corrected = [], [], [], [], []
    for group in batch.groups:
        C = group.content
        weights = softmax(group_scores(q, k, group)[..., C[:, None], C]).mean(1)
        for rows, P in zip(group.content_rows, weights):
            points = x[rows] - x[rows].mean(0)
            toward = _toward_density(points)
            of_weights, of_layer = P @ points - points, written[rows]
            uniform.append(-points)
            density.append(toward)
            moved.append(of_weights)
            sent.append(of_layer)
            corrected.append([_corrected(field, points) for field in (toward, of_weights, of_layer)])
    of_density, of_moves, of_sent = (np.concatenate(side) for side in zip(*corrected))
    uniform, density, moved, sent = map(np.concatenate, (uniform, density, moved, sent))
    return Drift(
        layer=layer,
        uniform=_correlation(uniform, density),
        weights=_correlation(moved, density),
        weights_corrected=_correlation(of_moves, of_density),
        written=_correlation(sent, density),
        written_corrected=_correlation(of_sent, of_density),
    )


def _toward_density(points):
    """h^2 grad log p (m, width): where mean shift goes from each point."""
    mechanism = Mechanism(metric="sqeuclidean", kernel=kernels.Gaussian("median"))
    return mechanism.operator(points) @ points - points


def _corrected(field, points):
    """A field without its mean over rows and without its share of the pull to the mean."""
    field = field - field.mean(0)
    return field - points * (field * points).sum() / (points**2).sum()


def _correlation(a, b):
    a, b = a.ravel() - a.mean(), b.ravel() - b.mean()
    return float(a @ b / np.sqrt((a @ a) * (b @ b)))
