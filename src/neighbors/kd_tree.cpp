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

/// Points in which a metric's distance is d = (sum_k |x_k - z_k|^power)^(1/power), a row at a time, so that points need no
/// copy.
template <class T, class C> class Coordinates {
 public:
  explicit Coordinates(const engine::PreparedPoints<T>& keys)
      : keys_(keys), factor_(coordinate_sum(keys.metric()).value().factor) {
    if (factor_) center_ = engine::center_of<T>(keys.points()).transpose();
  }

  Index width() const { return factor_ ? factor_->rows() : keys_.points().cols(); }
  void key(Index j, C* out) const { put(keys_.points(), j, out); }
  void put(const Points<T>& points, Index i, C* out) const {
    Eigen::Map<Eigen::Matrix<C, 1, Eigen::Dynamic>> row(out, width());
    // Near the origin the projection loses the fewest digits.
    if (factor_)
      row = ((points.row(i).template cast<double>() - center_) * factor_->transpose()).template cast<C>();
    else
      row = points.row(i).template cast<C>();
  }

  /// The largest square of a point's length before it is projected; 0 where it is not.
  double largest_square(const Points<T>& points) const {
    double largest = 0;
    for (Index i = 0; factor_ && i < points.rows(); ++i)
      largest = std::max(largest, (points.row(i).template cast<double>() - center_).squaredNorm());
    return largest;
  }
  /// Absolute error of a sum of squares from making points of such squares by a projection.
  double rounding(double largest) const {
    return factor_ ? 16 * std::numeric_limits<double>::epsilon()
                         * static_cast<double>(keys_.points().cols() + 4) * largest * factor_->squaredNorm()
                   : 0;
  }

 private:
  const engine::PreparedPoints<T>& keys_;
  const Matrix<double>* factor_;
  Eigen::RowVectorXd center_;
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
  std::size_t bytes() const {
    return keys_.size() * (sizeof(std::int32_t) + static_cast<std::size_t>(width_) * sizeof(C))
           + order_.size() * sizeof(std::int32_t) + nodes_.size() * sizeof(Node);
  }

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

/// The tree's side that knows no query.
template <class T, class C> class SumTree final : public KeyTree<T> {
 public:
  SumTree(const engine::PreparedPoints<T>& keys, const Execution& run)
      : metric(keys.metric()),
        coordinates(keys),
        largest_square(coordinates.largest_square(keys.points())),
        splits(keys_of(coordinates, keys.points().rows(), run), run) {
    // Where the tree bounds a branch each of its levels rounds too.
    view = splits.view(coordinate_sum(metric)->power,
                       static_cast<C>(4 * static_cast<double>(std::numeric_limits<C>::epsilon())
                                      * (static_cast<double>(coordinates.width()) + 64)));
  }
  std::unique_ptr<const TreeSearch> asked_by(const Points<T>& X, const SearchTerms& terms) const override;
  std::size_t bytes() const override { return splits.bytes(); }

  const Metric& metric;
  Coordinates<T, C> coordinates;
  double largest_square;
  Splits<C> splits;
  SumTreeView<C> view{};

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
};

template <class T, class C> class SumTreeSearch final : public TreeSearch {
 public:
  SumTreeSearch(const SumTree<T, C>& tree, const Points<T>& X, const SearchTerms& terms)
      : terms_(terms), queries_(X), coordinates_(tree.coordinates), splits_(tree.splits), tree_(tree.view) {
    const double epsilon = static_cast<double>(std::numeric_limits<C>::epsilon()),
                 power = coordinate_sum(tree.metric)->power;
    const MetricTraits laws = traits(tree.metric);
    const int from = engine::unit_power(laws, engine::CostUnit::reported);
    unit_.of_reported = [=](double reported) {
      const double distance = engine::convert_power(reported, from, 1);
      return std::isinf(power) ? distance : std::pow(distance, power);
    };
    unit_.relative = epsilon * (static_cast<double>(coordinates_.width()) + 8);
    unit_.absolute =
        coordinates_.rounding(std::max(tree.largest_square, coordinates_.largest_square(X)))
        + static_cast<double>(std::numeric_limits<C>::min()) * static_cast<double>(coordinates_.width());
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
    const Index n = terms_.pairs.n_queries();
    engine::parallel_blocks(
        engine::block_count(n, queries_per_block), run, "finding neighbors", [&](Index b) {
          const auto [first, count] = engine::block_of(b, n, queries_per_block);
          std::vector<Index> ids(static_cast<std::size_t>(count));
          for (Index a = 0; a < count; ++a) ids[static_cast<std::size_t>(a)] = query_at(first + a);
          const Matrix<C> points = points_of(ids);
          const RowLists<C> lists(count, count, k);
          engine::simd::search_nearest<C>(tree_, points.data(), ids.data(), count, terms_.rule, lists.view());
          Ranking ranking(terms_.pairs, unit_, k);
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
          Collection collection(terms_, limits, count, k);
          const auto sink = collection.sink();
          engine::simd::search_below<C>(tree_, points.data(), count, highest.data(), sink);
          collection.finish(store);
        });
  }

 private:
  /// Queries that are the keys come in the order of the leaves: what one has met is at hand for the next.
  Index query_at(Index turn) const {
    return terms_.self ? splits_.order()[static_cast<std::size_t>(turn)] : turn;
  }
  Matrix<C> points_of(const std::vector<Index>& ids) const {
    Matrix<C> points(static_cast<Index>(ids.size()), width());
    for (std::size_t a = 0; a < ids.size(); ++a)
      coordinates_.put(queries_, ids[a], points.row(static_cast<Index>(a)).data());
    return points;
  }

  const SearchTerms& terms_;
  const Points<T>& queries_;
  const Coordinates<T, C>& coordinates_;
  const Splits<C>& splits_;
  SumTreeView<C> tree_;
  BoundUnit unit_;
};

template <class T, class C>
std::unique_ptr<const TreeSearch> SumTree<T, C>::asked_by(const Points<T>& X,
                                                          const SearchTerms& terms) const {
  return std::make_unique<const SumTreeSearch<T, C>>(*this, X, terms);
}

}  // namespace

