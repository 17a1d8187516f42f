#include <likewise/partial.hpp>

#include <cmath>
#include <limits>

#include "engine/call.hpp"
#include "engine/exp_sum.hpp"
#include "operator/checks.hpp"
#include "operator/scalings.hpp"
#include "operator/tile_weights.hpp"

namespace likewise {

template <class T>
Partial<T> partial(const Mechanism& mechanism, const Points<T>& X, const Points<T>& Z, const Values<T>& V,
                   const Vector<double>& log_key_weights, const Execution& run) {
  const engine::Call call(run);
  check_points<T>("X", X);
  check_points<T>("Z", Z);
  validate(mechanism);
  require(V.rows() == Z.rows(), "V", "a matrix with " + std::to_string(Z.rows()) + " rows (one for each key)",
          V.rows());
  require(mechanism.support.is_all_pairs(), "support", "AllPairs() for partial results",
          repr(mechanism.support));
  require(right_is_key_weight(mechanism.normalization), "normalization",
          "RowStochastic() or Unnormalized() for partial results", repr(mechanism.normalization));
  const Bandwidth* bandwidth = bandwidth_of(mechanism.kernel);
  require(!bandwidth || bandwidth->is_number(), "bandwidth",
          "a number for partial results (a block of keys cannot choose one)", repr(mechanism.kernel));
  const ResolvedKernel kernel{mechanism.kernel, scale_of(mechanism.kernel)};
  const auto tiles = make_tile_weights<T>(mechanism.metric, kernel, {}, X, Z);
  return engine::exp_sum<T>(*tiles, checked_log_weights(log_key_weights, Z.rows()), V, run);
}

template <class T> Partial<T> merge(const Partial<T>& a, const Partial<T>& b) {
  constexpr double minus_infinity = -std::numeric_limits<double>::infinity();
  const auto neutral = [](const Partial<T>& part) { return part.mass.size() == 0 && part.sum.size() == 0; };
  if (neutral(a)) return b;
  if (neutral(b)) return a;
  require(a.mass.size() == b.mass.size() && a.sum.cols() == b.sum.cols(), "b", "of the other part's shape",
          std::to_string(b.mass.size()) + " x " + std::to_string(b.sum.cols()));
  Partial<T> both = a;
  for (Index i = 0; i < a.mass.size(); ++i) {
    const double top = std::max(a.log_reference(i), b.log_reference(i));
    if (top == minus_infinity) continue;  // neither has mass
    const double of_a = std::exp(a.log_reference(i) - top), of_b = std::exp(b.log_reference(i) - top);
    both.log_reference(i) = top;
    both.mass(i) = of_a * a.mass(i) + of_b * b.mass(i);
    both.sum.row(i) = static_cast<T>(of_a) * a.sum.row(i) + static_cast<T>(of_b) * b.sum.row(i);
  }
  return both;
}

template <class T> Matrix<T> finish(const Mechanism& mechanism, const Partial<T>& part) {
  Matrix<T> Y = part.sum;
  const double mass = null_mass(mechanism.normalization);
  for (Index i = 0; i < Y.rows(); ++i) {
    const double reference = part.log_reference(i);
    if (part.mass(i) == 0)
      Y.row(i).setZero();
    else if (divides_by_row_mass(mechanism.normalization))
      Y.row(i) /= static_cast<T>(part.mass(i) + (mass > 0 ? std::exp(std::log(mass) - reference) : 0));
    else
      Y.row(i) *= static_cast<T>(std::exp(reference));
  }
  return Y;
}

#define LIKEWISE_INSTANTIATE(T)                                                                       \
  template Partial<T> partial(const Mechanism&, const Points<T>&, const Points<T>&, const Values<T>&, \
                              const Vector<double>&, const Execution&);                               \
  template Partial<T> merge(const Partial<T>&, const Partial<T>&);                                    \
  template Matrix<T> finish(const Mechanism&, const Partial<T>&);
LIKEWISE_INSTANTIATE(float)
LIKEWISE_INSTANTIATE(double)
#undef LIKEWISE_INSTANTIATE

}  // namespace likewise
