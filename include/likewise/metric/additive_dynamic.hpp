#pragma once

#include <string>

#include <likewise/map/linear.hpp>
#include <likewise/metric/score_activation.hpp>
#include <likewise/metric/traits.hpp>
#include <likewise/shared.hpp>

namespace likewise {

/// c(x, z) = -<a, act(W_q x + W_k z + b)>: the score of dynamic graph attention (GATv2; Brody, Alon and Yahav 2022) with its sign
/// turned. W_q (r x dx), W_k (r x dz), a and b (r,), b empty for 0; without W_q and W_k points of r features are compared as they are. Points are
/// mapped once, O(r d) each; then O(r) a pair, in tiles. Which key a query likes best depends on the query, as it does not for
/// Additive. No law holds, but symmetry where W_q = W_k.
struct AdditiveDynamic {
  Shared<Matrix<double>> W_q = {}, W_k = {};
  Shared<Vector<double>> a = {};
  double slope = 0.2;  ///< of leaky_relu below 0
  std::string activation = "leaky_relu";
  Shared<Vector<double>> b = {};

  static constexpr bool all_positional = true;
  static constexpr const char* name = "AdditiveDynamic";
  static constexpr const char* formula = "-<a, act(W_q x + W_k z + b)>";
  static constexpr auto fields() {
    return std::tuple{Field{"W_q", &AdditiveDynamic::W_q},
                      Field{"W_k", &AdditiveDynamic::W_k},
                      Field{"a", &AdditiveDynamic::a},
                      Field{"slope", &AdditiveDynamic::slope},
                      Field{"activation", &AdditiveDynamic::activation},
                      Field{"b", &AdditiveDynamic::b}};
  }
  MetricTraits traits() const { return {.symmetric = W_q == W_k}; }
  void check() const;
  bool maps() const { return W_q->size() > 0; }
  Widths widths() const { return {maps() ? W_q->cols() : a->size(), maps() ? W_k->cols() : a->size()}; }
  static constexpr std::optional<CoordinateSum> coordinate_sum() { return {}; }

  template <class T> void fill(const Points<T>& x, const Points<T>& z, Tile<T> out) const {
    if (maps())
      return of_mapped().fill<T>(maps::Linear{W_q, b}.apply<T>(x), maps::Linear{W_k}.apply<T>(z), out);
    out.setZero();
    const auto act = detail::ScoreActivation::named(activation, slope);
    each_sum<T>(x, z, [&](Index i, Index k, detail::RowOfScores<T>& sums) {
      act.bend<T>(sums);
      out.row(i).array() -= static_cast<T>((*a)(k)) * sums;
    });
  }

  /// Of points that are compared as they are. by_a (n, r) gets what each query adds to the derivative by a.
  template <class T>
  void vjp_tile(const Points<T>& x, const Points<T>& z, const Points<T>& dcost, Tile<T> gx, Tile<T> gz,
                Tile<T> by_a) const {
    const auto act = detail::ScoreActivation::named(activation, slope);
    Matrix<T> g_columns = Matrix<T>::Zero(z.cols(), z.rows());
    each_sum<T>(x, z, [&](Index i, Index k, detail::RowOfScores<T>& sums) {
      detail::RowOfScores<T> bent = sums;
      act.bend<T>(bent);
      by_a(i, k) -= (dcost.row(i).array() * bent).sum();
      act.slopes<T>(sums);
      sums *= -static_cast<T>((*a)(k)) * dcost.row(i).array();
      gx(i, k) += sums.sum();
      g_columns.row(k).array() += sums;
    });
    gz += g_columns.transpose();
  }
  std::optional<FeatureSum> feature_sum() const {
    const auto act = detail::ScoreActivation::named(activation, slope);
    if (maps() || act.kind != detail::ScoreActivation::Kind::leaky_relu) return {};
    return FeatureSum{FeatureTerm::leaky_relu, &*a, act.slope};
  }
  static constexpr const char* tile_parameter = "a";
  Index tile_parameter_size() const { return a->size(); }

  bool operator==(const AdditiveDynamic&) const = default;

  /// The same score of points that W_q and W_k have mapped.
  AdditiveDynamic of_mapped() const { return {.a = a, .slope = slope, .activation = activation}; }

 private:
  /// work(i, k, x_ik + z_jk of all keys j)
  template <class T, class Work>
  static void each_sum(const Points<T>& x, const Points<T>& z, const Work& work) {
    const Matrix<T> columns = z.transpose();
    detail::RowOfScores<T> sums(z.rows());
    for (Index i = 0; i < x.rows(); ++i)
      for (Index k = 0; k < x.cols(); ++k) {
        sums = columns.row(k).array() + x(i, k);
        work(i, k, sums);
      }
  }
};

}  // namespace likewise
