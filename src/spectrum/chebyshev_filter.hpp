// A polynomial of a matrix that is small on an interval and grows fastest beyond it, on blocks of columns.
#pragma once

#include <algorithm>
#include <cmath>

#include "engine/parallel.hpp"
#include "engine/terms/aligned_rows.hpp"
#include "spectrum/symmetric_block.hpp"

namespace likewise::spectrum {

/// The interval that a filter keeps small.
struct Interval {
  double low, high;
  double center() const { return 0.5 * (low + high); }
  double half() const { return 0.5 * (high - low); }
  double to_unit(double w) const { return (w - center()) / half(); }
  /// log growth by one degree at w: Chebyshev polynomials are cosh(d acosh x) beyond 1.
  double growth(double w) const { return std::acosh(std::max(1.0, to_unit(w))); }
};

/// An orthonormal block of Ritz vectors, values descending.
struct Ritz {
  Matrix<double> V, AV;
  Vector<double> values, residuals;
};

/// Works in float32 on a panel of columns at a time, whose rows are single cache lines.
class ChebyshevFilter {
 public:
  ChebyshevFilter(const SymmetricBlock& A, const Execution& run)
      : A_(A), run_(run), before_(A.size, width), now_(A.size, width), residual_(A.size, width) {
    keep_out({}, 0);
  }

  /// The trivial vector and the first Ritz vectors are taken out of what is filtered, now and then: rounding brings them back,
  /// and far above the others they grow the fastest.
  void keep_out(const Ritz& ritz, Index first);

  /// T(A) V, T the Chebyshev polynomial of that degree on the interval.
  void plain(Matrix<double>& V, const Interval& interval, Index degree);

  /// v + (T(A) - T(w)) v / T(w) for the columns from `first`, w their values but not below the interval's end: A is needed
  /// in what multiplies the residual A v - w v only, so that rounding is relative to the residual and float32 products lead to float64 eigenvectors.
  void residual_form(Ritz& ritz, Index first, const Interval& interval, Index degree);

 private:
  static constexpr Index width = engine::column_multiple;

  void recur(const Interval& interval, Index degree, const Eigen::ArrayXd* w);
  Index steps_between_deflations(const Interval& interval) const;
  void deflate(const engine::AlignedRows<float>& panel) const;
  void report();

  const SymmetricBlock& A_;
  const Execution& run_;
  Matrix<float> outside_;  ///< orthonormal columns
  double largest_ = 0;     ///< their largest eigenvalue
  engine::AlignedRows<float> before_, now_, residual_;
  Eigen::ArrayXd scale_;  ///< T(w) of the last recurrence
  Index n_products_ = 0;
};

constexpr Index rows_at_a_time = 1024;
inline Index row_blocks(Index n) { return engine::block_count(n, rows_at_a_time); }
/// work(rows, number of the block) over blocks of rows.
template <class Work> void over_rows(Index n, const Execution& run, const Work& work) {
  engine::parallel_blocks(row_blocks(n), run, "eigenpairs",
                          [&](Index b) { work(engine::block_of(b, n, rows_at_a_time), b); });
}

}  // namespace likewise::spectrum
