// The list of metrics. A new one is a file in metric/ and a line here.
#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include <likewise/metric/additive.hpp>
#include <likewise/metric/additive_dynamic.hpp>
#include <likewise/metric/bilinear.hpp>
#include <likewise/metric/chebyshev.hpp>
#include <likewise/metric/cosine.hpp>
#include <likewise/metric/custom.hpp>
#include <likewise/metric/dot_product.hpp>
#include <likewise/metric/euclidean.hpp>
#include <likewise/metric/mahalanobis.hpp>
#include <likewise/metric/manhattan.hpp>
#include <likewise/metric/mapped.hpp>
#include <likewise/metric/minkowski.hpp>
#include <likewise/metric/precomputed.hpp>
#include <likewise/metric/squared_euclidean.hpp>

namespace likewise {

using Metric =
    std::variant<SquaredEuclidean, Euclidean, Mahalanobis, Cosine, Manhattan, Chebyshev, Minkowski,
                 DotProduct, Bilinear, Additive, AdditiveDynamic, Mapped, Precomputed, CustomMetric>;

MetricTraits traits(const Metric& metric);
/// What the leaf says of points; of costs that were given, any widths and no sum. The factor belongs to the metric.
Widths widths(const Metric& metric);
std::optional<CoordinateSum> coordinate_sum(const Metric& metric);
/// In place of points there are costs (Precomputed).
bool points_are_costs(const Metric& metric);
std::string repr(const Metric& metric);

/// A metric as what compares points: `metric` of queries and keys where these maps send them; without one, as they are.
struct SeenMetric {
  Metric metric;
  std::optional<PointMap> queries = {}, keys = {};

  bool maps() const { return keys.has_value(); }
};
/// Of every metric but Mapped and the additive ones itself. A linear map's is Mahalanobis or Bilinear, where that is the same
/// cost; additive scores add what both maps made.
SeenMetric seen(const Metric& metric);

/// Throws InvalidArgument where a parameter is not what the leaf allows (p > 0, a finite factor, ...).
void validate(const Metric& metric);

/// The metric of that name, with default parameters: "euclidean", "l2", "sqeuclidean", "manhattan", "l1",
/// "cityblock", "chebyshev", "minkowski", "cosine", "dot", "precomputed", ... An unknown name is refused with
/// the list, "mahalanobis" and "bilinear", which need factors, with the call that takes them.
Metric metric_from_name(const std::string& name);
/// The names metric_from_name knows.
const std::vector<std::string>& metric_names();

/// Throws InvalidArgument unless the points that this argument gave are as wide as the metric reads.
void require_width(const char* argument, Index width, Index wanted, const Metric& metric);
/// Throws InvalidArgument naming the metric and the missing law, e.g. law = "a distance", who = "Gaussian".
void require_law(bool holds, const Metric& metric, const std::string& law, const std::string& who);

}  // namespace likewise
