// One step of many heads along the edges of one graph, and its derivative: graph attention, for who trains it.
#pragma once

#include <optional>
#include <vector>

#include <likewise/mechanism_value.hpp>
#include <likewise/shared.hpp>

namespace likewise {

/// Heads that look along the same edges. A head's columns lie one after the other: q (n_queries, heads r), k (n_keys, heads r),
/// v (n_keys, heads c), finite. The heads are alike but for their temperature and what their metric has learned.
template <class T> struct GraphInputs {
  const std::vector<Mechanism>& heads;
  const Matrix<T>&q, &k, &v;
  bool one_set = false;  ///< q and k are one memory: derivatives by both are summed
};

/// The same edges, by the key that they lead to: of key j those in [begin(j), begin(j + 1)), each with the query that it comes
/// from and its place in the graph.
struct TurnedEdges {
  Eigen::VectorXi begin, queries, places;
};

/// What the steps leave for their derivative. O(edges heads) numbers; memory is kept.
template <class T> struct GraphTrace {
  Shared<SparseMatrix<double>> edges;
  std::optional<TurnedEdges> turned;  ///< made by the first derivative, for all that follow on the same edges
  Matrix<T> weights;                  ///< (edges, heads), of P
  Matrix<T> by_score;                 ///< (edges, heads), of the loss
};

/// Where derivatives go; q and k are one matrix where the inputs are one set.
template <class T> struct GraphGradient {
  Matrix<T>&q, &k, &v;
  bool temperature_wanted = false;
  std::vector<double> log_temperature = {};  ///< of each head's Exponential, where it is wanted
  Matrix<double> a = {};                     ///< (heads, r), where the metric has such a parameter
};

/// Writes y (n_queries, heads c), rows without an edge 0, and true; or false, where the heads are another mechanism than rows
/// by mass of exp(-c / t), c a sum over features, on one graph, or where T does not hold the exponents to enough digits. O(edges
/// heads (r + c)).
template <class T>
bool graph_steps(const GraphInputs<T>& inputs, Matrix<T>& y, GraphTrace<T>& trace, const Execution& run);

/// Writes the gradient of a loss whose derivative by y is grad_y, of the steps that left the trace. O(edges heads (r + c)).
template <class T>
void graph_steps_vjp(const GraphInputs<T>& inputs, GraphTrace<T>& trace, const Matrix<T>& y,
                     const Matrix<T>& grad_y, GraphGradient<T>& gradient, const Execution& run);

}  // namespace likewise
