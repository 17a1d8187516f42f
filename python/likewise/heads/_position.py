"""How much of a head's scores is told by the positions of the tokens: a one-way analysis of variance."""

import numpy as np

LEAST_TEXTS = 30  # below, means by position are the texts' own


class Moments:
    """Sums of queries or keys by text and position, of which any weighting of the texts makes covariances.

    Parameters
    ----------
    points : (N, H, d), of the tokens that are not special
    text, position : (N,) of int
    """

    def __init__(self, points, text, position):
        n_texts, n_positions = text.max() + 1, position.max() + 1
        self.heads, self.width = points.shape[1:]
        self.counts = np.zeros((n_texts, n_positions))
        self.counts[text, position] = 1
        self.points = np.zeros((n_texts, n_positions, self.heads, self.width))
        self.points[text, position] = points  # a text has a position once
        stacked = self.points.transpose(0, 2, 3, 1)  # texts, heads, d, positions
        self.squares = stacked @ stacked.swapaxes(-1, -2)

    def components(self, weights):
        """B and W (b, H, d, d), between and within positions, under weights (b, n_texts) of the texts.

        W = within sum of squares / (N - G), B = sum n_g (m_g - mu)(m_g - mu)' / N - W (G - 1) / N.
        """
        counts = weights @ self.counts  # (b, positions)
        sums = np.tensordot(weights, self.points, axes=1).transpose(0, 2, 1, 3)  # b, H, positions, d
        squares = np.tensordot(weights, self.squares, axes=1)
        N, G = counts.sum(1), (counts > 0).sum(1)
        means = sums / np.maximum(counts, 1)[:, None, :, None]
        by_position = sums.swapaxes(-1, -2) @ means
        total = sums.sum(2)
        of_mean = total[..., :, None] * total[..., None, :] / N[:, None, None, None]
        freedom = np.where(N > G, N - G, np.nan)[:, None, None, None]
        within = (squares - by_position) / freedom
        between = by_position - of_mean - within * (G - 1)[:, None, None, None]
        return between / N[:, None, None, None], within


def shares(queries, keys, weights):
    """tr(Bq Bk) / tr((Bq + Wq)(Bk + Wk)) (b, H), clipped to [0, 1], of Moments of queries and of keys.

    Bq is Wq B Wq' of the states' B, so that neither states nor the maps' weights are asked for, and what
    leaves the scores alone (q M^-1 with k M') leaves the share.
    """
    of_queries, of_keys = queries.components(weights), keys.components(weights)
    by_position = (of_queries[0] * of_keys[0]).sum((-2, -1))
    by_all = (sum(of_queries) * sum(of_keys)).sum((-2, -1))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.clip(by_position / by_all, 0, 1)


def permuted(text, position, rng):
    """Positions dealt out anew among the tokens of each text."""
    found = np.empty_like(position)
    for one in range(text.max() + 1):
        rows = np.flatnonzero(text == one)
        found[rows] = rng.permutation(position[rows])
    return found


def means_by_position(points, position):
    """The mean (positions, H, d) of points (N, H, d) at each position, 0 where there is none."""
    counts = np.bincount(position)
    sums = np.zeros((len(counts), *points.shape[1:]))
    np.add.at(sums, position, points)
    return sums / np.maximum(counts, 1)[:, None, None]


def offset_sums(E):
    """Sums and counts (g, H, 2m - 1) of E (g, H, m, m) by offset i - j, and |E|^2 (g, H)."""
    m = E.shape[-1]
    sums = np.stack([np.trace(E, k, -2, -1) for k in range(m - 1, -m, -1)], axis=-1)
    return sums, m - np.abs(np.arange(1 - m, m)), (E**2).sum((-2, -1))


def offset_share(of_texts):
    """The share of |E|^2 (H,) that a profile over offsets i - j tells, cross-validated and clipped to [0, 1].

    For scores without queries and keys, and for models whose states hold no position (rotary, relative): the
    profile of a text is the mean of all others.

    of_texts : list of (sums (H, 2m - 1), counts (2m - 1,), energy (H,)) of each text
    """
    widest = max(len(counts) for _, counts, _ in of_texts)
    sums = np.stack([_padded(each, widest) for each, _, _ in of_texts])
    counts = np.stack([_padded(each, widest) for _, each, _ in of_texts])[:, None]
    of_others = (sums.sum(0) - sums) / np.maximum(counts.sum(0) - counts, 1)
    told = (2 * of_others * sums - counts * of_others**2).sum((0, 2))
    energy = np.sum([each for _, _, each in of_texts], axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.clip(told / energy, 0, 1)


def _padded(of_offsets, widest):
    """With zeros on both sides."""
    missing = (widest - of_offsets.shape[-1]) // 2
    return np.pad(of_offsets, [(0, 0)] * (of_offsets.ndim - 1) + [(missing, missing)])
