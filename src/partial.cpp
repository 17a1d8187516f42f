#include <likewise/partial.hpp>

#include <cmath>
#include <limits>

#include "checks.hpp"
#include "engine/call.hpp"
#include "engine/exp_sum.hpp"
#include "operator/scalings.hpp"
#include "operator/tile_weights.hpp"

namespace likewise {

namespace {

/// What a row without mass yields; 0 where nothing is divided by it.
EmptyRow policy_of(const Mechanism& m) {
  const bool may_be_empty = divides_by_row_mass(m.normalization) && null_mass(m.normalization) == 0;
  return may_be_empty ? m.empty_row : EmptyRow::zero;
}

}  // namespace

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
  require(right_from(mechanism.normalization) == RightFrom::key_weights
              && rows_stand_alone(mechanism.normalization),
          "normalization", "RowStochastic() or Unnormalized() for partial results",
          repr(mechanism.normalization));
  const EmptyRow policy = policy_of(mechanism);
  require(policy == EmptyRow::zero || policy == EmptyRow::error, "empty_row",
          "'zero' or 'error' for partial results (no part knows the key nearest of all)",
          "'" + to_string(policy) + "'");
  const Bandwidth* bandwidth = bandwidth_of(mechanism.kernel);
  require(!bandwidth || bandwidth->is_number(), "bandwidth",
          "a number for partial results (a block of keys cannot choose one)", repr(mechanism.kernel));
  const ResolvedKernel kernel{mechanism.kernel, scale_of(mechanism.kernel)};
  const Vector<double> log_w = checked_log_weights(log_key_weights, Z.rows());
  const SeenMetric looks = seen(mechanism.metric);
  if (looks.maps()) {
    Mechanism of_seen = mechanism;
    of_seen.metric = looks.metric;
    return partial<T>(of_seen, apply<T>(*looks.queries, X), apply<T>(*looks.keys, Z), V, log_w, run);
  }
  const auto tiles = make_tile_weights<T>(looks.metric, kernel, {}, X, Z, log_w);
  return engine::exp_sum<T>(*tiles, log_w, V, run);
}

template <class T> Matrix<T> finish(const Mechanism& mechanism, const Partial<T>& part) {
  Matrix<T> Y = part.sum;
  const double mass = null_mass(mechanism.normalization);
  const EmptyRow policy = policy_of(mechanism);
  for (Index i = 0; i < Y.rows(); ++i) {
    const double reference = part.log_reference(i);
    if (part.mass(i) == 0 && policy == EmptyRow::error)
      refuse("empty_row", "'zero' where a row has no mass (or widen the bandwidth)",
             "'error' and row " + std::to_string(i) + " without mass");
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
  template Matrix<T> finish(const Mechanism&, const Partial<T>&);
LIKEWISE_INSTANTIATE(float)
LIKEWISE_INSTANTIATE(double)
#undef LIKEWISE_INSTANTIATE

}  // namespace likewise
