#pragma once

#include <optional>
#include <string>

#include <likewise/types.hpp>
#include <likewise/value.hpp>

namespace likewise {

/// The k nearest keys of each query, ties to the lowest index. On a self-operator the graph is then made
/// symmetric: "union" max(A, A^T), "mutual" (both must agree), "average" (A + A^T)/2, "fuzzy_union" a + b - ab of weights
/// that are at most 1 (UMAP: McInnes, Healy and Melville 2018), or "none".
/// An empty `symmetrize` is "union" on self-operators and "none" on cross-operators. `include_self` counts
/// the point itself among the k, as scikit-learn does. k is at most n_keys across, n - 1 where self is left
/// out.
struct Neighbors {
  Index n_neighbors = 5;
  std::string symmetrize = {};
  bool include_self = false;

  static constexpr const char* name = "Neighbors";
  static constexpr const char* formula = "the k nearest keys";
  static constexpr auto fields() {
    return std::tuple{Field{"n_neighbors", &Neighbors::n_neighbors},
                      Field{"symmetrize", &Neighbors::symmetrize},
                      Field{"include_self", &Neighbors::include_self}};
  }
  bool operator==(const Neighbors&) const = default;
};

}  // namespace likewise
