#include "operator/scalings.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "engine/exp_weights.hpp"
#include "until_still.hpp"

namespace likewise {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

/// log(1/x), and log 0 where x = 0: a row without mass is switched off rather than blown up.
Vector<double> minus_or_off(const Vector<double>& log_x, double factor = 1) {
  return log_x.unaryExpr([factor](double v) { return v == -infinity ? -infinity : -factor * v; });
}

/// Sinkhorn on a symmetric kernel, averaged: f <- (f + T f)/2, T f = -log sum_j w_j K_ij exp(f_j).
Vector<double> sinkhorn(const Bistochastic& rule, const Vector<double>& log_w, const LogSums& log_row_sums,
                        double least_tol, IterationReport& report) {
  const double tol = std::max(rule.tol, least_tol);
  Vector<double> f = -0.5 * log_row_sums(log_w);
  report = until_still("sinkhorn", rule.max_iter, [&]() -> Move {
    const Vector<double> log_sums = log_row_sums(f + log_w);
    const double residual = f.size() ? ((f + log_sums).array().exp() - 1).abs().maxCoeff() : 0.0;
    const bool still = residual <= tol;
    if (!still) f = 0.5 * (f - log_sums);
    return {residual, still};
  });
  return f;
}

struct Right {
  const Vector<double>&log_w, &own_weights;
  const LogSums &log_row_sums, &log_column_sums;
  double least_tol;
  IterationReport& report;

  Vector<double> operator()(const Unnormalized&) const { return log_w; }
  Vector<double> operator()(const RowStochastic&) const { return log_w; }
  Vector<double> operator()(const Global&) const { return log_w; }
  Vector<double> operator()(const Column&) const {
    return log_w + minus_or_off(log_column_sums(own_weights));
  }
  Vector<double> operator()(const Symmetric&) const {
    return 0.5 * log_w + minus_or_off(log_row_sums(log_w), 0.5);
  }
  Vector<double> operator()(const Density& d) const {
    return d.alpha == 0 ? log_w : Vector<double>(log_w + minus_or_off(log_row_sums(log_w), d.alpha));
  }
  Vector<double> operator()(const Bistochastic& b) const {
    return sinkhorn(b, log_w, log_row_sums, least_tol, report) + log_w;
  }
};

}  // namespace

Vector<double> log_right_scaling(const Normalization& normalization, const Vector<double>& log_key_weights,
                                 const Vector<double>& own_weights, const LogSums& log_row_sums,
                                 const LogSums& log_column_sums, double least_tol, IterationReport& report) {
  return std::visit(Right{log_key_weights, own_weights, log_row_sums, log_column_sums, least_tol, report},
                    normalization);
}

Vector<double> log_left_scaling(const Normalization& normalization, Index n, const Vector<double>& log_right,
                                const Vector<double>& log_key_weights, const Vector<double>& own_weights,
                                const LogSums& log_row_sums) {
  const bool is_one =
      std::holds_alternative<Unnormalized>(normalization) || std::holds_alternative<Column>(normalization);
  if (is_one) return Vector<double>::Zero(n);
  if (std::holds_alternative<Global>(normalization)) {
    Vector<double> masses = log_row_sums(log_key_weights);
    if (own_weights.size()) masses += own_weights;
    return Vector<double>::Constant(
        n, minus_or_off(Vector<double>::Constant(1, engine::log_sum_exp(masses)))(0));
  }
  if (std::holds_alternative<Symmetric>(normalization)) {
    const Vector<double> left = minus_or_off(log_row_sums(log_key_weights), 0.5);
    return own_weights.size() ? Vector<double>(left + 0.5 * own_weights) : left;
  }
  const Vector<double> log_sums = log_row_sums(log_right);
  return log_of_reciprocal(log_sums, null_mass(normalization));
}

Vector<double> log_of_reciprocal(const Vector<double>& log_sums, double null_mass) {
  if (null_mass == 0) return minus_or_off(log_sums);
  const double log_null = std::log(null_mass);
  return log_sums.unaryExpr([log_null](double s) {  // without overflow
    const double top = std::max(s, log_null);
    return -(top + std::log(std::exp(s - top) + std::exp(log_null - top)));
  });
}

double null_mass(const Normalization& normalization) {
  const auto* row = std::get_if<RowStochastic>(&normalization);
  return row ? row->null_mass : 0;
}

}  // namespace likewise
