#pragma once

#include <likewise/support/blocks.hpp>

namespace likewise {

/// Everybody but one's own group: what cross-validation by groups asks. The complement of Blocks, with its fields.
struct OtherGroups {
  Shared<GroupLabels> groups;
  std::optional<Shared<GroupLabels>> query_groups = {};

  static constexpr bool all_positional = true;

  static constexpr const char* name = "OtherGroups";
  static constexpr const char* formula = "keys of other groups than the query's own";
  static constexpr auto fields() {
    return std::tuple{Field{"groups", &OtherGroups::groups},
                      Field{"query_groups", &OtherGroups::query_groups}};
  }

  static constexpr bool only_self = false;
  bool admits(Index i, Index j, const PairShape& shape) const {
    return detail::asking_groups(*groups, query_groups, shape).label(i) != groups->label(j);
  }
  AdmittedKeys keys_of(Index, const PairShape& shape) const { return {0, shape.n_keys, -1, false}; }
  bool symmetric(const PairShape& shape) const { return Blocks{groups, query_groups}.symmetric(shape); }
  void check(const PairShape& shape) const { detail::check_groups(name, *groups, query_groups, shape); }

  bool operator==(const OtherGroups&) const = default;
};

}  // namespace likewise
