#include "engine/center.hpp"

#include <algorithm>
#include <limits>
#include <vector>

namespace likewise::engine {
namespace {

constexpr Index sample_size = 31;

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

/// Sorts each column by Batcher's network of comparisons of whole rows (Knuth, vol. 3, algorithm 5.2.2M): for many columns
/// 10 times as fast as selecting in each.
template <class T> void sort_columns(Matrix<T>& rows) {
  const Index n = rows.rows();
  Eigen::Array<T, 1, Eigen::Dynamic> lower;
  const auto order = [&](Index a, Index b) {
    lower = rows.row(a).array().min(rows.row(b).array());
    rows.row(b) = rows.row(a).array().max(rows.row(b).array()).matrix();
    rows.row(a) = lower.matrix();
  };
  for (Index p = 1; p < n; p *= 2)
    for (Index k = p; k >= 1; k /= 2)
      for (Index j = k % p; j + k < n; j += 2 * k)
        for (Index i = j; i < std::min(j + k, n - k); ++i)
          if (i / (2 * p) == (i + k) / (2 * p)) order(i, i + k);
}

}  // namespace

template <class T> Vector<double> center_of(const Points<T>& points, const Vector<double>& log_weights) {
  constexpr Index at_once = 256;  // columns: a sample of them fits into the first cache
  Vector<double> center = Vector<double>::Zero(points.cols());
  const std::vector<Index> rows = sampled_rows(points.rows(), log_weights);
  if (rows.empty()) return center;
  for (Index first = 0; first < points.cols(); first += at_once) {
    const Index count = std::min(at_once, points.cols() - first);
    Matrix<T> sample = points.middleCols(first, count)(rows, Eigen::all);
    sort_columns(sample);
    center.segment(first, count) = sample.row(sample.rows() / 2).template cast<double>().transpose();
  }
  return center;
}
template Vector<double> center_of(const Points<float>&, const Vector<double>&);
template Vector<double> center_of(const Points<double>&, const Vector<double>&);

}  // namespace likewise::engine
