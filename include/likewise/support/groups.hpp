// Which group each point is in.
#pragma once

#include <algorithm>
#include <cstddef>
#include <ostream>
#include <unordered_map>
#include <utility>
#include <vector>

#include <likewise/types.hpp>
#include <likewise/value.hpp>

namespace likewise {

/// A number for each point, and where each group lies among the points. O(n) memory.
class GroupLabels {
 public:
  struct Place {
    Index begin = 0, end = 0;  ///< all of the group is in [begin, end)
    Index size = 0;
    bool contiguous() const { return size == end - begin; }
  };

  GroupLabels() = default;
  explicit GroupLabels(std::vector<Index> labels) : labels_(std::move(labels)) {
    for (Index j = 0; j < rows(); ++j) {
      const auto [at, is_new] = places_.try_emplace(label(j), Place{j, j + 1, 0});
      at->second.end = j + 1;
      ++at->second.size;
    }
  }

  Index label(Index i) const { return labels_[static_cast<std::size_t>(i)]; }
  /// Where a group lies; nowhere if no point is in it.
  Place place(Index group) const {
    const auto found = places_.find(group);
    return found == places_.end() ? Place{} : found->second;
  }
  const std::vector<Index>& labels() const { return labels_; }

  Index rows() const { return static_cast<Index>(labels_.size()); }
  static Index cols() { return 1; }
  bool operator==(const GroupLabels& other) const { return labels_ == other.labels_; }

 private:
  std::vector<Index> labels_;
  std::unordered_map<Index, Place> places_;
};

}  // namespace likewise
