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
#include "neighbors/exact_search.hpp"
#include "neighbors/fused_search.hpp"
#include "neighbors/kd_tree.hpp"
#include "neighbors/keys_state.hpp"
#include "neighbors/search.hpp"

namespace likewise {
namespace neighbors {
namespace {

constexpr Index queries_per_block = 64;
constexpr Index tree_min_keys = 500;

/// Keys have been checked when they were prepared.
template <class T>
void check_request(const Points<T>& X, const Points<T>& Z, const NeighborOptions& options) {
  check_points<T>("X", X);
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

template <class T> bool same(const Points<T>& X, const Points<T>& Z) {
  return X.data() == Z.data() && X.rows() == Z.rows() && X.cols() == Z.cols()
         && X.outerStride() == Z.outerStride();
}

/// All costs in float64; keys of float64 are looked at where they are.
template <class T>
std::shared_ptr<const engine::CostSource<double>> costs_of(const Points<T>& X,
                                                           const engine::SharedKeys<T>& keys) {
  constexpr double always = std::numeric_limits<double>::infinity();
  if constexpr (std::is_same_v<T, double>) {
    if (!keys->shared()) return engine::make_cost_source<double>(keys->metric(), X, keys->points(), always);
    return engine::make_cost_source<double>(
        same<T>(X, keys->points()) ? keys->shared() : std::make_shared<const Matrix<double>>(X), keys,
        always);
  } else
    return engine::make_cost_source<double>(keys->metric(), X.template cast<double>(),
                                            keys->points().template cast<double>(), always);
}

/// Refuses points of a width that the metric, or the keys, do not have.
template <class T> void check_widths(const Points<T>& X, const engine::PreparedPoints<T>& keys) {
  engine::make_cost_source<T>(keys.metric(), X.topRows(1), keys.points().topRows(1),
                              std::numeric_limits<double>::infinity());
}

/// Every query against every key of a metric that does not lift, by tiles of costs.
class TileSearch {
 public:
  TileSearch(const MetricTraits& laws, std::shared_ptr<const engine::CostSource<double>> costs,
             const PairAdmission& admitted, bool exclude_self)
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
  const PairAdmission& admitted_;
  bool exclude_self_;
};

/// The pair rule of the engine's loops.
engine::simd::PairCondition rule_of(const PairAdmission& admitted, bool exclude_self) {
  engine::simd::PairCondition rule{exclude_self};
  if (!admitted) return rule;
  rule.context = &admitted;
  rule.admits = [](const void* at, std::ptrdiff_t i, std::ptrdiff_t j) {
    return (*static_cast<const PairAdmission*>(at))(i, j);
  };
  return rule;
}

/// One search over all queries: for the k nearest keys, or (k = 0) for all within a radius.
template <class T> class Search {
 public:
  Search(const SearchedKeys<T>& keys, const Points<T>& X, Index k, double radius,
         const PairAdmission& admitted, const NeighborOptions& options, const Execution& run)
      : keys_(keys),
        laws_(traits(keys.metric())),
        X_(X),
        k_(k),
        radius_(radius),
        run_(sized(run)),
        asked_(keys.asked_with(X.rows())) {
    check_algorithm(keys.metric(), options.algorithm);
    const bool may_grow =
        options.algorithm == "kd_tree" || (options.algorithm == "auto" && !admitted && worth_a_tree());
    if (may_grow || laws_.lifts() || takes_many()) {
      check_widths<T>(X, keys.prepared());  // which the full source would check
      if (laws_.lifts())
        pairs_ = lifted_ = make_lifted_pairs<T>(X, keys.prepared());
      else
        pairs_ = make_pairs<T>(X, keys.shared());
      terms_.emplace(
          SearchTerms{*pairs_, rule_of(admitted, options.exclude_self), same<T>(X, keys.points())});
    }
    if (may_grow && fits()) grow(options.algorithm == "auto");
    if (!bounded_ && terms_ && by_definition()) bounded_ = make_exact_search(*terms_);
    if (!bounded_ && laws_.lifts()) bounded_ = make_fused_search<T>(keys, *lifted_, *terms_, k, run_);
    // Also where a lift overflows: the source refuses that by name.
    if (!bounded_) tiles_.emplace(laws_, costs_of<T>(X, keys.shared()), admitted, options.exclude_self);
  }

  const std::string& algorithm() const { return algorithm_; }

  /// Calls store(i, found) for each query, from several threads.
  void run(const Store& store) const {
    if (tiles_) return k_ ? tiles_->nearest(k_, store, run_) : tiles_->within(radius_, store, run_);
    if (k_) {
      const std::vector<RowLimit> rest = bounded_->nearest(k_, store, run_);
      if (rest.empty()) return;
      if (algorithm_ == "kd_tree") return bounded_->within(rest, k_, store, run_);
      return make_double_search<T>(keys_, *lifted_, *terms_, run_)->within(rest, k_, store, run_);
    }
    std::vector<RowLimit> rows;
    for (Index i = 0; i < X_.rows(); ++i) rows.push_back({i, radius_});
    bounded_->within(rows, 0, store, run_);
  }

 private:
  Index n_keys() const { return keys_.points().rows(); }
  Execution sized(const Execution& run) const {
    return engine::sized(run, static_cast<double>(X_.rows()) * static_cast<double>(n_keys()) / 16
                                  * static_cast<double>(X_.cols() + 4));
  }
  // Costs in nanoseconds of one core of the machine where the constants were fitted (2.1 GHz, AVX-512, 3 to 64
  // coordinates, 5 000 to 100 000 points).
  double by_pair() const {
    const double width = static_cast<double>(keys_.points().cols());
    if (laws_.lifts()) return 0.18 + 0.017 * width;
    const double power = coordinate_sum(keys_.metric())->power;
    const bool products =
        std::isinf(power) || power == std::floor(power);  // a general power is an exp and a log
    return 1 + (products ? 0.5 : 25) * width;
  }
  double by_growing() const {
    return static_cast<double>(n_keys()) * (100 + 6 * static_cast<double>(keys_.points().cols()));
  }
  /// What brute force has taken since the keys are there, with this call.
  double by_brute_force() const { return by_pair() * static_cast<double>(n_keys()) * asked_; }

  /// A tree is grown once brute force has taken as long as growing it: at worst that is twice the best.
  bool worth_a_tree() const {
    return grows_trees(keys_.metric()) && n_keys() >= tree_min_keys && by_brute_force() >= by_growing();
  }

  /// Whether rows want so many of few keys that lists of bounds would hold most of them.
  bool takes_many() const {
    constexpr Index few_keys = 4096, narrow = 32;
    const Index share = keys_.points().cols() <= narrow ? 4 : 2;
    return k_ > 0 && n_keys() <= std::min(few_keys, share * k_) && !points_are_costs(keys_.metric());
  }
  /// Whether all distances by definition are quicker than bounds: also for the first few queries of all, before the keys'
  /// lift is made, where a definition reads each number once.
  bool by_definition() const {
    constexpr Index few_rows = 2;
    constexpr double first_few = 128;  // 16 calls
    const std::optional<CoordinateSum> sum = coordinate_sum(keys_.metric());
    const bool read_once = laws_.half_chord || (sum && sum->power == 2 && !sum->factor);
    return (takes_many() || (X_.rows() <= few_rows && asked_ <= first_few && read_once)) && fits();
  }
  bool fits() const {
    return keys_.prepared().largest_coordinate() < 1e150
           && static_cast<double>(X_.cwiseAbs().maxCoeff()) < 1e150;
  }

  /// Asks the tree; where it is to be the better choice, it must show that on a few queries. What it showed is known for
  /// the next search, save of the keys among themselves, whose brute force has another price.
  void grow(bool choose) {
    const bool of_queries = choose && !terms_->self;
    const std::optional<bool> known = of_queries ? keys_.tree_pays(k_, radius_) : std::nullopt;
    if (choose && known == false) return;
    if (choose && !known && hopeless()) {
      if (of_queries) keys_.remember_tree(k_, radius_, false);
      return;
    }
    tree_ = keys_.tree(fits_single_tree<T>(keys_.prepared(), X_), run_);
    auto asked = tree_->asked_by(X_, *terms_);
    if (choose && !known) {
      const bool paying = pays(*asked);
      if (of_queries) keys_.remember_tree(k_, radius_, paying);
      if (!paying) return keys_.drop_idle_tree();
    }
    bounded_ = std::move(asked);
    algorithm_ = "kd_tree";
  }

  /// Whether a tree over a few of the keys is searched nearly to its end: so is a larger one where points spread in many
  /// dimensions, and growing it would take about as long as this call.
  bool hopeless() const {
    constexpr Index few = 4096;
    constexpr double dear = 20, nearly = 0.5;
    if (n_keys() < 4 * few || by_brute_force() > dear * by_growing()) return false;
    std::vector<Index> some(static_cast<std::size_t>(few));
    for (Index a = 0; a < few; ++a) some[static_cast<std::size_t>(a)] = a * n_keys() / few;
    const engine::PreparedPoints<T> sample(
        keys_.metric(), std::make_shared<const Matrix<T>>(keys_.points()(some, Eigen::all)));
    const auto tree = grow_tree<T>(sample, fits_single_tree<T>(sample, sample.points()), run_);
    const double leaves = static_cast<double>(few) / static_cast<double>(engine::simd::tree_leaf_size);
    return tree->asked_by(sample.points(), *terms_)->probe(k_, radius_).leaves > nearly * leaves;
  }

  /// Compares what is counted. Growing the tree is not: it may serve many calls.
  bool pays(const TreeSearch& tree) const {
    const TreeCost cost = tree.probe(k_, radius_);
    const double width = static_cast<double>(tree.width());
    const double by_tree = 1400 + 8 * cost.nodes + (20 + 2 * width) * cost.leaves;
    const double mirrored = terms_->self && k_ && laws_.lifts() ? 0.6 : 1;
    return by_tree < 1700 + by_pair() * mirrored * static_cast<double>(n_keys());
  }

  const SearchedKeys<T>& keys_;
  MetricTraits laws_;
  const Points<T>& X_;
  Index k_;
  double radius_;
  Execution run_;
  double asked_;
  std::string algorithm_ = "brute";
  std::shared_ptr<const LiftedPairs> lifted_;
  std::shared_ptr<const Pairs> pairs_;
  std::optional<SearchTerms> terms_;
  std::shared_ptr<const KeyTree<T>> tree_;
  std::unique_ptr<const BoundedSearch> bounded_;
  std::optional<TileSearch> tiles_;
};

/// Keys that one call asks, looked at where they are.
template <class T> SearchedKeys<T> keys_of_one_call(const Metric& metric, const Points<T>& Z) {
  check_points<T>("Z", Z);
  return {std::make_shared<const engine::PreparedPoints<T>>(metric, Z), false};
}

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
void check_nearest(const SearchedKeys<T>& keys, const Points<T>& X, Index k, const NeighborOptions& options,
                   const Execution& run) {
  check_request<T>(X, keys.points(), options);
  check_neighbor_count(k, keys.points().rows(), options.exclude_self);
  run.require_memory(
      static_cast<double>(X.rows()) * static_cast<double>(k) * (sizeof(Index) + sizeof(double)),
      "the neighbors of all queries", "ask for fewer queries at a time or fewer neighbors");
}

template <class T>
NeighborTable<T> nearest_table(const SearchedKeys<T>& keys, const Points<T>& X, Index k,
                               const NeighborOptions& options, const Execution& run) {
  check_nearest<T>(keys, X, k, options, run);
  const PairAdmission everyone;
  const Search<T> search(keys, X, k, 0, everyone, options, run);
  NeighborTable<T> table{Matrix<T>(X.rows(), k), Matrix<Index>(X.rows(), k), search.algorithm()};
  search.run([&](Index i, const std::vector<Found>& found) {
    for (Index m = 0; m < k; ++m) {
      table.distances(i, m) = static_cast<T>(found[static_cast<std::size_t>(m)].distance);
      table.indices(i, m) = found[static_cast<std::size_t>(m)].index;
    }
  });
  return table;
}

template <class T, class Table>
void fill_within(Table& table, const SearchedKeys<T>& keys, const Points<T>& X, double radius,
                 const PairAdmission& admitted, const NeighborOptions& options, const Execution& run) {
  using Distance = typename decltype(table.distances)::value_type;
  check_request<T>(X, keys.points(), options);
  require(!std::isnan(radius) && (radius >= 0 || !traits(keys.metric()).zero_on_self), "radius",
          "a number that is not negative", radius);
  const Search<T> search(keys, X, 0, before_rounding<Distance>(radius), admitted, options, run);
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

template <class T>
NeighborLists nearest(const SearchedKeys<T>& keys, const Values<T>& X, Index k, const PairAdmission& admitted,
                      const NeighborOptions& options, const Execution& run) {
  check_nearest<T>(keys, X, k, options, run);
  const Search<T> search(keys, X, k, 0, admitted, options, run);
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

NeighborLists nearest(const Metric& metric, const Points<double>& X, const Points<double>& Z, Index k,
                      const PairAdmission& admitted, const NeighborOptions& options, const Execution& run) {
  return nearest<double>(keys_of_one_call<double>(metric, Z), X, k, admitted, options, run);
}

template <class T>
NeighborLists within(const SearchedKeys<T>& keys, const Values<T>& X, double radius,
                     const PairAdmission& admitted, const NeighborOptions& options, const Execution& run) {
  NeighborLists lists;
  fill_within<T>(lists, keys, X, radius, admitted, options, run);
  return lists;
}

NeighborLists within(const Metric& metric, const Points<double>& X, const Points<double>& Z, double radius,
                     const PairAdmission& admitted, const NeighborOptions& options, const Execution& run) {
  return within<double>(keys_of_one_call<double>(metric, Z), X, radius, admitted, options, run);
}

}  // namespace neighbors

template <class T>
NeighborTable<T> kneighbors(const PreparedKeys<T>& keys, const Values<T>& X, Index k,
                            const NeighborOptions& options, const Execution& run) {
  const engine::Call call(run);
  check_points<T>("X", X);
  const typename detail::KeysState<T>::SeenQueries seen_X(keys.state(), X, run);
  return neighbors::nearest_table<T>(keys.state().searched, seen_X, k, options, run);
}

template <class T>
NeighborTable<T> kneighbors(const Metric& metric, const Points<T>& X, const Points<T>& Z, Index k,
                            const NeighborOptions& options, const Execution& run) {
  const engine::Call call(run);
  check_points<T>("X", X);
  const SeenMetric looks = seen(metric);
  if (looks.maps()) return kneighbors<T>(PreparedKeys<T>(metric, Z, {}, run), X, k, options, run);
  return neighbors::nearest_table<T>(neighbors::keys_of_one_call<T>(looks.metric, Z), X, k, options, run);
}

template <class T>
RadiusTable<T> radius_neighbors(const PreparedKeys<T>& keys, const Values<T>& X, double radius,
                                const NeighborOptions& options, const Execution& run) {
  const engine::Call call(run);
  check_points<T>("X", X);
  const typename detail::KeysState<T>::SeenQueries seen_X(keys.state(), X, run);
  RadiusTable<T> table;
  neighbors::fill_within<T>(table, keys.state().searched, seen_X, radius, {}, options, run);
  return table;
}

template <class T>
RadiusTable<T> radius_neighbors(const Metric& metric, const Points<T>& X, const Points<T>& Z, double radius,
                                const NeighborOptions& options, const Execution& run) {
  const engine::Call call(run);
  check_points<T>("X", X);
  const SeenMetric looks = seen(metric);
  if (looks.maps()) return radius_neighbors<T>(PreparedKeys<T>(metric, Z, {}, run), X, radius, options, run);
  RadiusTable<T> table;
  neighbors::fill_within<T>(table, neighbors::keys_of_one_call<T>(looks.metric, Z), X, radius, {}, options,
                            run);
  return table;
}

#define LIKEWISE_INSTANTIATE(T)                                                                            \
  template NeighborTable<T> kneighbors(const PreparedKeys<T>&, const Values<T>&, Index,                    \
                                       const NeighborOptions&, const Execution&);                          \
  template NeighborTable<T> kneighbors(const Metric&, const Points<T>&, const Points<T>&, Index,           \
                                       const NeighborOptions&, const Execution&);                          \
  template RadiusTable<T> radius_neighbors(const PreparedKeys<T>&, const Values<T>&, double,               \
                                           const NeighborOptions&, const Execution&);                      \
  template RadiusTable<T> radius_neighbors(const Metric&, const Points<T>&, const Points<T>&, double,      \
                                           const NeighborOptions&, const Execution&);                      \
  namespace neighbors {                                                                                    \
  template NeighborLists nearest<T>(const SearchedKeys<T>&, const Values<T>&, Index, const PairAdmission&, \
                                    const NeighborOptions&, const Execution&);                             \
  template NeighborLists within<T>(const SearchedKeys<T>&, const Values<T>&, double, const PairAdmission&, \
                                   const NeighborOptions&, const Execution&);                              \
  }
LIKEWISE_INSTANTIATE(float)
LIKEWISE_INSTANTIATE(double)
#undef LIKEWISE_INSTANTIATE

}  // namespace likewise
