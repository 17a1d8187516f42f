#pragma once

#include <likewise/map/traits.hpp>
#include <likewise/shared.hpp>

namespace likewise::maps {

/// phi(x) = W x + b, with W (outputs x inputs); without a b it is 0. O(n outputs inputs).
struct Linear {
  Shared<Matrix<double>> W;
  Shared<Vector<double>> b = {};

  static constexpr bool all_positional = true;
  static constexpr const char* name = "Linear";
  static constexpr const char* formula = "W x + b";
  static constexpr auto fields() { return std::tuple{Field{"W", &Linear::W}, Field{"b", &Linear::b}}; }
  void check() const;
  Index inputs() const { return W->cols(); }

  template <class T> Matrix<T> apply(const Points<T>& x) const {
    Matrix<T> mapped = x * W->template cast<T>().transpose();
    if (b->size()) mapped.rowwise() += b->template cast<T>().transpose();
    return mapped;
  }
  template <class T> MapGradient<T> vjp(const Points<T>& x, const Points<T>& g) const {
    MapGradient<T> found{g * W->template cast<T>(), {}};
    found.parameters["W"] = (g.transpose() * x).template cast<double>();
    if (b->size()) found.parameters["b"] = g.template cast<double>().colwise().sum();
    return found;
  }

  bool operator==(const Linear&) const = default;
};

}  // namespace likewise::maps
