#include <likewise/many_operators.hpp>

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "checks.hpp"
#include "engine/call.hpp"
#include "engine/parallel.hpp"
#include "step/few_pairs.hpp"

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

namespace {

template <class T> StridedRows<T> rows_of(const Eigen::Map<const Matrix<T>>& matrix) {
  return {matrix.data(), matrix.rows(), matrix.cols(), Eigen::OuterStride<>(matrix.cols())};
}
template <class T> Part<T> whole(Matrix<T>& matrix) { return {matrix, 0, matrix.rows(), 0, matrix.cols()}; }

/// All heads, a few to a task: one is done in a microsecond or two.
template <class Do>
void for_heads(std::size_t n, Index pairs, const char* what, const Execution& run, const Do& one) {
  const Index count = static_cast<Index>(n), together = std::max<Index>(1, 4096 / std::max<Index>(1, pairs));
  engine::parallel_blocks(engine::block_count(count, together),
                          engine::sized(run, static_cast<double>(count) * static_cast<double>(pairs)), what,
                          [&](Index block) {
                            const auto [first, size] = engine::block_of(block, count, together);
                            for (Index i = first; i < first + size; ++i) one(static_cast<std::size_t>(i));
                          });
}

}  // namespace

template <class T>
ManySteps<T>::ManySteps(const Mechanism& m, EachMatrix<T> X, EachMatrix<T> Z, const Execution& run)
    : mechanism_(m), queries_(std::move(X)), keys_(std::move(Z)) {
  const engine::Call call(run);
  require_one_each("Z", keys_, queries_.size());
  bool tiles = !queries_.empty();
  for (std::size_t i = 0; i < queries_.size() && tiles; ++i)
    tiles =
        queries_[i].cols() == keys_[i].cols() && keys_[i].rows() > 0 && few_pairs::serve(m, inputs(i, keys_));
  if (!tiles) {
    operators_ = cross_operators<T>(m, queries_, keys_, {}, run);
    return;
  }
  validate(m);
  for (std::size_t i = 0; i < queries_.size(); ++i) {
    check_points<T>("X", queries_[i]);
    check_points<T>("Z", keys_[i]);
  }
}

template <class T> StepInputs<T> ManySteps<T>::inputs(std::size_t i, const EachMatrix<T>& V) const {
  return {rows_of<T>(queries_[i]), rows_of<T>(keys_[i]), rows_of<T>(V[i])};
}

template <class T>
void ManySteps<T>::require_fitting(const char* name, const EachMatrix<T>& of_each, bool of_keys) const {
  require_one_each(name, of_each, queries_.size());
  for (std::size_t i = 0; i < of_each.size(); ++i) {
    const Index rows = (of_keys ? keys_ : queries_)[i].rows();
    require(of_each[i].rows() == rows, name, std::to_string(rows) + " rows", of_each[i].rows());
    check_points<T>(name, of_each[i]);
  }
}

template <class T>
std::vector<Matrix<T>> ManySteps<T>::apply(const EachMatrix<T>& V, const Execution& run) const {
  if (!tiles()) return apply_each<T>(operators_, V, run);
  const engine::Call call(run);
  require_fitting("V", V, true);
  std::vector<Matrix<T>> Y(V.size());
  std::vector<Vector<double>> log_sums(V.size());
  for_heads(V.size(), queries_[0].rows() * keys_[0].rows(), "propagating", run, [&](std::size_t i) {
    Y[i].resize(queries_[i].rows(), V[i].cols());
    log_sums[i] = few_pairs::step(mechanism_, inputs(i, V), whole(Y[i]).view());
  });
  const std::lock_guard guard(known_->lock);
  known_->log_sums = std::move(log_sums);
  return Y;
}

template <class T>
std::vector<Vector<double>> ManySteps<T>::log_sums_with(const EachMatrix<T>& V, const Execution& run) const {
  const auto known = [&] {
    const std::lock_guard guard(known_->lock);
    return known_->log_sums;
  };
  if (known().empty()) apply(V, run);
  return known();
}

template <class T>
std::vector<OperatorGradient<T>> ManySteps<T>::vjp(const EachMatrix<T>& grad_Y, const EachMatrix<T>& V,
                                                   const EachMatrix<T>& Y, const Execution& run) const {
  if (!tiles()) return vjp_each<T>(operators_, grad_Y, V, Y, run);
  const engine::Call call(run);
  require_fitting("grad_Y", grad_Y, false);
  require_fitting("V", V, true);
  require_fitting("Y", Y, false);
  const std::vector<Vector<double>> log_sums = log_sums_with(V, run);
  std::vector<OperatorGradient<T>> found(V.size());
  for_heads(V.size(), queries_[0].rows() * keys_[0].rows(), "differentiating", run, [&](std::size_t i) {
    const StepInputs<T> head = inputs(i, V);
    OperatorGradient<T>& gradient = found[i];
    gradient.queries.resize(head.q.rows(), head.q.cols());
    gradient.keys.resize(head.k.rows(), head.k.cols());
    gradient.values.resize(head.v.rows(), head.v.cols());
    StepGradient<T> to{whole(gradient.queries), whole(gradient.keys), whole(gradient.values)};
    few_pairs::step_vjp(mechanism_, head, log_sums[i], rows_of<T>(Y[i]), rows_of<T>(grad_Y[i]), to);
    gradient.temperature = to.log_temperature / *temperature_of(mechanism_.kernel);
  });
  return found;
}

#define LIKEWISE_INSTANTIATE(T)                                                                          \
  template class ManySteps<T>;                                                                           \
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
