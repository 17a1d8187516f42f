// The bandwidth with the least leave-one-out error.
#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <memory>
#include <numbers>
#include <optional>

#include <likewise/error.hpp>
#include <likewise/operator.hpp>
#include <likewise/select_bandwidth.hpp>

#include "bandwidth/golden_section.hpp"
#include "bandwidth/loo_rows.hpp"
#include "bandwidth/request.hpp"
#include "engine/exp_weights.hpp"
#include "engine/parallel.hpp"
#include "engine/simd/exp_row.hpp"
#include "operator/checks.hpp"
#include "operator/kernel_profile.hpp"
#include "operator/scalings.hpp"

namespace likewise {
namespace bandwidths {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

/// What is asked, with everything in float64.
struct Problem {
  Mechanism mechanism;
  Matrix<double> points, targets;
  Vector<double> log_counts;
  LooLoss loss;

  /// How often each point counts, relative to the one that counts most.
  Vector<double> counts() const {
    return engine::exp_weights((log_counts.array() - log_counts.maxCoeff()).eval()).matrix();
  }
  double loss_of(Index i, const Eigen::RowVectorXd& prediction) const {
    if (loss == LooLoss::squared_error)
      return (targets.row(i) - prediction).squaredNorm() / static_cast<double>(targets.cols());
    // A class of probability 0 costs what scikit-learn's log_loss lets it cost.
    return -std::log(std::max(targets.row(i).dot(prediction), std::numeric_limits<double>::epsilon()));
  }
};

/// Ascending lengths. Where the kernel is exp(-rate u), its rate at one is twice that `chains` lengths further up.
struct Grid {
  std::vector<double> lengths;
  std::size_t chains;
};

/// Mean losses at its lengths.
using Losses = std::function<std::vector<double>(const Grid& grid)>;

void check_mechanism(const Mechanism& m) {
  validate(m);
  const bool has_scale = bandwidth_of(m.kernel) || std::holds_alternative<Exponential>(m.kernel);
  require(has_scale, "kernel", "one with a bandwidth or a temperature for bandwidth='loo'", repr(m.kernel));
}

Kernel with_scale(const Kernel& kernel, double scale) {
  if (std::holds_alternative<Exponential>(kernel)) return Exponential{scale};
  return with_bandwidth(kernel, Bandwidth(scale));
}

// --- weighted means: all lengths in one pass over shared distances

Eigen::RowVectorXd value_of_nearest(const LooRow& row, const Points<double>& Y) {
  Index nearest = -1;
  for (Index j = 0; j < row.inputs.cols(); ++j)
    if (row.log_counts(0, j) > -infinity && (nearest < 0 || row.inputs(0, j) < row.inputs(0, nearest)))
      nearest = j;
  if (nearest < 0) return Eigen::RowVectorXd::Zero(Y.cols());
  return Y.row(nearest);
}

/// sum_j w_j y_j / (null mass + sum_j w_j), in the log domain; the nearest key's y where no key has weight.
Eigen::RowVectorXd mean_of(const LooRow& row, const Kernel& kernel, double length, double null_mass,
                           const Points<double>& Y) {
  if (row.inputs.cols() == 0) return Eigen::RowVectorXd::Zero(Y.cols());
  Matrix<double> weights = row.inputs;
  log_weights<double>(kernel, weights, length);
  weights += row.log_counts;
  const double largest = weights.maxCoeff();
  if (largest == -infinity) return value_of_nearest(row, Y);
  weights = engine::exp_weights((weights.array() - largest).eval()).matrix();
  return weights * Y / (weights.sum() + std::exp(std::log(null_mass) - largest));
}

/// -d log phi / du of a kernel that is exp(-rate u); 0 of another.
double rate_of(const Kernel& kernel, double length) {
  const engine::Profile profile = profile_of<double>(kernel, length);
  if (profile.kind != engine::Profile::Kind::linear) return 0;
  return std::min(profile.inner * profile.inner_again * std::numbers::ln2,
                  std::numeric_limits<double>::max());
}

/// The mean over points of the losses that `visit(block, add)` adds, add(i, l, prediction). Sums by block first, so that their
/// order does not depend on threads.
template <class Visit>
std::vector<double> mean_losses(const Problem& p, Index n_blocks, std::size_t n_lengths, const Execution& run,
                                const Visit& visit) {
  const Vector<double> counts = p.counts();
  Matrix<double> sums = Matrix<double>::Zero(n_blocks, static_cast<Index>(n_lengths));
  engine::parallel_blocks(n_blocks, run, "leaving one out", [&](Index block) {
    visit(block, [&](Index i, std::size_t l, const auto& prediction) {
      if (counts(i) > 0) sums(block, static_cast<Index>(l)) += counts(i) * p.loss_of(i, prediction());
    });
  });
  const Eigen::RowVectorXd means = sums.colwise().sum() / counts.sum();
  return {means.begin(), means.end()};
}

std::vector<double> losses_of_means(const Problem& p, const LooRows& rows, const std::vector<double>& lengths,
                                    const Execution& run) {
  const Kernel kernel = with_scale(p.mechanism.kernel, 1);
  const double null = null_mass(p.mechanism.normalization);
  return mean_losses(p, rows.block_count(), lengths.size(), run, [&](Index block, const auto& add) {
    rows.visit(block, [&](const LooRow& row) {
      const Matrix<double> gathered = rows_at(p.targets, row.keys);
      const Points<double> Y = row.all_keys ? Points<double>(p.targets) : Points<double>(gathered);
      for (std::size_t l = 0; l < lengths.size(); ++l)
        add(row.query, l, [&] { return mean_of(row, kernel, lengths[l], null, Y); });
    });
  });
}

/// The same of kernels exp(-rate u) with all pairs in memory. Inputs are taken relative to each row's least, so that the
/// nearest key weighs its count at any rate, and nothing is shifted again; who does not speak is infinitely far.
class ExponentialMeans {
 public:
  ExponentialMeans(const Problem& p, const LooRows& rows, const Execution& run)
      : p_(p), counts_(p.counts()), excess_(p.points.rows(), p.points.rows()), least_(p.points.rows()) {
    const auto prepare = [&](const LooRow& row) {
      // A count that is no number beside the largest says nothing: as the nearest it would leave no mass.
      const auto speaks = (row.log_counts.array() > -infinity && counts_.transpose().array() > 0).eval();
      const auto inputs = speaks.select(row.inputs.array(), infinity).eval();
      least_(row.query) = inputs.minCoeff();
      excess_.row(row.query) = least_(row.query) < infinity ? (inputs - least_(row.query)).eval() : inputs;
    };
    engine::parallel_blocks(rows.block_count(), run, "measuring distances",
                            [&](Index block) { rows.visit(block, prepare); });
  }

