"""Data sets that are graphs: (X, A, y), a row of X and of y for each node, A who is whose neighbor."""

import numpy as np
from scipy import sparse
from scipy.spatial import cKDTree

from likewise._checks import integer, number, random_of

_FRIENDS = """
0: 1 2 3 4 5 6 7 8 10 11 12 13 17 19 21 31; 1: 2 3 7 13 17 19 21 30; 2: 3 7 8 9 13 27 28 32; 3: 7 12 13;
4: 6 10; 5: 6 10 16; 6: 16; 8: 30 32 33; 9: 33; 13: 33; 14: 32 33; 15: 32 33; 18: 32 33; 19: 33; 20: 32 33;
22: 32 33; 23: 25 27 29 32 33; 24: 25 27 31; 25: 31; 26: 29 33; 27: 33; 28: 31 33; 29: 32 33; 30: 32 33;
31: 32 33; 32: 33
"""
_WITH_THE_OFFICER = (9, 14, 15, 18, 20, *range(22, 34))


def _symmetric(rows, columns, n):
    """A CSR matrix of 1 where two nodes are neighbors, whichever of them was named first."""
    A = sparse.coo_matrix((np.ones(len(rows)), (rows, columns)), shape=(n, n)).tocsr()
    A = A.maximum(A.T).tocsr()
    A.data[:] = 1
    return A


def karate_club():
    """Zachary's karate club (1977): 34 members, 78 friendships, and whom each stayed with when it split.

    Returns
    -------
    X : the identity (34, 34): who a member is, and nothing else
    A : sparse (34, 34), symmetric, of 0 and 1
    y : (34,), 0 with the instructor (member 0), 1 with the officer (member 33)
    """
    pairs = [
        (int(member), int(friend))
        for line in _FRIENDS.replace("\n", " ").split(";")
        for member, friends in [line.split(":")]
        for friend in friends.split()
    ]
    y = np.zeros(34, int)
    y[list(_WITH_THE_OFFICER)] = 1
    return np.eye(34), _symmetric(*zip(*pairs), 34), y


def block_model(
    n_samples=300, *, n_blocks=3, p_in=0.08, p_out=0.01, n_features=8, signal=0.5, random_state=0
):
    """A stochastic block model (Holland, Laskey and Leinhardt 1983) whose nodes have features of their own.

    Two nodes are neighbors with probability p_in within a block, p_out across. A node's features are its
    block's center, normal numbers times `signal`, plus normal noise.

    Returns
    -------
    X (n_samples, n_features), A sparse (n_samples, n_samples), symmetric without loops, y (n_samples,)
    """
    rng, n_samples = random_of(random_state), integer(n_samples, "n_samples")
    n_blocks, n_features = integer(n_blocks, "n_blocks"), integer(n_features, "n_features")
    p_in, p_out, signal = number(p_in, "p_in"), number(p_out, "p_out"), number(signal, "signal")
    y = np.arange(n_samples) % n_blocks
    neighbors = rng.uniform(size=(n_samples, n_samples)) < np.where(y[:, None] == y, p_in, p_out)
    rows, columns = np.nonzero(np.triu(neighbors, 1))
    centers = signal * rng.standard_normal((n_blocks, n_features))
    return centers[y] + rng.standard_normal((n_samples, n_features)), _symmetric(rows, columns, n_samples), y


# --- bodies ------------------------------------------------------------------------------------------------

# A part: its name, the part that it hangs on, where on that one (0 its beginning, 1 its end), its length and
# radius, its direction at rest, and by how much (radians) it may turn about each axis.
_PARTS = (
    ("torso", None, 0.0, 1.0, 0.26, (0, 0, 1), 0.15),
    ("head", "torso", 1.0, 0.30, 0.17, (0, 0, 1), 0.4),
    ("left upper arm", "torso", 0.95, 0.55, 0.10, (1, 0, -0.3), 1.2),
    ("left lower arm", "left upper arm", 1.0, 0.50, 0.08, (1, 0, -0.6), 1.0),
    ("right upper arm", "torso", 0.95, 0.55, 0.10, (-1, 0, -0.3), 1.2),
    ("right lower arm", "right upper arm", 1.0, 0.50, 0.08, (-1, 0, -0.6), 1.0),
    ("left upper leg", "torso", 0.0, 0.75, 0.13, (0.3, 0, -1), 0.6),
    ("left lower leg", "left upper leg", 1.0, 0.70, 0.10, (0.05, 0, -1), 0.6),
    ("right upper leg", "torso", 0.0, 0.75, 0.13, (-0.3, 0, -1), 0.6),
    ("right lower leg", "right upper leg", 1.0, 0.70, 0.10, (-0.05, 0, -1), 0.6),
)
BODY_PARTS = tuple(part[0] for part in _PARTS)


