#pragma once

#include <likewise/metric/traits.hpp>
#include <likewise/shared.hpp>

namespace likewise {

/// c(x,z) = -<Wq x, Wk z> with Wq (r x dx) and Wk (r x dz): the learned score of self-attention.
/// No law holds: it may be lower off the diagonal than on it, and is not symmetric unless Wq = Wk.
struct Bilinear {
  Shared<Matrix<double>> query_factor;  ///< Wq, r x dx
  Shared<Matrix<double>> key_factor;    ///< Wk, r x dz

  static constexpr const char* name = "Bilinear";
  static constexpr const char* formula = "-<Wq x, Wk z>";
  static constexpr auto fields() {
    return std::tuple{Field{"query_factor", &Bilinear::query_factor},
                      Field{"key_factor", &Bilinear::key_factor}};
  }
  MetricTraits traits() const {
    return {.symmetric = query_factor == key_factor, .lift = LiftLaws{.power = 0, .ratio = 0}};
  }
  void check() const;
  Widths widths() const { return {query_factor->cols(), key_factor->cols()}; }
  static constexpr std::optional<CoordinateSum> coordinate_sum() { return {}; }
  double projection_size(double query, double key) const {
    return query_factor->norm() * query * key_factor->norm() * key;
  }

  template <class T> T cost(const RowRef<T>& x, const RowRef<T>& z) const {
    return -(x * query_factor->template cast<T>().transpose())
                .dot(z * key_factor->template cast<T>().transpose());
  }
  template <class T> Lift<T> lift_queries(const Points<T>& x) const {
    return {x * query_factor->template cast<T>().transpose(), Vector<T>::Zero(x.rows())};
  }
  template <class T> Lift<T> lift_keys(const Points<T>& z) const {
    return {z * key_factor->template cast<T>().transpose(), Vector<T>::Zero(z.rows())};
  }

  template <class T>
  void vjp(const Points<T>& x, const Lift<T>& gx, const Points<T>& z, const Lift<T>& gz,
           PointGradient<T>& out) const {
    out.parameters["query_factor"] = (gx.features.transpose() * x).template cast<double>();
    out.parameters["key_factor"] = (gz.features.transpose() * z).template cast<double>();
    out.queries = gx.features * query_factor->template cast<T>();
    out.keys = gz.features * key_factor->template cast<T>();
  }

  bool operator==(const Bilinear&) const = default;
};

}  // namespace likewise
