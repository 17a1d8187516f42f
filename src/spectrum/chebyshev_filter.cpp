#include "spectrum/chebyshev_filter.hpp"

#include <limits>
#include <utility>

#include "engine/call.hpp"

namespace likewise::spectrum {

void ChebyshevFilter::keep_out(const Ritz& ritz, Index first) {
  const Index known = A_.trivial.size() ? 1 : 0;
  largest_ = known ? 1 : first > 0 ? ritz.values(0) : 0;
  outside_.resize(A_.size, known + first);
  if (known) outside_.col(0) = A_.trivial.cast<float>();
  if (first) outside_.rightCols(first) = ritz.V.leftCols(first).cast<float>();
}

void ChebyshevFilter::plain(Matrix<double>& V, const Interval& interval, Index degree) {
  const Index n = V.rows();
  for (Index at = 0; at < V.cols(); at += width) {
    before_.view() = V.middleCols(at, width).cast<float>();
    recur(interval, degree, nullptr);
    over_rows(n, run_, [&](engine::Block rows, Index) {
      V.block(rows.begin, at, rows.size, width) =
          now_.view().middleRows(rows.begin, rows.size).cast<double>();
    });
  }
}

void ChebyshevFilter::residual_form(Ritz& ritz, Index first, const Interval& interval, Index degree) {
  const Index n = ritz.V.rows();
  for (Index at = first; at < ritz.V.cols(); at += width) {
    // T has zeros inside the interval: columns with a value there are taken as of its end.
    const Eigen::ArrayXd w = ritz.values.segment(at, width).array().max(interval.high);
    over_rows(n, run_, [&](engine::Block rows, Index) {
      const auto v = ritz.V.block(rows.begin, at, rows.size, width);
      const auto Av = ritz.AV.block(rows.begin, at, rows.size, width);
      now_.view().middleRows(rows.begin, rows.size) =
          ((Av - v * w.matrix().asDiagonal()) / interval.half()).cast<float>();
      residual_.view().middleRows(rows.begin, rows.size) = now_.view().middleRows(rows.begin, rows.size);
      before_.view().middleRows(rows.begin, rows.size).setZero();
    });
    recur(interval, degree, &w);
    const Vector<double> inverse = scale_.inverse();
    over_rows(n, run_, [&](engine::Block rows, Index) {
      ritz.V.block(rows.begin, at, rows.size, width) +=
          now_.view().middleRows(rows.begin, rows.size).cast<double>() * inverse.asDiagonal();
    });
  }
}

/// z_d = 2 B z_(d-1) - z_(d-2) with B = (A - center)/half; in the residual form + 2 T_(d-1)(w) r, from 0 and r.
void ChebyshevFilter::recur(const Interval& interval, Index degree, const Eigen::ArrayXd* w) {
  const auto slope = static_cast<float>(1 / interval.half());
  const auto shift = static_cast<float>(-interval.center() / interval.half());
  Eigen::ArrayXd x, before, now;  // T of the columns' own values
  Eigen::Array<float, Eigen::Dynamic, 1> delta(width);
  engine::SparseStep<float> step;
  step.columns = width;
  if (w) {
    x = (*w - interval.center()) / interval.half();
    before = Eigen::ArrayXd::Ones(width);
    now = x;
    step.R = residual_.data();
    step.delta = delta.data();
  }
  const Index steps = steps_between_deflations(interval);
  for (Index d = w ? 2 : 1; d <= degree; ++d) {
    if (d % steps == 0) {
      deflate(before_);
      deflate(now_);
    }
    const float twice = d == 1 ? 1.0F : 2.0F;
    if (d > 1) std::swap(before_, now_);
    step.X = before_.data();
    step.Y = now_.data();
    step.Z = now_.data();
    step.alpha = twice * slope;
    step.beta = twice * shift;
    step.gamma = d == 1 ? 0.0F : -1.0F;
    if (w) {
      delta = (2 * now).cast<float>();
      const Eigen::ArrayXd next = 2 * x * now - before;
      before = now;
      now = next;
    }
    A_.step(step);
    report();
  }
  scale_ = now;
}

/// Of an expander's 80 products the trivial vector would be all that is left. What is kept out goes before what float32 brings
/// back of it has grown to a thousandth of a column.
Index ChebyshevFilter::steps_between_deflations(const Interval& interval) const {
  constexpr Index never = std::numeric_limits<Index>::max();
  if (outside_.cols() == 0) return never;
  const double log_growth = std::log(1e4), steps = log_growth / std::max(interval.growth(largest_), 1e-6);
  return std::max<Index>(2, static_cast<Index>(steps));
}

void ChebyshevFilter::deflate(const engine::AlignedRows<float>& panel) const {
  const Index c = outside_.cols();
  Matrix<float> parts(c * row_blocks(A_.size), width);
  over_rows(A_.size, run_, [&](engine::Block rows, Index b) {
    parts.middleRows(c * b, c).noalias() = outside_.middleRows(rows.begin, rows.size).transpose()
                                           * panel.view().middleRows(rows.begin, rows.size);
  });
  Matrix<float> inside = Matrix<float>::Zero(c, width);
  for (Index b = 0; b < row_blocks(A_.size); ++b) inside += parts.middleRows(c * b, c);
  over_rows(A_.size, run_, [&](engine::Block rows, Index) {
    panel.view().middleRows(rows.begin, rows.size).noalias() -=
        outside_.middleRows(rows.begin, rows.size) * inside;
  });
}

/// How many products it will take is not known: a fraction that grows ever slower.
void ChebyshevFilter::report() {
  ++n_products_;
  const double done = static_cast<double>(n_products_);
  engine::report(run_, done / (done + 100), "eigenpairs");
}

}  // namespace likewise::spectrum
