// What a mechanism becomes once it has met points.
#pragma once

#include <memory>
#include <string>

#include <likewise/bandwidth.hpp>
#include <likewise/linear_map.hpp>
#include <likewise/mechanism_value.hpp>
#include <likewise/prepared_keys.hpp>

namespace likewise {

namespace detail {
template <class T> struct OperatorState;  // src/operator/state.hpp
template <class T> struct KeyedState;     // src/make_operator.cpp
}  // namespace detail

/// y_i = l_i sum_j K_ij r_j v_j, K_ij = phi(c(x_i, z_j)) on the support. n_queries x n_keys, stored as
/// `storage()` says: "streamed" (O(n d) memory, a product costs n_queries n_keys (d + c)), "dense", "sparse".
template <class T> class PropagationOperator : public LinearMap<T> {
 public:
  /// Empty, 0 x 0, until an operator is assigned: for members. Asked for more than its shape it throws
  /// InvalidArgument.
  PropagationOperator() = default;
  explicit PropagationOperator(std::shared_ptr<const detail::OperatorState<T>> state);

  const std::string& storage() const;
  /// The mechanism with its bandwidth resolved to a number where a rule found one number.
  const Mechanism& mechanism() const;
  const SelectedBandwidth& bandwidth() const;
  /// log sum_j w_j K_ij, before normalization; -inf for an empty row. Computed when first asked for.
  const Vector<double>& log_row_sums(const Execution& run = {}) const;
  /// log l, computed when first asked for, and log r.
  const Vector<double>& log_left(const Execution& run = {}) const;
  const Vector<double>& log_right() const;
  const Matrix<T>& keys() const;
  const Vector<double>& log_key_weights() const;  ///< n_keys, zeros if none were given
  /// How the normalization's iteration ended (Bistochastic).
  const IterationReport& report() const;

  /// The matrix itself; refused beyond the memory limit.
  Matrix<T> dense(const Execution& run = {}) const;
  /// Compressed rows of what the support admits; for a dense or streamed operator every non-zero.
  SparseMatrix<T> sparse(const Execution& run = {}) const;

  const detail::OperatorState<T>& state() const;

 protected:
  std::shared_ptr<const detail::OperatorState<T>> state_;
};

/// "150 x 150, dense: Mechanism(metric=...)"
template <class T> std::ostream& operator<<(std::ostream& out, const PropagationOperator<T>& P) {
  out << P.rows() << " x " << P.cols();
  return P.rows() ? out << ", " << P.storage() << ": " << P.mechanism() : out;
}

/// From new points X to keys Z, n_queries x n_keys.
template <class T> class CrossOperator : public PropagationOperator<T> {
 public:
  using PropagationOperator<T>::PropagationOperator;
};

/// Of a point set with itself, n x n.
template <class T> class SelfOperator : public PropagationOperator<T> {
 public:
  using PropagationOperator<T>::PropagationOperator;

  /// The same mechanism from new points X to these keys: r is kept, only l is computed anew.
  CrossOperator<T> at(const Points<T>& X, const Execution& run = {}) const;
  /// The points without a neighbor that keep to themselves (EmptyRow::self), ascending.
  const std::vector<Index>& isolated() const;
  /// log pi_i = log r_i - log l_i, not normalized: P's stationary law where the kernel is symmetric.
  Vector<double> log_stationary() const;
};

/// A mechanism that has met its keys and waits for queries: keys prepared, bandwidth and r found once, when a query first
/// needs them. Copies share all of it, and any number of threads may ask.
template <class T> class KeyedMechanism {
 public:
  /// No mechanism, until one is assigned: for members.
  KeyedMechanism() = default;
  /// The keys were prepared under the mechanism's metric. An open bandwidth is found when it is first wanted.
  KeyedMechanism(const Mechanism& mechanism, const PreparedKeys<T>& keys);
  /// With the bandwidth that was found for it.
  KeyedMechanism(const Mechanism& mechanism, const SelectedBandwidth& found, const PreparedKeys<T>& keys);

  const Mechanism& mechanism() const;  ///< bandwidth resolved
  const SelectedBandwidth& bandwidth() const;
  const PreparedKeys<T>& keys() const;
  /// Mechanism::cross_operator from queries X to these keys, to the last bit; only X is new work.
  CrossOperator<T> at(const Points<T>& X, const Execution& run = {},
                      const std::string& storage = "auto") const;

  const detail::KeyedState<T>& state() const;

 private:
  std::shared_ptr<const detail::KeyedState<T>> state_;
};

/// Mechanism::self_operator of keys that were prepared under the mechanism's metric.
template <class T>
SelfOperator<T> make_self_operator(const Mechanism& mechanism, const PreparedKeys<T>& keys,
                                   const std::string& storage = "auto", const Execution& run = {});

/// S = D P D^-1, D = diag(sqrt(r/l)): symmetric with P's eigenvalues. Making one refuses, naming the missing
/// law, where the metric, the support or the bandwidth rule is not symmetric.
template <class T> class SymmetricOperator : public LinearMap<T> {
 public:
  SymmetricOperator() = default;
  explicit SymmetricOperator(const SelfOperator<T>& P, const Execution& run = {});

  const SelfOperator<T>& origin() const { return origin_; }
  /// log D, so that a right eigenvector of P is D^-1 u.
  const Vector<double>& log_scale() const { return log_scale_; }

 private:
  SelfOperator<T> origin_;
  Vector<double> log_scale_;
};

/// Why P has no symmetric form ("metric=Bilinear() is not symmetric"), or empty.
template <class T> std::string asymmetry(const SelfOperator<T>& P);

}  // namespace likewise