  /// On a grid whose rates double every `chains` lengths down, most weights are squares of those before.
  std::vector<double> losses(const Grid& grid, const Execution& run) const {
    constexpr Index rows_at_a_time = 16;
    const Index n = excess_.rows(), n_blocks = engine::block_count(n, rows_at_a_time);
    const std::size_t n_lengths = grid.lengths.size();
    std::vector<double> rates;
    for (const double h : grid.lengths) rates.push_back(rate_of(with_scale(p_.mechanism.kernel, 1), h));
    return mean_losses(p_, n_blocks, n_lengths, run, [&](Index b, const auto& add) {
      const engine::Block rows = engine::block_of(b, n, rows_at_a_time);
      Vector<double> powers(n), weights(n);
      for (Index i = rows.begin; i < rows.begin + rows.size; ++i)
        for (std::size_t chain = 0; chain < std::min(grid.chains, n_lengths); ++chain)
          for (std::size_t done = chain, link = 0; done < n_lengths; done += grid.chains, ++link) {
            const std::size_t l = n_lengths - 1 - done;
            const double mass = link % links_of_a_chain == 0 ? weigh(i, rates[l], powers, weights)
                                                             : weigh_again(powers, weights);
            add(i, l, [&] { return mean(i, rates[l], weights, mass); });
          }
    });
  }

