#include <likewise/algorithms/smoother.hpp>
#include <likewise/operator.hpp>

#include "engine/call.hpp"

namespace likewise {

template <class T>
Matrix<T> smooth(const Mechanism& mechanism, const Points<T>& X, const Values<T>& Y, const Execution& run) {
  const engine::Call call(run);
  return mechanism.self_operator(X, {}, run).apply(Y, run);
}
template Matrix<float> smooth(const Mechanism&, const Points<float>&, const Values<float>&, const Execution&);
template Matrix<double> smooth(const Mechanism&, const Points<double>&, const Values<double>&,
                               const Execution&);

}  // namespace likewise
