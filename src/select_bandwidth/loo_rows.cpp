#include "select_bandwidth/loo_rows.hpp"

#include <algorithm>
#include <limits>

#include <likewise/error.hpp>

#include "engine/cost_source.hpp"
#include "engine/parallel.hpp"
#include "neighbors/search.hpp"
#include "operator/pair_filters.hpp"
#include "operator/tile_weights.hpp"

namespace likewise::bandwidths {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity(), minus_infinity = -infinity;
constexpr Index rows_per_block = 16;

class AllOthers final : public LooRows {
 public:
  AllOthers(const Mechanism& mechanism, const Places& places, bool keep, const Execution& run)
      : costs_(engine::make_cost_source<double>(mechanism.metric, places.points, places.points,
                                                std::numeric_limits<double>::infinity())),
        unit_(unit_of(traits(mechanism.kernel).input)),
        zero_on_self_(traits(mechanism.metric).zero_on_self),
        filters_(mechanism.support, {places.points.rows(), places.points.rows(), Askers::keys}),
        log_counts_(places.log_counts) {
    if (!keep) return;
    kept_.resize(costs_->rows(), costs_->rows());
    const auto fill = [&](Index block) {
      const auto [first, size] = rows_of(block);
      costs_->fill(first, 0, unit_, kept_.middleRows(first, size));
    };
    engine::parallel_blocks(block_count(), run, "measuring distances", fill);
  }

  Index block_count() const override { return engine::block_count(costs_->rows(), rows_per_block); }

  void visit(Index block, const std::function<void(const LooRow&)>& use) const override {
    const auto [first, size] = rows_of(block);
    Matrix<double> tile;
    if (kept_.size() == 0) {
      tile.resize(size, costs_->cols());
      costs_->fill(first, 0, unit_, tile);
    }
    LooRow row;
    for (Index a = 0; a < size; ++a) {
      row.query = first + a;
      if (kept_.size())
        row.inputs = kept_.row(first + a);
      else
        row.inputs = tile.row(a);
      row.own_input = zero_on_self_ ? 0 : row.inputs(0, row.query);
      row.log_counts = log_counts_.transpose();
      for (Index j = 0; j < row.log_counts.cols(); ++j)
        if (j == row.query || !(filters_.empty() || filters_.admits(row.query, j)))
          row.log_counts(0, j) = minus_infinity;
      use(row);
    }
  }

 private:
  engine::Block rows_of(Index block) const { return engine::block_of(block, costs_->rows(), rows_per_block); }

  std::shared_ptr<const engine::CostSource<double>> costs_;
  engine::CostUnit unit_;
  bool zero_on_self_;
  PairFilters filters_;
  Vector<double> log_counts_;
  Matrix<double> kept_;
};

class SelectedOthers final : public LooRows {
 public:
  SelectedOthers(const Mechanism& mechanism, const Places& places, const Execution& run)
      : log_counts_(places.log_counts), own_inputs_(Vector<double>::Constant(log_counts_.size(), infinity)) {
    const Matrix<double>& Z = places.points;
    const PairFilters filters(mechanism.support, {Z.rows(), Z.rows(), Askers::keys});
    // What is left of a point's own weight takes the place of a neighbor, as a copy of it would.
    const auto admitted = [&](Index i, Index j) {
      if (i == j) return places.members[static_cast<std::size_t>(i)].log_rest > minus_infinity;
      return (filters.empty() || filters.admits(i, j)) && log_counts_(j) > minus_infinity;
    };
    const MetricTraits laws = traits(mechanism.metric);
    if (const Neighbors* selector = mechanism.support.neighbors()) {
      const Index k = std::min(selector->n_neighbors, Z.rows());
      lists_ = neighbors::nearest(mechanism.metric, Z, Z, k, admitted, {}, run);
    } else {
      const double radius = std::get<Radius>(mechanism.support.selector()).radius;
      lists_ = neighbors::within(mechanism.metric, Z, Z, radius, admitted, {}, run);
    }
    const int from = engine::unit_power(laws, engine::CostUnit::reported);
    const int to = engine::unit_power(laws, unit_of(traits(mechanism.kernel).input));
    for (double& distance : lists_.distances) distance = engine::convert_power(distance, from, to);
    for (Index i = 0; i < Z.rows(); ++i)
      for_list(i, [&](std::size_t at) {
        if (lists_.indices[at] == i) own_inputs_(i) = lists_.distances[at];
      });
    find_nearest(mechanism.metric, Z, admitted, run);
  }

