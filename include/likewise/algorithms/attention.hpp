// Attention, L2 attention and metric-attention with fixed weights: one step from queries to keys, with values of their own.
#pragma once

#include <optional>
#include <vector>

#include <likewise/mechanism.hpp>
#include <likewise/step.hpp>

namespace likewise {

struct AttentionOptions {
  /// Divides the scores; none: sqrt(d) of the dot product, 2 sqrt(d) of the squared distance, with which both
  /// agree on keys of equal norm.
  std::optional<double> temperature = {};
  Support support = {};  ///< who may attend: Causal{}, Mask{...}, Window{...} and what they make together
  Vector<double> log_key_weights = {};  ///< (n_keys,) added to the scores; -inf pads a key away
};

/// One head of one sequence: q (n_queries, d), k (n_keys, d), v (n_keys, c) in row-major memory that somebody
/// owns.
template <class T> struct AttentionHead {
  Eigen::Map<const Matrix<T>> q, k, v;
  AttentionOptions options = {};
};

/// The mechanism of dot attention: DotProduct, Exponential(t), the support, RowStochastic.
Mechanism attention_mechanism(Index d, const AttentionOptions& options = {});
/// The same with SquaredEuclidean: kernel regression with h^2 = t/2.
Mechanism l2_attention_mechanism(Index d, const AttentionOptions& options = {});

/// The mechanism's step from k to q of values v: (n_queries, c). A query that may attend to nothing gets 0.
/// O(n_queries n_keys (d + c)) time, never an n_queries x n_keys matrix where that is large. No queries or no columns: an
/// empty result.
template <class T>
Matrix<T> attend(const Mechanism& mechanism, const Points<T>& q, const Points<T>& k, const Values<T>& v,
                 const Vector<double>& log_key_weights, const Execution& run);

/// softmax(q k^T / t) v for q (n_queries, d), k (n_keys, d), v (n_keys, c).
template <class Q, class K, class V>
Matrix<ScalarOf<Q, K, V>> attention(const Eigen::MatrixBase<Q>& q, const Eigen::MatrixBase<K>& k,
                                    const Eigen::MatrixBase<V>& v, const AttentionOptions& options = {},
                                    const Execution& run = {}) {
  return attend<ScalarOf<Q, K, V>>(attention_mechanism(q.cols(), options), q.derived(), k.derived(),
                                   v.derived(), options.log_key_weights, run);
}
/// softmax(-|q - k|^2 / t) v.
template <class Q, class K, class V>
Matrix<ScalarOf<Q, K, V>> l2_attention(const Eigen::MatrixBase<Q>& q, const Eigen::MatrixBase<K>& k,
                                       const Eigen::MatrixBase<V>& v, const AttentionOptions& options = {},
                                       const Execution& run = {}) {
  return attend<ScalarOf<Q, K, V>>(l2_attention_mechanism(q.cols(), options), q.derived(), k.derived(),
                                   v.derived(), options.log_key_weights, run);
}

/// softmax(-|phi(x_i) - phi(x_j)|^2 / t) v of points x (n, d) that attend to one another: metric-attention (Ruan and Zhang 2024,
/// Algorithm 1), whose bare module has t = 1 and v = x.
template <class X, class V>
Matrix<ScalarOf<X, X, V>> metric_attention(const Eigen::MatrixBase<X>& x, const PointMap& map,
                                           const Eigen::MatrixBase<V>& v,
                                           const AttentionOptions& options = {}, const Execution& run = {}) {
  using T = ScalarOf<X, X, V>;
  const Matrix<T> mapped = apply<T>(map, x.derived());
  AttentionOptions own = options;
  own.temperature = options.temperature.value_or(1.0);
  return l2_attention(mapped, mapped, v, own, run);
}

/// Many heads of many sequences, spread over threads; where they are few, each is split inside.
template <class T>
std::vector<Matrix<T>> attention(const std::vector<AttentionHead<T>>& heads, const Execution& run = {});
template <class T>
std::vector<Matrix<T>> l2_attention(const std::vector<AttentionHead<T>>& heads, const Execution& run = {});

}  // namespace likewise
