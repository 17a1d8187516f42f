// Every query against every key, in tiles. Template over what a row collects (candidates.hpp).
#pragma once

#include <algorithm>
#include <vector>

#include "engine/cost_source.hpp"
#include "neighbors/candidates.hpp"

namespace likewise::neighbors {

/// The unit in which tiles are compared: that of the lift, so that no root is taken before it is needed.
inline engine::CostUnit tile_unit(const MetricTraits& laws) {
  return laws.lift_power() == 2 ? engine::CostUnit::squared_distance : engine::CostUnit::reported;
}

/// Offers the costs of queries first, first + 1, ... with all keys to their rows.
template <class Candidates>
void scan_keys(const engine::CostSource<double>& costs, engine::CostUnit unit, Index first,
               std::vector<Candidates>& rows) {
  constexpr Index tile_width = 512;
  const Index n_rows = static_cast<Index>(rows.size());
  Matrix<double> tile(n_rows, std::min(tile_width, costs.cols()));
  for (Index j0 = 0; j0 < costs.cols(); j0 += tile_width) {
    const Index width = std::min(tile_width, costs.cols() - j0);
    costs.fill(first, j0, unit, tile.leftCols(width));
    for (Index a = 0; a < n_rows; ++a) {
      Candidates& row = rows[static_cast<std::size_t>(a)];
      for (Index b = 0; b < width; ++b)
        if (tile(a, b) <= row.threshold()) row.offer(tile(a, b), j0 + b);
    }
  }
}

}  // namespace likewise::neighbors
