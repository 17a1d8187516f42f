// The symmetric form of an operator, in the blocks that its connected components make of it.
#pragma once

#include <vector>

#include "spectrum/symmetric_block.hpp"

namespace likewise::spectrum {

struct Component {
  std::vector<int> points;  ///< in the block's order
  SymmetricBlock block;
};

/// One component for each connected part of the stored non-zeros; a streamed operator is one. A large
/// streamed operator stays streamed, a small one is stored, as it is multiplied some hundred times.
template <class T> std::vector<Component> components_of(const SelfOperator<T>& P, const Execution& run);

}  // namespace likewise::spectrum
