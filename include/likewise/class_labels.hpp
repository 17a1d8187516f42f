// Classes of points, from whatever holds whole numbers.
#pragma once

#include <concepts>
#include <initializer_list>
#include <ranges>
#include <type_traits>
#include <utility>
#include <vector>

#include <likewise/types.hpp>

namespace likewise {

/// A class for each point: from a std::vector or std::span of any integers, an Eigen::VectorXi, {0, 1, 1}. O(n) copy.
class ClassLabels {
 public:
  ClassLabels(std::vector<Index> labels) : labels_(std::move(labels)) {}  // NOLINT: implicit on purpose
  ClassLabels(std::initializer_list<Index> labels) : labels_(labels) {}   // NOLINT
  template <std::ranges::input_range Range>
  requires(
      std::integral<
          std::ranges::range_value_t<Range>> && !std::same_as<std::remove_cvref_t<Range>, std::vector<Index>>)
      ClassLabels(const Range& labels) {  // NOLINT
    for (const auto label : labels) labels_.push_back(static_cast<Index>(label));
  }

  operator const std::vector<Index>&() const { return labels_; }  // NOLINT

 private:
  std::vector<Index> labels_;
};

}  // namespace likewise
