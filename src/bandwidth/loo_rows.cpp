#include "bandwidth/loo_rows.hpp"

#include <algorithm>
#include <limits>
#include <numeric>

#include <likewise/error.hpp>

#include "engine/cost_source.hpp"
#include "engine/parallel.hpp"
#include "neighbors/search.hpp"
#include "operator/pair_filters.hpp"
#include "operator/tile_weights.hpp"

namespace likewise::bandwidths {
namespace {

constexpr double minus_infinity = -std::numeric_limits<double>::infinity();
constexpr Index rows_per_block = 16;

/// A number for each point, equal exactly for points that are equal in every feature. O(n log n d).
std::vector<Index> number_of_point(const Points<double>& Z) {
  const auto row = [&](Index i) { return Z.row(i); };
  const auto before = [&](Index i, Index j) {
    return std::lexicographical_compare(row(i).begin(), row(i).end(), row(j).begin(), row(j).end());
  };
  std::vector<Index> order(static_cast<std::size_t>(Z.rows())), number(order.size());
  std::iota(order.begin(), order.end(), Index(0));
  std::sort(order.begin(), order.end(), before);
  for (std::size_t m = 0; m < order.size(); ++m) {
    const bool new_point = m == 0 || before(order[m - 1], order[m]);
    number[static_cast<std::size_t>(order[m])] =
        new_point ? static_cast<Index>(m) : number[static_cast<std::size_t>(order[m - 1])];
  }
  return number;
}

/// Which keys may speak to a left-out point: no copy of it, and whom the support's filters admit.
class Others {
 public:
  Others(const Mechanism& mechanism, const Points<double>& Z)
      : number_(number_of_point(Z)), filters_(mechanism.support, Z.rows(), Z.rows()) {}

  bool admit(Index i, Index j) const {
    return number_[static_cast<std::size_t>(i)] != number_[static_cast<std::size_t>(j)]
           && (filters_.empty() || filters_.admits(i, j));
  }

 private:
  std::vector<Index> number_;
  PairFilters filters_;
};

class AllOthers final : public LooRows {
 public:
  AllOthers(const Mechanism& mechanism, const Points<double>& Z, const Vector<double>& log_counts, bool keep,
            const Execution& run)
      : costs_(
          engine::make_cost_source<double>(mechanism.metric, Z, Z, std::numeric_limits<double>::infinity())),
        unit_(unit_of(traits(mechanism.kernel).input)),
        others_(mechanism, Z),
        log_counts_(log_counts) {
    if (!keep) return;
    kept_.resize(Z.rows(), Z.rows());
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
      row.log_counts = log_counts_.transpose();
      for (Index j = 0; j < row.log_counts.cols(); ++j)
        if (!others_.admit(first + a, j)) row.log_counts(0, j) = minus_infinity;
      use(row);
    }
  }

 private:
  engine::Block rows_of(Index block) const { return engine::block_of(block, costs_->rows(), rows_per_block); }

  std::shared_ptr<const engine::CostSource<double>> costs_;
  engine::CostUnit unit_;
  Others others_;
  Vector<double> log_counts_;
  Matrix<double> kept_;
};

class SelectedOthers final : public LooRows {
 public:
  SelectedOthers(const Mechanism& mechanism, const Points<double>& Z, const Vector<double>& log_counts,
                 const Execution& run)
      : log_counts_(log_counts) {
    const Others others(mechanism, Z);
    const auto admitted = [&](Index i, Index j) {
      return others.admit(i, j) && log_counts(j) > minus_infinity;
    };
    const MetricTraits laws = traits(mechanism.metric);
    if (const Neighbors* selector = mechanism.support.neighbors()) {
      const Index k = std::min(selector->n_neighbors, Z.rows() - 1);
      lists_ = neighbors::nearest(mechanism.metric, Z, Z, k, admitted, {.exclude_self = true}, run);
    } else {
      const double radius = std::get<Radius>(mechanism.support.selector()).radius;
      lists_ = neighbors::within(mechanism.metric, Z, Z, radius, admitted, {.exclude_self = true}, run);
    }
    const int from = engine::unit_power(laws, engine::CostUnit::reported);
    const int to = engine::unit_power(laws, unit_of(traits(mechanism.kernel).input));
    for (double& distance : lists_.distances) distance = engine::convert_power(distance, from, to);
  }

  Index block_count() const override { return engine::block_count(log_counts_.size(), rows_per_block); }

  void visit(Index block, const std::function<void(const LooRow&)>& use) const override {
    const auto [first, size] = engine::block_of(block, log_counts_.size(), rows_per_block);
    LooRow row{.all_keys = false};
    for (row.query = first; row.query < first + size; ++row.query) {
      const Index begin = lists_.offsets[static_cast<std::size_t>(row.query)];
      const Index m = lists_.offsets[static_cast<std::size_t>(row.query) + 1] - begin;
      row.inputs = Eigen::Map<const Matrix<double>>(lists_.distances.data() + begin, 1, m);
      row.keys.assign(lists_.indices.begin() + begin, lists_.indices.begin() + begin + m);
      row.log_counts = log_counts_(row.keys).transpose();
      use(row);
    }
  }

 private:
  Vector<double> log_counts_;
  neighbors::NeighborLists lists_;
};

}  // namespace

bool pairs_fit(Index n, const Execution& run) {
  constexpr double most = 1 << 28;  // 256 MiB
  const double bytes = static_cast<double>(n) * static_cast<double>(n) * sizeof(double);
  return bytes <= std::min(most, static_cast<double>(run.memory_allowed()) / 2);
}

std::unique_ptr<const LooRows> make_loo_rows(const Mechanism& mechanism, const Points<double>& Z,
                                             const Vector<double>& log_counts, bool keep,
                                             const Execution& run) {
  for (const PairFilter& filter : mechanism.support.filters())
    require(!std::holds_alternative<Graph>(filter), "support", "without a given graph for bandwidth='loo'",
            repr(mechanism.support));
  if (mechanism.support.selector().index() == 0)
    return std::make_unique<AllOthers>(mechanism, Z, log_counts, keep && pairs_fit(Z.rows(), run), run);
  return std::make_unique<SelectedOthers>(mechanism, Z, log_counts, run);
}

BoolMatrix pairs_of_different_points(const Points<double>& Z) {
  const std::vector<Index> number = number_of_point(Z);
  BoolMatrix different(Z.rows(), Z.rows());
  for (Index i = 0; i < Z.rows(); ++i)
    for (Index j = 0; j < Z.rows(); ++j)
      different(i, j) = number[static_cast<std::size_t>(i)] != number[static_cast<std::size_t>(j)];
  return different;
}

}  // namespace likewise::bandwidths
