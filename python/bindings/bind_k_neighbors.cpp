// Means and votes of neighbors. Points, targets and labels stay the caller's, so that an estimator holds them once.
#include <likewise/algorithms/k_neighbors.hpp>
#include <likewise/algorithms/parts/neighbor_votes.hpp>

#include <pybind11/eigen.h>
#include <pybind11/stl.h>

#include <span>

#include "casters.hpp"
#include "execution.hpp"

namespace likewise::python {

namespace {

using UseRows = std::function<void(Index first, const UndividedRows& rows)>;
/// Hands blocks of n rows to `use`.
struct Rows {
  Index n;
  std::function<void(const Execution& run, const UseRows& use)> visit;
};
/// The class of each point (n_outputs, n), and how many classes each output has.
using Labels = Points<Index>;
using Counts = std::vector<Index>;
std::span<const Index> labels_of(const Labels& labels, std::size_t output) {
  return {labels.row(static_cast<Index>(output)).data(), static_cast<std::size_t>(labels.cols())};
}

/// answer(first, rows, run) of all blocks without the GIL; which rows were empty.
template <class Answer> py::array_t<bool> over_blocks(const Rows& rows, const Answer& answer) {
  std::vector<bool> empty;
  run_without_gil([&](const Execution& run) {
    rows.visit(run, [&](Index first, const UndividedRows& block) {
      answer(first, block, run);
      const std::vector<bool> some = empty_rows(block);
      empty.insert(empty.end(), some.begin(), some.end());
    });
  });
  py::array_t<bool> array(static_cast<py::ssize_t>(empty.size()));
  for (std::size_t i = 0; i < empty.size(); ++i) array.mutable_at(static_cast<py::ssize_t>(i)) = empty[i];
  return array;
}

py::tuple means(const Rows& rows, const Values<double>& targets) {
  Matrix<double> mean(rows.n, targets.cols());
  const auto empty = over_blocks(rows, [&](Index first, const UndividedRows& block, const Execution& run) {
    mean.middleRows(first, block.mass.size()) = means_of(block, targets, run);
  });
  return py::make_tuple(std::move(mean), empty);
}

py::tuple shares(const Rows& rows, const Labels& labels, const Counts& n_classes) {
  std::vector<Matrix<double>> found;
  for (const Index n : n_classes) found.emplace_back(rows.n, n);
  const auto empty = over_blocks(rows, [&](Index first, const UndividedRows& block, const Execution& run) {
    for (std::size_t output = 0; output < n_classes.size(); ++output)
      put_shares(block, labels_of(labels, output), found[output].middleRows(first, block.mass.size()), run);
  });
  py::list tables;
  for (Matrix<double>& table : found) tables.append(py::cast(std::move(table)));
  return py::make_tuple(tables, empty);
}

py::tuple winners(const Rows& rows, const Labels& labels, const Counts& n_classes) {
  Matrix<Index> found(rows.n, static_cast<Index>(n_classes.size()));
  const auto empty = over_blocks(rows, [&](Index first, const UndividedRows& block, const Execution& run) {
    for (std::size_t output = 0; output < n_classes.size(); ++output) {
      const std::vector<Index> some = winners_of(block, labels_of(labels, output), n_classes[output], run);
      for (std::size_t i = 0; i < some.size(); ++i)
        found(first + static_cast<Index>(i), static_cast<Index>(output)) = some[i];
    }
  });
  return py::make_tuple(std::move(found), empty);
}

/// Rows whose weights a function gave.
Rows given(const UndividedRows& rows) {
  return {rows.mass.size(),
          [&rows](const Execution& run, const UseRows& use) { visit_rows(rows, run, use); }};
}
/// Rows that the mechanism finds under the keys' metric: a user's function that came out of a pickle is another one to C++.
/// `alone`: X are the keys, each left out of its own row.
template <class T>
Rows searched(Mechanism mechanism, const Points<T>& X, const PreparedKeys<T>& keys, bool alone) {
  mechanism.metric = keys.metric();
  return {X.rows(), [&X, &keys, mechanism, alone](const Execution& run, const UseRows& use) {
            visit_neighbors<T>(mechanism, alone ? nullptr : &X, keys, run, use);
          }};
}

template <class T> void bind_searched(py::module_& m) {
  const auto X = py::arg("X").noconvert();
  m.def(
      "resolve_neighbors",
      [](const Mechanism& mechanism, const Points<T>& X) {
        return run_without_gil([&](const Execution& run) { return resolve_neighbors<T>(mechanism, X, run); });
      },
      py::arg("mechanism"), X);
  m.def(
      "neighbors_means",
      [](const Mechanism& mechanism, const Points<T>& X, const PreparedKeys<T>& keys, bool alone,
         const Values<double>& targets) { return means(searched<T>(mechanism, X, keys, alone), targets); },
      py::arg("mechanism"), X, py::arg("keys"), py::arg("alone"), py::arg("targets"), "(means, empty)");
  m.def(
      "neighbors_shares",
      [](const Mechanism& mechanism, const Points<T>& X, const PreparedKeys<T>& keys, bool alone,
         const Labels& labels, const Counts& n_classes) {
        return shares(searched<T>(mechanism, X, keys, alone), labels, n_classes);
      },
      py::arg("mechanism"), X, py::arg("keys"), py::arg("alone"), py::arg("labels").noconvert(),
      py::arg("n_classes"), "(a table of shares for each output, empty)");
  m.def(
      "neighbors_winners",
      [](const Mechanism& mechanism, const Points<T>& X, const PreparedKeys<T>& keys, bool alone,
         const Labels& labels, const Counts& n_classes) {
        return winners(searched<T>(mechanism, X, keys, alone), labels, n_classes);
      },
      py::arg("mechanism"), X, py::arg("keys"), py::arg("alone"), py::arg("labels").noconvert(),
      py::arg("n_classes"), "(classes (n_queries, n_outputs), empty)");
}

}  // namespace

void bind_k_neighbors(py::module_& m) {
  bind_searched<float>(m);
  bind_searched<double>(m);
  py::class_<UndividedRows>(m, "NeighborRows")
      .def(py::init(&given_rows), py::arg("ends"), py::arg("indices"), py::arg("weights"), py::arg("n_keys"));
  m.def(
      "neighbors_means",
      [](const UndividedRows& rows, const Values<double>& targets) { return means(given(rows), targets); },
      py::arg("rows"), py::arg("targets"));
  m.def(
      "neighbors_shares",
      [](const UndividedRows& rows, const Labels& labels, const Counts& n_classes) {
        return shares(given(rows), labels, n_classes);
      },
      py::arg("rows"), py::arg("labels").noconvert(), py::arg("n_classes"));
  m.def(
      "neighbors_winners",
      [](const UndividedRows& rows, const Labels& labels, const Counts& n_classes) {
        return winners(given(rows), labels, n_classes);
      },
      py::arg("rows"), py::arg("labels").noconvert(), py::arg("n_classes"));
}

}  // namespace likewise::python
