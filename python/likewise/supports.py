"""Supports: who may speak to whom? They compose: ``Neighbors(15) & Mask(M)``."""

from likewise import _core
from likewise._checks import csr, require_dense_booleans
from likewise._core import (
    AllPairs,
    Blocks,
    Causal,
    Graph,
    LeaveOneOut,
    Neighbors,
    OtherGroups,
    Radius,
    Support,
    Window,
)
from likewise._core import support_from_name as from_name
from likewise._core import support_names as names

__all__ = [
    "AllPairs",
    "Blocks",
    "Causal",
    "Graph",
    "LeaveOneOut",
    "Mask",
    "Neighbors",
    "OtherGroups",
    "Radius",
    "Support",
    "Window",
    "from_name",
    "names",
]


def Mask(admitted):
    """Whom each query may attend to: a boolean (n_queries, n_keys) matrix, True = may attend.

    A SciPy sparse boolean matrix becomes the graph of its True entries, weighted by the kernel.
    """
    if not hasattr(admitted, "tocsr"):
        require_dense_booleans(admitted, "admitted")
        return _core.Mask(admitted)
    if admitted.dtype != bool:
        raise TypeError(f"admitted must be a boolean matrix, True = may attend; got {admitted.dtype}.")
    edges = csr(admitted, "admitted").copy()
    edges.eliminate_zeros()  # a stored False admits nothing
    return Graph(edges)
