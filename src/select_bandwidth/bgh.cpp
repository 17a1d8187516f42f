// The scale at which a kernel sum grows fastest (Berry, Giannakis and Harlim 2015, Phys. Rev. E 91, 032915).
#include <algorithm>
#include <cmath>

#include "engine/parallel.hpp"
#include "select_bandwidth/golden_section.hpp"
#include "select_bandwidth/pairs.hpp"

namespace likewise::bandwidths {
namespace {

/// S(eps) = sum_ij exp(-d_ij^2/(4 eps)) over all ordered pairs of a sample.
class KernelSum {
 public:
  explicit KernelSum(const RuleInput& request) : run_(request.run) {
    Pairs pairs = sample_pairs(request);
    self_ = pairs.self;
    const auto apart = std::partition(pairs.distances.begin(), pairs.distances.end(),
                                      [](const Counted& pair) { return pair.value == 0; });
    for (auto pair = pairs.distances.begin(); pair != apart; ++pair) self_ += pair->count;
    pairs.distances.erase(pairs.distances.begin(), apart);
    if (pairs.distances.empty()) return;
    // Below the distance at which the first 1 % of the points meet another, S is constant.
    shortest_ = counted_quantile(pairs.distances, 0.01 * self_);
    square_.resize(static_cast<Index>(pairs.distances.size()));
    count_.resize(square_.size());
    for (Index p = 0; p < square_.size(); ++p) {
      const Counted& pair = pairs.distances[static_cast<std::size_t>(p)];
      square_(p) = pair.value * pair.value;
      count_(p) = pair.count;
    }
  }

  /// All points are in one place.
  bool constant() const { return square_.size() == 0; }
  double shortest() const { return shortest_; }
  double longest() const { return std::sqrt(square_.maxCoeff()); }

  /// d log S / d log eps = sum u exp(-u) / S, u = d^2/(4 eps), at each eps = length^2/2. One pass over the
  /// pairs.
  std::vector<double> slopes(const std::vector<double>& lengths) const {
    constexpr Index pairs_per_block = 8192;
    const Index n_blocks = engine::block_count(square_.size(), pairs_per_block);
    const Index n_lengths = static_cast<Index>(lengths.size());
    Matrix<double> growth(n_blocks, n_lengths), sum(n_blocks, n_lengths);
    const auto work = [&](Index block) {
      const auto [first, size] = engine::block_of(block, square_.size(), pairs_per_block);
      Eigen::ArrayXd u(size), weight(size);
      for (Index l = 0; l < n_lengths; ++l) {
        const double h = lengths[static_cast<std::size_t>(l)];
        u = square_.segment(first, size) / (2 * h * h);
        weight = count_.segment(first, size) * (-u).exp();
        sum(block, l) = weight.sum();
        growth(block, l) = (u * weight).sum();
      }
    };
    const double operations = static_cast<double>(square_.size()) * static_cast<double>(n_lengths);
    engine::parallel_blocks(n_blocks, engine::sized(run_, operations), "summing kernels", work);
    std::vector<double> slopes;
    for (Index l = 0; l < n_lengths; ++l) slopes.push_back(growth.col(l).sum() / (self_ + sum.col(l).sum()));
    return slopes;
  }

 private:
  const Execution& run_;
  double self_ = 0, shortest_ = 0;
  Eigen::ArrayXd square_, count_;
};

}  // namespace

SelectedBandwidth bgh(const RuleInput& request) {
  const KernelSum sum(request);
  SelectedBandwidth found{.length = any_length, .rule = "bgh", .intrinsic_dimension = 0.0};
  if (sum.constant()) return found;
  found.grid = log_grid(sum.shortest() / 2, 2 * sum.longest(), 1.6, 48);
  found.curve = sum.slopes(found.grid);

  const auto steepest = std::max_element(found.curve.begin(), found.curve.end()) - found.curve.begin();
  const auto [low, high] = bracket(found.grid, static_cast<std::size_t>(steepest));
  const auto flatness = [&](double log_length) { return -sum.slopes({std::exp(log_length)}).front(); };
  const Least best = golden_section(flatness, std::log(low), std::log(high), 18);
  found.length = std::exp(best.at);
  found.intrinsic_dimension = -2 * best.value;
  return found;
}

}  // namespace likewise::bandwidths
