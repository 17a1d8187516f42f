"""The rotation null: scores of the same queries and keys whose directions meet at random."""

import numpy as np
from scipy.stats import special_ortho_group

from likewise.heads._split import pieces

N_ROTATIONS = 200  # of reciprocity, which needs traces alone
N_REREAD = 8  # of those, with which all of a head is read again


def rotations(count, width, rng):
    """Orthogonal matrices (count, width, width), Haar; of either sign of the determinant."""
    if width == 1:
        return rng.choice([-1.0, 1.0], size=(count, 1, 1))
    found = special_ortho_group.rvs(width, size=count, random_state=rng).reshape(count, width, width)
    found[:, 0] *= rng.choice([-1.0, 1.0], size=(count, 1))
    return found


def balanced(queries, keys):
    """The factors (N, d) of the same products whose Gram matrices Q'Q = K'K are diagonal.

    A head knows its queries and keys only up to q M^-1 with k M'. In this one gauge the null is a property
    of the scores. Signs are those that make sums of cubes positive, so that the order of tokens is nothing.
    """
    left, R_q = np.linalg.qr(queries)
    right, R_k = np.linalg.qr(keys)
    X, s, Yt = np.linalg.svd(R_q @ R_k.T)
    missing = [(0, 0), (0, queries.shape[1] - len(s))]  # dimensions, of fewer tokens than d
    queries = np.pad(left @ (X * np.sqrt(s)), missing)
    keys = np.pad(right @ (Yt.T * np.sqrt(s)), missing)
    signs = np.where((queries**3).sum(0) < 0, -1.0, 1.0)
    return queries * signs, keys * signs


def rotated_traces(O, A, X, B, weights):
    """sum_t weights_t tr(O A_t X B_t) for each rotation: O and X (b, d, d), A and B (T, d, d) -> (b,).

    Over texts the products are summed once, not for each rotation: O((T + b) d^4) time, d^3 memory.
    """
    b, d, _ = O.shape
    of_A, of_X = A.reshape(len(A), -1), X.reshape(b, -1)
    found = np.zeros(b)
    for i in range(d):
        summed = of_A.T @ (B[:, :, i] * weights[:, None])  # ((j x), y)
        found += ((of_X @ summed.reshape(d, -1).T) * O[:, i]).sum(1)
    return found


def reciprocities(queries, keys, ends, O):
    """(|sym|^2 - |anti|^2) / sum of the rotated scores (b,), pooled over texts as energies are.

    With E = Q O K' of each text: tr(E E) / tr(E E') from Gram matrices alone. Its mean over rotations is
    close to |K'Q|^2 / (|Q|^2 |K|^2), pooled likewise, which is not 0 where the data have few dimensions.

    Parameters
    ----------
    queries, keys : (N, d), centered in each text, texts one after the other
    ends : where each text but the last ends
    O : (b, d, d)
    """
    of_texts = list(zip(np.split(queries, ends), np.split(keys, ends)))
    weights = np.array([1 / len(q) for q, _ in of_texts])
    cross = np.stack([k.T @ q for q, k in of_texts])
    of_keys, of_queries = np.stack([k.T @ k for _, k in of_texts]), np.stack([q.T @ q for q, _ in of_texts])
    flipped = O.transpose(0, 2, 1)
    difference = rotated_traces(O, cross, O, cross, weights)
    energy = rotated_traces(O, of_keys, np.ascontiguousarray(flipped), of_queries, weights)
    with np.errstate(invalid="ignore", divide="ignore"):
        return difference / energy


class OfHeads:
    """The factors of the scores E of heads, from their queries and keys, in the balanced gauge.

    Parameters
    ----------
    queries, keys : (N, H, d) of all tokens, with scores q.k / sqrt(d)
    tokens : Tokens
    """

    def __init__(self, queries, keys, tokens, rng):
        content, scale = tokens.content, queries.shape[2] ** -0.25
        text = tokens.text[content]
        self.ends = np.flatnonzero(np.diff(text)) + 1
        self.place = np.cumsum(~tokens.special) - 1  # of a token among those of C
        factors = [
            balanced(*(scale * _centered(points[content, h], text) for points in (queries, keys)))
            for h in range(queries.shape[1])
        ]
        self.queries, self.keys = (np.stack(side, axis=1) for side in zip(*factors))
        self.rotations = rotations(N_ROTATIONS, queries.shape[2], rng)

    def rotated(self, group, S, draw):
        """E of a group (g, H, m, m) under one of the rotations; S, its scores in C, are known already."""
        rows = self.place[group.content_rows]
        left, right = (side[rows].swapaxes(1, 2) for side in (self.queries, self.keys))
        return left @ self.rotations[draw] @ right.swapaxes(-1, -2)

    def reciprocities(self):
        """(N_ROTATIONS, H)."""
        heads = range(self.queries.shape[1])
        found = [reciprocities(self.queries[:, h], self.keys[:, h], self.ends, self.rotations) for h in heads]
        return np.stack(found, axis=1)


class OfScores:
    """The same of scores alone: each text has factors of its own, the roots of E's singular values.

    scores : function of a group that gives its scores in C (g, H, m, m)
    """

    def __init__(self, scores, tokens, rng):
        self.scores, self.tokens = scores, tokens
        widths = {len(group.content) for group in tokens.groups}
        self.rotations = {m: rotations(N_ROTATIONS, m - 1, rng) for m in sorted(widths)}

    def rotated(self, group, S, draw):
        """E of a group (g, H, m, m) with scores S in C, under one of the rotations."""
        left, right = self._factors(S)
        return left @ self.rotations[S.shape[-1]][draw] @ right

    def _factors(self, S):
        left, s, right = np.linalg.svd(pieces(S).centered)
        root = np.sqrt(s[..., :-1])  # rows and columns sum to 0: the last singular value is 0
        return left[..., :-1] * root[..., None, :], root[..., :, None] * right[..., :-1, :]

    def reciprocities(self):
        """(N_ROTATIONS, H)."""
        difference = energy = 0.0
        for group in self.tokens.groups:
            left, right = self._factors(self.scores(group))
            m = right.shape[-1]
            E = left @ self.rotations[m][:, None, None] @ right  # rotations, g, H, m, m
            difference = difference + (E * E.swapaxes(-1, -2)).sum((-2, -1)).sum(1) / m
            energy = energy + (E**2).sum((-2, -1)).sum(1) / m
        with np.errstate(invalid="ignore", divide="ignore"):
            return difference / energy


def _centered(points, text):
    """Points (N, d) minus the mean of their text."""
    counts = np.bincount(text)
    present = counts > 0
    sums = np.zeros((len(counts), points.shape[1]))
    np.add.at(sums, text, points)
    return points - (sums[present] / counts[present, None])[np.cumsum(present)[text] - 1]
