// Which pairs a support admits, as the engine asks: a tile of pairs at a time.
#pragma once

#include <likewise/types.hpp>

namespace likewise::engine {

/// Immutable; threads share it. Indices are those of the whole operator.
class PairMask {
 public:
  enum class Coverage { empty, partial, full };
  virtual ~PairMask() = default;
  /// What is admitted of the pairs of n queries from i0 on with m keys from j0 on.
  virtual Coverage coverage(Index i0, Index n, Index j0, Index m) const = 0;
  /// admitted[b * stride + a] = whether pair (i0 + a, j0 + b) is admitted, 0 or 1.
  virtual void admitted(Index i0, Index n, Index j0, Index m, unsigned char* admitted,
                        Index stride) const = 0;
};

}  // namespace likewise::engine
