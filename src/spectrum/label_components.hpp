// Connected components of any graph whose neighbors can be asked for.
#pragma once

#include <vector>

#include <likewise/types.hpp>

namespace likewise::spectrum {

/// The component of each of n points, numbered by first appearance. `visit(i, labels, reach)` calls reach(j)
/// for the neighbors j of i; labels[j] < 0 says that j is still to be reached.
template <class Visit> std::vector<Index> label_components(Index n, const Visit& visit) {
  std::vector<Index> labels(static_cast<std::size_t>(n), -1), open;
  Index n_components = 0;
  const auto reach = [&](Index j) {
    Index& label = labels[static_cast<std::size_t>(j)];
    if (label >= 0) return;
    label = n_components;
    open.push_back(j);
  };
  for (Index start = 0; start < n; ++start) {
    if (labels[static_cast<std::size_t>(start)] >= 0) continue;
    reach(start);
    while (!open.empty()) {
      const Index i = open.back();
      open.pop_back();
      visit(i, labels, reach);
    }
    ++n_components;
  }
  return labels;
}

}  // namespace likewise::spectrum
