// A bandwidth is a length: a number, a rule that finds one, or left open.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include <likewise/types.hpp>

namespace likewise {

/// What a kernel carries as its length h. Open means: whoever uses the kernel decides, "median" if nobody
/// does.
class Bandwidth {
 public:
  Bandwidth() = default;
  Bandwidth(double length) : length_(length) { check(); }            // NOLINT: implicit on purpose
  Bandwidth(std::string rule) : rule_(std::move(rule)) { check(); }  // NOLINT
  Bandwidth(const char* rule) : Bandwidth(std::string(rule)) {}      // NOLINT

  bool is_open() const { return !length_ && rule_.empty(); }
  bool is_number() const { return length_.has_value(); }
  double length() const { return *length_; }
  const std::string& rule() const { return rule_; }

  bool operator==(const Bandwidth&) const = default;
  // Friends that only a Bandwidth finds: a number or a string must not come here by conversion.
  /// 0.3, 'median', or None where it is open.
  friend std::ostream& operator<<(std::ostream& out, const Bandwidth& bandwidth) {
    return out << bandwidth.printed();
  }
  friend std::size_t hash_value(const Bandwidth& bandwidth) {
    return std::hash<std::string>{}(bandwidth.printed());
  }

 private:
  std::string printed() const;
  void check() const;  // an unknown rule, or a length that is not positive: InvalidArgument with the list
  std::optional<double> length_;
  std::string rule_;
};

/// "median", "scott", "silverman", "bgh", "self_tuning", "perplexity", "umap", "loo"
const std::vector<std::string>& bandwidth_rules();

/// What a rule found. `row_scale` and `key_scale` are lengths s_i, s_j of each point where the rule gives
/// each point its own: the kernel then sees d^2 / (s_i s_j) with h = `length`. A `row_offset` is a length rho_i that is taken
/// from each distance of row i before, down to 0.
struct SelectedBandwidth {
  double length = 0;
  std::string rule = "number";
  std::optional<double> intrinsic_dimension = {};  ///< "bgh": twice the largest d log S / d log eps
  Vector<double> row_scale = {};                   ///< empty: 1
  Vector<double> key_scale = {};                   ///< empty: 1
  std::vector<double> grid = {};                   ///< lengths that were tried ...
  std::vector<double> curve = {};                  ///< ... and the rule's objective at each
  Vector<double> row_offset = {};                  ///< empty: 0

  bool operator==(const SelectedBandwidth&) const = default;
};

/// Lengths of rows that are no keys, as SelectedBandwidth has them.
struct RowScales {
  Vector<double> scale, offset;
};

}  // namespace likewise
