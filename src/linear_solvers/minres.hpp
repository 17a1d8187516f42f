// MINRES: symmetric systems that need not be positive definite.
#pragma once

#include <cmath>
#include <limits>

#include <likewise/types.hpp>

namespace likewise::solvers {

/// Paige and Saunders 1975: the least residual among the spaces of b, A b, A A b, ... of a symmetric A, by three vectors. Until
/// the residual is at most tol |A| |x|, or max_iter products; beyond that rounding decides.
template <class Map> Vector<double> minres(const Map& A, const Vector<double>& b, double tol, int max_iter) {
  constexpr double least = std::numeric_limits<double>::epsilon();
  Vector<double> x = Vector<double>::Zero(b.size()), w = x, w_before = x;
  Vector<double> v = b, v_before = x;  // Lanczos vectors times beta
  double beta = b.norm(), beta_before = 0, residual = beta, squares = 0;
  double cosine = -1, sine = 0, delta_bar = 0, epsilon = 0;
  const double first = beta;
  for (int step = 0; step < max_iter && beta > least * first; ++step) {
    const Vector<double> unit = v / beta;
    Vector<double> next = A(unit);
    if (step > 0) next -= beta / beta_before * v_before;
    const double alpha = unit.dot(next);
    next -= alpha / beta * v;
    v_before = v;
    v = next;
    beta_before = beta;
    beta = v.norm();
    squares += alpha * alpha + beta_before * beta_before + beta * beta;
    // The plane rotations that make the tridiagonal matrix triangular, one a step.
    const double epsilon_before = epsilon, delta = cosine * delta_bar + sine * alpha,
                 gamma_bar = sine * delta_bar - cosine * alpha;
    epsilon = sine * beta;
    delta_bar = -cosine * beta;
    const double slope = std::hypot(gamma_bar, delta_bar);  // |A r| / |r| of the residual before
    const double gamma = std::max(std::hypot(gamma_bar, beta), least);
    cosine = gamma_bar / gamma;
    sine = beta / gamma;
    const Vector<double> direction = (unit - epsilon_before * w_before - delta * w) / gamma;
    w_before = w;
    w = direction;
    x += cosine * residual * direction;
    residual *= sine;
    const double size = std::sqrt(squares);  // |A|, as far as the space has seen it
    if (residual <= std::max(tol, least) * size * x.norm() || slope <= tol * size) break;
  }
  return x;
}

}  // namespace likewise::solvers
