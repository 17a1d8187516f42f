#include <likewise/algorithms/k_neighbors.hpp>

#include <string>

#include <likewise/algorithms/parts/neighbor_votes.hpp>

#include <likewise/neighbor_count.hpp>
#include "checks.hpp"
#include "engine/call.hpp"
#include "parts/training_data.hpp"

namespace likewise {

Mechanism k_neighbors_mechanism(const KNeighborsOptions& o) {
  return {o.metric,        o.weights, Neighbors{.n_neighbors = o.n_neighbors},
          RowStochastic{}, OneStep{}, EmptyRow::zero};
}
Mechanism radius_neighbors_mechanism(const RadiusNeighborsOptions& o) {
  return {o.metric, o.weights, Radius{o.radius}, RowStochastic{}, OneStep{}, EmptyRow::zero};
}

template <class T>
Mechanism resolve_neighbors(const Mechanism& mechanism, const Points<T>& X, const Execution& run) {
  if (const Neighbors* neighbors = mechanism.support.neighbors())
    check_neighbor_count(neighbors->n_neighbors, X.rows());
  Mechanism all_pairs = mechanism, found = mechanism;
  all_pairs.support = AllPairs{};  // no neighbors are searched: a bandwidth does not depend on them
  found.kernel = resolve_bandwidth<T>(all_pairs, X, {}, run).mechanism.kernel;
  return found;
}

template <class T>
NeighborsRegression<T> fit_neighbors_regression(const Mechanism& mechanism, const Points<T>& X,
                                                const Values<double>& Y, const Execution& run) {
  const engine::Call call(run);
  check_training_data<T>(X, Y);
  return {resolve_neighbors<T>(mechanism, X, run), PreparedKeys<T>(mechanism.metric, X, {}, run), Y};
}

template <class T>
NeighborsClassification<T> fit_neighbors_classification(const Mechanism& mechanism, const Points<T>& X,
                                                        const std::vector<Index>& labels, Index n_classes,
                                                        const Execution& run) {
  const engine::Call call(run);
  check_points<T>("X", X);
  check_labels(labels, X.rows(), n_classes);
  return {resolve_neighbors<T>(mechanism, X, run), PreparedKeys<T>(mechanism.metric, X, {}, run), labels,
          n_classes};
}

namespace {

template <class T>
NeighborsPrediction means(const NeighborsRegression<T>& fitted, const Points<T>* X, const Execution& run) {
  const Index n = X ? X->rows() : fitted.keys.rows();
  NeighborsPrediction all{Matrix<double>(n, fitted.targets.cols()), {}};
  visit_neighbors<T>(fitted.mechanism, X, fitted.keys, run, [&](Index first, const UndividedRows& rows) {
    all.mean.middleRows(first, rows.mass.size()) = means_of(rows, fitted.targets, run);
    const std::vector<bool> empty = empty_rows(rows);
    all.empty.insert(all.empty.end(), empty.begin(), empty.end());
  });
  return all;
}

}  // namespace

template <class T>
NeighborsPrediction NeighborsRegression<T>::predict(const Points<T>& X, const Execution& run) const {
  const engine::Call call(run);
  return means(*this, &X, run);
}

template <class T> NeighborsPrediction NeighborsRegression<T>::predict_left_out(const Execution& run) const {
  const engine::Call call(run);
  return means<T>(*this, nullptr, run);
}

template <class T>
NeighborsPrediction NeighborsClassification<T>::predict_proba(const Points<T>& X,
                                                              const Execution& run) const {
  const engine::Call call(run);
  NeighborsPrediction all{Matrix<double>(X.rows(), n_classes), {}};
  visit_neighbors<T>(mechanism, &X, keys, run, [&](Index first, const UndividedRows& rows) {
    put_shares(rows, labels, all.mean.middleRows(first, rows.mass.size()), run);
    const std::vector<bool> empty = empty_rows(rows);
    all.empty.insert(all.empty.end(), empty.begin(), empty.end());
  });
  return all;
}

template <class T>
std::vector<Index> NeighborsClassification<T>::predict(const Points<T>& X, const Execution& run) const {
  const engine::Call call(run);
  std::vector<Index> classes;
  visit_neighbors<T>(mechanism, &X, keys, run, [&](Index, const UndividedRows& rows) {
    const std::vector<Index> some = winners_of(rows, labels, n_classes, run);
    classes.insert(classes.end(), some.begin(), some.end());
  });
  return classes;
}

#define LIKEWISE_INSTANTIATE(T)                                                                      \
  template struct NeighborsRegression<T>;                                                            \
  template struct NeighborsClassification<T>;                                                        \
  template Mechanism resolve_neighbors(const Mechanism&, const Points<T>&, const Execution&);        \
  template NeighborsRegression<T> fit_neighbors_regression(const Mechanism&, const Points<T>&,       \
                                                           const Values<double>&, const Execution&); \
  template NeighborsClassification<T> fit_neighbors_classification(                                  \
      const Mechanism&, const Points<T>&, const std::vector<Index>&, Index, const Execution&);
LIKEWISE_INSTANTIATE(float)
LIKEWISE_INSTANTIATE(double)
#undef LIKEWISE_INSTANTIATE

}  // namespace likewise
