// The bandwidth with the least leave-one-out error.
#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <memory>
#include <optional>

#include <likewise/error.hpp>
#include <likewise/operator.hpp>
#include <likewise/select_bandwidth.hpp>

#include "checks.hpp"
#include "engine/call.hpp"
#include "engine/exp_weights.hpp"
#include "engine/parallel.hpp"
#include "engine/simd/exp_row.hpp"
#include "operator/make.hpp"
#include "operator/pair_filters.hpp"
#include "operator/scalings.hpp"
#include "select_bandwidth/golden_section.hpp"
#include "select_bandwidth/loo_rows.hpp"
#include "select_bandwidth/rule.hpp"

namespace likewise {
namespace bandwidths {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

/// What the others say to a left-out point, relative to exp(log_reference): their mass, and their targets' weighted sum.
/// `nearest` is what counts where nobody has weight.
struct Heard {
  double log_reference = -infinity, mass = 0;
  Eigen::RowVectorXd sum = {}, nearest = {};
};

/// What is asked, with everything in float64.
struct Problem {
  const Mechanism& mechanism;
  Matrix<double> targets;      ///< (n, c) of the points
  Vector<double> log_weights;  ///< (n,) of the points
  LooLoss loss;
  Places places;

  /// How often each point counts, relative to the one that counts most.
  Vector<double> counts() const {
    return engine::exp_weights((log_weights.array() - log_weights.maxCoeff()).eval()).matrix();
  }
  double loss_of(Index i, const Eigen::RowVectorXd& prediction) const {
    if (loss == LooLoss::squared_error)
      return (targets.row(i) - prediction).squaredNorm() / static_cast<double>(targets.cols());
    // A class of probability 0 costs what scikit-learn's log_loss lets it cost.
    return -std::log(std::max(targets.row(i).dot(prediction), std::numeric_limits<double>::epsilon()));
  }
  /// The mean of the others and of what its own place still says, in the log domain. `own`: log phi at the place itself.
  Eigen::RowVectorXd prediction(const Heard& others, const Member& member, double own) const {
    const double log_null = std::log(null_mass(mechanism.normalization));
    const double of_place = member.log_rest > -infinity ? own + member.log_rest : -infinity;
    const double of_others = others.mass > 0 ? others.log_reference : -infinity;
    const double top = std::max(of_place, of_others);
    if (top == -infinity)
      return log_null > -infinity || others.nearest.size() == 0
                 ? Eigen::RowVectorXd(Eigen::RowVectorXd::Zero(targets.cols()))
                 : others.nearest;
    const double share = std::exp(of_others - top), rest = std::exp(of_place - top);
    const double whole = share * others.mass + rest + std::exp(log_null - top);
    Eigen::RowVectorXd sum = Eigen::RowVectorXd::Zero(targets.cols());
    if (share > 0) sum = share * others.sum;
    if (rest > 0) sum += rest * member.rest;
    return sum / whole;
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
  if (nearest < 0) return {};
  return Y.row(nearest);
}

/// sum_j w_j y_j and sum_j w_j in the log domain.
Heard heard_in(const LooRow& row, const Kernel& kernel, double length, const Points<double>& Y) {
  Matrix<double> weights = row.inputs;
  log_weights<double>(kernel, weights, length);
  weights += row.log_counts;
  const double largest = weights.maxCoeff();
  if (largest == -infinity) return {.nearest = value_of_nearest(row, Y)};
  weights = engine::exp_weights((weights.array() - largest).eval()).matrix();
  return {largest, weights.sum(), weights * Y};
}

double log_weight_of_input(const Kernel& kernel, double length, double input) {
  Matrix<double> one = Matrix<double>::Constant(1, 1, input);
  log_weights<double>(kernel, one, length);
  return one(0, 0);
}

/// -d log phi / du of a kernel that is exp(-rate u); 0 of another.
double rate_of(const Kernel& kernel, double length) {
  return std::min(decay_rate(kernel, detail::usable_scale<double>(length)),
                  std::numeric_limits<double>::max());
}

/// The mean over points of the losses that `visit(block, add)` adds, add(p, l, own, heard) for each place and length; `heard`
/// is asked only for a place whose points count. Sums by block first, so that their order does not depend on threads.
template <class Visit>
std::vector<double> mean_losses(const Problem& p, Index n_blocks, std::size_t n_lengths, const Execution& run,
                                const Visit& visit) {
  const Vector<double> counts = p.counts();
  Matrix<double> sums = Matrix<double>::Zero(n_blocks, static_cast<Index>(n_lengths));
  engine::parallel_blocks(n_blocks, run, "leaving one out", [&](Index block) {
    visit(block, [&](Index place, std::size_t l, double own, const auto& heard) {
      const auto begin = p.places.members.begin();
      const auto at = p.places.ends.begin() + place;
      const auto counts_at_all = [&](const Member& member) { return counts(member.point) > 0; };
      if (!std::any_of(begin + at[0], begin + at[1], counts_at_all)) return;
      const Heard others = heard();
      double& sum = sums(block, static_cast<Index>(l));
      for (auto member = begin + at[0]; member != begin + at[1]; ++member)
        if (counts_at_all(*member))
          sum += counts(member->point) * p.loss_of(member->point, p.prediction(others, *member, own));
    });
  });
  const Eigen::RowVectorXd means = sums.colwise().sum() / counts.sum();
  return {means.begin(), means.end()};
}

std::vector<double> losses_of_means(const Problem& p, const LooRows& rows, const std::vector<double>& lengths,
                                    const Execution& run) {
  const Kernel kernel = with_scale(p.mechanism.kernel, 1);
  return mean_losses(p, rows.block_count(), lengths.size(), run, [&](Index block, const auto& add) {
    rows.visit(block, [&](const LooRow& row) {
      const Matrix<double> gathered = rows_at(p.places.targets, row.keys);
      const Points<double> Y = row.all_keys ? Points<double>(p.places.targets) : Points<double>(gathered);
      const Heard nobody = row.nearest < 0 ? Heard{} : Heard{.nearest = p.places.targets.row(row.nearest)};
      for (std::size_t l = 0; l < lengths.size(); ++l)
        add(row.query, l, log_weight_of_input(kernel, lengths[l], row.own_input),
            [&] { return row.inputs.cols() == 0 ? nobody : heard_in(row, kernel, lengths[l], Y); });
    });
  });
}

/// The same of kernels exp(-rate u) with all pairs in memory. Inputs are taken relative to each row's least, so that the
/// nearest key weighs its count at any rate, and nothing is shifted again; who does not speak is infinitely far.
class ExponentialMeans {
 public:
  ExponentialMeans(const Problem& p, const LooRows& rows, const Execution& run)
      : p_(p),
        log_unit_(p.places.log_counts.maxCoeff()),
        counts_(engine::exp_weights((p.places.log_counts.array() - log_unit_).eval()).matrix()),
        excess_(counts_.size(), counts_.size()),
        least_(counts_.size()),
        own_(counts_.size()) {
    const auto prepare = [&](const LooRow& row) {
      // A count that is no number beside the largest says nothing: as the nearest it would leave no mass.
      const auto speaks = (row.log_counts.array() > -infinity && counts_.transpose().array() > 0).eval();
      const auto inputs = speaks.select(row.inputs.array(), infinity).eval();
      least_(row.query) = inputs.minCoeff();
      own_(row.query) = row.own_input;
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
            add(i, l, log_power(rates[l], own_(i)), [&] { return heard(i, rates[l], weights, mass); });
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

  /// log exp(-rate u), a number.
  static double log_power(double rate, double input) {
    return std::max(-rate * input, std::numeric_limits<double>::lowest());
  }

  Heard heard(Index i, double rate, const Vector<double>& weights, double mass) const {
    if (least_(i) == infinity) return {};
    const Matrix<double>& Y = p_.places.targets;
    Heard others{log_power(rate, least_(i)) + log_unit_, mass};
    if (Y.cols() > 1)
      others.sum = weights.transpose() * Y;
    else
      others.sum.setConstant(1, engine::simd::dot_rows(weights.data(), Y.data(), Y.rows()));
    return others;
  }

  const Problem& p_;
  double log_unit_;
  Vector<double> counts_;
  Matrix<double> excess_;
  Vector<double> least_, own_;
};

// --- normalizations that look beyond a row: an operator for each length

/// The points, each with weight min(1, w), and after them what is left of larger weights: of those only the first part is
/// ever left out.
struct SplitPoints {
  std::vector<Index> point;    ///< of each row
  Vector<double> log_weights;  ///< of each row
};
SplitPoints split(const Vector<double>& log_weights) {
  SplitPoints rows{{}, log_weights.cwiseMin(0)};
  std::vector<double> rests;
  for (Index i = 0; i < log_weights.size(); ++i) rows.point.push_back(i);
  for (Index i = 0; i < log_weights.size(); ++i)
    if (const double rest = log_rest_of(log_weights(i)); rest > -infinity) {
      rows.point.push_back(i);
      rests.push_back(rest);
    }
  rows.log_weights.conservativeResize(static_cast<Index>(rows.point.size()));
  rows.log_weights.tail(static_cast<Index>(rests.size())) =
      Eigen::Map<const Vector<double>>(rests.data(), static_cast<Index>(rests.size()));
  return rows;
}

/// Rows that the support's filters let speak to one another, none to itself.
BoolMatrix other_rows(const Support& support, const std::vector<Index>& point, Index n_points) {
  const PairFilters filters(support, {n_points, n_points, Askers::keys});
  const Index n = static_cast<Index>(point.size());
  BoolMatrix admitted(n, n);
  for (Index a = 0; a < n; ++a)
    for (Index b = 0; b < n; ++b) {
      const Index i = point[static_cast<std::size_t>(a)], j = point[static_cast<std::size_t>(b)];
      admitted(a, b) = i == j ? a != b : filters.empty() || filters.admits(i, j);
    }
  return admitted;
}

std::vector<double> losses_of_operators(const Problem& p, const std::vector<double>& lengths,
                                        const Execution& run) {
  const SplitPoints rows = split(p.log_weights);
  const Index n = p.targets.rows();
  Mechanism m = p.mechanism;
  m.support = Support(Mask{other_rows(m.support, rows.point, n)}) & Support(m.support.selector());
  m.empty_row = EmptyRow::nearest;
  const Matrix<double> points = points_are_costs(m.metric)
                                    ? Matrix<double>(p.places.points(rows.point, rows.point))
                                    : rows_at(p.places.points, rows.point);
  const PreparedKeys<double> keys(m.metric, points, rows.log_weights);
  const Matrix<double> targets = rows_at(p.targets, rows.point);
  const Vector<double> counts = p.counts();
  std::vector<double> losses;
  for (const double length : lengths) {
    m.kernel = with_scale(m.kernel, length);
    const auto P = self_operator_of<double>(met_keys<double>(m, {.length = length}, keys), "auto", run);
    const Matrix<double> F = P.apply(targets, run);
    double sum = 0;
    for (Index i = 0; i < n; ++i) sum += counts(i) * p.loss_of(i, F.row(i));
    losses.push_back(sum / counts.sum());
  }
  return losses;
}

// --- the search

struct Range {
  double low, high;
  bool copies = false;  ///< some places are at distance 0
  bool even = false;  ///< half of the places have another at less than twice the least distance, as on a grid
};

/// The lengths worth trying first. Of a distance: from the least between neighbors to the largest at all. Of another
/// cost: differences within a row; below a thousandth of the largest the least cost has nearly all the weight.
/// Empty (high = 0) where all points are in one place.
Range range_of(const Mechanism& m, const LooRows& rows, Index n_places, const Execution& run) {
  const bool is_distance = traits(m.metric).distance_power > 0;
  const Index n_blocks = rows.block_count();
  Vector<double> nearest_of(n_places);
  Vector<double> largest = Vector<double>::Zero(n_blocks), copies = largest;
  engine::parallel_blocks(n_blocks, run, "measuring distances", [&](Index block) {
    rows.visit(block, [&](const LooRow& row) {
      double nearest = infinity, farthest = -infinity;
      for (Index j = 0; j < row.inputs.cols(); ++j) {
        const double input = row.inputs(0, j);
        if (row.log_counts(0, j) == -infinity) continue;
        if (is_distance && input == 0) {
          copies(block) = 1;
          continue;
        }
        nearest = std::min(nearest, input);
        farthest = std::max(farthest, input);
      }
      nearest_of(row.query) = nearest;
      largest(block) = std::max(largest(block), is_distance ? farthest : farthest - nearest);
    });
  });
  const double high = largest.maxCoeff(), low = is_distance ? nearest_of.minCoeff() : high / 1000;
  const bool any_copies = copies.maxCoeff() > 0;
  const bool squared = traits(m.kernel).input == KernelInput::squared_distance;
  const bool even = 2 * (nearest_of.array() < (squared ? 4 : 2) * low).count() >= n_places;
  return squared ? Range{std::sqrt(low), std::sqrt(high), any_copies, even}
                 : Range{low, high, any_copies, even};
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

/// The lengths below `low`, the least distance between places, down to where at most a 1e-10th of a weight reaches so far.
Range below(double low, const Kernel& kernel) {
  constexpr double silent = -23, step = 1.3;
  const bool squared = traits(kernel).input == KernelInput::squared_distance;
  Range range{.low = low, .high = low};
  while (range.low > std::numeric_limits<double>::min() / step
         && log_weight_of_input(kernel, range.low, squared ? low * low : low) > silent)
    range.low /= step;
  return range;
}

struct Search {
  const Kernel& kernel;
  bool squares, is_distance;
  bool below_gaps;  ///< there are copies, which only short lengths tell from the rest, or equal gaps
  const Losses& losses;

  SelectedBandwidth operator()(Range range) const {
    SelectedBandwidth found{.length = any_length, .rule = "loo"};
    if (!(range.high > 0)) return found;
    const Grid grid = grid_of(range, kernel, squares);
    found.grid = grid.lengths;
    found.curve = losses(grid);
    if (is_distance && range.low > 0 && (below_gaps || best_of(found) == 0)) prepend_below(range.low, found);
    refine(found);
    return found;
  }

 private:
  static std::size_t best_of(const SelectedBandwidth& found) {
    return static_cast<std::size_t>(std::min_element(found.curve.begin(), found.curve.end())
                                    - found.curve.begin());
  }
  void prepend_below(double low, SelectedBandwidth& found) const {
    Grid grid = grid_of(below(low, kernel), kernel, squares);
    if (grid.lengths.size() < 2) return;
    std::vector<double> curve = losses(grid);
    grid.lengths.pop_back();  // low itself
    curve.pop_back();
    found.grid.insert(found.grid.begin(), grid.lengths.begin(), grid.lengths.end());
    found.curve.insert(found.curve.begin(), curve.begin(), curve.end());
  }
  void refine(SelectedBandwidth& found) const {
    const std::size_t best = best_of(found);
    const auto [low, high] = bracket(found.grid, best);
    const Least refined = golden_section(
        [&](double log_length) {
          return losses({{std::exp(log_length)}, 1}).front();
        },
        std::log(low), std::log(high), 16);
    found.length = refined.value < found.curve[best] ? std::exp(refined.at) : found.grid[best];
  }
};

}  // namespace
}  // namespace bandwidths

template <class T>
SelectedBandwidth loo_bandwidth(const Mechanism& mechanism, const Points<T>& Z, const Values<T>& Y,
                                LooLoss loss, const BandwidthOptions& options, const Execution& run) {
  const engine::Call call(run);
  check_points<T>("Z", Z);
  check_points<T>("Y", Y);
  require(Y.rows() == Z.rows(), "Y",
          "an array with " + std::to_string(Z.rows()) + " rows (one for each point)",
          std::to_string(Y.rows()) + " rows");
  bandwidths::check_mechanism(mechanism);
  if (const SeenMetric looks = seen(mechanism.metric); looks.metric != mechanism.metric) {
    Mechanism of_seen = mechanism;
    of_seen.metric = looks.metric;
    return loo_bandwidth<T>(of_seen, looks.maps() ? apply<T>(*looks.keys, Z) : Matrix<T>(Z), Y, loss, options,
                            run);
  }
  if (Z.rows() < 2) return {.length = bandwidths::any_length, .rule = "loo"};
  const Matrix<double> points = Z.template cast<double>(), targets = Y.template cast<double>();
  const Vector<double> log_weights = checked_log_weights(options.log_key_weights, Z.rows());
  const bandwidths::Problem problem{mechanism, targets, log_weights, loss,
                                    bandwidths::places_of(mechanism, points, targets, log_weights)};
  const bool means = std::holds_alternative<RowStochastic>(mechanism.normalization);
  const Kernel kernel = bandwidths::with_scale(mechanism.kernel, 1);
  const bool squares =
      means && bandwidths::rate_of(kernel, 1) > 0 && mechanism.support.selector().index() == 0;
  const bool prepared = squares && bandwidths::pairs_fit(problem.places.points.rows(), run);
  const auto rows = bandwidths::make_loo_rows(mechanism, problem.places, !prepared, run);
  std::optional<bandwidths::ExponentialMeans> exponential;
  if (prepared) exponential.emplace(problem, *rows, run);
  const bandwidths::Losses losses = [&](const bandwidths::Grid& grid) {
    if (exponential) return exponential->losses(grid, run);
    return means ? bandwidths::losses_of_means(problem, *rows, grid.lengths, run)
                 : bandwidths::losses_of_operators(problem, grid.lengths, run);
  };
  const auto range = bandwidths::range_of(mechanism, *rows, problem.places.points.rows(), run);
  const bandwidths::Search search{kernel, squares, traits(mechanism.metric).distance_power > 0,
                                  range.copies || range.even || problem.places.any_rest(), losses};
  return search(range);
}

template SelectedBandwidth loo_bandwidth(const Mechanism&, const Points<float>&, const Values<float>&,
                                         LooLoss, const BandwidthOptions&, const Execution&);
template SelectedBandwidth loo_bandwidth(const Mechanism&, const Points<double>&, const Values<double>&,
                                         LooLoss, const BandwidthOptions&, const Execution&);

}  // namespace likewise
