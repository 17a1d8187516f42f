// kneighbors and radius_neighbors: checks, the choice of the algorithm, and rows gathered into tables.
#include <likewise/neighbors.hpp>

#include <cmath>
#include <memory>
#include <numeric>

#include <likewise/error.hpp>

#include "engine/parallel.hpp"
#include "neighbors/brute_force.hpp"
#include "neighbors/kd_tree.hpp"
#include "neighbors/search.hpp"
#include "operator/checks.hpp"

namespace likewise {
namespace neighbors {
namespace {

constexpr Index queries_per_block = 64;
// Where the tree was faster than brute force on independent normal coordinates, 15 neighbors (its worst
// case).
constexpr Index tree_max_coordinates = 8;
constexpr Index tree_min_keys = 500;

void check_request(const Points<double>& X, const Points<double>& Z, const NeighborOptions& options) {
  check_points<double>("X", X);
  check_points<double>("Z", Z);
  require(!options.exclude_self || X.rows() == Z.rows(), "X",
          "the keys themselves (" + std::to_string(Z.rows()) + " rows) where each is left out of its own row",
          std::to_string(X.rows()) + " rows");
}

void check_count(Index k, Index n_keys, bool exclude_self) {
  const Index most = exclude_self ? n_keys - 1 : n_keys;
  std::string allowed = "an int in [1, " + std::to_string(most) + "] (" + std::to_string(n_keys) + " samples";
  if (exclude_self) allowed += ", a point is not its own neighbor";
  require(1 <= k && k <= most, "n_neighbors", allowed + ")", k);
}

bool tree_pays(const Metric& metric, const Points<double>& Z) {
  return sums_over_coordinates(metric) && coordinates_of(metric, Z.cols()) <= tree_max_coordinates
         && Z.rows() >= tree_min_keys;
}

/// "kd_tree" or "brute".
std::string choose(const Metric& metric, const Points<double>& Z, const Admitted& admitted,
                   const std::string& algorithm) {
  require(algorithm == "auto" || algorithm == "kd_tree" || algorithm == "brute", "algorithm",
          "one of \"auto\", \"kd_tree\", \"brute\"", '"' + algorithm + '"');
  if (algorithm == "auto") return !admitted && tree_pays(metric, Z) ? "kd_tree" : "brute";
  if (algorithm == "kd_tree") {
    require_law(traits(metric).triangle_inequality, metric, "a metric with the triangle inequality",
                "kd_tree");
    require_law(sums_over_coordinates(metric), metric, "a sum over coordinates", "kd_tree");
  }
  return algorithm;
}

/// One search over all queries; `Candidates` says what a row keeps.
class Search {
 public:
  Search(const Metric& metric, const Points<double>& X, const Points<double>& Z, const Admitted& admitted,
         const NeighborOptions& options)
      : laws_(traits(metric)),
        costs_(engine::make_cost_source<double>(metric, X, Z, std::numeric_limits<double>::infinity())),
        admitted_(admitted),
        exclude_self_(options.exclude_self),
        algorithm_(choose(metric, Z, admitted, options.algorithm)) {
    if (algorithm_ == "kd_tree") tree_ = make_kd_tree(coordinate_sum(metric, X, Z));
  }

  const std::string& algorithm() const { return algorithm_; }

  NearestCandidates candidates(Index i, Index k) const { return {row(i), error(i), k}; }
  RadiusCandidates candidates(Index i, double radius) const {
    return {row(i), error(i), radius, cost_of(radius)};
  }

  /// Calls store(i, found) for each query, from several threads.
  template <class Limit, class Store>
  void run(Limit limit, const Store& store, const Execution& execution) const {
    const Index n = costs_->rows();
    const auto work = [&](Index block) {
      const auto [first, size] = engine::block_of(block, n, queries_per_block);
      std::vector<decltype(candidates(0, limit))> rows;
      for (Index i = first; i < first + size; ++i) rows.push_back(candidates(i, limit));
      if (!tree_) scan_keys(*costs_, unit(), first, rows);
      for (Index i = first; i < first + size; ++i) {
        auto& row = rows[static_cast<std::size_t>(i - first)];
        if (tree_) tree_->search(i, row);
        store(i, row.take());
      }
    };
    const double pairs = static_cast<double>(n) * static_cast<double>(costs_->cols());
    engine::parallel_blocks(engine::block_count(n, queries_per_block), engine::sized(execution, pairs),
                            "finding neighbors", work);
  }

 private:
  engine::CostUnit unit() const { return tile_unit(laws_); }
  Row row(Index i) const { return {*costs_, admitted_, i, exclude_self_, !tree_ && !laws_.lifts}; }

