#include <algorithm>
#include <cmath>
#include <cstring>

#include <likewise/error.hpp>
#include <likewise/support.hpp>

#include "names.hpp"

namespace likewise {

namespace {

bool has_given_weights(const Graph& graph) { return graph.weights == "given"; }

std::string repr_filter(const PairFilter& filter) {
  return std::visit([](const auto& leaf) { return repr(leaf); }, filter);
}

std::string shape(Index rows, Index cols) { return std::to_string(rows) + " x " + std::to_string(cols); }

/// Whether a block of a mask holds an admitted pair; a row is one fast search of bytes.
bool holds_any(const BoolMatrix& mask, Index i0, Index n, Index j0, Index m) {
  for (Index i = i0; i < i0 + n; ++i)
    if (std::memchr(mask.data() + i * mask.cols() + j0, 1, static_cast<std::size_t>(m))) return true;
  return false;
}

const detail::NameTable<Support>& table() {
  static const detail::NameTable<Support> supports = {
      {"all", AllPairs{}},  {"all_pairs", AllPairs{}},  {"leave_one_out", LeaveOneOut{}},
      {"causal", Causal{}}, {"neighbors", Neighbors{}},
  };
  return supports;
}

}  // namespace

Support::Support(Neighbors leaf) {
  require(leaf.n_neighbors >= 1, "n_neighbors", "an int of at least 1", leaf.n_neighbors);
  if (!leaf.symmetrize.empty())
    detail::require_word(leaf.symmetrize, "symmetrize",
                         {"union", "mutual", "average", "fuzzy_union", "none"});
  selector_ = std::move(leaf);
}

Support::Support(Radius leaf) : selector_(leaf) {
  require(leaf.radius >= 0, "radius", "not negative", detail::print_number(leaf.radius));
}

Support::Support(Causal leaf) {
  detail::require_word(leaf.align, "align", {"upper_left", "lower_right"});
  filters_.emplace_back(std::move(leaf));
}

Support::Support(Window leaf) {
  detail::require_word(leaf.align, "align", {"upper_left", "lower_right"});
  require(leaf.before >= 0, "before", "an int of at least 0", leaf.before);
  require(leaf.after >= 0, "after", "an int of at least 0", leaf.after);
  filters_.emplace_back(std::move(leaf));
}

Support::Support(PairFilter leaf)
    : Support(std::visit([](auto&& filter) { return Support(std::move(filter)); }, std::move(leaf))) {}

Support::Support(Selector leaf) : selector_(std::move(leaf)) {}

Support::Support(Graph leaf) {
  detail::require_word(leaf.weights, "weights", {"kernel", "given"});
  if (leaf.weights == "given")
    for (Index e = 0; e < leaf.edges->nonZeros(); ++e)
      if (const double weight = leaf.edges->valuePtr()[e]; !(weight >= 0 && std::isfinite(weight)))
        refuse("edges", "finite and not negative where weights='given'", detail::print_number(weight));
  graphs_.push_back(std::move(leaf));
}

Support operator&(const Support& a, const Support& b) {
  const bool both = a.selector_.index() != 0 && b.selector_.index() != 0;
  require(!both, "support", "pair filters and at most one of Neighbors and Radius",
          repr(a) + " & " + repr(b));
  Support out = a;
  if (a.selector_.index() == 0) out.selector_ = b.selector_;
  for (const PairFilter& filter : b.filters_)
    if (std::find(out.filters_.begin(), out.filters_.end(), filter) == out.filters_.end())
      out.filters_.push_back(filter);
  for (const Graph& graph : b.graphs_)
    if (std::find(out.graphs_.begin(), out.graphs_.end(), graph) == out.graphs_.end())
      out.graphs_.push_back(graph);
  require(std::count_if(out.graphs_.begin(), out.graphs_.end(), has_given_weights) <= 1, "support",
          "at most one Graph with weights='given'", repr(a) + " & " + repr(b));
  // By kind, so that A & B == B & A.
  std::stable_sort(out.filters_.begin(), out.filters_.end(),
                   [](const PairFilter& f, const PairFilter& g) { return f.index() < g.index(); });
  return out;
}

std::string repr(const Support& support) {
  if (support.is_all_pairs()) return repr(AllPairs{});
  std::string out;
  const auto add = [&](const std::string& part) { out += (out.empty() ? "" : " & ") + part; };
  if (const auto* neighbors = support.neighbors()) add(repr(*neighbors));
  if (const auto* radius = std::get_if<Radius>(&support.selector())) add(repr(*radius));
  for (const PairFilter& filter : support.filters()) add(repr_filter(filter));
  for (const Graph& graph : support.graphs()) add(repr(graph));
  return out;
}

std::size_t hash_value(const Support& support) {
  std::size_t hash = support.selector().index();
  if (const auto* neighbors = support.neighbors()) hash = hash_value(*neighbors);
  if (const auto* radius = std::get_if<Radius>(&support.selector())) hash = hash_value(*radius);
  for (const PairFilter& filter : support.filters()) hash = detail::combine_hashes(hash, hash_value(filter));
  for (const Graph& graph : support.graphs()) hash = detail::combine_hashes(hash, hash_value(graph));
  return hash;
}

Support without_selector(const Support& support) {
  Support out;
  for (const PairFilter& filter : support.filters()) out = out & filter;
  for (const Graph& graph : support.graphs()) out = out & graph;
  return out;
}

Support without_only_self(const Support& support) {
  Support out = support.selector();
  for (const PairFilter& filter : support.filters())
    if (!std::visit([](const auto& leaf) { return leaf.only_self; }, filter)) out = out & filter;
  for (const Graph& graph : support.graphs()) out = out & graph;
  return out;
}

// --- laws of the filters that are too long for a header

void LeaveOneOut::check(const PairShape& s) const {
  require(s.n_queries == s.n_keys, "LeaveOneOut",
          "on a square operator (a query must be a key to be left out)", shape(s.n_queries, s.n_keys));
}

void Mask::check(const PairShape& s) const {
  require(admitted->rows() == s.n_queries && admitted->cols() == s.n_keys, "Mask",
          "of the operator's shape " + shape(s.n_queries, s.n_keys) + " (queries x keys)",
          shape(admitted->rows(), admitted->cols()));
}

/// Block after block, so that rows and columns stay in the cache; most masks are empty in most blocks.
bool Mask::symmetric(const PairShape&) const {
  constexpr Index size = 64;
  const BoolMatrix& mask = *admitted;
  const Index n = mask.rows();
  if (mask.cols() != n) return false;
  for (Index i = 0; i < n; i += size)
    for (Index j = 0; j <= i; j += size) {
      const Index rows = std::min(size, n - i), cols = std::min(size, n - j);
      const bool above = holds_any(mask, j, cols, i, rows), below = holds_any(mask, i, rows, j, cols);
      if (above != below) return false;
      if (above && mask.block(i, j, rows, cols) != mask.block(j, i, cols, rows).transpose()) return false;
    }
  return true;
}

void detail::check_groups(const char* who, const GroupLabels& groups,
                          const std::optional<Shared<GroupLabels>>& query_groups, const PairShape& s) {
  require(groups.rows() == s.n_keys, who, "of one group for each of " + std::to_string(s.n_keys) + " keys",
          std::to_string(groups.rows()) + " groups");
  if (s.askers == Askers::keys) return;
  require(query_groups || s.askers == Askers::beside, who, "with query_groups, a group for each new point",
          "query_groups=None");
  const Index asking = query_groups ? (*query_groups)->rows() : groups.rows();
  require(asking == s.n_queries, who,
          "of one query group for each of " + std::to_string(s.n_queries) + " queries",
          std::to_string(asking) + (query_groups ? " query_groups" : " groups and no query_groups"));
}

Support support_from_name(const std::string& name) { return detail::value_named(name, "support", table()); }

const std::vector<std::string>& support_names() {
  static const std::vector<std::string> names = detail::names_of(table());
  return names;
}

}  // namespace likewise
