#include "neighbors/kd_tree.hpp"

#include <cmath>
#include <limits>
#include <nanoflann.hpp>
#include <optional>

namespace likewise::neighbors {
namespace {

constexpr double epsilon = std::numeric_limits<double>::epsilon();

/// The power of the coordinate differences whose sum the metric's distance is, or nothing.
std::optional<double> sum_power(const Metric& metric) {
  if (std::holds_alternative<Euclidean>(metric) || std::holds_alternative<SquaredEuclidean>(metric)
      || std::holds_alternative<Mahalanobis>(metric))
    return 2;
  if (std::holds_alternative<Manhattan>(metric)) return 1;
  if (const auto* minkowski = std::get_if<Minkowski>(&metric); minkowski && std::isfinite(minkowski->p))
    return minkowski->p >= 1 ? std::optional(minkowski->p) : std::nullopt;
  return std::nullopt;
}

/// The keys as nanoflann reads them. The power goes with them because nanoflann makes the distance from the
/// data.
struct KeyCloud {
  Matrix<double> keys;
  double power;

  std::size_t kdtree_get_point_count() const { return static_cast<std::size_t>(keys.rows()); }
  double kdtree_get_pt(std::size_t key, std::size_t k) const {
    return keys(static_cast<Index>(key), static_cast<Index>(k));
  }
  template <class Box> bool kdtree_get_bbox(Box&) const { return false; }
};

/// |difference|^power, with the powers that are common spelled out.
struct Absolute {
  explicit Absolute(double) {}
  double operator()(double difference) const { return std::abs(difference); }
};
struct Square {
  explicit Square(double) {}
  double operator()(double difference) const { return difference * difference; }
};
struct Power {
  explicit Power(double p) : p_(p) {}
  double operator()(double difference) const { return std::pow(std::abs(difference), p_); }

 private:
  double p_;
};

/// nanoflann's interface of a distance that is a sum of terms over coordinates.
template <class Term> struct SumDistance {
  using ElementType = double;
  using DistanceType = double;

  explicit SumDistance(const KeyCloud& cloud) : cloud_(cloud), term_(cloud.power) {}

  double evalMetric(const double* query, std::size_t key, std::size_t width) const {
    double sum = 0;
    for (std::size_t k = 0; k < width; ++k) sum += term_(query[k] - cloud_.kdtree_get_pt(key, k));
    return sum;
  }
  double accum_dist(double a, double b, std::size_t) const { return term_(a - b); }

 private:
  const KeyCloud& cloud_;
  Term term_;
};

/// nanoflann's interface of a result set, over the candidates of a row.
template <class Candidates> class ResultSet {
 public:
  explicit ResultSet(Candidates& row) : row_(row) {}

  bool addPoint(double sum, std::size_t key) {
    row_.offer(sum, static_cast<Index>(key));
    return true;
  }
  /// One ulp more than what still belongs: nanoflann wants a leaf's points to be strictly below.
  double worstDist() const {
    return std::nextafter(row_.threshold(), std::numeric_limits<double>::infinity());
  }
  bool full() const { return true; }
  void sort() {}  // asked for by newer nanoflann

 private:
  Candidates& row_;
};

template <class Term> class SumTree final : public KdTree {
 public:
  explicit SumTree(CoordinateSum space)
      : queries_(std::move(space.queries)),
        cloud_{std::move(space.keys), space.power},
        rounding_(space.rounding),
        index_(static_cast<typename Tree::Dimension>(cloud_.keys.cols()), cloud_,
               nanoflann::KDTreeSingleIndexAdaptorParams(leaf_size)) {
    index_.buildIndex();
  }

  void search(Index i, NearestCandidates& row) const override { find(i, row); }
  void search(Index i, RadiusCandidates& row) const override { find(i, row); }

  // Each of a sum's terms rounds, and so does each of the tree's levels where it bounds a branch.
  CostError error() const override {
    return {rounding_, 4 * epsilon * (static_cast<double>(cloud_.keys.cols()) + 64)};
  }
  double sum_of(double distance) const override { return std::pow(distance, cloud_.power); }

 private:
  static constexpr std::size_t leaf_size = 16;
  using Tree = nanoflann::KDTreeSingleIndexAdaptor<SumDistance<Term>, KeyCloud, -1, std::size_t>;

  template <class Candidates> void find(Index i, Candidates& row) const {
    ResultSet<Candidates> found(row);
    index_.findNeighbors(found, queries_.row(i).data(), {});
  }

  Matrix<double> queries_;
  KeyCloud cloud_;
  double rounding_;
  Tree index_;
};

/// W (x - center) for the points of Mahalanobis: near the origin the projection loses the fewest digits.
CoordinateSum projected(const Mahalanobis& metric, const Points<double>& X, const Points<double>& Z) {
  const Eigen::RowVectorXd center = Z.colwise().mean();
  const Matrix<double> x = X.rowwise() - center, z = Z.rowwise() - center;
  const double size =
      metric.factor->norm() * std::max(x.rowwise().norm().maxCoeff(), z.rowwise().norm().maxCoeff());
  const double rounding = 16 * epsilon * static_cast<double>(X.cols() + 4) * size * size;
  return {metric.project<double>(x), metric.project<double>(z), 2, rounding};
}

}  // namespace

bool sums_over_coordinates(const Metric& metric) { return sum_power(metric).has_value(); }

Index coordinates_of(const Metric& metric, Index width) {
  const auto* mahalanobis = std::get_if<Mahalanobis>(&metric);
  return mahalanobis ? mahalanobis->factor->rows() : width;
}

CoordinateSum coordinate_sum(const Metric& metric, const Points<double>& X, const Points<double>& Z) {
  if (const auto* mahalanobis = std::get_if<Mahalanobis>(&metric)) return projected(*mahalanobis, X, Z);
  return {X, Z, sum_power(metric).value(), 0};
}

std::unique_ptr<const KdTree> make_kd_tree(CoordinateSum space) {
  if (space.power == 1) return std::make_unique<SumTree<Absolute>>(std::move(space));
  if (space.power == 2) return std::make_unique<SumTree<Square>>(std::move(space));
  return std::make_unique<SumTree<Power>>(std::move(space));
}

}  // namespace likewise::neighbors