def bodies(n_bodies=10, *, sides=5, random_state=0):
    """Jointed bodies of ten capsules in random poses, as meshes; a node is a face, its class its part.

    Faces that share an edge are neighbors; where a part hangs on another, the faces of its end are neighbors
    of the faces of that one which are nearest. Bodies differ in pose, in the proportions of their parts
    (10 %) and in how they are turned about the vertical, and share no edge.

    Parameters
    ----------
    sides : int, of a capsule; it has 8 * sides faces, a body 80 * sides

    Returns
    -------
    X : (n, 7), of each face its center from the body's own, its normal and its area
    A : sparse (n, n), symmetric, of 0 and 1
    y : (n,), places in likewise.datasets.BODY_PARTS
    body : (n,), whose face it is
    """
    rng = random_of(random_state)
    n_bodies, sides = integer(n_bodies, "n_bodies"), integer(sides, "sides")
    made = [_body(rng, sides) for _ in range(n_bodies)]
    X, graphs, y = zip(*made)
    owner = np.repeat(np.arange(n_bodies), [len(part) for part in y])
    return np.concatenate(X), sparse.block_diag(graphs, format="csr"), np.concatenate(y), owner


def _body(rng, sides):
    """(features, neighbors, part) of one body's faces."""
    faces = _capsule_faces(sides)
    ends, corners, pairs = {}, [], []
    turned = _turn(np.array([0, 0, rng.uniform(-np.pi, np.pi)]))
    for name, parent, where, length, radius, rest, freedom in _PARTS:
        length, radius = (size * rng.uniform(0.9, 1.1) for size in (length, radius))
        direction = _turn(freedom * rng.uniform(-1, 1, 3)) @ (np.array(rest) / np.linalg.norm(rest))
        begin = (
            np.zeros(3) if parent is None else ends[parent][0] + where * (ends[parent][1] - ends[parent][0])
        )
        points = _capsule_points(sides, length, radius) @ _axes_of(direction).T + begin
        here = points[faces]
        if parent is not None:  # the faces of the end that hangs there, and those that are nearest to them
            first = len(corners) * len(faces)
            there = list(ends).index(parent)
            tree = cKDTree(corners[there].mean(axis=1))
            nearest = tree.query(here[:sides].mean(axis=1))[1]
            pairs += [(first + a, there * len(faces) + int(b)) for a, b in enumerate(nearest)]
        ends[name] = begin, begin + length * direction
        corners.append(here)
    within = _sharing_an_edge(faces)
    pairs += [(a + k * len(faces), b + k * len(faces)) for k in range(len(_PARTS)) for a, b in within]
    corners = np.concatenate(corners) @ turned.T
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    area = np.linalg.norm(normal, axis=1, keepdims=True)
    center = corners.mean(axis=1)
    X = np.c_[center - center.mean(axis=0), normal / area, area / 2]
    return X, _symmetric(*zip(*pairs), len(X)), np.repeat(np.arange(len(_PARTS)), len(faces))


def _turn(angles):
    """The rotation about the vector of angles by its length (Rodrigues)."""
    angle = np.linalg.norm(angles)
    x, y, z = angles / angle if angle else angles
    K = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + np.sin(angle) * K + (1 - np.cos(angle)) * K @ K


def _axes_of(direction):
    """Columns: two axes across, and the direction."""
    across = np.eye(3)[np.abs(direction).argmin()]
    first = np.cross(direction, across)
    first /= np.linalg.norm(first)
    return np.stack([first, np.cross(direction, first), direction], axis=1)


def _capsule_points(sides, length, radius):
    """A pole, four rings of points, and a pole, along the third axis from 0 to length."""
    lean = np.sqrt(0.5) * radius
    angle = 2 * np.pi * np.arange(sides) / sides
    circle = np.c_[np.cos(angle), np.sin(angle), np.zeros(sides)]
    rings = ((lean, -lean), (radius, 0.0), (radius, length), (lean, length + lean))
    up = np.array([0.0, 0.0, 1.0])
    parts = [r * circle + height * up for r, height in rings]
    return np.concatenate([[-radius * up], *parts, [(length + radius) * up]])


def _capsule_faces(sides):
    """Triangles (8 sides, 3) of points, outward; those around the first pole come first."""
    around = np.arange(sides)
    after = (around + 1) % sides
    faces = [np.c_[np.zeros(sides, int), 1 + after, 1 + around]]
    for ring in range(3):
        low, high = 1 + ring * sides, 1 + (ring + 1) * sides
        faces += [
            np.c_[low + around, low + after, high + around],
            np.c_[low + after, high + after, high + around],
        ]
    last = 1 + 3 * sides
    faces.append(np.c_[last + around, last + after, np.full(sides, last + sides)])
    return np.concatenate(faces)


def _sharing_an_edge(faces):
    """Pairs of faces."""
    owners = {}
    for face, corners in enumerate(faces):
        for a, b in zip(corners, np.roll(corners, 1)):
            owners.setdefault(frozenset((int(a), int(b))), []).append(face)
    return [tuple(pair) for pair in owners.values()]
