#pragma once

#include <optional>
#include <variant>

#include <likewise/map.hpp>
#include <likewise/metric/bilinear.hpp>
#include <likewise/metric/chebyshev.hpp>
#include <likewise/metric/cosine.hpp>
#include <likewise/metric/custom.hpp>
#include <likewise/metric/dot_product.hpp>
#include <likewise/metric/euclidean.hpp>
#include <likewise/metric/mahalanobis.hpp>
#include <likewise/metric/manhattan.hpp>
#include <likewise/metric/minkowski.hpp>
#include <likewise/metric/squared_euclidean.hpp>

namespace likewise {

/// What mapped points may be compared by: every metric of points.
using MetricOfMapped = std::variant<SquaredEuclidean, Euclidean, Mahalanobis, Cosine, Manhattan, Chebyshev,
                                    Minkowski, DotProduct, Bilinear, CustomMetric>;

/// c(x, z) = metric(phi(x), phi(z)): the pullback of a metric through a map, with the laws of that metric (a pseudo-metric
/// where phi is not injective). With a key_map psi it is metric(phi(x), psi(z)), of which no law of distances is left.
/// Ruan and Zhang 2024, section 4: with ResidualMLP and SquaredEuclidean it is the metric of metric-attention.
/// Operators and searches map their points once and compare by `metric` (see seen() in metric.hpp); what is below is the
/// definition, which maps whatever it is given.
struct Mapped {
  PointMap map;
  std::optional<PointMap> key_map = {};  ///< where keys have a map of their own
  MetricOfMapped metric = SquaredEuclidean{};

  static constexpr const char* name = "Mapped";
  static constexpr const char* formula = "metric(phi(x), phi(z))";
  static constexpr auto fields() {
    return std::tuple{Field{"map", &Mapped::map}, Field{"key_map", &Mapped::key_map},
                      Field{"metric", &Mapped::metric}};
  }
  const PointMap& map_of_keys() const { return key_map ? *key_map : map; }
  bool one_map() const { return !key_map || *key_map == map; }
  MetricTraits traits() const;
  void check() const;
  Widths widths() const { return {inputs(map), inputs(map_of_keys())}; }
  static_assert(Widths::any == any_inputs);
  static constexpr std::optional<CoordinateSum> coordinate_sum() { return {}; }

  template <class T> void fill(const Points<T>& x, const Points<T>& z, Tile<T> out) const;

  bool operator==(const Mapped&) const = default;
};

}  // namespace likewise