 private:
  static constexpr std::size_t links_of_a_chain = 8;  // a square doubles relative errors: 128 times 4e-16

  double weigh(Index i, double rate, Vector<double>& powers, Vector<double>& weights) const {
    return engine::simd::weigh_row(excess_.row(i).data(), counts_.data(), excess_.cols(), rate, powers.data(),
                                   weights.data());
  }
  double weigh_again(Vector<double>& powers, Vector<double>& weights) const {
    return engine::simd::square_row(powers.data(), counts_.data(), powers.size(), weights.data());
  }

  Eigen::RowVectorXd mean(Index i, double rate, const Vector<double>& weights, double mass) const {
    const Matrix<double>& Y = p_.targets;
    if (least_(i) == infinity) return Eigen::RowVectorXd::Zero(Y.cols());
    const double null = null_mass(p_.mechanism.normalization);  // in units of the largest count
    const double whole =
        null > 0 ? mass + std::exp(std::log(null) - p_.log_counts.maxCoeff() + rate * least_(i)) : mass;
    if (Y.cols() > 1) return weights.transpose() * Y / whole;
    return Eigen::RowVectorXd::Constant(1,
                                        engine::simd::dot_rows(weights.data(), Y.data(), Y.rows()) / whole);
  }

  const Problem& p_;
  Vector<double> counts_;
  Matrix<double> excess_;
  Vector<double> least_;
};

// --- normalizations that look beyond a row: an operator for each length

std::vector<double> losses_of_operators(const Problem& p, const std::vector<double>& lengths,
                                        const Execution& run) {
  const Mask others{pairs_of_different_points(p.points)};
  const Vector<double> counts = p.counts();
  std::vector<double> losses;
  for (const double length : lengths) {
    Mechanism m = p.mechanism;
    m.kernel = with_scale(m.kernel, length);
    m.support = m.support & Support(others);
    m.empty_row = EmptyRow::nearest;
    const Matrix<double> F = m.self_operator(p.points, {.log_key_weights = p.log_counts}, run) * p.targets;
    double sum = 0;
    for (Index i = 0; i < F.rows(); ++i) sum += counts(i) * p.loss_of(i, F.row(i));
    losses.push_back(sum / counts.sum());
  }
  return losses;
}

// --- the search

struct Range {
  double low, high;
};

/// The lengths worth trying. Of a distance: from the least between neighbors to the largest at all. Of another
/// cost: differences within a row; below a thousandth of the largest the least cost has nearly all the weight.
/// Empty (high = 0) where all points are in one place.
Range range_of(const Mechanism& m, const LooRows& rows, const Execution& run) {
  const bool is_distance = traits(m.metric).distance_power > 0;
  const Index n_blocks = rows.block_count();
  Vector<double> least = Vector<double>::Constant(n_blocks, infinity);
  Vector<double> largest = Vector<double>::Zero(n_blocks);
  engine::parallel_blocks(n_blocks, run, "measuring distances", [&](Index block) {
    rows.visit(block, [&](const LooRow& row) {
      double nearest = infinity, farthest = -infinity;
      for (Index j = 0; j < row.inputs.cols(); ++j) {
        const double input = row.inputs(0, j);
        if (row.log_counts(0, j) == -infinity || (is_distance && input == 0)) continue;
        nearest = std::min(nearest, input);
        farthest = std::max(farthest, input);
      }
      least(block) = std::min(least(block), nearest);
      largest(block) = std::max(largest(block), is_distance ? farthest : farthest - nearest);
    });
  });
  const double high = largest.maxCoeff(), low = is_distance ? least.minCoeff() : high / 1000;
  if (traits(m.kernel).input != KernelInput::squared_distance) return {low, high};
  return {std::sqrt(low), std::sqrt(high)};
}

/// At most 48 steps, of at most 1.3 where that reaches. `squares`: weights at one length are made from others'.
Grid grid_of(Range range, const Kernel& kernel, bool squares) {
  constexpr double largest_step = 1.3;
  constexpr int most_steps = 48;
  const double power =
      std::log2(rate_of(kernel, 1) / rate_of(kernel, 2));  // rate = length^-power; NaN: no rate
  if (squares && power > 0 && range.low > 0) {
    const double chains = std::ceil(1 / (power * std::log2(largest_step)));
    const double steps = std::ceil(std::log2(range.high / range.low) * power * chains);
    if (steps < most_steps) {
      Grid grid{{}, static_cast<std::size_t>(chains)};
      for (double step = steps; step >= 0; --step)
        grid.lengths.push_back(range.high * std::exp2(-step / (power * chains)));
      return grid;
    }
  }
  std::vector<double> lengths = log_grid(range.low, range.high, largest_step, most_steps);
  const std::size_t none = lengths.size();
  return {std::move(lengths), none};
}

SelectedBandwidth least_loss(Range range, const Kernel& kernel, bool squares, const Losses& losses) {
  SelectedBandwidth found{.length = any_length, .rule = "loo"};
  if (!(range.high > 0)) return found;
  const Grid grid = grid_of(range, kernel, squares);
  found.grid = grid.lengths;
  found.curve = losses(grid);
  const auto best = static_cast<std::size_t>(std::min_element(found.curve.begin(), found.curve.end())
                                             - found.curve.begin());
  const Least on_grid{std::log(found.grid[best]), found.curve[best]};
  const auto [low, high] = bracket(found.grid, best);
  const Least refined = golden_section(
      [&](double log_length) {
        return losses({{std::exp(log_length)}, 1}).front();
      },
      std::log(low), std::log(high), 16);
  found.length = refined.value < on_grid.value ? std::exp(refined.at) : found.grid[best];
  return found;
}

}  // namespace
}  // namespace bandwidths

