#pragma once

#include <algorithm>
#include <limits>

#include <likewise/metric/squared_euclidean.hpp>
#include <likewise/shared.hpp>

namespace likewise {

/// c(x,z) = |W x - W z|^2 with a factor W (r x d) of any rank: a squared pseudo-distance, the metric of
/// metric-attention. Lifts as SquaredEuclidean of the points W x, O(n d r). kneighbors reports |W x - W z|.
struct Mahalanobis {
  Shared<Matrix<double>> factor;  ///< W, r x d
  /// kneighbors reports |W x - W z|^2, as it does of SquaredEuclidean: of what Mapped makes of a linear map.
  bool reports_square = false;

  /// From M = W^T W, symmetric positive semidefinite (d x d), with entries exact to `epsilon`; W comes from an
  /// eigendecomposition, O(d^3), of M in units in which its diagonal is 1, so that a feature of small numbers
  /// counts as any other. Eigenvalues within d epsilon of 0, relative to the largest, are 0; of a matrix of six
  /// digits so are those down to -1e-6, and what lies as near above.
  static Mahalanobis from_matrix(const Points<double>& matrix,
                                 double epsilon = std::numeric_limits<double>::epsilon());
  static Mahalanobis from_matrix(const Points<float>& matrix);
  /// From the diagonal of M: c = sum_k m_k (x_k - z_k)^2, m_k >= 0.
  static Mahalanobis from_diagonal(const Eigen::Ref<const Vector<double>>& diagonal);

  static constexpr const char* name = "Mahalanobis";
  static constexpr const char* formula = "|W x - W z|^2";
  static constexpr auto fields() { return std::tuple{Field{"factor", &Mahalanobis::factor}}; }
  constexpr MetricTraits traits() const {
    return {.symmetric = true,
            .zero_on_self = true,
            .triangle_inequality = true,
            .shift_invariant = true,
            .distance_power = 2,
            .lift = LiftLaws{.power = 2, .ratio = 2},
            .reports_root = !reports_square};
  }
  void check() const;
  Widths widths() const { return {factor->cols(), factor->cols()}; }
  std::optional<CoordinateSum> coordinate_sum() const {
    return CoordinateSum{.power = 2, .factor = &*factor};
  }
  /// Biases are squares of the projections.
  double projection_size(double query, double key) const {
    const double longest = factor->norm() * std::max(query, key);
    return longest * longest;
  }

  /// W x for each row x: the points whose squared Euclidean distance this is.
  template <class T> Matrix<T> project(const Points<T>& x) const {
    return x * factor->template cast<T>().transpose();
  }
  template <class T> T cost(const RowRef<T>& x, const RowRef<T>& z) const {
    return ((x - z) * factor->template cast<T>().transpose()).squaredNorm();
  }
  template <class T> Lift<T> lift_queries(const Points<T>& x) const {
    return SquaredEuclidean{}.lift_queries<T>(project<T>(x));
  }
  template <class T> Lift<T> lift_keys(const Points<T>& z) const {
    return SquaredEuclidean{}.lift_keys<T>(project<T>(z));
  }

  /// By u = W x: du/dx = W, and each point adds gu x^T to W's gradient.
  template <class T>
  void vjp(const Points<T>& x, Lift<T> gx, const Points<T>& z, Lift<T> gz, PointGradient<T>& out) const {
    SquaredEuclidean{}.vjp<T>(project<T>(x), std::move(gx), project<T>(z), std::move(gz), out);
    out.parameters["factor"] =
        (out.queries.transpose() * x + out.keys.transpose() * z).template cast<double>();
    out.queries *= factor->template cast<T>();
    out.keys *= factor->template cast<T>();
  }

  bool operator==(const Mahalanobis&) const = default;
};

}  // namespace likewise
