// The one equation as a value:  y_i = l_i * sum over j in S(i) of phi(c(x_i, z_j)) * r_j * v_j
#pragma once

#include <string>

#include <likewise/execution.hpp>
#include <likewise/kernel.hpp>
#include <likewise/metric.hpp>
#include <likewise/normalization.hpp>
#include <likewise/propagation.hpp>
#include <likewise/support.hpp>

namespace likewise {

/// What a row without mass yields: 0, the value of the nearest admitted key (what a Gaussian tends to), an error, or,
/// under `self`, its own value: the point keeps to itself with weight 1, a component of its own (new points take the
/// nearest key's value then). A row that admits no key at all is 0 under `nearest` too. Unnormalized rows are simply 0.
enum class EmptyRow { zero, nearest, error, self };

/// What one call of operator making takes beyond the slots.
struct OperatorOptions {
  /// log w_j of each key (sample weights, padding -inf, duplicates log 2); empty: 0. Before any
  /// normalization.
  Vector<double> log_key_weights = {};
  /// "auto" chooses by support and size; "streamed" (O(n) memory), "dense" (n_queries x n_keys), "sparse"
  /// (CSR).
  std::string storage = "auto";
};

template <class T> class SelfOperator;
template <class T> class CrossOperator;

struct Mechanism;
template <class T>
SelfOperator<T> make_self_operator(const Mechanism& mechanism, const Points<T>& Z,
                                   const OperatorOptions& options, const Execution& run);
template <class T>
CrossOperator<T> make_cross_operator(const Mechanism& mechanism, const Points<T>& X, const Points<T>& Z,
                                     const OperatorOptions& options, const Execution& run);

/// Five slots and the policy for empty rows: a plain value. The first four make the operator, the fifth says what is done with
/// it (`propagate`, likewise/propagate.hpp).
struct Mechanism {
  Metric metric = SquaredEuclidean{};
  Kernel kernel = Gaussian{};
  Support support = AllPairs{};
  Normalization normalization = RowStochastic{};
  Propagation propagation = OneStep{};
  EmptyRow empty_row = EmptyRow::zero;

  /// The operator of a point set with itself, n x n. Resolves an open bandwidth, computes the scalings: O(n^2
  /// d) time and O(n) memory streamed; a neighbor search with a selector. Throws InvalidArgument naming what
  /// does not fit. Z is any float or double matrix; row-major ones are read in place.
  template <class D>
  SelfOperator<ScalarOf<D>> self_operator(const Eigen::MatrixBase<D>& Z, const OperatorOptions& options = {},
                                          const Execution& run = {}) const {
    return make_self_operator<ScalarOf<D>>(*this, Z.derived(), options, run);
  }
  /// From queries X to keys Z: short for self_operator(Z).at(X), without computing more of the keys than r
  /// needs.
  template <class D, class E>
  CrossOperator<ScalarOf<D, E>> cross_operator(const Eigen::MatrixBase<D>& X, const Eigen::MatrixBase<E>& Z,
                                               const OperatorOptions& options = {},
                                               const Execution& run = {}) const {
    return make_cross_operator<ScalarOf<D, E>>(*this, X.derived(), Z.derived(), options, run);
  }

  /// The equation with its slots: one line a slot.
  std::string equation() const;

  bool operator==(const Mechanism&) const = default;
};

/// The call that makes it: "Mechanism(metric=SquaredEuclidean(), kernel=Gaussian(bandwidth=0.3), ...)"
std::string repr(const Mechanism& mechanism);
std::size_t hash_value(const Mechanism& mechanism);
inline std::ostream& operator<<(std::ostream& out, const Mechanism& mechanism) {
  return out << repr(mechanism);
}

/// Throws InvalidArgument where a slot's parameter is not allowed or two slots do not fit each other,
/// whatever the points: a kernel of a distance with a metric that is none, InverseDistance without
/// RowStochastic.
void validate(const Mechanism& mechanism);

EmptyRow empty_row_from_name(const std::string& name);
std::string to_string(EmptyRow policy);

}  // namespace likewise

template <> struct std::hash<likewise::Mechanism> {
  std::size_t operator()(const likewise::Mechanism& mechanism) const { return hash_value(mechanism); }
};
