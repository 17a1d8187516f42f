#include "spectrum/chebyshev_filter.hpp"

#include <utility>

#include "engine/call.hpp"

namespace likewise::spectrum {

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
  for (Index d = w ? 2 : 1; d <= degree; ++d) {
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

/// How many products it will take is not known: a fraction that grows ever slower.
void ChebyshevFilter::report() {
  ++n_products_;
  const double done = static_cast<double>(n_products_);
  engine::report(run_, done / (done + 100), "eigenpairs");
}

}  // namespace likewise::spectrum
