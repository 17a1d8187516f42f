// Who may speak to whom: pair filters, then at most one selector. A new leaf is a file in support/ and a line
// here.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include <likewise/support/causal.hpp>
#include <likewise/support/graph.hpp>
#include <likewise/support/leave_one_out.hpp>
#include <likewise/support/mask.hpp>
#include <likewise/support/neighbors.hpp>
#include <likewise/support/radius.hpp>

namespace likewise {

/// Every pair.
struct AllPairs {
  static constexpr const char* name = "AllPairs";
  static constexpr const char* formula = "every key";
  static constexpr auto fields() { return std::tuple{}; }
  bool operator==(const AllPairs&) const = default;
};

/// A filter looks at the pair of indices only; a selector at a whole row of distances.
using PairFilter = std::variant<LeaveOneOut, Causal, Mask, Graph>;
using Selector = std::variant<std::monostate, Neighbors, Radius>;

/// Filters first, in any order, then the selector among what they admit, then its symmetrization.
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
  Support(Graph leaf);                           // NOLINT

  const std::vector<PairFilter>& filters() const { return filters_; }
  const Selector& selector() const { return selector_; }
  bool is_all_pairs() const { return filters_.empty() && selector_.index() == 0; }
  /// The neighbors selector, or nullptr.
  const Neighbors* neighbors() const { return std::get_if<Neighbors>(&selector_); }

  /// Both must admit a pair. Two selectors are refused, and two graphs that give the weights. The order of
  /// the parts does not matter for ==, save among several masks or graphs.
  friend Support operator&(const Support& a, const Support& b);
  bool operator==(const Support&) const = default;

 private:
  std::vector<PairFilter> filters_;
  Selector selector_;
};

Support operator&(const Support& a, const Support& b);  // found for two leaves too

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
