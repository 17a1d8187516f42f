#include <algorithm>
#include <vector>

#include <likewise/error.hpp>
#include <likewise/mechanism_value.hpp>

#include "names.hpp"

namespace likewise {

namespace {

const detail::NameTable<EmptyRow>& empty_rows() {
  static const detail::NameTable<EmptyRow> policies = {{"zero", EmptyRow::zero},
                                                       {"nearest", EmptyRow::nearest},
                                                       {"error", EmptyRow::error},
                                                       {"self", EmptyRow::self}};
  return policies;
}

struct Line {
  std::string slot, formula, value;
};

template <class Leaf> Line line(const std::string& slot, const Leaf& leaf) {
  return {slot, Leaf::formula, repr(leaf)};
}
template <class... Leaves> Line line(const std::string& slot, const std::variant<Leaves...>& value) {
  return std::visit([&](const auto& leaf) { return line(slot, leaf); }, value);
}

// A composed support takes one line a part.
std::vector<Line> lines(const Support& support) {
  if (support.is_all_pairs()) return {line("support S", AllPairs{})};
  std::vector<Line> parts;
  const auto add = [&](const auto& leaf) {
    parts.push_back(line(parts.empty() ? "support S" : "  and", leaf));
  };
  for (const PairFilter& filter : support.filters()) add(filter);
  for (const Graph& graph : support.graphs()) add(graph);
  if (const auto* neighbors = support.neighbors()) add(*neighbors);
  if (const auto* radius = std::get_if<Radius>(&support.selector())) add(*radius);
  return parts;
}

std::string aligned(const std::vector<Line>& all) {
  std::size_t slots = 0, formulas = 0;
  for (const Line& l : all) {
    slots = std::max(slots, l.slot.size());
    formulas = std::max(formulas, l.formula.size());
  }
  std::string out;
  for (const Line& l : all)
    out += "\n  " + l.slot + std::string(slots - l.slot.size() + 2, ' ') + l.formula
           + std::string(formulas - l.formula.size() + 2, ' ') + l.value;
  return out;
}

}  // namespace

std::string Mechanism::equation() const {
  std::vector<Line> all = {line("metric c", metric), line("kernel phi", kernel)};
  for (Line& part : lines(support)) all.push_back(std::move(part));
  all.push_back(line("normalization l, r", normalization));
  all.push_back(line("propagation F", propagation));
  all.push_back({"empty row", "what a row without mass yields", detail::quoted(to_string(empty_row))});
  return "y_i = l_i * sum_{j in S(i)} phi(c(x_i, z_j)) * r_j * v_j" + aligned(all);
}

std::string repr(const Mechanism& mechanism) {
  std::string out = "Mechanism(metric=" + repr(mechanism.metric) + ", kernel=" + repr(mechanism.kernel)
                    + ", support=" + repr(mechanism.support)
                    + ", normalization=" + repr(mechanism.normalization);
  if (mechanism.propagation != Propagation{}) out += ", propagation=" + repr(mechanism.propagation);
  if (mechanism.empty_row != EmptyRow::zero)
    out += ", empty_row=" + detail::quoted(to_string(mechanism.empty_row));
  return out + ")";
}

std::size_t hash_value(const Mechanism& mechanism) {
  std::size_t hash = static_cast<std::size_t>(mechanism.empty_row);
  for (const std::size_t part :
       {hash_value(mechanism.metric), hash_value(mechanism.kernel), hash_value(mechanism.support),
        hash_value(mechanism.normalization), hash_value(mechanism.propagation)})
    hash = detail::combine_hashes(hash, part);
  return hash;
}

void validate(const Mechanism& mechanism) {
  validate(mechanism.metric);
  validate(mechanism.kernel);
  validate(mechanism.normalization);
  validate(mechanism.propagation);
  require_law(!reads_distance(traits(mechanism.kernel).input) || traits(mechanism.metric).distance_power != 0,
              mechanism.metric, "a distance or its square", repr(mechanism.kernel));
  require(!traits(mechanism.kernel).infinite_on_self
              || std::holds_alternative<RowStochastic>(mechanism.normalization),
          "normalization", "RowStochastic with " + repr(mechanism.kernel), repr(mechanism.normalization));
}

EmptyRow empty_row_from_name(const std::string& name) {
  return detail::value_named(name, "empty_row", empty_rows());
}

std::string to_string(EmptyRow policy) {
  for (const auto& [name, known] : empty_rows())
    if (known == policy) return name;
  return "";
}

}  // namespace likewise
