// Points on their way to the first cache before they are needed.
#pragma once

#include <hwy/cache_control.h>
#include <likewise/types.hpp>

namespace likewise::engine {

/// Asks for `width` numbers from x on.
template <class T> void prefetch(const T* x, Index width) {
  constexpr Index line = 64 / sizeof(T);
  for (Index k = 0; k < width; k += line) hwy::Prefetch(x + k);
}

}  // namespace likewise::engine
