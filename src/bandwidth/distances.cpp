#include "bandwidth/distances.hpp"

#include <algorithm>
#include <numeric>
#include <random>

#include "engine/exp_weights.hpp"
#include "engine/parallel.hpp"

namespace likewise::bandwidths {

Vector<double> relative_weights(const Vector<double>& log_weights, Index n) {
  if (log_weights.size() == 0) return Vector<double>::Ones(n);
  const Eigen::ArrayXd relative = log_weights.array() - log_weights.maxCoeff();
  return engine::exp_weights(relative).matrix();
}

Sample sample_points(const Metric& metric, const Points<double>& Z, const BandwidthOptions& options,
                     Index most) {
  const Vector<double> weights = relative_weights(options.log_key_weights, Z.rows());
  if (Z.rows() <= most) return {Z, weights};
  std::vector<Index> all(static_cast<std::size_t>(Z.rows())), chosen;
  std::iota(all.begin(), all.end(), Index{0});
  std::mt19937_64 random(options.seed);
  std::sample(all.begin(), all.end(), std::back_inserter(chosen), most, random);
  const bool precomputed = std::holds_alternative<Precomputed>(metric);
  return {precomputed ? Matrix<double>(Z(chosen, chosen)) : Matrix<double>(Z(chosen, Eigen::all)),
          weights(chosen)};
}

Pairs pairs_of(const Metric& metric, const Sample& sample, const Execution& run) {
  const Index n = sample.points.rows();
  const auto costs = engine::make_cost_source<double>(metric, sample.points, sample.points, 0);
  Matrix<double> D(n, n);
  for_each_row_block(*costs, engine::CostUnit::distance, run,
                     [&](Index i0, Matrix<double>& rows) { D.middleRows(i0, rows.rows()) = rows; });
  Pairs pairs{Vector<double>(n * (n - 1) / 2), Vector<double>(n * (n - 1) / 2)};
  Index at = 0;
  for (Index i = 0; i < n; ++i) {
    pairs.weight_at_zero += sample.weights(i) * sample.weights(i);
    for (Index j = i + 1; j < n; ++j) {
      const double weight = sample.weights(i) * sample.weights(j);
      if (D(i, j) > 0 && weight > 0) {
        pairs.distances(at) = D(i, j);
        pairs.weights(at++) = weight;
      } else {
        pairs.weight_at_zero += 2 * weight;
      }
    }
  }
  pairs.distances.conservativeResize(at);
  pairs.weights.conservativeResize(at);
  return pairs;
}

void for_each_row_block(const engine::CostSource<double>& costs, engine::CostUnit unit, const Execution& run,
                        const std::function<void(Index, Matrix<double>&)>& visit) {
  constexpr Index entries_at_a_time = 1 << 17;
  const Index size = std::clamp<Index>(entries_at_a_time / std::max<Index>(1, costs.cols()), 1, 64);
  const double operations = 32.0 * static_cast<double>(costs.rows()) * static_cast<double>(costs.cols());
  engine::parallel_blocks(engine::block_count(costs.rows(), size), engine::sized(run, operations),
                          "choosing a bandwidth", [&](Index b) {
                            const engine::Block block = engine::block_of(b, costs.rows(), size);
                            Matrix<double> rows(block.size, costs.cols());
                            costs.fill(block.begin, 0, unit, rows);
                            visit(block.begin, rows);
                          });
}

}  // namespace likewise::bandwidths
