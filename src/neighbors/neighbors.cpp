// kneighbors and radius_neighbors: checks, the choice of the algorithm, and rows gathered into tables.
#include <likewise/neighbors.hpp>

#include <cmath>
#include <limits>
#include <memory>
#include <optional>
#include <type_traits>

#include <likewise/error.hpp>
#include <likewise/neighbor_count.hpp>

#include "checks.hpp"
#include "engine/call.hpp"
#include "engine/parallel.hpp"
#include "neighbors/brute_force.hpp"
#include "neighbors/fused_filter.hpp"
#include "neighbors/kd_tree.hpp"
#include "neighbors/search.hpp"

namespace likewise {
namespace neighbors {
namespace {

constexpr Index queries_per_block = 64;
constexpr Index tree_min_keys = 500;

template <class T>
void check_request(const Points<T>& X, const Points<T>& Z, const NeighborOptions& options) {
  check_points<T>("X", X);
  check_points<T>("Z", Z);
  require(!options.exclude_self || X.rows() == Z.rows(), "X",
          "the keys themselves (" + std::to_string(Z.rows()) + " rows) where each is left out of its own row",
          std::to_string(X.rows()) + " rows");
}

void check_algorithm(const Metric& metric, const std::string& algorithm) {
  require(algorithm == "auto" || algorithm == "kd_tree" || algorithm == "brute", "algorithm",
          "one of \"auto\", \"kd_tree\", \"brute\"", '"' + algorithm + '"');
  if (algorithm != "kd_tree") return;
  require_law(traits(metric).triangle_inequality, metric, "a metric with the triangle inequality", "kd_tree");
  require_law(grows_trees(metric), metric, "a sum over coordinates", "kd_tree");
}

template <class T>
std::shared_ptr<const engine::CostSource<double>> costs_of(const Metric& metric, const Points<T>& X,
                                                           const Points<T>& Z) {
  return engine::make_cost_source<double>(metric, X.template cast<double>(), Z.template cast<double>(),
                                          std::numeric_limits<double>::infinity());
}

/// Every query against every key of a metric that does not lift, by tiles of costs.
class TileSearch {
 public:
  TileSearch(const MetricTraits& laws, std::shared_ptr<const engine::CostSource<double>> costs,
             const Admitted& admitted, bool exclude_self)
      : laws_(laws), costs_(std::move(costs)), admitted_(admitted), exclude_self_(exclude_self) {}

  void nearest(Index k, const Store& store, const Execution& execution) const {
    run([&](Index i) { return NearestCandidates(row(i), error(i), k); }, store, execution);
  }
  void within(double radius, const Store& store, const Execution& execution) const {
    const int from = engine::unit_power(laws_, engine::CostUnit::reported),
              to = engine::unit_power(laws_, unit());
    const double cost = engine::convert_power(radius, from, to);
    run([&](Index i) { return RadiusCandidates(row(i), error(i), radius, cost); }, store, execution);
  }

 private:
  template <class Make>
  void run(const Make& candidates, const Store& store, const Execution& execution) const {
    const Index n = costs_->rows();
    const auto work = [&](Index block) {
      const auto [first, size] = engine::block_of(block, n, queries_per_block);
      std::vector<decltype(candidates(0))> rows;
      for (Index i = first; i < first + size; ++i) rows.push_back(candidates(i));
      scan_keys(*costs_, unit(), first, rows);
      for (Index i = first; i < first + size; ++i) store(i, rows[static_cast<std::size_t>(i - first)].take());
    };
    const double pairs = static_cast<double>(n) * static_cast<double>(costs_->cols());
    engine::parallel_blocks(engine::block_count(n, queries_per_block), engine::sized(execution, pairs),
                            "finding neighbors", work);
  }
  engine::CostUnit unit() const { return tile_unit(laws_); }
  Row row(Index i) const { return {*costs_, admitted_, i, exclude_self_, !laws_.lifts()}; }
  CostError error(Index i) const {
    // Relative: distances whose squares differ by a rounding may be equal.
    return laws_.lifts() ? CostError{costs_->lift_error(i), 8 * std::numeric_limits<double>::epsilon()}
                         : CostError{};
  }

