#include <likewise/algorithms/attention.hpp>

#include <cmath>

#include <likewise/operator.hpp>

#include "checks.hpp"
#include "engine/call.hpp"
#include "engine/parallel.hpp"

namespace likewise {
namespace {

Mechanism softmax(const Metric& metric, double default_temperature, const AttentionOptions& options) {
  Mechanism m{metric, Exponential{options.temperature.value_or(default_temperature)}, options.support,
              RowStochastic{}};
  validate(m);
  return m;
}

double root(Index d) { return std::sqrt(static_cast<double>(std::max<Index>(d, 1))); }

using MechanismOf = Mechanism (*)(Index, const AttentionOptions&);

template <class T>
std::vector<Matrix<T>> attend_heads(MechanismOf mechanism_of, const std::vector<AttentionHead<T>>& heads,
                                    const Execution& run) {
  std::vector<Matrix<T>> outputs(heads.size());
  engine::parallel_tasks(std::ssize(heads), run, "attending", [&](Index i, const Execution& inside) {
    const AttentionHead<T>& head = heads[static_cast<std::size_t>(i)];
    outputs[static_cast<std::size_t>(i)] = attend<T>(mechanism_of(head.q.cols(), head.options), head.q,
                                                     head.k, head.v, head.options.log_key_weights, inside);
  });
  return outputs;
}

}  // namespace

Mechanism attention_mechanism(Index d, const AttentionOptions& options) {
  return softmax(DotProduct{}, root(d), options);
}
Mechanism l2_attention_mechanism(Index d, const AttentionOptions& options) {
  return softmax(SquaredEuclidean{}, 2 * root(d), options);
}

template <class T>
Matrix<T> attend(const Mechanism& mechanism, const Points<T>& q, const Points<T>& k, const Values<T>& v,
                 const Vector<double>& log_key_weights, const Execution& run) {
  const engine::Call call(run);
  require(k.cols() == q.cols(), "k", "of q's width " + std::to_string(q.cols()), k.cols());
  require(v.rows() == k.rows(), "v", "of k's length " + std::to_string(k.rows()), v.rows());
  if (q.rows() == 0 || k.rows() == 0 || v.cols() == 0) return Matrix<T>::Zero(q.rows(), v.cols());
  check_points<T>("v", v);
  check_points<T>("q", q);
  check_points<T>("k", k);
  Vector<double> weights;
  if (log_key_weights.size() > 0) weights = checked_log_weights(log_key_weights, k.rows());
  const auto rows = [](const Points<T>& p) {
    return StridedRows<T>(p.data(), p.rows(), p.cols(), Eigen::OuterStride<>(p.outerStride()));
  };
  Matrix<T> y(q.rows(), v.cols());
  StepTrace<T> trace;
  step<T>(mechanism, {rows(q), rows(k), rows(v), weights.size() ? &weights : nullptr},
          {y, 0, y.rows(), 0, y.cols()}, trace, run);
  return y;
}

template <class T>
std::vector<Matrix<T>> attention(const std::vector<AttentionHead<T>>& heads, const Execution& run) {
  const engine::Call call(run);
  return attend_heads<T>(attention_mechanism, heads, run);
}
template <class T>
std::vector<Matrix<T>> l2_attention(const std::vector<AttentionHead<T>>& heads, const Execution& run) {
  const engine::Call call(run);
  return attend_heads<T>(l2_attention_mechanism, heads, run);
}

#define LIKEWISE_INSTANTIATE(T)                                                                      \
  template Matrix<T> attend(const Mechanism&, const Points<T>&, const Points<T>&, const Values<T>&,  \
                            const Vector<double>&, const Execution&);                                \
  template std::vector<Matrix<T>> attention(const std::vector<AttentionHead<T>>&, const Execution&); \
  template std::vector<Matrix<T>> l2_attention(const std::vector<AttentionHead<T>>&, const Execution&);
LIKEWISE_INSTANTIATE(float)
LIKEWISE_INSTANTIATE(double)
#undef LIKEWISE_INSTANTIATE

}  // namespace likewise
