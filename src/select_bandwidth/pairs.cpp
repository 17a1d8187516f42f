#include "select_bandwidth/pairs.hpp"

#include <algorithm>
#include <limits>
#include <numeric>
#include <random>

#include "engine/parallel.hpp"

namespace likewise::bandwidths {
namespace {

/// At most `most` of the points that count, without replacement, in ascending order.
std::vector<Index> sample_indices(const Vector<double>& counts, Index most, std::uint64_t seed) {
  std::vector<Index> chosen;
  for (Index i = 0; i < counts.size(); ++i)
    if (counts(i) > 0) chosen.push_back(i);
  if (static_cast<Index>(chosen.size()) <= most) return chosen;
  std::mt19937_64 random(seed);
  for (std::size_t i = 0; i < static_cast<std::size_t>(most); ++i)  // Fisher and Yates, as far as needed
    std::swap(chosen[i], chosen[i + random() % (chosen.size() - i)]);
  chosen.resize(static_cast<std::size_t>(most));
  std::sort(chosen.begin(), chosen.end());
  return chosen;
}

/// The chosen points; of precomputed costs the chosen columns too.
Matrix<double> chosen_points(const RuleInput& request, const std::vector<Index>& chosen) {
  if (points_are_costs(request.metric)) return request.Z(chosen, chosen);
  return rows_at(request.Z, chosen);
}

}  // namespace

Pairs sample_pairs(const RuleInput& request) {
  const std::vector<Index> chosen =
      sample_indices(request.counts, request.options.max_points, request.options.seed);
  const Matrix<double> Z = chosen_points(request, chosen);
  const Vector<double> counts = request.counts(chosen);
  const Index n = Z.rows();
  const auto costs =
      engine::make_cost_source<double>(request.metric, Z, Z, std::numeric_limits<double>::infinity());
  // Of a symmetric metric one pair stands for two.
  const bool half = traits(request.metric).symmetric;
  const auto before = [&](Index i) { return half ? i * (2 * n - i - 1) / 2 : i * (n - 1); };
  Pairs pairs;
  pairs.self = counts.squaredNorm();
  pairs.distances.resize(static_cast<std::size_t>(before(n)));

  constexpr Index rows_per_block = 32;
  const auto work = [&](Index block) {
    const auto [first, size] = engine::block_of(block, n, rows_per_block);
    Matrix<double> tile(size, n);
    costs->fill(first, 0, engine::CostUnit::distance, tile);
    Counted* pair = pairs.distances.data() + before(first);
    for (Index i = first; i < first + size; ++i)
      for (Index j = half ? i + 1 : 0; j < n; ++j)
        if (j != i) *pair++ = {tile(i - first, j), (half ? 2 : 1) * counts(i) * counts(j)};
  };
  engine::parallel_blocks(engine::block_count(n, rows_per_block),
                          engine::sized(request.run, static_cast<double>(n) * static_cast<double>(Z.size())),
                          "measuring distances", work);
  return pairs;
}

}  // namespace likewise::bandwidths
