// From derivatives by costs back to points: what a cost source sums up tile by tile.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

#include <likewise/metric/traits.hpp>

#include "engine/prepared_points.hpp"
#include "engine/product.hpp"
#include "engine/terms/lifted_points.hpp"

namespace likewise::engine {

/// The rows of a list.
template <class T, class C> Matrix<C> gathered_rows(const Matrix<T>& points, std::span<const int> rows) {
  Matrix<C> found(std::ssize(rows), points.cols());
  for (Index e = 0; e < found.rows(); ++e)
    found.row(e) = points.row(rows[static_cast<std::size_t>(e)]).template cast<C>();
  return found;
}

/// A square below this share of a lift's terms a + b has lost digits to cancellation: its root's relative error is at most
/// epsilon / (4 near_share), 3e-5 (float) of a d that is 30 times less than |x|.
template <class C> inline constexpr double near_share = std::is_same_v<C, double> ? 1e-6 : 1e-3;

/// dL/dA and dL/da of a lift's queries and keys.
template <class T> struct LiftSums { Lift<T>*queries, *keys; };

/// Sums dL/dcost of tiles of pairs, in the unit the source computes in: the lift's where the metric lifts, else the cost.
/// Tiles that share no query and no key may be added at the same time.
template <class T> class CostVjp {
 public:
  virtual ~CostVjp() = default;
  /// scale * dcost (n, m), of the pairs of queries from i0 on and keys from j0 on, with dcost's sums of rows and columns.
  virtual void add(Index i0, Index j0, T scale, const Points<T>& dcost, const Vector<T>& row_sums,
                   const Vector<T>& column_sums) = 0;
  /// Adds those pairs of a tile that are too near for such sums: x - z would be a difference of sums that are larger by as much
  /// as the points are near. They are 0 in dcost afterwards; returns the sum of dcost times their costs, found from x - z.
  virtual double take_near(Index /*i0*/, Index /*j0*/, const Points<T>& /*costs*/, Tile<T> /*dcost*/) {
    return 0;
  }
  /// The same of one query and the keys of a list: dcost and costs (1, n_keys).
  virtual void add_pairs(Index i, std::span<const int> keys, const Points<T>& dcost) {
    for (Index e = 0; e < dcost.cols(); ++e) {
      const Vector<T> one = dcost.col(e);
      add(i, keys[static_cast<std::size_t>(e)], T(1), dcost.middleCols(e, 1), one, one);
    }
  }
  virtual double take_near_pairs(Index i, std::span<const int> keys, const Points<T>& costs, Tile<T> dcost) {
    double sum = 0;
    for (Index e = 0; e < dcost.cols(); ++e)
      sum += take_near(i, keys[static_cast<std::size_t>(e)], costs.middleCols(e, 1), dcost.middleCols(e, 1));
    return sum;
  }
  /// The sums themselves, of queries and keys, where they are a lift's in this precision: the fused loop adds to them
  /// directly. Else nothing.
  virtual std::optional<LiftSums<T>> lift_sums() { return {}; }
  /// What has been summed, at the points and the metric's parameters. The sums are handed over: nothing can be added
  /// after it.
  virtual PointGradient<T> take_points() = 0;
};

/// c_ij = a_i + b_j - <A_i, B_j>: rows, columns and two products of dcost, the same for every metric that lifts.
template <class T, class C> class LiftedSums : public CostVjp<T> {
 public:
  /// The lifts live as long as their source.
  LiftedSums(const LiftedPoints<C>& queries, const LiftedPoints<C>& keys)
      : queries_(queries), keys_(keys), by_queries_(zeros_like(queries)), by_keys_(zeros_like(keys)) {}

  void add(Index i0, Index j0, T scale, const Points<T>& dcost, const Vector<T>& row_sums,
           const Vector<T>& column_sums) override {
    by_queries_.bias.segment(i0, dcost.rows()) += (scale * row_sums).template cast<C>();
    by_keys_.bias.segment(j0, dcost.cols()) += (scale * column_sums).template cast<C>();
    if constexpr (std::is_same_v<T, C>)
      add_products(i0, j0, scale, dcost);
    else
      add_products(i0, j0, C(scale), Matrix<C>(dcost.template cast<C>()));
  }

  void add_pairs(Index i, std::span<const int> keys, const Points<T>& dcost) override {
    for (Index e = 0; e < dcost.cols(); ++e) {
      const Index j = keys[static_cast<std::size_t>(e)];
      const C d = static_cast<C>(dcost(0, e));
      by_queries_.bias(i) += d;
      by_keys_.bias(j) += d;
      by_queries_.features.row(i) -= d * keys_.features().row(j);
      by_keys_.features.row(j) -= d * queries_.features().row(i);
    }
  }

  std::optional<LiftSums<T>> lift_sums() override {
    if constexpr (std::is_same_v<T, C>)
      return LiftSums<T>{&by_queries_, &by_keys_};
    else
      return {};
  }

 private:
  static Lift<C> zeros_like(const LiftedPoints<C>& lift) {
    return {Matrix<C>::Zero(lift.features().rows(), lift.features().cols()),
            Vector<C>::Zero(lift.bias.size())};
  }

  void add_products(Index i0, Index j0, C scale, const Points<C>& dcost) {
    const Index n = dcost.rows(), m = dcost.cols();
    add_product<C>(-scale, as_it_is<C>(dcost), as_it_is<C>(keys_.features().middleRows(j0, m)),
                   by_queries_.features.middleRows(i0, n));
    add_product<C>(-scale, transposed<C>(dcost), as_it_is<C>(queries_.features().middleRows(i0, n)),
                   by_keys_.features.middleRows(j0, m));
  }

 protected:
  const LiftedPoints<C>&queries_, &keys_;
  Lift<C> by_queries_, by_keys_;
};

/// Those sums at the points of one metric.
template <class T, class C, class M> class LiftedVjp final : public LiftedSums<T, C> {
 public:
  /// x and z are the points, which were centered before they were lifted. They live as long as their source.
  LiftedVjp(const M& metric, const Vector<double>& center, const Matrix<T>& x, const LiftedPoints<C>& queries,
            const Matrix<T>& z, const LiftedPoints<C>& keys, bool near)
      : LiftedSums<T, C>(queries, keys),
        metric_(metric),
        center_(center),
        x_(x),
        z_(z),
        near_(near && metric.traits().zero_on_self && metric.traits().shift_invariant) {}

  double take_near(Index i0, Index j0, const Points<T>& costs, Tile<T> dcost) override {
    if (!near_) return 0;
    double by_cost = 0;
    const C largest = this->keys_.bias.segment(j0, costs.cols()).maxCoeff();
    std::vector<Index> near;
    for (Index a = 0; a < costs.rows(); ++a) {
      const C bias = this->queries_.bias(i0 + a);
      const T limit = static_cast<T>(near_share<C> * (bias + largest));
      if (costs.row(a).minCoeff() > limit) continue;
      near.clear();
      for (Index b = 0; b < costs.cols(); ++b) {
        if (costs(a, b) > limit) continue;
        if (costs(a, b) == T(0))
          dcost(a, b) = T(0);  // a copy pulls nowhere
        else if (dcost(a, b) != T(0)
                 && C(costs(a, b)) <= C(near_share<C>) * (bias + this->keys_.bias(j0 + b)))
          near.push_back(b);
      }
      if (!near.empty()) by_cost += take_near_of(i0 + a, j0, near, dcost.row(a));
    }
    return by_cost;
  }

  double take_near_pairs(Index i, std::span<const int> keys, const Points<T>& costs, Tile<T> dcost) override {
    double by_cost = 0;
    for (Index e = 0; e < dcost.cols() && near_; ++e) {
      const Index j = keys[static_cast<std::size_t>(e)];
      if (C(costs(0, e)) <= C(near_share<C>) * (this->queries_.bias(i) + this->keys_.bias(j)))
        by_cost += take_near(i, j, costs.middleCols(e, 1), dcost.middleCols(e, 1));
    }
    return by_cost;
  }

  PointGradient<T> take_points() override {
    PointGradient<C> found;
    const auto vjp = [&](const Points<C>& x, const Points<C>& z) {
      metric_.template vjp<C>(x, std::move(this->by_queries_), z, std::move(this->by_keys_), found);
    };
    if constexpr (std::is_same_v<T, C>) {
      if (center_.size() == 0)
        vjp(x_, z_);
      else
        vjp(centered<T, C>(x_, center_), centered<T, C>(z_, center_));
      return found;
    } else {
      vjp(centered<T, C>(x_, center_), centered<T, C>(z_, center_));
      return {found.queries.template cast<T>(), found.keys.template cast<T>(), std::move(found.parameters)};
    }
  }

 private:
  /// Centered on the key a lift is c = <A(x - z), A(x - z)>, and B = 2A: nothing cancels.
  double take_near_of(Index i, Index j0, const std::vector<Index>& near,
                      Eigen::Ref<Eigen::Matrix<T, 1, Eigen::Dynamic>> dcost) {
    double by_cost = 0;
    const Index n = static_cast<Index>(near.size());
    Matrix<C> differences(n, x_.cols());
    for (Index at = 0; at < n; ++at)
      differences.row(at) =
          x_.row(i).template cast<C>() - z_.row(j0 + near[static_cast<std::size_t>(at)]).template cast<C>();
    const Matrix<C> A = metric_.template lift_queries<C>(differences).features;
    for (Index at = 0; at < n; ++at) {
      const Index b = near[static_cast<std::size_t>(at)];
      this->by_queries_.features.row(i) += C(2) * C(dcost(b)) * A.row(at);
      this->by_keys_.features.row(j0 + b) -= C(dcost(b)) * A.row(at);
      by_cost += static_cast<double>(dcost(b)) * static_cast<double>(A.row(at).squaredNorm());
      dcost(b) = T(0);
    }
    return by_cost;
  }

  M metric_;
  Vector<double> center_;
  const Matrix<T>&x_, &z_;
  bool near_;
};

/// Costs that a metric fills: it pulls tiles back itself.
template <class T, class M> class FilledVjp final : public CostVjp<T> {
 public:
  FilledVjp(const M& metric, const Matrix<T>& x, const Matrix<T>& z)
      : metric_(metric),
        x_(x),
        z_(z),
        found_{Matrix<T>::Zero(x.rows(), x.cols()), Matrix<T>::Zero(z.rows(), z.cols()), {}} {
    if constexpr (has_parameter) by_parameter_.setZero(x.rows(), metric.tile_parameter_size());
  }

  void add(Index i0, Index j0, T scale, const Points<T>& dcost, const Vector<T>&, const Vector<T>&) override {
    const Index n = dcost.rows(), m = dcost.cols();
    const auto vjp_tile = [&](auto&&... more) {
      metric_.template vjp_tile<T>(x_.middleRows(i0, n), z_.middleRows(j0, m), scale * dcost,
                                   found_.queries.middleRows(i0, n), found_.keys.middleRows(j0, m), more...);
    };
    if constexpr (has_parameter)
      vjp_tile(by_parameter_.middleRows(i0, n));
    else
      vjp_tile();
  }
  /// The listed keys lie together for it.
  void add_pairs(Index i, std::span<const int> keys, const Points<T>& dcost) override {
    const Matrix<T> z = gathered_rows<T, T>(z_, keys);
    Matrix<T> by_keys = Matrix<T>::Zero(z.rows(), z.cols());
    const auto vjp_tile = [&](auto&&... more) {
      metric_.template vjp_tile<T>(x_.middleRows(i, 1), z, dcost, found_.queries.middleRows(i, 1), by_keys,
                                   more...);
    };
    if constexpr (has_parameter)
      vjp_tile(by_parameter_.middleRows(i, 1));
    else
      vjp_tile();
    for (Index e = 0; e < z.rows(); ++e) found_.keys.row(keys[static_cast<std::size_t>(e)]) += by_keys.row(e);
  }
  PointGradient<T> take_points() override {
    if constexpr (has_parameter)
      found_.parameters[M::tile_parameter] = by_parameter_.template cast<double>().colwise().sum();
    return std::move(found_);
  }

 private:
  static constexpr bool has_parameter = DifferentiableTileParameter<M>;

  M metric_;
  const Matrix<T>&x_, &z_;
  PointGradient<T> found_;
  Matrix<T> by_parameter_;  ///< a row a query: tiles that share none may be added at the same time
};

}  // namespace likewise::engine
