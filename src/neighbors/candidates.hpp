// From approximate costs to exact neighbors: collect every key that could belong, then evaluate those by
// definition.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>
#include <vector>

#include "engine/cost_source.hpp"
#include "neighbors/bounded_search.hpp"
#include "neighbors/search.hpp"

namespace likewise::neighbors {

/// An approximate cost u is within absolute + relative |u| of the true one.
struct CostError {
  double absolute = 0, relative = 0;

  /// The highest approximate cost of a key that may truly be as near as one of approximate cost u.
  double reach(double u) const {
    return std::isinf(u) ? u : u + 2 * (absolute + relative * std::abs(u));  // 0 times infinity is no number
  }
};

/// One row's view of the problem: its query, who is admitted, and the true distances.
struct Row {
  const engine::CostSource<double>& costs;
  const PairAdmission& admitted;
  Index query;
  bool exclude_self;
  bool costs_are_distances;  ///< the costs offered are already what is reported

  bool admits(Index key) const {
    return !(exclude_self && key == query) && (!admitted || admitted(query, key));
  }
  double distance(Index key, double cost) const {
    return costs_are_distances ? cost : costs.pair(query, key, engine::CostUnit::reported);
  }
};

/// Collects the k nearest keys of a row. O(k) memory, O(log k) a key that comes nearer than all before.
class NearestCandidates {
 public:
  NearestCandidates(Row row, CostError error, Index k)
      : row_(row), error_(error), k_(static_cast<std::size_t>(k)) {}

  /// Keys of a higher cost do not belong.
  double threshold() const { return threshold_; }

  void offer(double cost, Index key) {
    if (!(cost <= threshold_) || !row_.admits(key)) return;
    candidates_.push_back({cost, {0, key}});
    lower_threshold(cost);
    if (candidates_.size() > 2 * k_ + 64) shrink();
  }

  std::vector<Found> take() {
    keep_nearest();
    std::vector<Found> row;
    row.reserve(candidates_.size());
    for (const Candidate& candidate : candidates_) row.push_back(candidate.found);
    std::sort(row.begin(), row.end());
    return row;
  }

 private:
  struct Candidate {
    double cost;
    Found found;
  };

  void lower_threshold(double cost) {
    if (lowest_.size() == k_) {
      if (cost >= lowest_.front()) return;
      std::pop_heap(lowest_.begin(), lowest_.end());
      lowest_.back() = cost;
    } else {
      lowest_.push_back(cost);
    }
    std::push_heap(lowest_.begin(), lowest_.end());
    if (lowest_.size() == k_) threshold_ = error_.reach(lowest_.front());
  }

  /// Drops what the threshold has passed. Where many costs are equal that is little: then the true distances
  /// decide.
  void shrink() {
    const auto beyond = [&](const Candidate& candidate) { return candidate.cost > threshold_; };
    candidates_.erase(std::remove_if(candidates_.begin(), candidates_.end(), beyond), candidates_.end());
    if (candidates_.size() > k_ + 32) keep_nearest();
  }

  void keep_nearest() {
    for (Candidate& candidate : candidates_)
      candidate.found.distance = row_.distance(candidate.found.index, candidate.cost);
    if (candidates_.size() <= k_) return;
    const auto nearer = [](const Candidate& a, const Candidate& b) { return a.found < b.found; };
    std::nth_element(candidates_.begin(), candidates_.begin() + static_cast<std::ptrdiff_t>(k_) - 1,
                     candidates_.end(), nearer);
    candidates_.resize(k_, Candidate{});
  }

  Row row_;
  CostError error_;
  std::size_t k_;
  double threshold_ = std::numeric_limits<double>::infinity();
  std::vector<double> lowest_;  // a max-heap of the k lowest costs
  std::vector<Candidate> candidates_;
};

/// Collects the keys of a row within a radius. `cost` is the radius in the unit of the costs.
class RadiusCandidates {
 public:
  RadiusCandidates(Row row, CostError error, double radius, double cost)
      : row_(row), radius_(radius), threshold_(error.reach(cost)) {}

  double threshold() const { return threshold_; }

  void offer(double cost, Index key) {
    if (!(cost <= threshold_) || !row_.admits(key)) return;
    const double distance = row_.distance(key, cost);
    if (distance <= radius_) found_.push_back({distance, key});
  }

  std::vector<Found> take() {
    std::sort(found_.begin(), found_.end());
    return std::move(found_);
  }

 private:
  Row row_;
  double radius_, threshold_;
  std::vector<Found> found_;
};

}  // namespace likewise::neighbors
