#include <likewise/many_operators.hpp>

#include "engine/call.hpp"
#include "engine/parallel.hpp"

namespace likewise {
namespace {

template <class A> void require_one_each(const char* name, const A& found, std::size_t wanted) {
  require(found.size() == wanted, name, "one matrix for each of " + std::to_string(wanted) + " operators",
          found.size());
}

/// Results of a type that has no empty value are put in place as they come.
template <class Result, class Make>
std::vector<Result> each(std::size_t n, const Execution& run, const char* what, const Make& make) {
  std::vector<std::optional<Result>> found(n);
  engine::parallel_tasks(static_cast<Index>(n), run, what, [&](Index i, const Execution& inside) {
    found[static_cast<std::size_t>(i)].emplace(make(static_cast<std::size_t>(i), inside));
  });
  std::vector<Result> results;
  results.reserve(n);
  for (auto& result : found) results.push_back(std::move(*result));
  return results;
}

}  // namespace

template <class T>
std::vector<CrossOperator<T>> cross_operators(const Mechanism& m, const EachMatrix<T>& X,
                                              const EachMatrix<T>& Z, const OperatorOptions& options,
                                              const Execution& run) {
  const engine::Call call(run);
  require_one_each("Z", Z, X.size());
  return each<CrossOperator<T>>(
      X.size(), run, "making operators",
      [&](std::size_t i, const Execution& inside) { return m.cross_operator(X[i], Z[i], options, inside); });
}

template <class T>
std::vector<Matrix<T>> apply_each(const std::vector<CrossOperator<T>>& P, const EachMatrix<T>& V,
                                  const Execution& run) {
  const engine::Call call(run);
  require_one_each("V", V, P.size());
  return each<Matrix<T>>(P.size(), run, "propagating",
                         [&](std::size_t i, const Execution& inside) { return P[i].apply(V[i], inside); });
}

template <class T>
std::vector<OperatorGradient<T>> vjp_each(const std::vector<CrossOperator<T>>& P, const EachMatrix<T>& grad_Y,
                                          const EachMatrix<T>& V, const EachMatrix<T>& Y,
                                          const Execution& run) {
  const engine::Call call(run);
  require_one_each("grad_Y", grad_Y, P.size());
  require_one_each("V", V, P.size());
  require_one_each("Y", Y, P.size());
  return each<OperatorGradient<T>>(
      P.size(), run, "differentiating",
      [&](std::size_t i, const Execution& inside) { return vjp<T>(P[i], grad_Y[i], V[i], Y[i], inside); });
}

#define LIKEWISE_INSTANTIATE(T)                                                                          \
  template std::vector<CrossOperator<T>> cross_operators(const Mechanism&, const EachMatrix<T>&,         \
                                                         const EachMatrix<T>&, const OperatorOptions&,   \
                                                         const Execution&);                              \
  template std::vector<Matrix<T>> apply_each(const std::vector<CrossOperator<T>>&, const EachMatrix<T>&, \
                                             const Execution&);                                          \
  template std::vector<OperatorGradient<T>> vjp_each(const std::vector<CrossOperator<T>>&,               \
                                                     const EachMatrix<T>&, const EachMatrix<T>&,         \
                                                     const EachMatrix<T>&, const Execution&);
LIKEWISE_INSTANTIATE(float)
LIKEWISE_INSTANTIATE(double)
#undef LIKEWISE_INSTANTIATE

}  // namespace likewise
