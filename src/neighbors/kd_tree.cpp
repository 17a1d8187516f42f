#include "neighbors/kd_tree.hpp"

#include <mutex>
#include <numeric>
#include <optional>
#include <utility>

#include "engine/center.hpp"
#include "engine/cost_source.hpp"
#include "engine/parallel.hpp"

namespace likewise::neighbors {
namespace {

using engine::simd::SumTreeView;
constexpr Index leaf_size = engine::simd::tree_leaf_size;
constexpr Index queries_per_block = 128;

/// Points in which a metric's distance is d = (sum_k |x_k - z_k|^power)^(1/power), a row at a time, so that the
/// caller's points need no copy.
template <class T, class C> class Coordinates {
 public:
  Coordinates(const CoordinateSum& sum, const Points<T>& X, const Points<T>& Z)
      : queries_(X), keys_(Z), factor_(sum.factor) {
    if (!factor_) return;
    center_ = engine::center_of<T>(Z).transpose();
    double largest = 0;
    for (const Points<T>* points : {&X, &Z})
      for (Index i = 0; i < points->rows(); ++i)
        largest = std::max(largest, (points->row(i).template cast<double>() - center_).squaredNorm());
    rounding_ = 16 * std::numeric_limits<double>::epsilon() * static_cast<double>(X.cols() + 4) * largest
                * factor_->squaredNorm();
  }

  Index width() const { return factor_ ? factor_->rows() : keys_.cols(); }
  /// Absolute error of a sum of squares from making the points by a projection.
  double rounding() const { return rounding_; }
  void query(Index i, C* out) const { put(queries_, i, out); }
  void key(Index j, C* out) const { put(keys_, j, out); }

 private:
  void put(const Points<T>& points, Index i, C* out) const {
    Eigen::Map<Eigen::Matrix<C, 1, Eigen::Dynamic>> row(out, width());
    // Near the origin the projection loses the fewest digits.
    if (factor_)
      row = ((points.row(i).template cast<double>() - center_) * factor_->transpose()).template cast<C>();
    else
      row = points.row(i).template cast<C>();
  }

  const Points<T>& queries_;
  const Points<T>& keys_;
  const Matrix<double>* factor_;
  Eigen::RowVectorXd center_;
  double rounding_ = 0;
};

/// The keys in leaves of `leaf_size`, split at medians. A subtree of b leaves takes 2b - 1 nodes one after another, so
/// that subtrees are built at once.
template <class C> class Splits {
 public:
  using Node = typename SumTreeView<C>::Node;

  Splits(Matrix<C> points, const Execution& run) : points_(std::move(points)), width_(points_.cols()) {
    const Index n = points_.rows(), n_leaves = engine::block_count(n, leaf_size);
    order_.resize(static_cast<std::size_t>(n));
    std::iota(order_.begin(), order_.end(), 0);
    nodes_.resize(static_cast<std::size_t>(2 * n_leaves - 1));
    leaves_ = hwy::AllocateAligned<C>(static_cast<std::size_t>(n_leaves * leaf_size * width_));
    keys_.assign(static_cast<std::size_t>(n_leaves * leaf_size), -1);
    low_ = points_.colwise().minCoeff();
    high_ = points_.colwise().maxCoeff();
    std::vector<Part> parts;
    split({0, 0, 0, n, n_leaves}, &parts);
    engine::parallel_blocks(static_cast<Index>(parts.size()), engine::sized(run, static_cast<double>(n) * 32),
                            "building the tree",
                            [&](Index p) { split(parts[static_cast<std::size_t>(p)], nullptr); });
    points_.resize(0, 0);
  }

  SumTreeView<C> view(double power, C slack) const {
    return {nodes_.data(), leaves_.get(), keys_.data(), low_.data(), high_.data(), width_, power, slack};
  }
  /// Keys in the order of the leaves: near ones are near.
  const std::vector<std::int32_t>& order() const { return order_; }

 private:
  struct Part {
    Index node, leaf, begin, end, n_leaves;
  };
  static constexpr Index parallel_part = 64;  // leaves

  /// Splits down to the leaves, or into `parts` that are left to be split.
  void split(const Part& part, std::vector<Part>* parts) {
    if (part.n_leaves == 1) return put_leaf(part);
    if (parts && part.n_leaves <= parallel_part) return parts->push_back(part);
    const Index axis = widest(part), left = (part.n_leaves + 1) / 2, middle = part.begin + left * leaf_size;
    const auto [low, high] = divide(part, axis, middle);
    const Index right = part.node + 2 * left;
    nodes_[static_cast<std::size_t>(part.node)] = {low, high, static_cast<std::int32_t>(axis),
                                                   static_cast<std::int32_t>(right)};
    split({part.node + 1, part.leaf, part.begin, middle, left}, parts);
    split({right, part.leaf + left, middle, part.end, part.n_leaves - left}, parts);
  }

  /// Puts the lowest coordinates first; returns the highest left of the middle and the lowest right of it.
  std::pair<C, C> divide(const Part& part, Index axis, Index middle) {
    std::vector<std::pair<C, std::int32_t>> line(static_cast<std::size_t>(part.end - part.begin));
    for (Index m = part.begin; m < part.end; ++m) {
      const std::int32_t key = order_[static_cast<std::size_t>(m)];
      line[static_cast<std::size_t>(m - part.begin)] = {points_(key, axis), key};
    }
    const auto cut = line.begin() + static_cast<std::ptrdiff_t>(middle - part.begin);
    const auto lower = [](const auto& a, const auto& b) { return a.first < b.first; };
    std::nth_element(line.begin(), cut, line.end(), lower);
    for (Index m = part.begin; m < part.end; ++m)
      order_[static_cast<std::size_t>(m)] = line[static_cast<std::size_t>(m - part.begin)].second;
    return {std::max_element(line.begin(), cut, lower)->first, cut->first};
  }

  /// The coordinate that spreads most, judged by some of the points.
  Index widest(const Part& part) const {
    const Index step = std::max<Index>(1, (part.end - part.begin) / 64);
    Eigen::Array<C, 1, Eigen::Dynamic> low = points_.row(order_[static_cast<std::size_t>(part.begin)]),
                                       high = low;
    for (Index m = part.begin; m < part.end; m += step) {
      const auto row = points_.row(order_[static_cast<std::size_t>(m)]).array();
      low = low.min(row);
      high = high.max(row);
    }
    Index axis = 0;
    (high - low).maxCoeff(&axis);
    return axis;
  }

  void put_leaf(const Part& part) {
    C* leaf = leaves_.get() + part.leaf * leaf_size * width_;
    for (Index m = 0; m < leaf_size; ++m) {
      const bool padded = part.begin + m >= part.end;
      const std::int32_t key = order_[static_cast<std::size_t>(padded ? part.begin : part.begin + m)];
      if (!padded) keys_[static_cast<std::size_t>(part.leaf * leaf_size + m)] = key;
      for (Index k = 0; k < width_; ++k) leaf[k * leaf_size + m] = points_(key, k);
    }
    nodes_[static_cast<std::size_t>(part.node)] = {0, 0, -1, static_cast<std::int32_t>(part.leaf)};
  }

  Matrix<C> points_;
  Index width_;
  std::vector<std::int32_t> order_, keys_;
  std::vector<Node> nodes_;
  hwy::AlignedFreeUniquePtr<C[]> leaves_;
  Eigen::Matrix<C, 1, Eigen::Dynamic> low_, high_;
};

template <class T, class C> class SumTree final : public TreeFilter {
 public:
  SumTree(const Metric& metric, const Points<T>& X, const Points<T>& Z, const Request& request,
          const Execution& run)
      : request_(request),
        coordinates_(coordinate_sum(metric).value(), X, Z),
        splits_(keys_of(coordinates_, Z.rows(), run), run) {
    const double epsilon = static_cast<double>(std::numeric_limits<C>::epsilon()),
                 power = coordinate_sum(metric)->power;
    const MetricTraits laws = traits(metric);
    const int from = engine::unit_power(laws, engine::CostUnit::reported);
    unit_.of_reported = [=](double reported) {
      const double distance = engine::convert_power(reported, from, 1);
      return std::isinf(power) ? distance : std::pow(distance, power);
    };
    unit_.relative = epsilon * (static_cast<double>(coordinates_.width()) + 8);
    unit_.absolute =
        coordinates_.rounding()
        + static_cast<double>(std::numeric_limits<C>::min()) * static_cast<double>(coordinates_.width());
    // Where the tree bounds a branch each of its levels rounds too.
    tree_ =
        splits_.view(power, static_cast<C>(4 * epsilon * (static_cast<double>(coordinates_.width()) + 64)));
  }

  Index width() const override { return coordinates_.width(); }

  TreeCost probe(Index k, double radius) const override {
    constexpr Index most = 48;
    const Index n = static_cast<Index>(splits_.order().size()), count = std::min(n, most);
    Matrix<C> points(count, width());
    std::vector<Index> ids(static_cast<std::size_t>(count));
    for (Index a = 0; a < count; ++a) coordinates_.key(a * n / count, points.row(a).data());
    engine::simd::TreeVisits visits;
    if (k) {
      const RowLists<C> lists(count, count, k);
      visits = engine::simd::search_nearest<C>(tree_, points.data(), ids.data(), count, {}, lists.view());
    } else {
      const std::vector<C> limits(static_cast<std::size_t>(count), unit_.template limit_of<C>(radius));
      const engine::simd::PairSink nobody{nullptr, [](void*, std::ptrdiff_t, std::ptrdiff_t) {}};
      visits = engine::simd::search_below<C>(tree_, points.data(), count, limits.data(), nobody);
    }
    return {static_cast<double>(visits.nodes) / static_cast<double>(count),
            static_cast<double>(visits.leaves) / static_cast<double>(count)};
  }

  std::vector<RowLimit> nearest(Index k, const Store& store, const Execution& run) const override {
    std::vector<RowLimit> rest;
    std::mutex lock;
    const Index n = request_.pairs.n_queries();
    engine::parallel_blocks(engine::block_count(n, queries_per_block), run, "finding neighbors",
                            [&](Index b) {
                              const auto [first, count] = engine::block_of(b, n, queries_per_block);
                              std::vector<Index> ids(static_cast<std::size_t>(count));
                              for (Index a = 0; a < count; ++a)
                                ids[static_cast<std::size_t>(a)] = query_at(first + a);
                              const Matrix<C> points = points_of(ids);
                              const RowLists<C> lists(count, count, k);
                              engine::simd::search_nearest<C>(tree_, points.data(), ids.data(), count,
                                                              request_.rule, lists.view());
                              Ranking ranking(request_.pairs, unit_, k);
                              std::vector<RowLimit> unresolved;
                              for (Index a = 0; a < count; ++a) {
                                ranking.start();
                                ranking.add<C>(lists.view(), a);
                                const Index query = ids[static_cast<std::size_t>(a)];
                                if (ranking.finish(query))
                                  store(query, ranking.row());
                                else
                                  unresolved.push_back({query, ranking.limit()});
                              }
                              if (unresolved.empty()) return;
                              const std::lock_guard guard(lock);
                              rest.insert(rest.end(), unresolved.begin(), unresolved.end());
                            });
    return rest;
  }

  void within(const std::vector<RowLimit>& rows, Index k, const Store& store,
              const Execution& run) const override {
    const Index n = static_cast<Index>(rows.size());
    engine::parallel_blocks(
        engine::block_count(n, queries_per_block), run, "finding neighbors", [&](Index b) {
          const auto [first, count] = engine::block_of(b, n, queries_per_block);
          const RowLimit* limits = rows.data() + first;
          std::vector<Index> ids;
          std::vector<C> highest;
          for (Index a = 0; a < count; ++a) {
            ids.push_back(limits[a].query);
            highest.push_back(unit_.template limit_of<C>(limits[a].distance));
          }
          const Matrix<C> points = points_of(ids);
          Collection collection(request_, limits, count, k);
          const auto sink = collection.sink();
          engine::simd::search_below<C>(tree_, points.data(), count, highest.data(), sink);
          collection.finish(store);
        });
  }

 private:
  static Matrix<C> keys_of(const Coordinates<T, C>& coordinates, Index n, const Execution& run) {
    Matrix<C> keys(n, coordinates.width());
    constexpr Index rows_per_block = 4096;
    engine::parallel_blocks(engine::block_count(n, rows_per_block), run, "building the tree", [&](Index b) {
      const auto [first, count] = engine::block_of(b, n, rows_per_block);
      for (Index j = first; j < first + count; ++j) coordinates.key(j, keys.row(j).data());
    });
    return keys;
  }

  /// Queries that are the keys come in the order of the leaves: what one has met is at hand for the next.
  Index query_at(Index turn) const {
    return request_.self ? splits_.order()[static_cast<std::size_t>(turn)] : turn;
  }
  Matrix<C> points_of(const std::vector<Index>& ids) const {
    Matrix<C> points(static_cast<Index>(ids.size()), width());
    for (std::size_t a = 0; a < ids.size(); ++a)
      coordinates_.query(ids[a], points.row(static_cast<Index>(a)).data());
    return points;
  }

  const Request& request_;
  Coordinates<T, C> coordinates_;
  Splits<C> splits_;
  SumTreeView<C> tree_{};
  FilterUnit unit_;
};

/// Squares of differences stay finite in float32.
bool small_enough(const Points<float>& points) {
  return points.maxCoeff() < 1e15F && points.minCoeff() > -1e15F;
}

}  // namespace

bool grows_trees(const Metric& metric) {
  const std::optional<CoordinateSum> sum = coordinate_sum(metric);
  return sum && sum->power >= 1 && (!sum->factor || sum->power == 2);
}

template <class T>
std::unique_ptr<const TreeFilter> make_kd_tree(const Metric& metric, const Points<T>& X, const Points<T>& Z,
                                               const Request& request, const Execution& run) {
  if constexpr (std::is_same_v<T, float>)
    if (const CoordinateSum sum = coordinate_sum(metric).value();
        (sum.power <= 2 || std::isinf(sum.power)) && !sum.factor && small_enough(X) && small_enough(Z))
      return std::make_unique<const SumTree<float, float>>(metric, X, Z, request, run);
  return std::make_unique<const SumTree<T, double>>(metric, X, Z, request, run);
}

template std::unique_ptr<const TreeFilter> make_kd_tree(const Metric&, const Points<float>&,
                                                        const Points<float>&, const Request&,
                                                        const Execution&);
template std::unique_ptr<const TreeFilter> make_kd_tree(const Metric&, const Points<double>&,
                                                        const Points<double>&, const Request&,
                                                        const Execution&);

}  // namespace likewise::neighbors
