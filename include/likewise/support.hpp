// Who may speak to whom: pair filters, then at most one selector. A new leaf is a file in support/ and a line
// here.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include <likewise/support/blocks.hpp>
#include <likewise/support/causal.hpp>
#include <likewise/support/graph.hpp>
#include <likewise/support/leave_one_out.hpp>
#include <likewise/support/mask.hpp>
#include <likewise/support/neighbors.hpp>
#include <likewise/support/other_groups.hpp>
#include <likewise/support/radius.hpp>
#include <likewise/support/window.hpp>

namespace likewise {

/// Every pair.
struct AllPairs {
  static constexpr const char* name = "AllPairs";
  static constexpr const char* formula = "every key";
  static constexpr auto fields() { return std::tuple{}; }
  bool operator==(const AllPairs&) const = default;
};

/// A filter looks at the pair of indices only; a selector at a whole row of distances. Graphs list the pairs themselves.
using PairFilter = std::variant<LeaveOneOut, Causal, Mask, Window, Blocks, OtherGroups>;
using Selector = std::variant<std::monostate, Neighbors, Radius>;

namespace detail {
template <class... Leaves> constexpr bool all_are_filters(const std::variant<Leaves...>*) {
  return (PairFilterLeaf<Leaves> && ...);
}
static_assert(all_are_filters(static_cast<const PairFilter*>(nullptr)),
              "a pair filter states all of its laws");
}  // namespace detail

/// Filters and graphs first, in any order, then the selector among what they admit, then its symmetrization.
class Support {
 public:
  Support() = default;
  Support(AllPairs) {}  // NOLINT: a leaf is a support
  // Checked here, so that every support is valid: words, k >= 1, radius >= 0, given edge weights >= 0.
  Support(Neighbors leaf);                       // NOLINT
  Support(Radius leaf);                          // NOLINT
  Support(LeaveOneOut leaf) : filters_{leaf} {}  // NOLINT
  Support(Causal leaf);                          // NOLINT
  Support(Mask leaf) : filters_{leaf} {}         // NOLINT
  Support(Window leaf);                          // NOLINT
  Support(Blocks leaf) : filters_{leaf} {}       // NOLINT
  Support(OtherGroups leaf) : filters_{leaf} {}  // NOLINT
  Support(Graph leaf);                           // NOLINT
  Support(PairFilter leaf);                      // NOLINT
  Support(Selector leaf);                        // NOLINT

  const std::vector<PairFilter>& filters() const { return filters_; }
  const std::vector<Graph>& graphs() const { return graphs_; }
  const Selector& selector() const { return selector_; }
  bool is_all_pairs() const { return filters_.empty() && graphs_.empty() && selector_.index() == 0; }
  /// The neighbors selector, or nullptr.
  const Neighbors* neighbors() const { return std::get_if<Neighbors>(&selector_); }

  /// Both must admit a pair. Two selectors are refused, and two graphs that give the weights. The order of
  /// the parts does not matter for ==, save among several masks or graphs.
  friend Support operator&(const Support& a, const Support& b);
  bool operator==(const Support&) const = default;

 private:
  std::vector<PairFilter> filters_;
  std::vector<Graph> graphs_;
  Selector selector_;
};

Support operator&(const Support& a, const Support& b);  // found for two leaves too

/// The support without its LeaveOneOut: what concerns new points, which are none of the keys.
Support without_only_self(const Support& support);
/// Its filters and graphs, without the selector.
Support without_selector(const Support& support);

/// "Neighbors(n_neighbors=15) & LeaveOneOut()"
std::string repr(const Support& support);
std::size_t hash_value(const Support& support);
inline std::ostream& operator<<(std::ostream& out, const Support& support) { return out << repr(support); }

/// "all", "leave_one_out", "causal", "neighbors"
Support support_from_name(const std::string& name);
const std::vector<std::string>& support_names();

}  // namespace likewise

template <> struct std::hash<likewise::Support> {
  std::size_t operator()(const likewise::Support& support) const { return hash_value(support); }
};
