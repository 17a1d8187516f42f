"""Programs in Python and C++ that make what the page shows: the lines that a reader takes along.

A program has the lines of those views only that the slots define, so that it runs as it is.
"""

from likewise._mechanism import SLOTS
from likewise.play.calls import call_of
from likewise.play.state import DIALS

SIDE = 48  # places of the grid on a side of the plane
N_PAIRS = 6  # eigenpairs that are looked at
TOL = 1e-6  # of eigenpairs, finer than a picture shows


def n_clusters(state):
    """As many as the spectrum on the fifth dial has vectors, else as there are classes; at least 2."""
    how = state.slots["propagation"]
    wanted = how["n"] if how["name"] == "Spectrum" else len(set(state.classes.tolist()))
    return min(max(2, wanted), len(state.points))


def power(state):
    """The power of the spectrum on the fifth dial, else 1."""
    how = state.slots["propagation"]
    return how["power"] if how["name"] == "Spectrum" else 1


def python(state, defined):
    """The program in Python; `defined` are the names of the views that these slots have."""
    lines = ["import likewise as lw", "import numpy as np"]
    lines += ["from sklearn.cluster import KMeans"] if "clusters" in defined else []
    lines += ["", *_python_points(state, defined), "", "m = lw.Mechanism("]
    lines += [f"    {slot}={call_of(slot, state.slots[slot]).python()}," for slot in SLOTS]
    return "\n".join([*lines, ")", *_of_views(_PYTHON, state, defined)]) + "\n"


def cpp(state, defined):
    """The program in C++."""
    lines = ["#include <likewise/likewise.hpp>", "namespace lw = likewise;", "", "int main() {"]
    body = [*_cpp_points(state, defined), *_cpp_tables(state), "", "lw::Mechanism m;"]
    body += [f"m.{slot} = {call_of(slot, state.slots[slot]).cpp()};" for slot in SLOTS]
    body += _of_views(_CPP, state, defined)
    return "\n".join([*lines, *(f"  {line}".rstrip() for line in body), "}"]) + "\n"


def _of_views(lines_of, state, defined):
    """The lines of the views that are defined, a blank one before them."""
    needed = {*defined, *(("pairs",) if defined & {"clusters", "diffusion"} else ())}
    lines = [line for view in lines_of if view in needed for line in lines_of[view](state)]
    return ["", *lines] if lines else []


# --- Python -------------------------------------------------------------------------------------------------


def _python_points(state, defined):
    lines = [f"X = np.array({state.points.tolist()})", f"y = np.array({state.classes.tolist()})"]
    if defined:
        lines += [f"V = np.eye({_n_classes(state)})[y]  # a column a class"]
    if "labels" in defined:
        lines += [f"held = np.isin(np.arange(len(X)), {_held(state)})  # keep their labels"]
    return lines


def _python_matrix(state):
    return ["P = m.operator(X)", "matrix = P.toarray()"]


def _python_regression(state):
    across = 'm.replace(support="all").operator(X)' if _leaves_out(state) else "P"
    return [
        f"line = np.linspace({-DIALS['plane']}, {DIALS['plane']}, {SIDE})",
        "places = np.stack(np.meshgrid(line, line), axis=-1).reshape(-1, 2)",
        f"regression = {across}.at(places) @ V  # one step",
    ]


def _python_boundary(state):
    return ["boundary = regression.argmax(axis=1)  # its sign, of two classes"]


def _python_clusters(state):
    count, symmetric = n_clusters(state), state.slots["normalization"]["name"] == "Symmetric"
    means = f"KMeans({count}, n_init=10, random_state=0)"
    walk = ["u = v / np.exp(np.nan_to_num(P.log_row_sums, neginf=0.0) / 2)[:, None]  # the walk's"]
    vectors = f"{'u' if symmetric else 'v'}[:, :{count}]"
    return [*walk * symmetric, f"clusters = {means}.fit_predict({vectors})  # top eigenvectors"]


def _python_pairs(state):
    return [f"w, v = P.eigsh({min(N_PAIRS, len(state.points))}, tol={TOL})"]


def _python_diffusion(state):
    return [f"diffusion = v[:, 1:3] * w[1:3] ** {power(state)}  # eigenvectors times powers"]


def _python_labels(state):
    how = "clamped=held" if _alpha(state) is None else f"alpha={_alpha(state)}"
    return [f"labels, report = P.equilibrium(V * held[:, None], {how})  # the fixed point"]


def _python_moved(state):
    return ["moved = P @ X  # attention whose values are the points"]


def _python_propagated(state):
    how = state.slots["propagation"]
    values = "X" if _is_without_values(how) else "X, V"
    if how["name"] == "Equilibrium":
        values = "X, V * held[:, None]" + (", clamped=held" if _alpha(state) is None else "")
    return [f"F = m.propagate({values})  # the fifth slot"]


_PYTHON = {
    "matrix": _python_matrix,
    "regression": _python_regression,
    "boundary": _python_boundary,
    "pairs": _python_pairs,
    "clusters": _python_clusters,
    "diffusion": _python_diffusion,
    "labels": _python_labels,
    "moved": _python_moved,
    "propagated": _python_propagated,
}


# --- C++ ----------------------------------------------------------------------------------------------------


