#include "select_bandwidth/rule.hpp"

#include <algorithm>
#include <cmath>

namespace likewise::bandwidths {

Matrix<double> rows_at(const Points<double>& points, const std::vector<Index>& indices) {
  Matrix<double> rows(static_cast<Index>(indices.size()), points.cols());
  for (Index i = 0; i < rows.rows(); ++i) rows.row(i) = points.row(indices[static_cast<std::size_t>(i)]);
  return rows;
}

double counted_quantile(std::vector<Counted>& values, double target) {
  const double enough = target * (1 - 1e-12);
  auto first = values.begin(), last = values.end();
  double below = 0;
  while (last - first > 1) {
    const auto middle = first + (last - first) / 2;
    std::nth_element(first, middle, last,
                     [](const Counted& a, const Counted& b) { return a.value < b.value; });
    double count = 0;
    for (auto value = first; value != middle; ++value) count += value->count;
    if (below + count >= enough) {
      last = middle;
    } else {
      below += count;
      first = middle;
    }
  }
  return first->value;
}

double counted_median(std::vector<Counted>& values) {
  double half = 0;
  for (const Counted& value : values) half += value.count / 2;
  const double lower = counted_quantile(values, half);
  return (lower + counted_quantile(values, half * (1 + 4e-12))) / 2;
}

std::vector<double> log_grid(double low, double high, double ratio, int most) {
  if (!(high > low)) return {low};
  const double range = std::log(high) - std::log(low);
  const int steps = std::clamp(static_cast<int>(std::ceil(range / std::log(ratio))), 1, most - 1);
  std::vector<double> grid;
  for (int step = 0; step <= steps; ++step) grid.push_back(low * std::exp(range * step / steps));
  return grid;
}

std::pair<double, double> bracket(const std::vector<double>& grid, std::size_t at) {
  return {grid[at == 0 ? 0 : at - 1], grid[std::min(at + 1, grid.size() - 1)]};
}

}  // namespace likewise::bandwidths
