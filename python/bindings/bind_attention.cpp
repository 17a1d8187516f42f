// Attention over stacks of matrices: leading dimensions are already broadcast, the last two lie dense.
#include <pybind11/stl.h>

#include <algorithm>
#include <likewise/algorithms/attention.hpp>
#include <map>

#include "execution.hpp"
#include "fields.hpp"
#include "stack.hpp"

namespace likewise::python {

namespace {

/// The support of each head: what all have, and its own mask. A mask that several heads share is copied once.
class Supports {
 public:
  Supports(const Support& of_all, const std::optional<py::array_t<bool>>& masks) : of_all_(of_all) {
    if (masks) stack_.emplace(*masks);
  }
  Support of(Index i) {
    if (!stack_) return of_all_;
    const auto [place, is_new] = masked_.try_emplace(stack_->at(i));
    if (is_new) place->second = of_all_ & Mask{Shared<BoolMatrix>(BoolMatrix(stack_->matrix<bool>(i)))};
    return place->second;
  }

 private:
  Support of_all_;
  std::optional<Stack> stack_;
  std::map<const void*, Support> masked_;
};

template <class T>
py::array_t<T> run_heads(bool squared_distances, const py::array_t<T>& q, const py::array_t<T>& k,
                         const py::array_t<T>& v, std::optional<double> temperature, const Support& support,
                         const std::optional<py::array_t<bool>>& mask,
                         const std::optional<py::array_t<double>>& log_key_weights) {
  const Stack queries(q), keys(k), values(v);
  Supports supports(support, mask);
  std::optional<Stack> weights;
  if (log_key_weights) weights.emplace(*log_key_weights, 1);
  std::vector<AttentionHead<T>> heads;
  for (Index i = 0; i < queries.count(); ++i) {
    heads.push_back({queries.matrix<T>(i),
                     keys.matrix<T>(i),
                     values.matrix<T>(i),
                     {.temperature = temperature, .support = supports.of(i)}});
    if (weights)
      heads.back().options.log_key_weights =
          Eigen::Map<const Vector<double>>(static_cast<const double*>(weights->at(i)), keys.rows());
  }
  const std::vector<Matrix<T>> outputs = run_without_gil([&](const Execution& run) {
    return squared_distances ? l2_attention<T>(heads, run) : attention<T>(heads, run);
  });
  return stacked<T>(q, queries.rows(), values.cols(), outputs);
}

template <class T> void bind_dtype(py::module_& m) {
  m.def("attention", &run_heads<T>, py::arg("squared_distances"), py::arg("q").noconvert(),
        py::arg("k").noconvert(), py::arg("v").noconvert(), py::arg("temperature"), py::arg("support"),
        py::arg("mask"), py::arg("log_key_weights"));
}

}  // namespace

void bind_attention(py::module_& m) {
  bind_dtype<float>(m);
  bind_dtype<double>(m);
}

}  // namespace likewise::python
