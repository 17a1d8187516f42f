#pragma once

#include <string>

#include <likewise/shared.hpp>
#include <likewise/value.hpp>

namespace likewise {

/// Edges from the stored pattern of a sparse n_queries x n_keys matrix; explicit zeros are edges.
/// weights = "kernel": the mechanism's metric and kernel give each edge its weight (a sparse mask is this);
/// weights = "given": the matrix's own values, not negative, are the weights, and metric and kernel are not
/// asked.
struct Graph {
  Shared<SparseMatrix<double>> edges;
  std::string weights = "kernel";

  static constexpr const char* name = "Graph";
  static constexpr const char* formula = "keys that an edge leads to";
  static constexpr auto fields() {
    return std::tuple{Field{"edges", &Graph::edges}, Field{"weights", &Graph::weights}};
  }
  bool operator==(const Graph&) const = default;
};

}  // namespace likewise