def _cpp_points(state, defined):
    n, numbers = len(state.points), ", ".join(map(repr, state.points.ravel().tolist()))
    lines = [
        f"const double xy[] = {{{numbers}}};",
        f"const int y[] = {{{', '.join(map(str, state.classes.tolist()))}}};",
        f"const lw::Matrix<double> X = Eigen::Map<const lw::Matrix<double>>(xy, {n}, 2);",
        f"lw::Matrix<double> V = lw::Matrix<double>::Zero({n}, {_n_classes(state)});  // a column a class",
        f"for (int i = 0; i < {n}; ++i) V(i, y[i]) = 1;",
    ]
    if "labels" not in defined:
        return lines
    return [
        *lines,
        f"std::vector<bool> held({n});  // keep their labels",
        f"for (const int i : {{{', '.join(map(str, _held(state)))}}}) held[i] = true;",
        "lw::Matrix<double> known = V;",
        f"for (int i = 0; i < {n}; ++i) known.row(i) *= held[i];",
    ]


def _cpp_tables(state):
    lines = []
    for name, table in call_of("metric", state.slots["metric"]).tables().items():
        numbers = ", ".join(repr(x) for row in table for x in row)
        lines += [f"lw::Matrix<double> {name}({len(table)}, {len(table[0])});", f"{name} << {numbers};"]
    return lines


def _cpp_matrix(state):
    return ["const auto P = m.self_operator(X);", "const lw::Matrix<double> matrix = P.dense();"]


def _cpp_regression(state):
    low, high = -DIALS["plane"], DIALS["plane"]
    lines = [
        f"const Eigen::VectorXd line = Eigen::VectorXd::LinSpaced({SIDE}, {low}, {high});",
        f"lw::Matrix<double> places({SIDE} * {SIDE}, 2);",
        f"for (int i = 0; i < {SIDE} * {SIDE}; ++i) places.row(i) << line(i % {SIDE}), line(i / {SIDE});",
    ]
    if not _leaves_out(state):
        return [*lines, "const lw::Matrix<double> regression = P.at(places) * V;  // one step"]
    return [
        *lines,
        "lw::Mechanism across = m;",
        "across.support = lw::AllPairs{};",
        "const lw::Matrix<double> regression = across.self_operator(X).at(places) * V;  // one step",
    ]


def _cpp_boundary(state):
    return [
        f"std::vector<int> boundary({SIDE} * {SIDE});  // its sign, of two classes",
        "for (std::size_t i = 0; i < boundary.size(); ++i) regression.row(i).maxCoeff(&boundary[i]);",
    ]


def _cpp_clusters(state):
    vectors = "walk_vectors" if state.slots["normalization"]["name"] == "Symmetric" else "vectors"
    count = n_clusters(state)
    return [
        f"const lw::Matrix<double> first = pairs.{vectors}.leftCols({count});",
        f"const auto clusters = lw::kmeans(first, {{.n_clusters = {count}}}).labels;  // top eigenvectors",
    ]


def _cpp_pairs(state):
    count = min(N_PAIRS, len(state.points))
    return [f"const auto pairs = lw::largest_eigenpairs(P, {count}, {{.tol = {TOL}}});"]


def _cpp_diffusion(state):
    scale = f"pairs.values.segment(1, 2).array().pow({power(state)}).matrix().asDiagonal()"
    return [
        "const lw::Matrix<double> diffusion =  // eigenvectors times powers",
        f"    pairs.vectors.middleCols(1, 2) * {scale};",
    ]


def _cpp_labels(state):
    alpha = _alpha(state)
    call = "clamped_equilibrium(P, known, held)" if alpha is None else f"soft_equilibrium(P, known, {alpha})"
    return [f"const auto labels = lw::{call}.values;  // the fixed point"]


def _cpp_moved(state):
    return ["const lw::Matrix<double> moved = P * X;  // attention whose values are the points"]


def _cpp_propagated(state):
    how = state.slots["propagation"]
    values = "lw::Matrix<double>()" if how["name"] == "Spectrum" else "X" if _is_without_values(how) else "V"
    if how["name"] == "Equilibrium":
        values = "known" + (", held" if _alpha(state) is None else "")
    return [f"const auto F = lw::propagate(m, X, {values}).values;  // the fifth slot"]


_CPP = {
    "matrix": _cpp_matrix,
    "regression": _cpp_regression,
    "boundary": _cpp_boundary,
    "pairs": _cpp_pairs,
    "clusters": _cpp_clusters,
    "diffusion": _cpp_diffusion,
    "labels": _cpp_labels,
    "moved": _cpp_moved,
    "propagated": _cpp_propagated,
}


# --- both ---------------------------------------------------------------------------------------------------


def _n_classes(state):
    return 1 + max(1, state.classes.max(initial=0))


def _held(state):
    return state.held.nonzero()[0].tolist()


def _leaves_out(state):
    """A new place is none of the points: leave-one-out leaves out nothing there."""
    return state.slots["support"]["name"] == "LeaveOneOut"


def _alpha(state):
    alpha = state.slots["propagation"].get("alpha", "clamped")
    return None if alpha == "clamped" else alpha


def _is_without_values(how):
    return how["name"] == "Spectrum" or how.get("moving") == "points"
