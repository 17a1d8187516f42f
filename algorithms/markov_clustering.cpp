#include <likewise/algorithms/markov_clustering.hpp>

#include <algorithm>
#include <cmath>
#include <utility>

#include <likewise/operator.hpp>
#include <likewise/spectrum.hpp>

#include "checks.hpp"
#include "engine/call.hpp"
#include "operator/csr.hpp"
#include "operator/inflation.hpp"
#include "until_still.hpp"

namespace likewise {
namespace {

using Flow = SparseMatrix<double>;

void check(const MarkovClusteringOptions& o) {
  require(o.inflation > 1 && std::isfinite(o.inflation), "inflation", "a finite number above 1", o.inflation);
  require(o.expansion >= 2, "expansion", "an int of at least 2", o.expansion);
  require(o.prune >= 0 && o.prune < 1, "prune", "in [0, 1)", o.prune);
  require(o.max_iter >= 1, "max_iter", "an int of at least 1", o.max_iter);
  require(o.tol >= 0, "tol", "a number >= 0", o.tol);
}

/// The walk with a loop at every point: without one a walk of two points changes sides forever.
Flow with_loops(const Flow& P, const Execution& run) {
  return csr::written<double>(P.rows(), P.cols(), 10.0 * static_cast<double>(P.nonZeros()), run,
                              [&](Index i, auto& row) {
                                double strongest = 0, sum = 0;
                                bool loop = false;
                                for (Flow::InnerIterator e(P, i); e; ++e) {
                                  strongest = std::max(strongest, e.value());
                                  sum += e.value();
                                  loop = loop || (e.col() == i && e.value() > 0);
                                }
                                if (sum == 0) return row.put(i, 1.0);
                                const double added = loop ? 0 : strongest;
                                for (Flow::InnerIterator e(P, i); e; ++e)
                                  row.put(e.col(), e.value() / (sum + added));
                                if (added > 0) row.put(i, added / (sum + added));
                              });
}

/// One row of a sparse matrix as it is added up, in a dense vector whose zeros are not looked at.
class RowSum {
 public:
  explicit RowSum(Index n) : sums_(Vector<double>::Zero(n)), is_here_(static_cast<std::size_t>(n)) {}

  void add(Index j, double value) {
    if (!is_here_[static_cast<std::size_t>(j)]) {
      is_here_[static_cast<std::size_t>(j)] = true;
      here_.push_back(j);
    }
    sums_(j) += value;
  }
  /// Columns ascending with their sums; empty afterwards.
  std::pair<std::vector<Index>, Vector<double>> take() {
    std::sort(here_.begin(), here_.end());
    std::pair<std::vector<Index>, Vector<double>> row{std::move(here_), {}};
    row.second = sums_(row.first);
    for (const Index j : row.first) {
      sums_(j) = 0;
      is_here_[static_cast<std::size_t>(j)] = false;
    }
    here_.clear();
    return row;
  }

 private:
  Vector<double> sums_;
  std::vector<bool> is_here_;
  std::vector<Index> here_;
};

/// Drops entries below `least` of a row that sums to 1, and divides the others by what is left; returns what was dropped.
double prune(Vector<double>& row, double least) {
  const double enough = std::min(least, row.maxCoeff());
  double dropped = 0;
  for (double& p : row)
    if (p < enough) {
      dropped += p;
      p = 0;
    }
  row /= row.sum();
  return dropped;
}

/// Expansion, inflation, pruning, row by row: the whole square never lies in memory.
Flow next(const Flow& P, const MarkovClusteringOptions& o, double& pruned, const Execution& run) {
  Vector<double> dropped = Vector<double>::Zero(P.rows());
  const double per_row = static_cast<double>(P.nonZeros()) / static_cast<double>(P.rows());
  const double operations = 10.0 * (o.expansion - 1) * static_cast<double>(P.nonZeros()) * per_row;
  Flow made = csr::written<double>(P.rows(), P.cols(), operations, run, [&](Index i, auto& out) {
    thread_local std::pair<Index, RowSum> scratch{0, RowSum(0)};
    if (scratch.first != P.cols()) scratch = {P.cols(), RowSum(P.cols())};
    RowSum& sum = scratch.second;
    for (Flow::InnerIterator e(P, i); e; ++e) sum.add(e.col(), e.value());
    for (int step = 1; step < o.expansion; ++step) {
      const auto [columns, values] = sum.take();
      for (std::size_t k = 0; k < columns.size(); ++k)
        for (Flow::InnerIterator e(P, columns[k]); e; ++e)
          sum.add(e.col(), values(static_cast<Index>(k)) * e.value());
    }
    auto [columns, values] = sum.take();
    inflate_row(values, o.inflation);
    dropped(i) = prune(values, o.prune);
    for (std::size_t k = 0; k < columns.size(); ++k)
      if (const double p = values(static_cast<Index>(k)); p > 0) out.put(columns[k], p);
  });
  pruned = std::max(pruned, dropped.maxCoeff());
  return made;
}

double largest_move(const Flow& a, const Flow& b) {
  const Flow difference = a - b;
  return difference.nonZeros() ? difference.coeffs().abs().maxCoeff() : 0.0;
}

}  // namespace

template <class T>
MarkovClustering<T> fit_markov_clustering(const Points<T>& X, const MarkovClusteringOptions& o,
                                          const Execution& run) {
  const engine::Call call(run);
  check_points<T>("X", X);
  check(o);
  Mechanism walk = o.mechanism;
  walk.normalization = RowStochastic{};
  const SelfOperator<T> P = walk.self_operator(X, {}, run);
  MarkovClustering<T> found;
  found.mechanism = P.mechanism();
  found.flow = with_loops(P.sparse(run).template cast<double>(), run);
  found.report = until_still("iterate", o.max_iter, [&]() -> Move {
    Flow moved = next(found.flow, o, found.pruned, run);
    const double residual = largest_move(moved, found.flow);
    found.flow.swap(moved);
    return {residual, residual <= o.tol};
  });
  found.labels = connected_components(found.flow);
  found.n_clusters = *std::max_element(found.labels.begin(), found.labels.end()) + 1;
  return found;
}

template struct MarkovClustering<float>;
template struct MarkovClustering<double>;
template MarkovClustering<float> fit_markov_clustering(const Points<float>&, const MarkovClusteringOptions&,
                                                       const Execution&);
template MarkovClustering<double> fit_markov_clustering(const Points<double>&, const MarkovClusteringOptions&,
                                                        const Execution&);

}  // namespace likewise