template <class T>
SelectedBandwidth loo_bandwidth(const Mechanism& mechanism, const Points<T>& Z, const Values<T>& Y,
                                LooLoss loss, const BandwidthOptions& options, const Execution& run) {
  check_points<T>("Z", Z);
  check_points<T>("Y", Y);
  require(Y.rows() == Z.rows(), "Y",
          "an array with " + std::to_string(Z.rows()) + " rows (one for each point)",
          std::to_string(Y.rows()) + " rows");
  bandwidths::check_mechanism(mechanism);
  const bandwidths::Problem problem{mechanism, Z.template cast<double>(), Y.template cast<double>(),
                                    checked_log_weights(options.log_key_weights, Z.rows()), loss};
  const bool means = std::holds_alternative<RowStochastic>(mechanism.normalization);
  const Kernel kernel = bandwidths::with_scale(mechanism.kernel, 1);
  const bool squares =
      means && bandwidths::rate_of(kernel, 1) > 0 && mechanism.support.selector().index() == 0;
  const bool prepared = squares && bandwidths::pairs_fit(Z.rows(), run);
  const auto rows = bandwidths::make_loo_rows(mechanism, problem.points, problem.log_counts, !prepared, run);
  std::optional<bandwidths::ExponentialMeans> exponential;
  if (prepared) exponential.emplace(problem, *rows, run);
  const auto losses = [&](const bandwidths::Grid& grid) {
    if (exponential) return exponential->losses(grid, run);
    return means ? bandwidths::losses_of_means(problem, *rows, grid.lengths, run)
                 : bandwidths::losses_of_operators(problem, grid.lengths, run);
  };
  return bandwidths::least_loss(bandwidths::range_of(mechanism, *rows, run), kernel, squares, losses);
}

template SelectedBandwidth loo_bandwidth(const Mechanism&, const Points<float>&, const Values<float>&,
                                         LooLoss, const BandwidthOptions&, const Execution&);
template SelectedBandwidth loo_bandwidth(const Mechanism&, const Points<double>&, const Values<double>&,
                                         LooLoss, const BandwidthOptions&, const Execution&);

}  // namespace likewise