  MetricTraits laws_;
  std::shared_ptr<const engine::CostSource<double>> costs_;
  const Admitted& admitted_;
  bool exclude_self_;
};

template <class T> bool same(const Points<T>& X, const Points<T>& Z) {
  return X.data() == Z.data() && X.rows() == Z.rows() && X.cols() == Z.cols()
         && X.outerStride() == Z.outerStride();
}

/// The pair rule of the engine's loops.
engine::simd::PairRule rule_of(const Admitted& admitted, bool exclude_self) {
  engine::simd::PairRule rule{exclude_self};
  if (!admitted) return rule;
  rule.context = &admitted;
  rule.admits = [](const void* at, std::ptrdiff_t i, std::ptrdiff_t j) {
    return (*static_cast<const Admitted*>(at))(i, j);
  };
  return rule;
}

/// One search over all queries: for the k nearest keys, or (k = 0) for all within a radius.
template <class T> class Search {
 public:
  Search(const Metric& metric, const Points<T>& X, const Points<T>& Z, Index k, double radius,
         const Admitted& admitted, const NeighborOptions& options, const Execution& run)
      : metric_(metric), laws_(traits(metric)), X_(X), Z_(Z), k_(k), radius_(radius), run_(sized(run)) {
    check_algorithm(metric, options.algorithm);
    const bool may_grow =
        options.algorithm == "kd_tree" || (options.algorithm == "auto" && !admitted && worth_a_tree());
    if (may_grow || laws_.lifts()) {
      // The widths, which the full source would check.
      costs_of<T>(metric, X.topRows(1), Z.topRows(1));
      if (laws_.lifts())
        pairs_ = lifted_ = make_lifted_pairs<T>(metric, X, Z);
      else
        pairs_ = make_pairs<T>(metric, X, Z);
      request_.emplace(Request{*pairs_, rule_of(admitted, options.exclude_self), same<T>(X, Z)});
    }
    if (may_grow && fits(X) && fits(Z)) grow(options.algorithm == "auto");
    if (!filter_ && laws_.lifts()) filter_ = make_fused_filter(*lifted_, laws_, *request_, k, run_);
    // Also where a lift overflows: the source refuses that by name.
    if (!filter_) tiles_.emplace(laws_, costs_of<T>(metric, X, Z), admitted, options.exclude_self);
  }

  const std::string& algorithm() const { return algorithm_; }

  /// Calls store(i, found) for each query, from several threads.
  void run(const Store& store) const {
    if (tiles_) return k_ ? tiles_->nearest(k_, store, run_) : tiles_->within(radius_, store, run_);
    if (k_) {
      const std::vector<RowLimit> rest = filter_->nearest(k_, store, run_);
      if (rest.empty()) return;
      if (algorithm_ == "kd_tree") return filter_->within(rest, k_, store, run_);
      return make_double_filter(*lifted_, laws_, *request_, run_)->within(rest, k_, store, run_);
    }
    std::vector<RowLimit> rows;
    for (Index i = 0; i < X_.rows(); ++i) rows.push_back({i, radius_});
    filter_->within(rows, 0, store, run_);
  }

 private:
  Execution sized(const Execution& run) const {
    return engine::sized(run, static_cast<double>(X_.rows()) * static_cast<double>(Z_.rows()) / 16
                                  * static_cast<double>(X_.cols() + 4));
  }
  bool worth_a_tree() const {
    constexpr Index many_keys = 16384,
                    queries_to_keys = 32;  // few queries do not pay for a tree over many keys
    return grows_trees(metric_) && Z_.rows() >= tree_min_keys
           && (Z_.rows() <= many_keys || X_.rows() * queries_to_keys >= Z_.rows());
  }
  static bool fits(const Points<T>& points) {
    return static_cast<double>(points.maxCoeff()) < 1e150 && static_cast<double>(points.minCoeff()) > -1e150;
  }

  /// Grows the tree; where it is to be the better choice, it must show that on a few queries.
  void grow(bool choose) {
    auto tree = make_kd_tree<T>(metric_, X_, Z_, *request_, run_);
    if (choose && !pays(*tree)) return;
    filter_ = std::move(tree);
    algorithm_ = "kd_tree";
  }

  /// Compares what is counted, in nanoseconds of one core of the machine where the constants were fitted (2.1 GHz,
  /// AVX-512, 3 to 64 coordinates, 5 000 to 100 000 points). Growing the tree is not counted: it may serve many calls.
  bool pays(const TreeFilter& tree) const {
    const TreeCost cost = tree.probe(k_, radius_);
    const double width = static_cast<double>(tree.width());
    const double by_tree = 1400 + 8 * cost.nodes + (20 + 2 * width) * cost.leaves;
    const double mirrored = request_->self && k_ ? 0.6 : 1;
    const double by_pair = laws_.lifts() ? (0.18 + 0.017 * width) * mirrored : 1 + 0.5 * width;
    return by_tree < 1700 + by_pair * static_cast<double>(Z_.rows());
  }

  const Metric& metric_;
  MetricTraits laws_;
  const Points<T>& X_;
  const Points<T>& Z_;
  Index k_;
  double radius_;
  Execution run_;
  std::string algorithm_ = "brute";
  std::shared_ptr<const LiftedPairs> lifted_;
  std::shared_ptr<const Pairs> pairs_;
  std::optional<Request> request_;
  std::unique_ptr<const Filter> filter_;
  std::optional<TileSearch> tiles_;
};

std::size_t at(Index i) { return static_cast<std::size_t>(i); }

/// Rows of at most k into lists without gaps.
void close_gaps(NeighborLists& lists, const std::vector<Index>& sizes, Index k) {
  Index end = 0;
  lists.offsets.assign(1, 0);
  lists.offsets.reserve(sizes.size() + 1);
  for (Index i = 0; i < static_cast<Index>(sizes.size()); ++i) {
    const Index size = sizes[at(i)];
    if (end != i * k) {
      std::copy_n(lists.indices.begin() + i * k, size, lists.indices.begin() + end);
      std::copy_n(lists.distances.begin() + i * k, size, lists.distances.begin() + end);
    }
    lists.offsets.push_back(end += size);
  }
  lists.indices.resize(at(end));
  lists.distances.resize(at(end));
}

template <class T>
void check_nearest(const Points<T>& X, const Points<T>& Z, Index k, const NeighborOptions& options,
                   const Execution& run) {
  check_request<T>(X, Z, options);
  check_neighbor_count(k, Z.rows(), options.exclude_self);
  run.require_memory(
      static_cast<double>(X.rows()) * static_cast<double>(k) * (sizeof(Index) + sizeof(double)),
      "the neighbors of all queries", "ask for fewer queries at a time or fewer neighbors");
}

template <class T, class Table>
void fill_within(Table& table, const Metric& metric, const Points<T>& X, const Points<T>& Z, double radius,
                 const Admitted& admitted, const NeighborOptions& options, const Execution& run) {
  using Distance = typename decltype(table.distances)::value_type;
  check_request<T>(X, Z, options);
  require(!std::isnan(radius) && (radius >= 0 || !traits(metric).zero_on_self), "radius",
          "a number that is not negative", radius);
  const Search<T> search(metric, X, Z, 0, before_rounding<Distance>(radius), admitted, options, run);
  std::vector<std::vector<Found>> rows(at(X.rows()));
  search.run([&](Index i, const std::vector<Found>& found) { rows[at(i)] = found; });
  table.algorithm = search.algorithm();
  table.offsets.assign(1, 0);
  table.offsets.reserve(rows.size() + 1);
  for (const auto& row : rows) table.offsets.push_back(table.offsets.back() + static_cast<Index>(row.size()));
  table.indices.reserve(at(table.offsets.back()));
  table.distances.reserve(at(table.offsets.back()));
  for (std::vector<Found>& row : rows) {
    for (const Found& found : row) {
      table.indices.push_back(found.index);
      table.distances.push_back(static_cast<Distance>(found.distance));
    }
    row = {};
  }
}

}  // namespace

template <class T> double before_rounding(double radius) {
  if (std::is_same_v<T, double> || !std::isfinite(radius)) return radius;
  T most = static_cast<T>(radius);
  if (static_cast<double>(most) > radius) most = std::nextafter(most, std::numeric_limits<T>::lowest());
  const double next = static_cast<double>(std::nextafter(most, std::numeric_limits<T>::infinity()));
  const double halfway = 0.5 * (static_cast<double>(most) + next);
  // Costs may be negative: the number below is not always the one nearer to 0.
  return static_cast<T>(halfway) <= most ? halfway
                                         : std::nextafter(halfway, std::numeric_limits<double>::lowest());
}
template double before_rounding<float>(double);
template double before_rounding<double>(double);

NeighborLists nearest(const Metric& metric, const Points<double>& X, const Points<double>& Z, Index k,
                      const Admitted& admitted, const NeighborOptions& options, const Execution& run) {
  check_nearest<double>(X, Z, k, options, run);
  const Search<double> search(metric, X, Z, k, 0, admitted, options, run);
  NeighborLists lists;
  lists.algorithm = search.algorithm();
  lists.indices.resize(at(X.rows() * k));
  lists.distances.resize(at(X.rows() * k));
  std::vector<Index> sizes(at(X.rows()));
  search.run([&](Index i, const std::vector<Found>& found) {
    sizes[at(i)] = static_cast<Index>(found.size());
    for (std::size_t m = 0; m < found.size(); ++m) {
      lists.indices[at(i * k) + m] = found[m].index;
      lists.distances[at(i * k) + m] = found[m].distance;
    }
  });
  close_gaps(lists, sizes, k);
  return lists;
}

NeighborLists within(const Metric& metric, const Points<double>& X, const Points<double>& Z, double radius,
                     const Admitted& admitted, const NeighborOptions& options, const Execution& run) {
  NeighborLists lists;
  fill_within<double>(lists, metric, X, Z, radius, admitted, options, run);
  return lists;
}

}  // namespace neighbors

template <class T>
NeighborTable<T> kneighbors(const Metric& metric, const Points<T>& X, const Points<T>& Z, Index k,
                            const NeighborOptions& options, const Execution& run) {
  const engine::Call call(run);
  neighbors::check_nearest<T>(X, Z, k, options, run);
  const neighbors::Admitted everyone;
  const neighbors::Search<T> search(metric, X, Z, k, 0, everyone, options, run);
  NeighborTable<T> table{Matrix<T>(X.rows(), k), Matrix<Index>(X.rows(), k), search.algorithm()};
  search.run([&](Index i, const std::vector<neighbors::Found>& found) {
    for (Index m = 0; m < k; ++m) {
      table.distances(i, m) = static_cast<T>(found[static_cast<std::size_t>(m)].distance);
      table.indices(i, m) = found[static_cast<std::size_t>(m)].index;
    }
  });
  return table;
}

template <class T>
RadiusTable<T> radius_neighbors(const Metric& metric, const Points<T>& X, const Points<T>& Z, double radius,
                                const NeighborOptions& options, const Execution& run) {
  const engine::Call call(run);
  RadiusTable<T> table;
  neighbors::fill_within<T>(table, metric, X, Z, radius, {}, options, run);
  return table;
}

template NeighborTable<float> kneighbors(const Metric&, const Points<float>&, const Points<float>&, Index,
                                         const NeighborOptions&, const Execution&);
template NeighborTable<double> kneighbors(const Metric&, const Points<double>&, const Points<double>&, Index,
                                          const NeighborOptions&, const Execution&);
template RadiusTable<float> radius_neighbors(const Metric&, const Points<float>&, const Points<float>&,
                                             double, const NeighborOptions&, const Execution&);
template RadiusTable<double> radius_neighbors(const Metric&, const Points<double>&, const Points<double>&,
                                              double, const NeighborOptions&, const Execution&);

}  // namespace likewise
