#include <likewise/nn/parameters.hpp>

#include <algorithm>

namespace likewise::nn {

Slot ParameterLayout::add_stack(std::string name, Index stack, Index rows, Index cols) {
  if (!stack) return add(std::move(name), rows, cols);
  if (!cols) return add(std::move(name), stack, rows);
  return add(std::move(name), stack * rows, cols, stack);
}

Slot ParameterLayout::add(std::string name, Index rows, Index cols, Index stack) {
  const bool is_new =
      std::none_of(entries_.begin(), entries_.end(), [&](const Entry& e) { return e.name == name; });
  require(is_new, "name", "a name that no parameter has yet", name);
  const Slot slot{size_, rows, cols};
  entries_.push_back({std::move(name), slot, stack});
  size_ += slot.size();
  return slot;
}

const Slot& ParameterLayout::at(const std::string& name) const {
  const auto found =
      std::find_if(entries_.begin(), entries_.end(), [&](const Entry& e) { return e.name == name; });
  if (found != entries_.end()) return found->slot;
  std::string names;
  for (const Entry& e : entries_) names += (names.empty() ? "" : ", ") + e.name;
  refuse("name", "one of " + names, name);
}

}  // namespace likewise::nn
