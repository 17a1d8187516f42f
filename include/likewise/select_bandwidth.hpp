// The rules that find a bandwidth, the same for every method; each returns a length.
#pragma once

#include <cstdint>

#include <likewise/bandwidth.hpp>
#include <likewise/mechanism_value.hpp>

namespace likewise {

/// What the rules may look at beyond the points.
struct BandwidthOptions {
  Vector<double> log_key_weights = {};  ///< empty: 0
  Index n_neighbors = 7;  ///< "self_tuning": s_i is the distance to this neighbor; "umap": k - 1
  /// "perplexity": below the number of other points; none: 30, or a third of the others where these are fewer than 90.
  std::optional<double> perplexity = {};
  std::uint64_t seed = 0;  ///< of the subsample that "median" and "bgh" look at beyond max_points
  Index max_points = 2000;
};

/// The length of `rule` for these points under this metric, which must have a distance d. Weights w count as
/// copies: a weight of 2 equals the row twice, a weight of 0 a row that is not there; for scott and silverman only
/// their ratios count.
/// - median: of the distances of all pairs of different points of a sample of max_points
/// - scott: s n^(-1/(d+4)), d = n_features, n = (sum w)^2 / sum w^2 the effective number of points, s^2 = mean of
///   squared distances over all ordered pairs / (2 d): of Euclidean points the variance per dimension. O(n d) for
///   metrics that lift, else of the sample
/// - silverman: (4/(d+2))^(1/(d+4)) times scott's
/// - bgh: sqrt(2 eps) at the largest slope of log S(log eps), S = sum_ij exp(-d_ij^2/(4 eps)), of the sample;
///   twice that slope is the intrinsic dimension, `curve` the slopes (Berry, Giannakis, Harlim 2015)
/// - self_tuning: length 1 and row_scale = key_scale = s, the distance to the n_neighbors-th neighbor or to
///   the farthest where there are fewer. A scale of 0 (so many copies) becomes the smallest positive one.
///   A neighbor search (Zelnik-Manor and Perona 2004)
/// - perplexity: length 1 and row_scale = s^2 such that the kernel of d/s over the keys at d > 0 has entropy
///   log(perplexity) in each row; the nearest distance where at most 3 keys count.
///   O(n^2) time, O(n) memory a thread (Hinton and Roweis 2002)
/// - umap: length 1, row_offset = rho, the distance to the nearest other place, and row_scale = s^2 such that
///   exp(-max(0, d - rho) / s) sums to log2(k) over the k - 1 nearest of each row; s is at least a thousandth of their mean
///   distance, and of no use for any other kernel than Laplacian on Neighbors (McInnes, Healy and Melville 2018)
///
/// Points that are all in one place give length 1: any is as good.
template <class T>
SelectedBandwidth select_bandwidth(const std::string& rule, const Metric& metric, const Kernel& kernel,
                                   const Points<T>& Z, const BandwidthOptions& options = {},
                                   const Execution& run = {});
/// The same for any float or double matrix, as below.
template <Unnamed S = void, class D>
SelectedBandwidth select_bandwidth(const std::string& rule, const Metric& metric, const Kernel& kernel,
                                   const Eigen::MatrixBase<D>& Z, const BandwidthOptions& options = {},
                                   const Execution& run = {}) {
  return select_bandwidth<ScalarOf<D>>(rule, metric, kernel, Points<ScalarOf<D>>(Z.derived()), options, run);
}

/// The row scales of new points X under a rule that gives each point its own, from the training keys Z. A key
/// at distance 0 counts as the point itself, so that the training points find their own scales again. Empty
/// under the other rules.
template <class T>
RowScales row_scales_at(const SelectedBandwidth& selected, const Metric& metric, const Kernel& kernel,
                        const Points<T>& X, const Points<T>& Z, const BandwidthOptions& options = {},
                        const Execution& run = {});
template <Unnamed S = void, class D, class E>
RowScales row_scales_at(const SelectedBandwidth& selected, const Metric& metric, const Kernel& kernel,
                        const Eigen::MatrixBase<D>& X, const Eigen::MatrixBase<E>& Z,
                        const BandwidthOptions& options = {}, const Execution& run = {}) {
  using Given = Points<ScalarOf<D, E>>;
  return row_scales_at<ScalarOf<D, E>>(selected, metric, kernel, Given(X.derived()), Given(Z.derived()),
                                       options, run);
}

/// What "loo" minimizes: mean squared error of numeric targets, or log loss of one-hot class columns.
enum class LooLoss { squared_error, log_loss };

/// The bandwidth with the least leave-one-out error of kernel-weighted means of Y (n, n_targets): a log grid
/// from the smallest distance of different points to the diameter in one pass over shared distances, continued below down
/// to where only copies are heard if there are copies, gaps as on a grid, or the least error is at that end, then a golden-section
/// refinement of the best place. `curve` holds the mean losses of the grid. Of the mechanism's support the filters and
/// the selector count (not a given graph), always among the others: of a point with weight w a weight of min(1, w) is
/// left out, so that its copies keep their say and a weight of 2 equals the row twice. A row left empty counts as its
/// nearest key; a row that admits no key as 0. Points that are all in one place give length 1.
///
/// With an Exponential the result is its temperature, in the unit of the cost; for a cost that is no distance
/// it is looked for between a thousandth of the largest spread of costs within a row and that spread.
///
/// O(n^2 (d + n_lengths n_targets)) time; O(n) memory a thread, and n^2 distances where they fit in 256 MiB.
/// Normalizations that look beyond a row build an operator for each length.
template <class T>
SelectedBandwidth loo_bandwidth(const Mechanism& mechanism, const Points<T>& Z, const Values<T>& Y,
                                LooLoss loss, const BandwidthOptions& options = {},
                                const Execution& run = {});
template <Unnamed S = void, class D, class E>
SelectedBandwidth loo_bandwidth(const Mechanism& mechanism, const Eigen::MatrixBase<D>& Z,
                                const Eigen::MatrixBase<E>& Y, LooLoss loss,
                                const BandwidthOptions& options = {}, const Execution& run = {}) {
  using Given = Points<ScalarOf<D, E>>;
  return loo_bandwidth<ScalarOf<D, E>>(mechanism, Given(Z.derived()), Given(Y.derived()), loss, options, run);
}

}  // namespace likewise