bool grows_trees(const Metric& metric) {
  const std::optional<CoordinateSum> sum = coordinate_sum(metric);
  return sum && sum->power >= 1 && (!sum->factor || sum->power == 2);
}

template <class T> bool fits_single_tree(const engine::PreparedPoints<T>& keys, const Points<T>& X) {
  if (std::is_same_v<T, double>) return false;
  constexpr double most = 1e15;  // squares of differences stay finite in float32
  const CoordinateSum sum = coordinate_sum(keys.metric()).value();
  return (sum.power <= 2 || std::isinf(sum.power)) && !sum.factor && keys.largest_coordinate() < most
         && static_cast<double>(X.cwiseAbs().maxCoeff()) < most;
}

template <class T>
std::shared_ptr<const KeyTree<T>> grow_tree(const engine::PreparedPoints<T>& keys, bool single,
                                            const Execution& run) {
  if constexpr (std::is_same_v<T, float>)
    if (single) return std::make_shared<const SumTree<float, float>>(keys, run);
  return std::make_shared<const SumTree<T, double>>(keys, run);
}

#define LIKEWISE_INSTANTIATE(T)                                                                \
  template bool fits_single_tree(const engine::PreparedPoints<T>&, const Points<T>&);          \
  template std::shared_ptr<const KeyTree<T>> grow_tree(const engine::PreparedPoints<T>&, bool, \
                                                       const Execution&);
LIKEWISE_INSTANTIATE(float)
LIKEWISE_INSTANTIATE(double)
#undef LIKEWISE_INSTANTIATE

}  // namespace likewise::neighbors
