#include <likewise/algorithms/k_neighbors.hpp>

#include <algorithm>
#include <limits>
#include <string>

#include <likewise/operator.hpp>

#include "training_data.hpp"

namespace likewise {

Mechanism k_neighbors_mechanism(const KNeighborsOptions& o) {
  return {o.metric, o.weights, Neighbors{.n_neighbors = o.n_neighbors}, RowStochastic{}, EmptyRow::zero};
}
Mechanism radius_neighbors_mechanism(const RadiusNeighborsOptions& o) {
  return {o.metric, o.weights, Radius{o.radius}, RowStochastic{}, EmptyRow::zero};
}

namespace {

/// The mechanism with its bandwidth found. No neighbors are searched: a bandwidth does not depend on them.
template <class T> Mechanism resolved(Mechanism m, const Points<T>& X, const Execution& run) {
  if (const Neighbors* neighbors = m.support.neighbors())
    require(neighbors->n_neighbors <= X.rows(), "n_neighbors",
            "an int in [1, " + std::to_string(X.rows()) + "] (" + std::to_string(X.rows()) + " samples)",
            neighbors->n_neighbors);
  Mechanism all_pairs = m;
  all_pairs.support = AllPairs{};
  m.kernel = resolve_bandwidth<T>(all_pairs, X, {}, run).mechanism.kernel;
  return m;
}

}  // namespace

template <class T>
NeighborsRegression<T> fit_neighbors_regression(const Mechanism& mechanism, const Points<T>& X,
                                                const Values<T>& Y, const Execution& run) {
  check_training_data<T>(X, Y);
  return {resolved<T>(mechanism, X, run), X, Y};
}

template <class T>
NeighborsClassification<T> fit_neighbors_classification(const Mechanism& mechanism, const Points<T>& X,
                                                        const std::vector<Index>& labels, Index n_classes,
                                                        const Execution& run) {
  return {fit_neighbors_regression<T>(mechanism, X, one_hot<T>(labels, n_classes), run)};
}

namespace {

template <class T>
NeighborsPrediction<T> propagate(const PropagationOperator<T>& P, const Matrix<T>& targets,
                                 const Execution& run) {
  const Vector<double>& log_mass = P.log_row_sums();
  std::vector<bool> empty(static_cast<std::size_t>(P.rows()));
  for (Index i = 0; i < P.rows(); ++i)
    empty[static_cast<std::size_t>(i)] = log_mass(i) == -std::numeric_limits<double>::infinity();
  return {P.apply(targets, run), std::move(empty)};
}

/// Within a radius nobody knows beforehand how many neighbors there are: so many queries at a time that their edges
/// stay few, and that the search is prepared at most four times for as many queries as keys.
Index queries_at_a_time(const Mechanism& m, Index n_queries, Index n_keys) {
  constexpr Index least = 256;
  return m.support.neighbors() || !m.support.filters().empty()
             ? n_queries
             : std::min(n_queries, std::max(least, n_keys / 4));
}

}  // namespace

template <class T>
NeighborsPrediction<T> NeighborsRegression<T>::predict(const Points<T>& X, const Execution& run) const {
  const Index size = std::max<Index>(1, queries_at_a_time(mechanism, X.rows(), points.rows()));
  if (size >= X.rows()) return propagate<T>(mechanism.cross_operator(X, points, {}, run), targets, run);
  NeighborsPrediction<T> all{Matrix<T>(X.rows(), targets.cols()), {}};
  Execution quiet = run;
  quiet.progress = {};
  for (Index first = 0; first < X.rows(); first += size) {
    const Index n = std::min(size, X.rows() - first);
    const auto P = mechanism.cross_operator(X.middleRows(first, n), points, {}, quiet);
    const NeighborsPrediction<T> some = propagate<T>(P, targets, quiet);
    all.mean.middleRows(first, n) = some.mean;
    all.empty.insert(all.empty.end(), some.empty.begin(), some.empty.end());
    if (run.progress)
      run.progress(static_cast<double>(first + n) / static_cast<double>(X.rows()), "finding neighbors");
  }
  return all;
}

template <class T>
NeighborsPrediction<T> NeighborsRegression<T>::predict_left_out(const Execution& run) const {
  Mechanism others = mechanism;
  others.support = left_out(mechanism.support, points.rows());
  return propagate<T>(others.self_operator(points, {}, run), targets, run);
}

template <class T>
NeighborsPrediction<T> NeighborsClassification<T>::predict_proba(const Points<T>& X,
                                                                 const Execution& run) const {
  return regression.predict(X, run);
}

template <class T>
std::vector<Index> NeighborsClassification<T>::predict(const Points<T>& X, const Execution& run) const {
  const NeighborsPrediction<T> votes = predict_proba(X, run);
  std::vector<Index> classes = largest_columns(votes.mean);
  for (std::size_t i = 0; i < classes.size(); ++i)
    if (votes.empty[i]) classes[i] = -1;
  return classes;
}

#define LIKEWISE_INSTANTIATE(T)                                                                 \
  template struct NeighborsRegression<T>;                                                       \
  template struct NeighborsClassification<T>;                                                   \
  template NeighborsRegression<T> fit_neighbors_regression(const Mechanism&, const Points<T>&,  \
                                                           const Values<T>&, const Execution&); \
  template NeighborsClassification<T> fit_neighbors_classification(                             \
      const Mechanism&, const Points<T>&, const std::vector<Index>&, Index, const Execution&);
LIKEWISE_INSTANTIATE(float)
LIKEWISE_INSTANTIATE(double)
#undef LIKEWISE_INSTANTIATE

}  // namespace likewise
