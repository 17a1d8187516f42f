#pragma once

#include <optional>

#include <likewise/shared.hpp>
#include <likewise/support/groups.hpp>
#include <likewise/support/traits.hpp>

namespace likewise {

namespace detail {
/// The groups of those who ask: `query_groups` where there are such, else those of the keys beside which they stand.
inline const GroupLabels& asking_groups(const GroupLabels& groups,
                                        const std::optional<Shared<GroupLabels>>& query_groups,
                                        const PairShape& shape) {
  return shape.askers == Askers::keys || !query_groups ? groups : **query_groups;
}
void check_groups(const char* who, const GroupLabels& groups,
                  const std::optional<Shared<GroupLabels>>& query_groups, const PairShape& shape);
}  // namespace detail

/// Only within the same group: sequences packed behind one another, sites, patients. `groups` holds a number for each key,
/// `query_groups` one for each query of a cross-operator; without these queries stand beside the keys, one by one. Groups
/// whose points lie together are skipped as a whole by the others.
struct Blocks {
  Shared<GroupLabels> groups;
  std::optional<Shared<GroupLabels>> query_groups = {};

  static constexpr bool all_positional = true;

  static constexpr const char* name = "Blocks";
  static constexpr const char* formula = "keys of the query's own group";
  static constexpr auto fields() {
    return std::tuple{Field{"groups", &Blocks::groups}, Field{"query_groups", &Blocks::query_groups}};
  }

  static constexpr bool only_self = false;
  bool admits(Index i, Index j, const PairShape& shape) const {
    return group_of(i, shape) == groups->label(j);
  }
  AdmittedKeys keys_of(Index i, const PairShape& shape) const {
    const GroupLabels::Place place = groups->place(group_of(i, shape));
    return {place.begin, place.end, -1, place.contiguous()};
  }
  bool symmetric(const PairShape& shape) const {
    return shape.n_queries == shape.n_keys
           && (shape.askers == Askers::keys || !query_groups || *query_groups == groups);
  }
  void check(const PairShape& shape) const { detail::check_groups(name, *groups, query_groups, shape); }

  bool operator==(const Blocks&) const = default;

 private:
  Index group_of(Index i, const PairShape& shape) const {
    return detail::asking_groups(*groups, query_groups, shape).label(i);
  }
};

}  // namespace likewise
