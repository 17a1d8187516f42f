#include "operator/edges.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <utility>

#include <likewise/error.hpp>

#include "engine/cost_source.hpp"
#include "neighbors/search.hpp"

namespace likewise {
namespace {

using Edges = SparseMatrix<double>;
using Edge = Edges::InnerIterator;
constexpr double minus_infinity = -std::numeric_limits<double>::infinity();

std::vector<const Graph*> graphs_of(const Support& support) {
  std::vector<const Graph*> graphs;
  for (const PairFilter& filter : support.filters())
    if (const auto* graph = std::get_if<Graph>(&filter)) graphs.push_back(graph);
  return graphs;
}

/// The entries of A for which keep(i, j, value), values unchanged.
template <class Keep> Edges filtered(const Edges& A, const Keep& keep) {
  std::vector<Eigen::Triplet<double>> kept;
  for (Index i = 0; i < A.rows(); ++i)
    for (Edge e(A, i); e; ++e)
      if (keep(i, e.col(), e.value()))
        kept.emplace_back(static_cast<int>(i), static_cast<int>(e.col()), e.value());
  Edges result(A.rows(), A.cols());
  result.setFromTriplets(kept.begin(), kept.end());
  return result;
}

// --- edges from given graphs
// --------------------------------------------------------------------------------------

void check_graph(const Graph& graph, Index n_queries, Index n_keys) {
  require(graph.edges->rows() == n_queries && graph.edges->cols() == n_keys, "Graph",
          "of the operator's shape " + std::to_string(n_queries) + " x " + std::to_string(n_keys),
          std::to_string(graph.edges->rows()) + " x " + std::to_string(graph.edges->cols()));
}

bool has_entry(const Edges& A, Index i, Index j) {
  const int* begin = A.innerIndexPtr() + A.outerIndexPtr()[i];
  const int* end = A.innerIndexPtr() + A.outerIndexPtr()[i + 1];
  return std::binary_search(begin, end, static_cast<int>(j));
}

/// The pairs that all graphs and filters admit, with the first graph's values.
Edges common_edges(const std::vector<const Graph*>& graphs, const PairFilters& filters) {
  return filtered(*graphs.front()->edges, [&](Index i, Index j, double) {
    return filters.admits(i, j) && std::all_of(graphs.begin() + 1, graphs.end(), [&](const Graph* g) {
             return has_entry(*g->edges, i, j);
           });
  });
}

void put_costs(Edges& edges, const engine::CostSource<double>& costs, const Execution& run) {
  constexpr Index block = 256;
  engine::parallel_blocks(engine::block_count(edges.rows(), block), run, "weighing edges", [&](Index b) {
    const engine::Block rows = engine::block_of(b, edges.rows(), block);
    for (Index i = rows.begin; i < rows.begin + rows.size; ++i)
      for (Edge e(edges, i); e; ++e) e.valueRef() = costs.pair(i, e.col(), engine::CostUnit::cost);
  });
}

/// Of each row's edges the k of least cost, or those at most `radius` away; ties to the lowest index.
Edges select(const Edges& costs, const Selector& selector, const MetricTraits& laws) {
  if (const auto* radius = std::get_if<Radius>(&selector)) {
    const int reported = engine::unit_power(laws, engine::CostUnit::reported);
    return filtered(costs, [&](Index, Index, double cost) {
      return engine::convert_power(cost, laws.distance_power, reported) <= radius->radius;
    });
  }
  const auto* neighbors = std::get_if<Neighbors>(&selector);
  if (!neighbors) return costs;
  Edges chosen(costs.rows(), costs.cols());
  std::vector<Eigen::Triplet<double>> kept;
  for (Index i = 0; i < costs.rows(); ++i) {
    std::vector<std::pair<double, int>> row;
    for (Edge e(costs, i); e; ++e) row.emplace_back(e.value(), static_cast<int>(e.col()));
    std::sort(row.begin(), row.end());
    row.resize(std::min(row.size(), static_cast<std::size_t>(neighbors->n_neighbors)));
    for (const auto& [cost, j] : row) kept.emplace_back(static_cast<int>(i), j, cost);
  }
  chosen.setFromTriplets(kept.begin(), kept.end());
  return chosen;
}

// --- edges from a neighbor search
// ---------------------------------------------------------------------------------

/// Reported distances back to costs, as rows sorted by key.
Edges to_costs(const neighbors::NeighborLists& lists, const MetricTraits& laws, Index n_keys) {
  const Index n = static_cast<Index>(lists.offsets.size()) - 1;
  const int reported = engine::unit_power(laws, engine::CostUnit::reported);
  std::vector<Eigen::Triplet<double>> entries;
  entries.reserve(lists.indices.size());
  for (Index i = 0; i < n; ++i)
    for (Index at = lists.offsets[static_cast<std::size_t>(i)];
         at < lists.offsets[static_cast<std::size_t>(i) + 1]; ++at)
      entries.emplace_back(static_cast<int>(i), static_cast<int>(lists.indices[static_cast<std::size_t>(at)]),
                           engine::convert_power(lists.distances[static_cast<std::size_t>(at)], reported,
                                                 laws.distance_power));
  Edges costs(n, n_keys);
  costs.setFromTriplets(entries.begin(), entries.end());
  return costs;
}

void add_self_edges(Edges& costs, const engine::CostSource<double>& source) {
  std::vector<Eigen::Triplet<double>> entries;
  for (Index i = 0; i < costs.rows(); ++i) {
    for (Edge e(costs, i); e; ++e)
      entries.emplace_back(static_cast<int>(i), static_cast<int>(e.col()), e.value());
    entries.emplace_back(static_cast<int>(i), static_cast<int>(i), source.pair(i, i, engine::CostUnit::cost));
  }
  costs.setFromTriplets(entries.begin(), entries.end());
}

bool only_leaves_self_out(const Support& support) {
  return std::all_of(support.filters().begin(), support.filters().end(),
                     [](const PairFilter& f) { return std::holds_alternative<LeaveOneOut>(f); });
}

Edges search(const Mechanism& m, const PairFilters& filters, const Points<double>& X, const Points<double>& Z,
             bool self, const Execution& run) {
  const MetricTraits laws = traits(m.metric);
  neighbors::Admitted admitted;
  if (!(self && only_leaves_self_out(m.support)) && !filters.empty())
    admitted = [&filters](Index i, Index j) { return filters.admits(i, j); };
  NeighborOptions options;
  if (const auto* radius = std::get_if<Radius>(&m.support.selector())) {
    options.exclude_self = self && filters.leaves_self_out();
    return to_costs(neighbors::within(m.metric, X, Z, radius->radius, admitted, options, run), laws,
                    Z.rows());
  }
  const Neighbors& neighbors = *m.support.neighbors();
  const bool with_self = self && neighbors.include_self && !filters.leaves_self_out();
  const Index n_available = self && !with_self ? Z.rows() - 1 : Z.rows();
  require(neighbors.n_neighbors >= 1 && neighbors.n_neighbors <= n_available, "n_neighbors",
          "an int in [1, " + std::to_string(n_available) + "] (" + std::to_string(Z.rows()) + " samples"
              + (self && !with_self ? ", a point is not its own neighbor)" : ")"),
          neighbors.n_neighbors);
  options.exclude_self = self;
  const Index k = neighbors.n_neighbors - (with_self ? 1 : 0);
  Edges costs(X.rows(), Z.rows());
  if (k > 0) costs = to_costs(neighbors::nearest(m.metric, X, Z, k, admitted, options, run), laws, Z.rows());
  if (with_self) add_self_edges(costs, *engine::make_cost_source<double>(m.metric, X, Z, 0));
  return costs;
}

// --- weights
// ------------------------------------------------------------------------------------------------------

std::vector<Index> nearest_of_rows(const Edges& costs) {
  std::vector<Index> nearest(static_cast<std::size_t>(costs.rows()), -1);
  for (Index i = 0; i < costs.rows(); ++i) {
    double least = std::numeric_limits<double>::infinity();
    for (Edge e(costs, i); e; ++e)
      if (e.value() < least) {
        least = e.value();
        nearest[static_cast<std::size_t>(i)] = e.col();
      }
  }
  return nearest;
}

double log_add(double a, double b) {
  const double top = std::max(a, b);
  return top == minus_infinity ? top : top + std::log1p(std::exp(std::min(a, b) - top));
}

/// log of max(A, A^T), of both where both agree, or of (A + A^T)/2, from log A.
Edges symmetrized(const Edges& A, const std::string& how) {
  if (how == "none") return A;
  const Edges B = A.transpose();
  std::vector<Eigen::Triplet<double>> entries;
  const auto put = [&](Index i, Index j, double v) {
    entries.emplace_back(static_cast<int>(i), static_cast<int>(j), v);
  };
  const auto one_sided = [&](Index i, Index j, double v) {
    if (how == "union") put(i, j, v);
    if (how == "average") put(i, j, v - std::log(2.0));
  };
  const auto both = [&](Index i, Index j, double a, double b) {
    put(i, j,
        how == "average" ? log_add(a, b) - std::log(2.0)
        : how == "union" ? std::max(a, b)
                         : std::min(a, b));
  };
  for (Index i = 0; i < A.rows(); ++i) {  // merge two rows sorted by column
    Edge a(A, i), b(B, i);
    while (a || b) {
      if (!b || (a && a.col() < b.col())) {
        one_sided(i, a.col(), a.value());
        ++a;
      } else if (!a || b.col() < a.col()) {
        one_sided(i, b.col(), b.value());
        ++b;
      } else {
        both(i, a.col(), a.value(), b.value());
        ++a;
        ++b;
      }
    }
  }
  Edges result(A.rows(), A.cols());
  result.setFromTriplets(entries.begin(), entries.end());
  return result;
}

WeightedEdges given_weights(const std::vector<const Graph*>& graphs, const PairFilters& filters,
                            const Support& support) {
  require(graphs.size() == 1 && support.selector().index() == 0, "Graph",
          "the only graph and without a selector where weights='given'", repr(support));
  Edges weights = common_edges(graphs, filters);
  for (Index e = 0; e < weights.nonZeros(); ++e)
    require(weights.valuePtr()[e] >= 0 && std::isfinite(weights.valuePtr()[e]), "Graph",
            "of finite weights that are not negative", weights.valuePtr()[e]);
  Edges costs = weights;
  Eigen::Map<Vector<double>> values(weights.valuePtr(), weights.nonZeros());
  values = values.array().log();
  Eigen::Map<Vector<double>>(costs.valuePtr(), costs.nonZeros()) =
      -values;  // the heaviest edge leads to the nearest
  return {std::move(weights), nearest_of_rows(costs)};
}

}  // namespace

bool is_sparse(const Support& support) {
  return support.selector().index() != 0 || !graphs_of(support).empty();
}

WeightedEdges find_edges(const Mechanism& m, const ResolvedKernel& kernel, const PairFilters& filters,
                         const Points<double>& X, const Points<double>& Z, bool self, const Execution& run) {
  const std::vector<const Graph*> graphs = graphs_of(m.support);
  for (const Graph* graph : graphs) check_graph(*graph, X.rows(), Z.rows());
  const bool given =
      std::any_of(graphs.begin(), graphs.end(), [](const Graph* g) { return g->weights == "given"; });
  if (given) return given_weights(graphs, filters, m.support);

  Edges edges(X.rows(), Z.rows());
  if (graphs.empty()) {
    edges = search(m, filters, X, Z, self, run);
  } else {
    edges = common_edges(graphs, filters);
    put_costs(edges, *engine::make_cost_source<double>(m.metric, X, Z, 0), run);
    edges = select(edges, m.support.selector(), traits(m.metric));
  }
  std::vector<Index> nearest = nearest_of_rows(edges);
  costs_to_log_weights(traits(m.metric), kernel, edges);
  if (const Neighbors* rule = m.support.neighbors(); rule && self)
    edges = symmetrized(edges, rule->symmetrize.empty() ? "union" : rule->symmetrize);
  return {std::move(edges), std::move(nearest)};
}

}  // namespace likewise
