// How many neighbors a point can have.
#pragma once

#include <string>

#include <likewise/error.hpp>
#include <likewise/types.hpp>

namespace likewise {

/// Throws InvalidArgument unless there are so many among n_keys keys. exclude_self: the keys themselves ask, and none is
/// its own neighbor.
inline void check_neighbor_count(Index n_neighbors, Index n_keys, bool exclude_self = false) {
  const Index most = exclude_self ? n_keys - 1 : n_keys;
  require(1 <= n_neighbors && n_neighbors <= most, "n_neighbors",
          "an int in [1, " + std::to_string(most) + "] (" + std::to_string(n_keys) + " samples"
              + (exclude_self ? ", a point is not its own neighbor)" : ")"),
          n_neighbors);
}

}  // namespace likewise
