// The rules that give each point its own scale: self_tuning and perplexity.
#include <algorithm>
#include <cmath>
#include <limits>

#include <likewise/error.hpp>

#include "engine/parallel.hpp"
#include "neighbors/search.hpp"
#include "select_bandwidth/rule.hpp"

namespace likewise::bandwidths {
namespace {

/// scale_of(counted distances to all keys) of each row of X. O(n_keys) memory a thread.
template <class F>
Vector<double> scale_each_row(const RuleInput& request, const Points<double>& X, F scale_of) {
  const auto costs =
      engine::make_cost_source<double>(request.metric, X, request.Z, std::numeric_limits<double>::infinity());
  const Index n = X.rows(), n_keys = request.Z.rows();
  Vector<double> scales(n);
  constexpr Index rows_per_block = 16;
  const auto work = [&](Index block) {
    const auto [first, size] = engine::block_of(block, n, rows_per_block);
    Matrix<double> tile(size, n_keys);
    costs->fill(first, 0, engine::CostUnit::distance, tile);
    std::vector<Counted> row;
    for (Index a = 0; a < size; ++a) {
      row.clear();
      for (Index j = 0; j < n_keys; ++j)
        if (request.counts(j) > 0) row.push_back({tile(a, j), request.counts(j)});
      scales(first + a) = scale_of(row);
    }
  };
  engine::parallel_blocks(engine::block_count(n, rows_per_block), request.run, "finding scales", work);
  return scales;
}

// --- self_tuning

/// The n-th neighbor's distance where every key counts once; a key at distance 0 is the point itself.
Vector<double> nth_distances(const RuleInput& request, const Points<double>& X) {
  const Index n_keys = request.Z.rows(), k = std::min(request.options.n_neighbors + 1, n_keys);
  const auto lists = neighbors::nearest(request.metric, X, request.Z, k, {}, {}, request.run);
  const MetricTraits laws = traits(request.metric);
  Vector<double> scales(X.rows());
  for (Index i = 0; i < X.rows(); ++i) {
    const double* row = lists.distances.data() + i * k;
    const Index itself = row[0] == 0 ? 1 : 0;
    scales(i) = as_distance(laws, row[std::min(request.options.n_neighbors + itself, k) - 1]);
  }
  return scales;
}

/// Where so many keys share a point's place that its scale is 0: the distance to the nearest key elsewhere, which has the
/// data's unit as the scale has. 0 where all keys are in one place.
void fill_zeros(const RuleInput& request, const Points<double>& X, Vector<double>& scales) {
  std::vector<Index> rows;
  for (Index i = 0; i < scales.size(); ++i)
    if (scales(i) == 0) rows.push_back(i);
  if (rows.empty()) return;
  const Matrix<double> crowded = X(rows, Eigen::all);
  scales(rows) = scale_each_row(request, crowded, [](const std::vector<Counted>& row) {
    double nearest = std::numeric_limits<double>::infinity();
    for (const Counted& key : row)
      if (key.value > 0) nearest = std::min(nearest, key.value);
    return std::isfinite(nearest) ? nearest : 0.0;
  });
}

double smallest_positive(const Vector<double>& scales) {
  double smallest = std::numeric_limits<double>::infinity();
  for (const double s : scales)
    if (s > 0) smallest = std::min(smallest, s);
  return std::isfinite(smallest) ? smallest : any_length;
}

Vector<double> nth_counted_distances(const RuleInput& request, const Points<double>& X) {
  const double n = static_cast<double>(request.options.n_neighbors);
  return scale_each_row(request, X, [&](std::vector<Counted>& row) {
    double copies = 0;
    for (const Counted& key : row)
      if (key.value == 0) copies += key.count;
    return counted_quantile(row, n + std::min(copies, 1.0));
  });
}

// --- perplexity

/// The entropy of kernel weights over keys that count.
class RowEntropy {
 public:
  RowEntropy(const Kernel& kernel, const std::vector<Counted>& keys)
      : kernel_(kernel), input_(1, static_cast<Index>(keys.size())), count_(1, input_.cols()) {
    const bool squared = traits(kernel).input == KernelInput::squared_distance;
    for (Index j = 0; j < input_.cols(); ++j) {
      const Counted& key = keys[static_cast<std::size_t>(j)];
      input_(0, j) = squared ? key.value * key.value : key.value;
      count_(0, j) = key.count;
    }
  }

