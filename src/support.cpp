#include <algorithm>
#include <cmath>

#include <likewise/error.hpp>
#include <likewise/support.hpp>

#include "names.hpp"

namespace likewise {

namespace {

bool has_given_weights(const PairFilter& filter) {
  const auto* graph = std::get_if<Graph>(&filter);
  return graph != nullptr && graph->weights == "given";
}

std::string repr_filter(const PairFilter& filter) {
  return std::visit([](const auto& leaf) { return repr(leaf); }, filter);
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
    detail::require_word(leaf.symmetrize, "symmetrize", {"union", "mutual", "average", "none"});
  selector_ = std::move(leaf);
}

Support::Support(Radius leaf) : selector_(leaf) {
  require(leaf.radius >= 0, "radius", "not negative", detail::print_number(leaf.radius));
}

Support::Support(Causal leaf) {
  detail::require_word(leaf.align, "align", {"upper_left", "lower_right"});
  filters_.emplace_back(std::move(leaf));
}

Support::Support(Graph leaf) {
  detail::require_word(leaf.weights, "weights", {"kernel", "given"});
  if (leaf.weights == "given")
    for (Index e = 0; e < leaf.edges->nonZeros(); ++e)
      if (const double weight = leaf.edges->valuePtr()[e]; !(weight >= 0 && std::isfinite(weight)))
        refuse("edges", "finite and not negative where weights='given'", detail::print_number(weight));
  filters_.emplace_back(std::move(leaf));
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
  require(std::count_if(out.filters_.begin(), out.filters_.end(), has_given_weights) <= 1, "support",
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
  return out;
}

std::size_t hash_value(const Support& support) {
  std::size_t hash = support.selector().index();
  if (const auto* neighbors = support.neighbors()) hash = hash_value(*neighbors);
  if (const auto* radius = std::get_if<Radius>(&support.selector())) hash = hash_value(*radius);
  for (const PairFilter& filter : support.filters()) hash = detail::combine_hashes(hash, hash_value(filter));
  return hash;
}

Support support_from_name(const std::string& name) { return detail::value_named(name, "support", table()); }

const std::vector<std::string>& support_names() {
  static const std::vector<std::string> names = detail::names_of(table());
  return names;
}

}  // namespace likewise
