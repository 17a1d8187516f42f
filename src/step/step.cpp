#include <likewise/step.hpp>

#include <likewise/gradient.hpp>
#include <likewise/mechanism.hpp>

#include "step/few_pairs.hpp"

namespace likewise {
namespace {

/// Nobody is chosen by distance or listed: what a self-operator and a cross-operator mean is then the same.
bool filters_pairs_only(const Support& support) {
  return support.graphs().empty() && support.selector().index() == 0;
}

template <class T>
void vjp_of_operator(const StepInputs<T>& inputs, const PropagationOperator<T>& P, const StridedRows<T>& y,
                     const StridedRows<T>& grad_y, StepGradient<T>& gradient, const Execution& run) {
  OperatorGradient<T> found = vjp<T>(P, grad_y, inputs.v, Values<T>(y), run);
  if (found.points.size() + found.queries.size() == 0) {  // nothing is compared
    gradient.q.view().setZero();
    gradient.k.view().setZero();
  } else if (found.points.size()) {
    gradient.q.take(std::move(found.points));
  } else if (inputs.one_set) {
    found.queries += found.keys;
    gradient.q.take(std::move(found.queries));
  } else {
    gradient.q.take(std::move(found.queries));
    gradient.k.take(std::move(found.keys));
  }
  gradient.v.take(std::move(found.values));
  gradient.metric = std::move(found.metric);
  if (found.temperature) gradient.log_temperature = *found.temperature * scale_of(P.mechanism().kernel);
}

}  // namespace

template <class T>
PropagationOperator<T> step_operator(const Mechanism& mechanism, const StepInputs<T>& inputs,
                                     const Execution& run) {
  OperatorOptions options;
  if (inputs.log_key_weights) options.log_key_weights = *inputs.log_key_weights;
  if (filters_pairs_only(mechanism.support)) {
    options.storage = "streamed";
    // A self-operator's tiles serve both of their sides.
    if (inputs.one_set) return mechanism.self_operator(Points<T>(inputs.k), options, run);
  }
  return mechanism.cross_operator(Points<T>(inputs.q), Points<T>(inputs.k), options, run);
}

template <class T>
void step(const Mechanism& mechanism, const StepInputs<T>& inputs, const Part<T>& y, StepTrace<T>& trace,
          const Execution& run) {
  trace.P.reset();
  if (few_pairs::serve(mechanism, inputs)) {
    trace.log_sums = few_pairs::step(mechanism, inputs, y.view());
    return;
  }
  trace.P = step_operator(mechanism, inputs, run);
  y.take(trace.P->apply(Points<T>(inputs.v), run));
}

template <class T>
void step_vjp(const Mechanism& mechanism, const StepInputs<T>& inputs, const StepTrace<T>& trace,
              const StridedRows<T>& y, const StridedRows<T>& grad_y, StepGradient<T>& gradient,
              const Execution& run) {
  if (trace.P)
    vjp_of_operator(inputs, *trace.P, y, grad_y, gradient, run);
  else
    few_pairs::step_vjp(mechanism, inputs, trace.log_sums, y, grad_y, gradient);
}

#define LIKEWISE_INSTANTIATE(T)                                                                              \
  template PropagationOperator<T> step_operator(const Mechanism&, const StepInputs<T>&, const Execution&);   \
  template void step(const Mechanism&, const StepInputs<T>&, const Part<T>&, StepTrace<T>&,                  \
                     const Execution&);                                                                      \
  template void step_vjp(const Mechanism&, const StepInputs<T>&, const StepTrace<T>&, const StridedRows<T>&, \
                         const StridedRows<T>&, StepGradient<T>&, const Execution&);
LIKEWISE_INSTANTIATE(float)
LIKEWISE_INSTANTIATE(double)
#undef LIKEWISE_INSTANTIATE

}  // namespace likewise
