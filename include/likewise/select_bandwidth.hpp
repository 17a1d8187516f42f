// The rules that find a bandwidth, the same for every method; each returns a length.
#pragma once

#include <cstdint>

#include <likewise/bandwidth.hpp>
#include <likewise/mechanism.hpp>

namespace likewise {

/// What the rules may look at beyond the points.
struct BandwidthOptions {
  Vector<double> log_key_weights = {};  ///< empty: 0
  Index n_neighbors = 7;                ///< "self_tuning": s_i is the distance to this neighbor
  double perplexity = 30;               ///< "perplexity": at most (n - 1)/3 is used
  std::uint64_t seed = 0;  ///< of the subsample that "median" and "bgh" look at beyond max_points
  Index max_points = 2000;
};

/// The length of `rule` for these points under this metric and kernel. "loo" needs a target: see loo_bandwidth.
/// Points that are all one place give length 1: any is as good.
///
/// median       the weighted median of the positive distances of at most max_points points
/// scott        s n^(-1/(d+4)), s^2 = mean squared distance / (2 d), a standard deviation per dimension;
///              n = (sum w)^2 / sum w^2 is the effective number of points
/// silverman    the same times (4/(d+2))^(1/(d+4))
/// bgh          sqrt(2 eps) at the largest d log S / d log eps, S = sum_ij w_i w_j exp(-d_ij^2/(4 eps)); twice that slope is
///              the intrinsic dimension (Berry, Giannakis and Harlim 2015)
/// self_tuning  s_i, the distance to the n_neighbors-th neighbor (0: the smallest positive one); the kernel sees
///              d^2/(s_i s_j) at length 1 (Zelnik-Manor and Perona 2004)
/// perplexity   s_i at which row i has entropy log(perplexity), for rows only (Hinton and Roweis 2002)
template <class T>
SelectedBandwidth select_bandwidth(const std::string& rule, const Metric& metric, const Kernel& kernel,
                                   const Points<T>& Z, const BandwidthOptions& options = {},
                                   const Execution& run = {});

/// The row scales of new points X under a rule that gives each point its own, from the training keys Z.
template <class T>
Vector<double> row_scales_at(const SelectedBandwidth& selected, const Metric& metric, const Kernel& kernel,
                             const Points<T>& X, const Points<T>& Z, const BandwidthOptions& options = {},
                             const Execution& run = {});

/// What "loo" minimizes: mean squared error of numeric targets, or log loss of one-hot class columns.
enum class LooLoss { squared_error, log_loss };

/// The bandwidth (or temperature, in the unit of the cost) with the least leave-one-out error of kernel-weighted means of
/// Y (n, n_targets): a log grid from the smallest neighbor distance to the diameter, then two finer ones around the best,
/// each in one pass over shared distances. Leaves out every copy of the point; a row left empty counts as its nearest key;
/// with Neighbors(k) the others are the k nearest. O(n^2 (d + n_lengths n_targets)) time, O(n) memory; normalizations
/// that look beyond a row build an operator for each length.
template <class T>
SelectedBandwidth loo_bandwidth(const Mechanism& mechanism, const Points<T>& Z, const Values<T>& Y,
                                LooLoss loss, const BandwidthOptions& options = {},
                                const Execution& run = {});

}  // namespace likewise
