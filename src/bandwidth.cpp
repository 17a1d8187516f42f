#include <cmath>

#include <likewise/bandwidth.hpp>
#include <likewise/error.hpp>
#include <likewise/value.hpp>

#include "names.hpp"

namespace likewise {

const std::vector<std::string>& bandwidth_rules() {
  static const std::vector<std::string> rules = {"median",      "scott",      "silverman", "bgh",
                                                 "self_tuning", "perplexity", "loo"};
  return rules;
}

void Bandwidth::check() const {
  if (length_)
    require(*length_ > 0 && std::isfinite(*length_), "bandwidth", "a positive, finite length",
            detail::print_number(*length_));
  else
    detail::require_word(rule_, "bandwidth", bandwidth_rules(), "a number or ");
}

std::ostream& operator<<(std::ostream& out, const Bandwidth& bandwidth) {
  if (bandwidth.is_open()) return out << "None";
  if (bandwidth.is_number()) return out << detail::print_number(bandwidth.length());
  return out << detail::quoted(bandwidth.rule());
}

std::size_t hash_value(const Bandwidth& bandwidth) {
  return bandwidth.is_number() ? std::hash<double>{}(bandwidth.length())
                               : std::hash<std::string>{}(bandwidth.rule());
}

}  // namespace likewise
