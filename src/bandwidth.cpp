#include <cmath>

#include <likewise/bandwidth.hpp>
#include <likewise/error.hpp>
#include <likewise/value.hpp>

#include "names.hpp"

namespace likewise {

const std::vector<std::string>& bandwidth_rules() {
  static const std::vector<std::string> rules = {"median",      "scott",      "silverman", "bgh",
                                                 "self_tuning", "perplexity", "umap",      "loo"};
  return rules;
}

void Bandwidth::check() const {
  if (length_)
    require(*length_ > 0 && std::isfinite(*length_), "bandwidth", "a positive, finite length",
            detail::print_number(*length_));
  else
    detail::require_word(rule_, "bandwidth", bandwidth_rules(), "a number or ");
}

std::string Bandwidth::printed() const {
  if (is_open()) return "None";
  return is_number() ? detail::print_number(length()) : detail::quoted(rule_);
}

}  // namespace likewise
