#include "operator/edges.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <string>
#include <utility>

#include <likewise/error.hpp>
#include <likewise/neighbor_count.hpp>

#include "engine/cost_source.hpp"
#include "neighbors/search.hpp"
#include "operator/csr.hpp"
#include "operator/given_neighbors.hpp"
#include "operator/symmetrized.hpp"

namespace likewise {
namespace {

using Edges = SparseMatrix<double>;
using Edge = Edges::InnerIterator;
constexpr double minus_infinity = -std::numeric_limits<double>::infinity();

double size_of(const Edges& A) { return 10.0 * static_cast<double>(A.nonZeros()); }

/// The entries of A for which keep(i, j, value), values unchanged.
template <class Keep> Edges filtered(const Edges& A, const Execution& run, const Keep& keep) {
  return csr::written<double>(A.rows(), A.cols(), size_of(A), run, [&](Index i, auto& row) {
    for (Edge e(A, i); e; ++e)
      if (keep(i, e.col(), e.value())) row.put(e.col(), e.value());
  });
}

// --- edges from given graphs

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
Edges common_edges(const std::vector<Graph>& graphs, const PairFilters& filters, const Execution& run) {
  return filtered(*graphs.front().edges, run, [&](Index i, Index j, double) {
    return filters.admits(i, j) && std::all_of(graphs.begin() + 1, graphs.end(), [&](const Graph& g) {
             return has_entry(*g.edges, i, j);
           });
  });
}

void put_costs(Edges& edges, const engine::CostSource<double>& costs, const Execution& run) {
  constexpr Index block = 256;
  engine::parallel_blocks(engine::block_count(edges.rows(), block), run, "weighing edges", [&](Index b) {
    const engine::Block rows = engine::block_of(b, edges.rows(), block);
    for (Index i = rows.begin; i < rows.begin + rows.size; ++i)
      if (const int first = edges.outerIndexPtr()[i], end = edges.outerIndexPtr()[i + 1]; first < end)
        costs.pairs(i, {edges.innerIndexPtr() + first, static_cast<std::size_t>(end - first)},
                    engine::CostUnit::cost, edges.valuePtr() + first);
  });
}

/// How many others are a point's neighbors, and whether it is one itself, before all others.
struct Choice {
  Index n_others;
  bool with_self;
};
/// `self`: queries are the keys. Where some point may not speak to itself none is its own neighbor.
Choice choice_of(const Neighbors& neighbors, bool self, bool leaves_self_out, Index n_keys) {
  const bool with_self = self && neighbors.include_self && !leaves_self_out;
  check_neighbor_count(neighbors.n_neighbors, n_keys, self && !with_self);
  return {neighbors.n_neighbors - (with_self ? 1 : 0), with_self};
}

/// Some point has no edge to itself.
bool leaves_self_out(const Edges& edges) {
  for (Index i = 0; i < edges.rows(); ++i) {
    bool found = false;
    for (Edge e(edges, i); e && !found; ++e) found = e.col() == i;
    if (!found) return true;
  }
  return false;
}

bool is_heard(const Vector<double>& log_weights, Index key) { return log_weights(key) > minus_infinity; }

/// Without the keys of weight 0, which are nobody's neighbors.
Edges of_heard_keys(Edges edges, const Vector<double>& log_weights, const Execution& run) {
  if ((log_weights.array() > minus_infinity).all()) return edges;
  return filtered(edges, run, [&](Index, Index j, double) { return is_heard(log_weights, j); });
}

/// Of each row's edges the k of least cost, or those at most `radius` away; ties to the lowest index.
Edges select(const Edges& costs, const Selector& selector, const MetricTraits& laws, bool self,
             const Execution& run) {
  if (const auto* radius = std::get_if<Radius>(&selector)) {
    const int reported = engine::unit_power(laws, engine::CostUnit::reported);
    return filtered(costs, run, [&](Index, Index, double cost) {
      return engine::convert_power(cost, laws.distance_power, reported) <= radius->radius;
    });
  }
  const auto* neighbors = std::get_if<Neighbors>(&selector);
  if (!neighbors) return costs;
  const Choice choice = choice_of(*neighbors, self, self && leaves_self_out(costs), costs.cols());
  return csr::written<double>(
      costs.rows(), costs.cols(), 10 * size_of(costs), run, [&](Index i, auto& chosen) {
        std::vector<std::pair<double, Index>> row;
        std::optional<double> of_self;
        for (Edge e(costs, i); e; ++e)
          if (self && e.col() == i)
            of_self = e.value();
          else
            row.emplace_back(e.value(), e.col());
        std::sort(row.begin(), row.end());
        row.resize(std::min(row.size(), static_cast<std::size_t>(choice.n_others)));
        if (choice.with_self && of_self) row.emplace_back(*of_self, i);
        std::sort(row.begin(), row.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
        for (const auto& [cost, j] : row) chosen.put(j, cost);
      });
}

// --- edges from a neighbor search

/// Reported distances back to costs, as rows sorted by key; with `self` each point's cost with itself too.
Edges to_costs(const neighbors::NeighborLists& lists, const MetricTraits& laws, Index n_keys,
               const engine::CostSource<double>* self, const Execution& run) {
  const Index n = static_cast<Index>(lists.offsets.size()) - 1;
  const int reported = engine::unit_power(laws, engine::CostUnit::reported);
  const double operations = 40.0 * static_cast<double>(lists.indices.size());
  return csr::written<double>(n, n_keys, operations, run, [&](Index i, auto& out) {
    std::vector<std::pair<Index, double>> row;
    for (Index at = lists.offsets[static_cast<std::size_t>(i)];
         at < lists.offsets[static_cast<std::size_t>(i) + 1]; ++at)
      row.emplace_back(lists.indices[static_cast<std::size_t>(at)],
                       engine::convert_power(lists.distances[static_cast<std::size_t>(at)], reported,
                                             laws.distance_power));
    if (self) row.emplace_back(i, self->pair(i, i, engine::CostUnit::cost));
    std::sort(row.begin(), row.end());
    for (const auto& [j, cost] : row) out.put(j, cost);
  });
}

/// Each point with itself only.
neighbors::NeighborLists no_lists(Index n) {
  return {std::vector<Index>(static_cast<std::size_t>(n) + 1, 0), {}, {}, {}};
}

bool only_leaves_self_out(const Support& support) {
  return support.graphs().empty()
         && std::all_of(support.filters().begin(), support.filters().end(), [](const PairFilter& f) {
              return std::visit([](const auto& leaf) { return leaf.only_self; }, f);
            });
}

/// Costs by definition, in float64.
template <class T>
std::shared_ptr<const engine::CostSource<double>> exact_costs(const Points<T>& X,
                                                              const detail::KeysState<T>& keys) {
  const Metric& metric = keys.searched.metric();
  if constexpr (std::is_same_v<T, double>)
    return engine::make_cost_source<double>(metric, X, keys.points(), 0);
  else
    return engine::make_cost_source<double>(metric, X.template cast<double>(),
                                            keys.points().template cast<double>(), 0);
}

/// Rows of indices that are given, with the distances that a search would tell.
template <class T>
neighbors::NeighborLists given_lists(const Matrix<Index>& given, Index n_others, const PairFilters& filters,
                                     const Points<T>& X, const detail::KeysState<T>& keys, bool self) {
  require(
      given.rows() == X.rows() && given.cols() == n_others, "neighbors",
      "a row of " + std::to_string(n_others) + " indices for each of " + std::to_string(X.rows()) + " points",
      std::to_string(given.rows()) + " x " + std::to_string(given.cols()));
  const Index n_keys = keys.points().rows();
  const bool costs = points_are_costs(keys.searched.metric());
  const auto pairs = costs ? nullptr : neighbors::make_pairs<T>(X, keys.prepared());
  const auto source = costs ? exact_costs<T>(X, keys) : nullptr;
  neighbors::NeighborLists lists;
  lists.indices.assign(given.data(), given.data() + given.size());
  lists.distances.resize(lists.indices.size());
  std::vector<Index> row;
  for (Index i = 0; i < given.rows(); ++i) {
    lists.offsets.push_back(i * n_others);
    row.assign(given.row(i).begin(), given.row(i).end());
    std::sort(row.begin(), row.end());
    const bool once = std::adjacent_find(row.begin(), row.end()) == row.end();
    for (const Index j : row)
      require(once && 0 <= j && j < n_keys && !(self && j == i) && (self || filters.admits(i, j)),
              "neighbors", "different keys that the support admits, in [0, " + std::to_string(n_keys) + ")",
              std::to_string(j) + " in row " + std::to_string(i));
    double* const distances = lists.distances.data() + i * n_others;
    if (pairs) pairs->distances(i, given.row(i).data(), n_others, distances);
    for (Index m = 0; source && m < n_others; ++m)
      distances[m] = source->pair(i, given(i, m), engine::CostUnit::reported);
  }
  lists.offsets.push_back(given.size());
  return lists;
}

template <class T>
Edges search(const Mechanism& m, const PairFilters& filters, const Points<T>& X,
             const detail::KeysState<T>& keys, bool self, const Execution& run,
             const Matrix<Index>* given = nullptr) {
  const Index n_keys = keys.points().rows();
  const MetricTraits laws = traits(m.metric);
  neighbors::PairAdmission admitted;
  const bool by_filters = !(self && only_leaves_self_out(m.support)) && !filters.empty();
  const Vector<double>& log_weights = *keys.log_weights;
  if ((log_weights.array() == minus_infinity).any())
    admitted = [&, by_filters](Index i, Index j) {
      return is_heard(log_weights, j) && (!by_filters || filters.admits(i, j));
    };
  else if (by_filters)
    admitted = [&filters](Index i, Index j) { return filters.admits(i, j); };
  NeighborOptions options;
  if (const auto* radius = std::get_if<Radius>(&m.support.selector())) {
    options.exclude_self = self && filters.leaves_self_out();
    return to_costs(neighbors::within<T>(keys.searched, X, radius->radius, admitted, options, run), laws,
                    n_keys, nullptr, run);
  }
  const Neighbors& neighbors = *m.support.neighbors();
  const Choice choice = choice_of(neighbors, self, filters.leaves_self_out(), n_keys);
  options.exclude_self = self;
  const neighbors::NeighborLists lists =
      given                 ? given_lists<T>(*given, choice.n_others, filters, X, keys, self)
      : choice.n_others > 0 ? neighbors::nearest<T>(keys.searched, X, choice.n_others, admitted, options, run)
                            : no_lists(X.rows());
  const auto source = choice.with_self ? exact_costs<T>(X, keys) : nullptr;
  return to_costs(lists, laws, n_keys, source.get(), run);
}

// --- weights

/// The key of least cost among each row's edges, not of those without weight; -1: none.
std::vector<Index> nearest_of_rows(const Edges& costs, const Vector<double>& log_key_weights) {
  std::vector<Index> nearest(static_cast<std::size_t>(costs.rows()), -1);
  for (Index i = 0; i < costs.rows(); ++i) {
    double least = std::numeric_limits<double>::infinity();
    Index& key = nearest[static_cast<std::size_t>(i)];
    for (Edge e(costs, i); e; ++e) {
      if (log_key_weights(e.col()) == minus_infinity || !(e.value() < least || key < 0)) continue;
      least = e.value();
      key = e.col();
    }
  }
  return nearest;
}

/// Rows that a radius left without edges have their nearest admitted key all the same.
template <class T>
void find_lonely(const PairFilters& filters, const Points<T>& X, const detail::KeysState<T>& keys,
                 std::vector<Index>& nearest, const Execution& run) {
  std::vector<Index> lonely;
  for (std::size_t i = 0; i < nearest.size(); ++i)
    if (nearest[i] < 0) lonely.push_back(static_cast<Index>(i));
  if (lonely.empty()) return;
  Matrix<T> queries(static_cast<Index>(lonely.size()), X.cols());
  for (Index a = 0; a < queries.rows(); ++a) queries.row(a) = X.row(lonely[static_cast<std::size_t>(a)]);
  const neighbors::PairAdmission admitted = [&](Index a, Index j) {
    return (*keys.log_weights)(j) > minus_infinity && filters.admits(lonely[static_cast<std::size_t>(a)], j);
  };
  const neighbors::NeighborLists lists = neighbors::nearest<T>(keys.searched, queries, 1, admitted, {}, run);
  for (std::size_t a = 0; a < lonely.size(); ++a)
    if (lists.offsets[a] < lists.offsets[a + 1])
      nearest[static_cast<std::size_t>(lonely[a])] =
          lists.indices[static_cast<std::size_t>(lists.offsets[a])];
}

/// Costs to log weights, symmetric where the selector says so.
WeightedEdges weighed(const Mechanism& m, const ResolvedKernel& kernel, Edges edges,
                      std::vector<Index> nearest, bool self, const Execution& run) {
  costs_to_log_weights(traits(m.metric), kernel, edges, run);
  if (const Neighbors* rule = m.support.neighbors(); rule && self && rule->symmetrize != "none")
    edges = symmetrized(edges, rule->symmetrize.empty() ? "union" : rule->symmetrize, run);
  return {std::move(edges), std::move(nearest)};
}

WeightedEdges given_weights(const std::vector<Graph>& graphs, const PairFilters& filters,
                            const Support& support, const Vector<double>& log_key_weights,
                            const Execution& run) {
  require(graphs.size() == 1 && support.selector().index() == 0, "Graph",
          "the only graph and without a selector where weights='given'", repr(support));
  Edges weights = common_edges(graphs, filters, run);
  const double* const end = weights.valuePtr() + weights.nonZeros();
  const double* const bad =
      std::find_if(static_cast<const double*>(weights.valuePtr()), end,
                   [](double weight) { return !(weight >= 0 && std::isfinite(weight)); });
  if (bad != end) require(false, "Graph", "of finite weights that are not negative", *bad);
  Edges costs = weights;
  Eigen::Map<Vector<double>> values(weights.valuePtr(), weights.nonZeros());
  values = values.array().log();
  Eigen::Map<Vector<double>>(costs.valuePtr(), costs.nonZeros()) =
      -values;  // the heaviest edge leads to the nearest
  return {std::move(weights), nearest_of_rows(costs, log_key_weights)};
}

}  // namespace

bool has_given_weights(const Support& support) {
  return std::any_of(support.graphs().begin(), support.graphs().end(),
                     [](const Graph& graph) { return graph.weights == "given"; });
}

bool is_sparse(const Support& support) {
  return support.selector().index() != 0 || !support.graphs().empty();
}

namespace {

/// Costs of a neighbor search to weights; `edges` holds them.
template <class T>
WeightedEdges searched_edges(const Mechanism& m, const ResolvedKernel& kernel, const PairFilters& filters,
                             const Points<T>& X, const detail::KeysState<T>& keys, Edges edges, bool self,
                             const Execution& run) {
  std::vector<Index> nearest = nearest_of_rows(edges, *keys.log_weights);
  // Under `self` new points without a neighbor take their nearest key; the keys themselves get loops.
  if (m.empty_row == EmptyRow::nearest || (m.empty_row == EmptyRow::self && !self))
    find_lonely<T>(filters, X, keys, nearest, run);
  return weighed(m, kernel, std::move(edges), std::move(nearest), self, run);
}

}  // namespace

template <class T>
WeightedEdges find_edges(const Mechanism& m, const ResolvedKernel& kernel, const PairFilters& filters,
                         const Points<T>& X, const detail::KeysState<T>& keys, bool self,
                         const Execution& run) {
  const std::vector<Graph>& graphs = m.support.graphs();
  for (const Graph& graph : graphs) check_graph(graph, X.rows(), keys.points().rows());
  if (has_given_weights(m.support)) return given_weights(graphs, filters, m.support, *keys.log_weights, run);
  if (graphs.empty())
    return searched_edges<T>(m, kernel, filters, X, keys, search<T>(m, filters, X, keys, self, run), self,
                             run);
  Edges edges = common_edges(graphs, filters, run);
  if (m.support.neighbors()) edges = of_heard_keys(std::move(edges), *keys.log_weights, run);
  put_costs(edges, *exact_costs<T>(X, keys), run);
  std::vector<Index> nearest = nearest_of_rows(edges, *keys.log_weights);
  edges = select(edges, m.support.selector(), traits(m.metric), self, run);
  return weighed(m, kernel, std::move(edges), std::move(nearest), self, run);
}

template <class T>
WeightedEdges edges_of_neighbors(const Mechanism& m, const ResolvedKernel& kernel, const PairFilters& filters,
                                 const Points<T>& X, const detail::KeysState<T>& keys,
                                 const Matrix<Index>& neighbors, bool self, const Execution& run) {
  require(m.support.neighbors() && m.support.graphs().empty(), "support",
          "Neighbors where neighbors are given", repr(m.support));
  return searched_edges<T>(m, kernel, filters, X, keys, search<T>(m, filters, X, keys, self, run, &neighbors),
                           self, run);
}

#define LIKEWISE_INSTANTIATE(T)                                                                             \
  template WeightedEdges find_edges(const Mechanism&, const ResolvedKernel&, const PairFilters&,            \
                                    const Points<T>&, const detail::KeysState<T>&, bool, const Execution&); \
  template WeightedEdges edges_of_neighbors(const Mechanism&, const ResolvedKernel&, const PairFilters&,    \
                                            const Points<T>&, const detail::KeysState<T>&,                  \
                                            const Matrix<Index>&, bool, const Execution&);
LIKEWISE_INSTANTIATE(float)
LIKEWISE_INSTANTIATE(double)
#undef LIKEWISE_INSTANTIATE

}  // namespace likewise
