// Markov clustering: a random walk that is expanded and inflated until every point walks to one place.
#pragma once

#include <vector>

#include <likewise/mechanism.hpp>

namespace likewise {

struct MarkovClusteringOptions {
  /// The graph, whose rows the walk divides by their sums.
  Mechanism mechanism = {.metric = Euclidean{},
                         .kernel = Gaussian{Bandwidth("self_tuning")},
                         .support = Neighbors{10},
                         .empty_row = EmptyRow::self};
  double inflation = 2;  ///< above 1: larger makes more clusters
  int expansion = 2;     ///< steps of the walk between two inflations, at least 2
  double prune = 1e-5;   ///< after an inflation entries below it are dropped, never a row's largest; 0: none
  int max_iter = 100;
  double tol = 1e-8;  ///< ends when no entry moves more
};

template <class T> struct MarkovClustering {
  Mechanism mechanism;        ///< bandwidth resolved
  std::vector<Index> labels;  ///< (n,), clusters in the order of their first points
  Index n_clusters = 0;
  SparseMatrix<double> flow;  ///< (n, n), where the walk has come to rest
  double pruned = 0;          ///< the largest share of a row's mass that a step dropped
  IterationReport report;     ///< residual: the largest move of an entry
};

/// P <- inflated(P^expansion, inflation), rows that sum to 1, until it stands still (van Dongen 2000; on rows in place of
/// columns). A point without a loop gets one as strong as its strongest edge. Clusters are the connected parts of what is left.
/// A step costs O(sum over edges of the row they lead to); O(n + edges kept) memory. Throws InvalidArgument unless inflation is
/// above 1, expansion at least 2 and prune in [0, 1).
template <class T>
MarkovClustering<T> fit_markov_clustering(const Points<T>& X, const MarkovClusteringOptions& options,
                                          const Execution& run = {});
/// The same for any float or double matrix.
template <class D>
MarkovClustering<ScalarOf<D>> markov_clustering(const Eigen::MatrixBase<D>& X,
                                                const MarkovClusteringOptions& options = {},
                                                const Execution& run = {}) {
  return fit_markov_clustering<ScalarOf<D>>(X.derived(), options, run);
}

}  // namespace likewise
