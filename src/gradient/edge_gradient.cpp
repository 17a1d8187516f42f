#include "gradient/edge_gradient.hpp"

#include <limits>
#include <span>

namespace likewise {

engine::BackwardSums<double> edge_gradient(const SparseMatrix<double>& P, bool given_weights,
                                           const engine::LogWeights<double>& K,
                                           const engine::BackwardTerms<double>& terms) {
  engine::BackwardSums<double> sums;
  sums.log_key_weights = Vector<double>::Zero(P.cols());
  sums.vjp = given_weights ? nullptr : K.vjp();
  Matrix<double> by_log_weight, log_weights, costs, slopes;  // of one row
  for (Index i = 0; i < P.rows(); ++i) {
    const Index begin = P.outerIndexPtr()[i], n = P.outerIndexPtr()[i + 1] - begin;
    // Without mass it speaks for its nearest key, or is 0.
    if (n == 0 || terms.log_left(i) == -std::numeric_limits<double>::infinity()) continue;
    const std::span<const int> keys(P.innerIndexPtr() + begin, static_cast<std::size_t>(n));
    by_log_weight.resize(1, n);
    for (Index e = 0; e < n; ++e) {
      const Index j = keys[static_cast<std::size_t>(e)];
      by_log_weight(0, e) = P.valuePtr()[begin + e] * terms.by_weight(i, j);
      sums.log_key_weights(j) += by_log_weight(0, e);
    }
    if (given_weights) continue;
    for (Matrix<double>* row : {&log_weights, &costs, &slopes}) row->resize(1, n);
    K.fill_slopes_of(i, keys, log_weights, costs, slopes);
    slopes.array() *= by_log_weight.array();
    const double near = sums.vjp ? sums.vjp->take_near_pairs(i, keys, costs, slopes) : 0;
    sums.scale -= K.scale_slope() * (near + slopes.cwiseProduct(costs).sum());
    if (sums.vjp) sums.vjp->add_pairs(i, keys, slopes);
  }
  return sums;
}

}  // namespace likewise
