// Ranges of rows.
#pragma once

#include <algorithm>

#include <likewise/types.hpp>

namespace likewise::engine {

struct Block {
  Index begin, size;
};

/// The blocks of [0, n) of at most `size` each.
inline Index block_count(Index n, Index size) { return (n + size - 1) / size; }
inline Block block_of(Index block, Index n, Index size) {
  return {block * size, std::min(size, n - block * size)};
}

}  // namespace likewise::engine
