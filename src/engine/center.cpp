#include "engine/center.hpp"

#include <algorithm>
#include <limits>
#include <vector>

namespace likewise::engine {
namespace {

constexpr Index sample_size = 63;

/// Rows that count, spread over all of them.
std::vector<Index> sampled_rows(Index n, const Vector<double>& log_weights) {
  std::vector<Index> counting;
  if (log_weights.size() == n && log_weights.minCoeff() == -std::numeric_limits<double>::infinity())
    for (Index i = 0; i < n; ++i)
      if (log_weights(i) > -std::numeric_limits<double>::infinity()) counting.push_back(i);
  const Index of = counting.empty() ? n : std::ssize(counting), count = std::min(of, sample_size);
  std::vector<Index> rows(static_cast<std::size_t>(count));
  for (Index a = 0; a < count; ++a) {
    const Index at = a * of / count;
    rows[static_cast<std::size_t>(a)] = counting.empty() ? at : counting[static_cast<std::size_t>(at)];
  }
  return rows;
}

}  // namespace

template <class T> Vector<double> center_of(const Points<T>& points, const Vector<double>& log_weights) {
  Vector<double> center = Vector<double>::Zero(points.cols());
  const std::vector<Index> rows = sampled_rows(points.rows(), log_weights);
  if (rows.empty()) return center;
  std::vector<T> line(rows.size());
  const auto middle = line.begin() + static_cast<std::ptrdiff_t>(line.size() / 2);
  for (Index k = 0; k < points.cols(); ++k) {
    std::transform(rows.begin(), rows.end(), line.begin(), [&](Index i) { return points(i, k); });
    std::nth_element(line.begin(), middle, line.end());
    center(k) = static_cast<double>(*middle);
  }
  return center;
}
template Vector<double> center_of(const Points<float>&, const Vector<double>&);
template Vector<double> center_of(const Points<double>&, const Vector<double>&);

}  // namespace likewise::engine