  /// -sum_j p_j log p_j over each copy of each key; -inf where the kernel reaches none.
  double operator()(double length) {
    log_weight_ = input_;
    log_weights<double>(kernel_, log_weight_, length);
    const double largest = log_weight_.maxCoeff();
    if (largest == -std::numeric_limits<double>::infinity()) return largest;
    double mass = 0, moment = 0;
    for (Index j = 0; j < input_.cols(); ++j) {
      const double log_p = log_weight_(0, j) - largest, p = count_(0, j) * std::exp(log_p);
      mass += p;
      if (p > 0) moment += p * log_p;
    }
    return std::log(mass) - moment / mass;
  }

 private:
  const Kernel& kernel_;
  Matrix<double> input_, count_, log_weight_;
};

/// Where an increasing function of a length reaches a value: by doubling, then bisection of the logarithm.
/// Where it never does, a length 2^60 times the guess.
template <class F> double solve_increasing(F& f, double value, double guess) {
  double low = guess, high = guess;
  for (int step = 0; step < 20 && f(low) >= value; ++step) low /= 2;
  for (int step = 0; step < 20 && f(high) < value; ++step) high *= 2;
  while (high > low * (1 + 1e-12)) {
    const double middle = std::sqrt(low) * std::sqrt(high);
    if (!(low < middle && middle < high)) break;
    (f(middle) < value ? low : high) = middle;
  }
  return high;
}

constexpr double usual_perplexity = 30;

/// s of one row. Keys at distance 0 are copies of the point and do not speak: a row that has fewer others than the perplexity
/// asks for takes a third of them.
double perplexity_scale(const Kernel& kernel, std::optional<double> perplexity, std::vector<Counted>& keys) {
  keys.erase(std::remove_if(keys.begin(), keys.end(), [](const Counted& key) { return key.value == 0; }),
             keys.end());
  if (keys.empty()) return any_length;
  double n_others = 0;
  for (const Counted& key : keys) n_others += key.count;
  const double wanted =
      perplexity && *perplexity < n_others ? *perplexity : std::min(usual_perplexity, n_others / 3);
  const double near = counted_quantile(keys, wanted);
  if (wanted <= 1) return near;
  RowEntropy entropy(kernel, keys);
  return solve_increasing(entropy, std::log(wanted), near);
}

}  // namespace

Vector<double> self_tuning_scales(const RuleInput& request, const Points<double>& X, double smallest) {
  require(request.options.n_neighbors >= 1, "n_neighbors", "an int of at least 1",
          request.options.n_neighbors);
  const bool counts_once = (request.counts.array() == 1).all();
  Vector<double> scales = counts_once ? nth_distances(request, X) : nth_counted_distances(request, X);
  fill_zeros(request, X, scales);
  if (smallest == 0) smallest = smallest_positive(scales);
  return scales.cwiseMax(smallest * (scales.array() == 0).cast<double>().matrix());
}

SelectedBandwidth self_tuning(const RuleInput& request) {
  SelectedBandwidth found{.length = 1, .rule = "self_tuning"};
  found.row_scale = found.key_scale = self_tuning_scales(request, request.Z);
  return found;
}

Vector<double> perplexity_scales(const RuleInput& request, const Points<double>& X) {
  const std::optional<double> perplexity = request.options.perplexity;
  if (perplexity) {
    const double n_others = request.counts.sum() - 1;
    require(*perplexity > 1 && *perplexity < n_others, "perplexity",
            "a number above 1 and below the number of other points ("
                + std::to_string(static_cast<Index>(n_others)) + ")",
            *perplexity);
  }
  require(bandwidth_of(request.kernel) != nullptr, "kernel",
          "one with a bandwidth for bandwidth='perplexity'", repr(request.kernel));
  const Kernel kernel = with_bandwidth(request.kernel, Bandwidth(1.0));
  return scale_each_row(request, X, [&](std::vector<Counted>& row) {
    const double s = perplexity_scale(kernel, perplexity, row);
    return s * s;
  });
}

// --- umap

namespace {

/// The distances of each row of X to its k nearest keys that count, ascending. Of two points in one place each has the other; a
/// point that asks beside the keys has one key in its own place for itself.
std::vector<Vector<double>> nearest_distances(const RuleInput& request, const Points<double>& X, Index k) {
  const bool self = X.data() == request.Z.data();
  const MetricTraits laws = traits(request.metric);
  const auto counts = [&](Index, Index j) { return request.counts(j) > 0; };
  const Index most = request.Z.rows() - (self ? 1 : 0);
  const auto lists = neighbors::nearest(request.metric, X, request.Z, std::min(self ? k : k + 1, most),
                                        counts, {.exclude_self = self}, request.run);
  std::vector<Vector<double>> rows;
  for (std::size_t i = 0; i + 1 < lists.offsets.size(); ++i) {
    const double* begin = lists.distances.data() + lists.offsets[i];
    Index size = lists.offsets[i + 1] - lists.offsets[i];
    if (!self && size > 0 && *begin == 0) ++begin, --size;
    Vector<double> row(std::min(size, k));
    for (Index m = 0; m < row.size(); ++m) row(m) = as_distance(laws, begin[m]);
    rows.push_back(std::move(row));
  }
  return rows;
}

double mean_of(const std::vector<Vector<double>>& rows) {
  double sum = 0, count = 0;
  for (const Vector<double>& row : rows) sum += row.sum(), count += static_cast<double>(row.size());
  return count > 0 ? sum / count : 0;
}

}  // namespace

RowScales umap_scales(const RuleInput& request, const Points<double>& X) {
  constexpr double least_share = 1e-3;  // of the mean distance: umap-learn's MIN_K_DIST_SCALE
  const Index k = request.options.n_neighbors;
  require(k >= 1, "n_neighbors", "an int of at least 1", k);
  const std::vector<Vector<double>> rows = nearest_distances(request, X, k);
  const double mean_of_all = mean_of(rows), wanted = std::log2(static_cast<double>(k + 1));
  RowScales found{Vector<double>::Constant(X.rows(), any_length), Vector<double>::Zero(X.rows())};
  for (std::size_t at = 0; at < rows.size(); ++at) {
    const auto row = rows[at].array();
    double rho = 0;
    for (const double d : row)
      if (d > 0 && rho == 0) rho = d;
    const double mean = rho > 0 ? row.mean() : mean_of_all;
    if (!(mean > 0)) continue;  // all in one place
    const auto mass = [&](double s) { return (-((row - rho).max(0.0)) / s).exp().sum(); };
    const double s = std::max(solve_increasing(mass, wanted, mean), least_share * mean);
    found.scale(static_cast<Index>(at)) = s * s;
    found.offset(static_cast<Index>(at)) = rho;
  }
  return found;
}

SelectedBandwidth umap(const RuleInput& request) {
  RowScales found = umap_scales(request, request.Z);
  return {.length = 1,
          .rule = "umap",
          .row_scale = std::move(found.scale),
          .row_offset = std::move(found.offset)};
}

SelectedBandwidth perplexity(const RuleInput& request) {
  return {.length = 1, .rule = "perplexity", .row_scale = perplexity_scales(request, request.Z)};
}

}  // namespace likewise::bandwidths
