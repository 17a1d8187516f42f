"""The methods that Ruan and Zhang (2024) survey, by name: which slots each fills, or why it has none."""

from likewise import kernels, metrics, normalizations, propagations, supports
from likewise._mechanism import Mechanism


def _laplacian_eigenmaps():
    mechanism = Mechanism(
        kernel="gaussian", support="neighbors", normalization="row", propagation=propagations.Spectrum(3, 0)
    )
    return mechanism, "none", "the eigenvectors after the constant one (Belkin and Niyogi 2003)"


def _sne():
    mechanism = Mechanism(kernel=kernels.Gaussian("perplexity"), support="leave_one_out")
    note = "P_j|i of the data; the map is then found by gradients, which has no place in a mechanism"
    return mechanism, "none", note


def _tsne():
    mechanism = Mechanism(kernel=kernels.StudentT(1.0), support="leave_one_out", normalization="global")
    note = (
        'q_ij of the map; of the data it is p_ij = (P_j|i + P_i|j) / (2 n) with the P of explain("sne"). The '
        "loss between both, and the descent along it, have no place in a mechanism"
    )
    return mechanism, "none", note


def _umap():
    mechanism = Mechanism(
        kernel=kernels.Laplacian("umap"),
        support=supports.Neighbors(14, symmetrize="fuzzy_union"),
        normalization="none",
    )
    note = (
        "the fuzzy graph of 15 neighbors, a point itself among them; the map is then found by sampled "
        "gradients, which has no place in a mechanism"
    )
    return mechanism, "none", note


def _svm():
    mechanism = Mechanism(kernel="gaussian", normalization=normalizations.Unnormalized())
    note = "r_j v_j = alpha_j y_j of the support vectors; alpha comes from a quadratic program of its own"
    return mechanism, "alpha_j y_j", note


def _lle():
    mechanism = Mechanism(kernel="indicator", support=supports.Neighbors(10, symmetrize="none"))
    note = (
        "the constraint alone: rows sum to 1. Its weights are signed and come from a least-squares problem "
        "of each point, as those of local linear regression (KernelRegressor with degree=1) do"
    )
    return mechanism, "none", note


def _gcn():
    mechanism = Mechanism(kernel="indicator", normalization="symmetric")
    note = (
        'on Graph(A + I, weights="given"), one step a layer, W x learned: '
        'PropagationClassifier("gcn", values=True)'
    )
    return mechanism, "W x, learned", note


def _graph_attention(metric):
    mechanism = Mechanism(metric=metric, kernel=kernels.Exponential(1.0))
    name = "additive" if isinstance(metric, metrics.Additive) else "additive_dynamic"
    note = f'on a Graph(A + I), one step a layer, all learned: PropagationClassifier("{name}", values=True)'
    return mechanism, "W x, learned", note


def _diffusion_net():
    mechanism = Mechanism(
        kernel=kernels.Gaussian("self_tuning"), support="neighbors", propagation=propagations.Heat(1.0)
    )
    return mechanism, "features of the points", "t is learned for each feature (Sharp et al. 2022)"


def _no_propagation(what):
    note = f"none: {what} is factorized, which is no propagation of values; no row of it is a mean"
    return None, "", note


# name -> () -> (mechanism or None, values, note)
SURVEY = {
    "mds": lambda: _no_propagation("the matrix of centred squared distances"),
    "isomap": lambda: _no_propagation("the matrix of centred squared shortest paths along a graph"),
    "lle": _lle,
    "laplacian_eigenmaps": _laplacian_eigenmaps,
    "sne": _sne,
    "tsne": _tsne,
    "umap": _umap,
    "svm": _svm,
    "gcn": _gcn,
    "graph_attention": lambda: _graph_attention(metrics.Additive()),
    "dynamic_graph_attention": lambda: _graph_attention(metrics.AdditiveDynamic()),
    "diffusion_net": _diffusion_net,
}
