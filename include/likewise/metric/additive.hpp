#pragma once

#include <likewise/metric/additive_dynamic.hpp>

namespace likewise {

/// c(x, z) = -act(<a_query, x> + <a_key, z>): the score of graph attention (Velickovic et al. 2018) with its sign turned.
/// a_query (dx,), a_key (dz,). O(d) a point, once; then O(1) a pair, in tiles. All queries rank the keys alike wherever act
/// grows. Symmetric where both are one vector, or opposite ones (which shifts leave alone) under an even act (Ruan and Zhang 2024, section 5).
struct Additive {
  Shared<Vector<double>> a_query = {}, a_key = {};
  std::string activation = "leaky_relu";
  double slope = 0.2;  ///< of leaky_relu below 0

  static constexpr bool all_positional = true;
  static constexpr const char* name = "Additive";
  static constexpr const char* formula = "-act(<a_query, x> + <a_key, z>)";
  static constexpr auto fields() {
    return std::tuple{Field{"a_query", &Additive::a_query}, Field{"a_key", &Additive::a_key},
                      Field{"activation", &Additive::activation}, Field{"slope", &Additive::slope}};
  }
  MetricTraits traits() const;
  void check() const;
  Widths widths() const { return {a_query->size(), a_key->size()}; }
  static constexpr std::optional<CoordinateSum> coordinate_sum() { return {}; }

  template <class T> void fill(const Points<T>& x, const Points<T>& z, Tile<T> out) const {
    dynamic().fill<T>(x, z, out);
  }

  bool operator==(const Additive&) const = default;

  /// The same cost, of factors with one row.
  AdditiveDynamic dynamic() const {
    return {.W_q = Matrix<double>(a_query->transpose()),
            .W_k = Matrix<double>(a_key->transpose()),
            .a = Vector<double>(Vector<double>::Ones(1)),
            .slope = slope,
            .activation = activation};
  }
};

}  // namespace likewise
