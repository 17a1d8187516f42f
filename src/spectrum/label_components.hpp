// Connected components of any graph whose neighbors can be asked for.
#pragma once

#include <utility>
#include <vector>

#include <likewise/types.hpp>

namespace likewise::spectrum {

struct ComponentsInOrder {
  std::vector<Index> labels;             ///< (n,) numbered by first appearance
  std::vector<std::vector<int>> points;  ///< of each component, breadth first: neighbors are near each other
};

/// The components of n points. `visit(i, labels, reach)` calls reach(j) for the neighbors j of i;
/// labels[j] < 0 says that j is still to be reached.
template <class Visit> ComponentsInOrder find_components(Index n, const Visit& visit) {
  ComponentsInOrder found{std::vector<Index>(static_cast<std::size_t>(n), -1), {}};
  for (Index start = 0; start < n; ++start) {
    if (found.labels[static_cast<std::size_t>(start)] >= 0) continue;
    const auto number = static_cast<Index>(found.points.size());
    std::vector<int> queue;
    const auto reach = [&](Index j) {
      Index& label = found.labels[static_cast<std::size_t>(j)];
      if (label >= 0) return;
      label = number;
      queue.push_back(static_cast<int>(j));
    };
    reach(start);
    for (std::size_t at = 0; at < queue.size(); ++at) visit(queue[at], found.labels, reach);
    found.points.push_back(std::move(queue));
  }
  return found;
}

}  // namespace likewise::spectrum
