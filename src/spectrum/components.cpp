#include <likewise/error.hpp>
#include <likewise/spectrum.hpp>

#include "spectrum/label_components.hpp"

namespace likewise {

std::vector<Index> connected_components(const SparseMatrix<double>& graph) {
  require(graph.rows() == graph.cols(), "graph", "a square matrix",
          std::to_string(graph.rows()) + " x " + std::to_string(graph.cols()));
  const SparseMatrix<double> transposed = graph.transpose();
  const auto visit = [&](Index i, const auto&, const auto& reach) {
    for (const auto* direction : {&graph, &transposed})
      for (SparseMatrix<double>::InnerIterator edge(*direction, i); edge; ++edge)
        if (edge.value() != 0) reach(edge.col());
  };
  return spectrum::find_components(graph.rows(), visit).labels;
}

}  // namespace likewise