  Index block_count() const override { return engine::block_count(log_counts_.size(), rows_per_block); }

  void visit(Index block, const std::function<void(const LooRow&)>& use) const override {
    const auto [first, size] = engine::block_of(block, log_counts_.size(), rows_per_block);
    LooRow row{.all_keys = false};
    std::vector<double> inputs;
    for (row.query = first; row.query < first + size; ++row.query) {
      row.keys.clear();
      inputs.clear();
      for_list(row.query, [&](std::size_t at) {
        if (lists_.indices[at] == row.query) return;
        row.keys.push_back(lists_.indices[at]);
        inputs.push_back(lists_.distances[at]);
      });
      row.own_input = own_inputs_(row.query);
      row.nearest = nearest_[static_cast<std::size_t>(row.query)];
      row.inputs = Eigen::Map<const Matrix<double>>(inputs.data(), 1, static_cast<Index>(inputs.size()));
      row.log_counts = log_counts_(row.keys).transpose();
      use(row);
    }
  }

 private:
  /// Rows that a radius left without neighbors speak for their nearest, as an empty row of an operator does.
  void find_nearest(const Metric& metric, const Matrix<double>& Z, const neighbors::PairAdmission& admitted,
                    const Execution& run) {
    nearest_.assign(static_cast<std::size_t>(Z.rows()), -1);
    std::vector<Index> lonely;
    for (std::size_t i = 0; i < nearest_.size(); ++i)
      if (lists_.offsets[i] == lists_.offsets[i + 1]) lonely.push_back(static_cast<Index>(i));
    if (lonely.empty()) return;
    const auto may_speak = [&](Index a, Index j) { return admitted(lonely[static_cast<std::size_t>(a)], j); };
    const Matrix<double> queries = Z(lonely, Eigen::all);
    const auto found = neighbors::nearest(metric, queries, Z, 1, may_speak, {}, run);
    for (std::size_t a = 0; a < lonely.size(); ++a)
      if (found.offsets[a] < found.offsets[a + 1])
        nearest_[static_cast<std::size_t>(lonely[a])] =
            found.indices[static_cast<std::size_t>(found.offsets[a])];
  }

  template <class Use> void for_list(Index i, const Use& use) const {
    const auto at = static_cast<std::size_t>(i);
    for (Index entry = lists_.offsets[at]; entry < lists_.offsets[at + 1]; ++entry)
      use(static_cast<std::size_t>(entry));
  }

  Vector<double> log_counts_;
  Vector<double> own_inputs_;  ///< infinite where copies of a point take all places before what is left of it
  neighbors::NeighborLists lists_;
  std::vector<Index> nearest_;  ///< of each row without neighbors; else -1
};

}  // namespace

bool pairs_fit(Index n, const Execution& run) {
  constexpr double most = 1 << 28;  // 256 MiB
  const double bytes = static_cast<double>(n) * static_cast<double>(n) * sizeof(double);
  return bytes <= std::min(most, static_cast<double>(run.memory_allowed()) / 2);
}

Places places_of(const Mechanism& mechanism, const Points<double>& Z, const Values<double>& Y,
                 const Vector<double>& log_weights) {
  const bool by_coordinates = mechanism.support.is_all_pairs()
                              && std::holds_alternative<RowStochastic>(mechanism.normalization)
                              && !points_are_costs(mechanism.metric);
  return by_coordinates ? joined(Z, Y, log_weights) : apart(Z, Y, log_weights);
}

std::unique_ptr<const LooRows> make_loo_rows(const Mechanism& mechanism, const Places& places, bool keep,
                                             const Execution& run) {
  require(mechanism.support.graphs().empty(), "support", "without a given graph for bandwidth='loo'",
          repr(mechanism.support));
  if (mechanism.support.selector().index() == 0)
    return std::make_unique<AllOthers>(mechanism, places, keep && pairs_fit(places.points.rows(), run), run);
  return std::make_unique<SelectedOthers>(mechanism, places, run);
}

}  // namespace likewise::bandwidths