  CostError error(Index i) const {
    if (tree_) return tree_->error();
    // Relative: distances whose squares differ by a rounding may be equal.
    return laws_.lifts ? CostError{costs_->lift_error(i), 8 * std::numeric_limits<double>::epsilon()}
                       : CostError{};
  }
  /// A reported distance in the unit of the costs that candidates see.
  double cost_of(double reported) const {
    const int from = engine::unit_power(laws_, engine::CostUnit::reported);
    if (tree_) return tree_->sum_of(engine::convert_power(reported, from, 1));
    return engine::convert_power(reported, from, engine::unit_power(laws_, unit()));
  }

  MetricTraits laws_;
  std::shared_ptr<const engine::CostSource<double>> costs_;
  const Admitted& admitted_;
  bool exclude_self_;
  std::string algorithm_;
  std::unique_ptr<const KdTree> tree_;
};

std::size_t at(Index i) { return static_cast<std::size_t>(i); }

/// Rows of at most k into lists without gaps.
void close_gaps(NeighborLists& lists, const std::vector<Index>& sizes, Index k) {
  Index end = 0;
  lists.offsets.assign(1, 0);
  for (Index i = 0; i < static_cast<Index>(sizes.size()); ++i) {
    const Index size = sizes[at(i)];
    std::copy_n(lists.indices.begin() + i * k, size, lists.indices.begin() + end);
    std::copy_n(lists.distances.begin() + i * k, size, lists.distances.begin() + end);
    lists.offsets.push_back(end += size);
  }
  lists.indices.resize(at(end));
  lists.distances.resize(at(end));
}

}  // namespace

NeighborLists nearest(const Metric& metric, const Points<double>& X, const Points<double>& Z, Index k,
                      const Admitted& admitted, const NeighborOptions& options, const Execution& run) {
  check_request(X, Z, options);
  check_count(k, Z.rows(), options.exclude_self);
  run.require_memory(
      static_cast<double>(X.rows()) * static_cast<double>(k) * (sizeof(Index) + sizeof(double)),
      "the neighbors of all queries", "ask for fewer queries at a time or fewer neighbors");
  const Search search(metric, X, Z, admitted, options);
  NeighborLists lists;
  lists.algorithm = search.algorithm();
  lists.indices.resize(at(X.rows() * k));
  lists.distances.resize(at(X.rows() * k));
  std::vector<Index> sizes(at(X.rows()));
  const auto store = [&](Index i, const std::vector<Found>& found) {
    sizes[at(i)] = static_cast<Index>(found.size());
    for (std::size_t m = 0; m < found.size(); ++m) {
      lists.indices[at(i * k) + m] = found[m].index;
      lists.distances[at(i * k) + m] = found[m].distance;
    }
  };
  search.run(k, store, run);
  close_gaps(lists, sizes, k);
  return lists;
}

NeighborLists within(const Metric& metric, const Points<double>& X, const Points<double>& Z, double radius,
                     const Admitted& admitted, const NeighborOptions& options, const Execution& run) {
  check_request(X, Z, options);
  require(!std::isnan(radius) && (radius >= 0 || !traits(metric).zero_on_self), "radius",
          "a number that is not negative", radius);
  const Search search(metric, X, Z, admitted, options);
  std::vector<std::vector<Found>> rows(at(X.rows()));
  search.run(
      radius, [&](Index i, std::vector<Found> found) { rows[at(i)] = std::move(found); }, run);

  NeighborLists lists;
  lists.algorithm = search.algorithm();
  lists.offsets.assign(1, 0);
  for (std::vector<Found>& row : rows) {
    for (const Found& found : row) {
      lists.indices.push_back(found.index);
      lists.distances.push_back(found.distance);
    }
    lists.offsets.push_back(static_cast<Index>(lists.indices.size()));
    row = {};
  }
  return lists;
}

}  // namespace neighbors

template <class T>
NeighborTable<T> kneighbors(const Metric& metric, const Points<T>& X, const Points<T>& Z, Index k,
                            const NeighborOptions& options, const Execution& run) {
  const neighbors::NeighborLists lists =
      neighbors::nearest(metric, X.template cast<double>(), Z.template cast<double>(), k, {}, options, run);
  return {Eigen::Map<const Matrix<double>>(lists.distances.data(), X.rows(), k).template cast<T>(),
          Eigen::Map<const Matrix<Index>>(lists.indices.data(), X.rows(), k), lists.algorithm};
}

template <class T>
RadiusTable<T> radius_neighbors(const Metric& metric, const Points<T>& X, const Points<T>& Z, double radius,
                                const NeighborOptions& options, const Execution& run) {
  neighbors::NeighborLists lists = neighbors::within(metric, X.template cast<double>(),
                                                     Z.template cast<double>(), radius, {}, options, run);
  return {std::move(lists.offsets),
          std::move(lists.indices),
          {lists.distances.begin(), lists.distances.end()},
          lists.algorithm};
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
