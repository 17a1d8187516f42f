#include <span>
#include <utility>
#include <vector>

#include <likewise/gradient_through.hpp>

#include "engine/call.hpp"

namespace likewise {
namespace {

/// Matrices of equal shape beside each other.
template <class T> Matrix<T> beside(std::span<const Matrix<T>> parts) {
  const Index c = parts.front().cols();
  Matrix<T> all(parts.front().rows(), c * static_cast<Index>(parts.size()));
  for (std::size_t s = 0; s < parts.size(); ++s) all.middleCols(static_cast<Index>(s) * c, c) = parts[s];
  return all;
}

}  // namespace

template <class T>
OperatorGradient<T> power_vjp(const SelfOperator<T>& P, Index t, const Values<T>& grad_Y, const Values<T>& V,
                              const Execution& run) {
  const engine::Call call(run);
  require(t >= 0, "t", "an int >= 0", t);
  if (t == 0) {
    OperatorGradient<T> found = vjp<T>(P, Matrix<T>::Zero(grad_Y.rows(), grad_Y.cols()), V, {}, run);
    found.values = grad_Y;
    return found;
  }
  const std::size_t steps = static_cast<std::size_t>(t);
  std::vector<Matrix<T>> values(steps + 1), grads(steps);  // grads[s] belongs to values[s + 1] = P values[s]
  values[0] = V;
  for (std::size_t s = 0; s < steps; ++s) values[s + 1] = P.apply(values[s], run);
  grads.back() = grad_Y;
  for (std::size_t s = steps - 1; s > 0; --s) grads[s - 1] = P.apply_transposed(grads[s], run);
  const std::span<const Matrix<T>> all(values);
  const Matrix<T> from = beside(all.first(steps)), to = beside(all.last(steps)), by = beside<T>(grads);
  OperatorGradient<T> found = vjp<T>(P, by, from, std::optional<Values<T>>(to), run);
  found.values = found.values.leftCols(V.cols()).eval();
  return found;
}

template OperatorGradient<float> power_vjp(const SelfOperator<float>&, Index, const Values<float>&,
                                           const Values<float>&, const Execution&);
template OperatorGradient<double> power_vjp(const SelfOperator<double>&, Index, const Values<double>&,
                                            const Values<double>&, const Execution&);

}  // namespace likewise
