#include <likewise/algorithms/label_propagation.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <utility>

#include <likewise/neighbor_count.hpp>

#include "engine/call.hpp"
#include "operator/with_entries.hpp"
#include "until_still.hpp"

namespace likewise {
namespace {

constexpr double log_zero = -std::numeric_limits<double>::infinity();

// --- labels

/// One-hot rows; 0 where a point is unlabeled.
Matrix<double> one_hot(const std::vector<Index>& labels, Index n_points, Index n_classes) {
  require(static_cast<Index>(labels.size()) == n_points, "labels",
          "of length " + std::to_string(n_points) + " (one for each point)", labels.size());
  require(std::any_of(labels.begin(), labels.end(), [](Index label) { return label != unlabeled; }), "labels",
          "a class for at least one point (-1 marks an unlabeled one)", "only unlabeled points");
  Matrix<double> Y = Matrix<double>::Zero(n_points, n_classes);
  for (Index i = 0; i < n_points; ++i) {
    const Index label = labels[static_cast<std::size_t>(i)];
    require(label >= unlabeled && label < n_classes, "labels",
            "-1 (unlabeled) or a class in [0, " + std::to_string(n_classes - 1) + "]", label);
    if (label != unlabeled) Y(i, label) = 1;
  }
  return Y;
}

std::vector<bool> labeled_rows(const std::vector<Index>& labels) {
  std::vector<bool> labeled(labels.size());
  for (std::size_t i = 0; i < labels.size(); ++i) labeled[i] = labels[i] != unlabeled;
  return labeled;
}

void scale_rows_to_one(Matrix<double>& F) {
  for (Index i = 0; i < F.rows(); ++i)
    if (const double sum = F.row(i).sum(); sum != 0) F.row(i) /= sum;
}

std::vector<Index> most_probable(const Points<double>& shares) {
  std::vector<Index> classes(static_cast<std::size_t>(shares.rows()));
  for (Index i = 0; i < shares.rows(); ++i) shares.row(i).maxCoeff(&classes[static_cast<std::size_t>(i)]);
  return classes;
}

// --- mechanisms

/// A self-loop slows a walk but does not change where it ends; without it, weak links keep all their digits. Neighbors among
/// filtered pairs keep it: how many others there are then is the filters' affair.
Mechanism without_self_loops(Mechanism m) {
  const auto* row = std::get_if<RowStochastic>(&m.normalization);
  if (!row || row->null_mass > 0) return m;
  if (const Neighbors* neighbors = m.support.neighbors()) {
    if (!neighbors->include_self || neighbors->n_neighbors == 1 || !m.support.filters().empty()
        || !m.support.graphs().empty())
      return m;
    m.support = Neighbors{neighbors->n_neighbors - 1, neighbors->symmetrize, false};
  } else {
    m.support = without_only_self(m.support) & LeaveOneOut{};
  }
  m.empty_row = EmptyRow::zero;  // a point that had only itself
  return m;
}

/// Rows without a label in reach are no keys.
Vector<double> reachable_keys(const std::vector<bool>& unreached) {
  Vector<double> log_weights(static_cast<Index>(unreached.size()));
  for (std::size_t i = 0; i < unreached.size(); ++i)
    log_weights(static_cast<Index>(i)) = unreached[i] ? log_zero : 0;
  return log_weights;
}

/// An operator for many products: dense, if a quarter of the memory and 512 MB hold it, instead of streamed.
SelfOperator<double> reused_operator(const Mechanism& m, const Matrix<double>& points,
                                     const Vector<double>& log_key_weights, const Execution& run) {
  SelfOperator<double> P = m.self_operator(points, {.log_key_weights = log_key_weights}, run);
  const double bytes = sizeof(double) * static_cast<double>(P.rows()) * static_cast<double>(P.rows());
  if (P.storage() != "streamed" || bytes > 512e6 || bytes > 0.25 * static_cast<double>(run.memory_allowed()))
    return P;
  return m.self_operator(points, {.log_key_weights = log_key_weights, .storage = "dense"}, run);
}

/// The walk without steps to points that no label reaches. Whom a row counts among its neighbors does not hang on where labels
/// are, and keys without weight are no neighbors: there steps are taken out, and what is left of a row is divided anew.
SelfOperator<double> among_reached(const SelfOperator<double>& P, const Mechanism& walk,
                                   const Matrix<double>& points, const std::vector<bool>& unreached,
                                   const Execution& run) {
  if (!walk.support.neighbors()) return reused_operator(walk, points, reachable_keys(unreached), run);
  SparseMatrix<double> A = P.sparse(run);
  const bool divided = std::holds_alternative<RowStochastic>(walk.normalization);
  for (Index i = 0; i < A.rows(); ++i) {
    double lost = 0, kept = 0;
    for (SparseMatrix<double>::InnerIterator step(A, i); step; ++step) {
      const bool leads_nowhere = unreached[static_cast<std::size_t>(step.col())];
      (leads_nowhere ? lost : kept) += step.value();
      if (leads_nowhere) step.valueRef() = 0;
    }
    if (!divided || lost == 0 || kept == 0) continue;
    const double null_share = std::get<RowStochastic>(walk.normalization).null_mass > 0 ? 1 - kept - lost : 0;
    for (SparseMatrix<double>::InnerIterator step(A, i); step; ++step) step.valueRef() /= kept + null_share;
  }
  A.prune([](Index, Index, double share) { return share != 0; });
  return with_entries(P, std::move(A));
}

/// A_ij / sqrt(d_i d_j) with in-degrees d (1 where there is none), self-loops dropped: what scikit-learn spreads over on a
/// directed graph.
SelfOperator<double> in_degree_operator(const SelfOperator<double>& unnormalized, const Execution& run) {
  SparseMatrix<double> A = unnormalized.sparse(run);
  A.prune([](Index i, Index j, double) { return i != j; });
  const Eigen::Map<const Eigen::ArrayXi> columns(A.innerIndexPtr(), A.nonZeros());
  Eigen::Map<Eigen::ArrayXd> values(A.valuePtr(), A.nonZeros());
  Eigen::ArrayXd in_degree = Eigen::ArrayXd::Zero(A.cols());
  for (Index e = 0; e < A.nonZeros(); ++e) in_degree(columns(e)) += values(e);
  const Eigen::ArrayXd scale = (in_degree > 0).select(in_degree.rsqrt(), 1.0);
  for (Index i = 0; i < A.rows(); ++i)
    for (int e = A.outerIndexPtr()[i]; e < A.outerIndexPtr()[i + 1]; ++e)
      values(e) *= scale(i) * scale(columns(e));
  return with_entries(unnormalized, std::move(A));
}

SelfOperator<double> spreading_operator(const Mechanism& m, const Matrix<double>& points,
                                        const Execution& run) {
  const bool symmetric_rule = std::holds_alternative<Symmetric>(m.normalization);
  const auto without_rule = [&] {
    Mechanism unnormalized = m;
    unnormalized.normalization = Unnormalized{};
    return unnormalized.self_operator(points, {}, run);
  };
  // Lists of neighbors that nothing made symmetric: mostly directed, so that one search is enough.
  const Neighbors* neighbors = m.support.neighbors();
  if (symmetric_rule && neighbors && neighbors->symmetrize == "none")
    if (const SelfOperator<double> A = without_rule(); !asymmetry(A).empty())
      return in_degree_operator(A, run);
  const SelfOperator<double> S = reused_operator(m, points, {}, run);
  const bool directed_graph = S.storage() == "sparse" && !asymmetry(S).empty();
  return directed_graph && symmetric_rule ? in_degree_operator(without_rule(), run) : S;
}

// --- solving

/// What the options ask for: "cg" solves to 1e-8 or less whatever they say, "iterate" is scikit-learn's loop.
template <class Options> Equilibrium equilibrium_of(const Options& o, std::optional<double> alpha = {}) {
  if (o.solver == "iterate") return {alpha, o.tol, o.max_iter, o.solver};
  return {.alpha = alpha, .tol = std::min(o.tol, 1e-8), .max_iter = std::max(o.max_iter, 1000)};
}

EquilibriumOptions options_of(const Equilibrium& e) { return {e.solver, e.tol, e.max_iter}; }

/// scikit-learn's loop: `step` until the sum of all changes is below tol. Finding them still is no step.
template <class Step>
Matrix<double> repeat(Matrix<double> F, const Step& step, double tol, int max_iter, IterationReport& report) {
  Matrix<double> previous = Matrix<double>::Zero(F.rows(), F.cols());
  report = until_still("iterate", max_iter, [&]() -> Move {
    const double change = (F - previous).cwiseAbs().sum();
    if (change < tol) return {change, true};
    previous = F;
    F = step(F);
    return {change, false};
  });
  report.n_iter -= report.converged;
  return F;
}

/// Rows far from all labels are tiny and a solver's error is not: sweeps until each row stands still relative
/// to its own size. Each divides the error by 1/alpha; nothing is negative.
template <class Step> Matrix<double> settle(const Matrix<double>& solved, const Step& step) {
  constexpr int max_sweeps = 200;
  constexpr double tol = 1e-10;
  Matrix<double> F = solved.cwiseMax(0.0);
  until_still("sweeps", max_sweeps, [&]() -> Move {
    Matrix<double> next = step(F);
    double largest = 0;
    bool still = true;
    for (Index i = 0; i < F.rows(); ++i) {
      const double change = (next.row(i) - F.row(i)).cwiseAbs().sum();
      largest = std::max(largest, change);
      still = still && change <= tol * next.row(i).sum();
    }
    F.swap(next);
    return {largest, still};
  });
  return F;
}

void check_solver(const std::string& solver, int max_iter, double tol) {
  require(solver == "cg" || solver == "iterate", "solver", "'cg' or 'iterate'", "'" + solver + "'");
  require(max_iter >= 1, "max_iter", "an int >= 1", max_iter);
  require(tol >= 0, "tol", "a number >= 0", tol);
}

/// What a new point is told must not depend on what else is asked.
void check_rows(const Mechanism& m) {
  require(rows_stand_alone(m.normalization), "normalization",
          "one whose rows stand alone, as RowStochastic()", repr(m.normalization));
}

/// Said of the neighbors that were asked for: the solver may look for one less.
void check_neighbors(const Mechanism& m, Index n) {
  if (const Neighbors* neighbors = m.support.neighbors())
    check_neighbor_count(neighbors->n_neighbors, n, !neighbors->include_self);
}

/// Distributions of all points; those that nothing reached get the class shares of the labeled points.
template <class T>
PropagatedLabels<T> finish(Mechanism mechanism, const Kernel& resolved, const Equilibrium& how,
                           const Points<T>& X, Matrix<double> F, const Matrix<double>& Y,
                           std::vector<bool> unreached, const IterationReport& report) {
  F = F.cwiseMax(0.0);  // a solver's rounding
  scale_rows_to_one(F);
  // What reaches a point below the least positive number has not reached it.
  for (std::size_t i = 0; i < unreached.size(); ++i)
    unreached[i] = unreached[i] || !(F.row(static_cast<Index>(i)).sum() > 0);
  for (std::size_t i = 0; i < unreached.size(); ++i)
    if (unreached[i]) F.row(static_cast<Index>(i)) = Y.colwise().sum() / Y.sum();
  mechanism.kernel = resolved;
  mechanism.propagation = how;
  const KeyedMechanism<T> prediction(label_prediction(mechanism), PreparedKeys<T>(mechanism.metric, X));
  return {std::move(mechanism), prediction, F.template cast<T>(), std::move(unreached), report};
}

}  // namespace

Mechanism label_propagation_knn(Index n_neighbors) {
  return {Euclidean{}, Indicator{}, Neighbors{n_neighbors, "none", true}, RowStochastic{}};
}
Mechanism label_spreading_knn(Index n_neighbors) {
  return {Euclidean{}, Indicator{}, Neighbors{n_neighbors, "none", true}, Symmetric{}};
}

Mechanism label_prediction(const Mechanism& mechanism) {
  Mechanism asks = mechanism;
  asks.support = without_only_self(mechanism.support);
  const Normalization& rule = mechanism.normalization;
  if (std::holds_alternative<Symmetric>(rule) || std::holds_alternative<Unnormalized>(rule))
    asks.normalization = RowStochastic{};
  asks.propagation = OneStep{};
  asks.empty_row = EmptyRow::nearest;
  return asks;
}

template <class T>
PropagatedLabels<T> fit_label_propagation(const Points<T>& X, const std::vector<Index>& labels,
                                          Index n_classes, const LabelPropagationOptions& o,
                                          const Execution& run) {
  const engine::Call call(run);
  check_solver(o.solver, o.max_iter, o.tol);
  check_neighbors(o.mechanism, X.rows());
  check_rows(o.mechanism);
  const Matrix<double> points = X.template cast<double>();
  const Matrix<double> Y = one_hot(labels, X.rows(), n_classes);
  const std::vector<bool> labeled = labeled_rows(labels);
  const Equilibrium how = equilibrium_of(o);
  const Mechanism walk = o.solver == "cg" ? without_self_loops(o.mechanism) : o.mechanism;
  SelfOperator<double> P = reused_operator(walk, points, {}, run);
  const std::vector<bool> unreached = unreached_rows(P, labeled, run);
  if (std::find(unreached.begin(), unreached.end(), true) != unreached.end())
    P = among_reached(P, walk, points, unreached, run);

  if (o.solver == "cg") {
    const SteadyValues<double> F = clamped_equilibrium<double>(P, Y, labeled, options_of(how), run);
    return finish<T>(o.mechanism, P.mechanism().kernel, how, X, F.values, Y, unreached, F.report);
  }
  IterationReport report;
  const auto step = [&](const Matrix<double>& F) {
    Matrix<double> next = P.apply(F, run);
    scale_rows_to_one(next);
    for (Index i = 0; i < next.rows(); ++i)
      if (labeled[static_cast<std::size_t>(i)]) next.row(i) = Y.row(i);
    return next;
  };
  const Matrix<double> F = repeat(Y, step, o.tol, o.max_iter, report);
  return finish<T>(o.mechanism, P.mechanism().kernel, how, X, F, Y, unreached, report);
}

template <class T>
PropagatedLabels<T> fit_label_spreading(const Points<T>& X, const std::vector<Index>& labels, Index n_classes,
                                        const LabelSpreadingOptions& o, const Execution& run) {
  const engine::Call call(run);
  check_solver(o.solver, o.max_iter, o.tol);
  require(o.alpha > 0 && o.alpha < 1, "alpha", "a number in (0, 1)", o.alpha);
  check_neighbors(o.mechanism, X.rows());
  check_rows(o.mechanism);
  const Matrix<double> points = X.template cast<double>();
  const Matrix<double> Y = one_hot(labels, X.rows(), n_classes);
  const SelfOperator<double> S = spreading_operator(o.mechanism, points, run);
  const Equilibrium how = equilibrium_of(o, o.alpha);
  const Kernel& resolved = S.mechanism().kernel;
  const auto step = [&](const Matrix<double>& F) {
    Matrix<double> next = S.apply(F, run);
    next = o.alpha * next + (1 - o.alpha) * Y;
    return next;
  };
  if (o.solver == "cg") {
    const SteadyValues<double> F = soft_equilibrium<double>(S, Y, o.alpha, options_of(how), run);
    return finish<T>(o.mechanism, resolved, how, X, settle(F.values, step), Y, F.unreached, F.report);
  }
  IterationReport report;
  const Matrix<double> F = repeat(Y, step, o.tol, o.max_iter, report);
  return finish<T>(o.mechanism, resolved, how, X, F, Y, unreached_rows(S, labeled_rows(labels), run), report);
}

template <class T> std::vector<Index> PropagatedLabels<T>::transduction() const {
  return most_probable(label_distributions.template cast<double>());
}

template <class T>
Matrix<T> predict_labels(const KeyedMechanism<T>& prediction, const Values<T>& label_distributions,
                         const Points<T>& X, const Execution& run) {
  const engine::Call call(run);
  Matrix<double> shares = prediction.at(X, run).apply(label_distributions, run).template cast<double>();
  scale_rows_to_one(shares);
  return shares.template cast<T>();
}

template <class T>
Matrix<T> PropagatedLabels<T>::predict_proba(const Points<T>& X, const Execution& run) const {
  return predict_labels<T>(prediction, label_distributions, X, run);
}

template <class T>
std::vector<Index> PropagatedLabels<T>::predict(const Points<T>& X, const Execution& run) const {
  const engine::Call call(run);
  return most_probable(predict_proba(X, run).template cast<double>());
}

#define LIKEWISE_INSTANTIATE(T)                                                                          \
  template struct PropagatedLabels<T>;                                                                   \
  template Matrix<T> predict_labels(const KeyedMechanism<T>&, const Values<T>&, const Points<T>&,        \
                                    const Execution&);                                                   \
  template PropagatedLabels<T> fit_label_propagation(const Points<T>&, const std::vector<Index>&, Index, \
                                                     const LabelPropagationOptions&, const Execution&);  \
  template PropagatedLabels<T> fit_label_spreading(const Points<T>&, const std::vector<Index>&, Index,   \
                                                   const LabelSpreadingOptions&, const Execution&);
LIKEWISE_INSTANTIATE(float)
LIKEWISE_INSTANTIATE(double)
#undef LIKEWISE_INSTANTIATE

}  // namespace likewise
