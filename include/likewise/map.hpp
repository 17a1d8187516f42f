// The list of maps, which a metric may compare points through (metric/mapped.hpp). A new one is a file in map/ and a line here.
#pragma once

#include <variant>

#include <likewise/map/custom.hpp>
#include <likewise/map/linear.hpp>
#include <likewise/map/residual_mlp.hpp>

namespace likewise {

using PointMap = std::variant<maps::Linear, maps::ResidualMLP, maps::Custom>;

std::string repr(const PointMap& map);
/// Throws InvalidArgument where a parameter is not what the leaf allows.
void validate(const PointMap& map);
/// How many features points must have; any_inputs where the map does not say.
Index inputs(const PointMap& map);
/// How many a point is mapped to; any_inputs where the map does not say, 0 where it is open.
Index outputs(const PointMap& map);
/// Whether `vjp` knows its derivative.
bool differentiable(const PointMap& map);

/// phi(x) of each row of X. Refuses other widths than the map's, and points that it sends to NaN or infinity.
template <class T> Matrix<T> apply(const PointMap& map, const Points<T>& X);
/// sum_ik g_ik dphi_k(x_i)/d(x, parameters): g (n, outputs) is a loss's derivative by the mapped rows. Refuses a Custom
/// map that has no vjp.
template <class T> MapGradient<T> vjp(const PointMap& map, const Points<T>& X, const Points<T>& g);

}  // namespace likewise
