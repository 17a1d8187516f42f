#include "gradient/edge_gradient.hpp"

#include <limits>

namespace likewise {

engine::BackwardSums<double> edge_gradient(const SparseMatrix<double>& P, bool given_weights,
                                           const engine::LogWeights<double>& K,
                                           const engine::BackwardTerms<double>& terms) {
  engine::BackwardSums<double> sums;
  sums.log_key_weights = Vector<double>::Zero(P.cols());
  sums.vjp = given_weights ? nullptr : K.vjp();
  Matrix<double> log_weight(1, 1), cost(1, 1), slope(1, 1);
  for (Index i = 0; i < P.rows(); ++i) {
    if (terms.log_left(i) == -std::numeric_limits<double>::infinity())
      continue;  // speaks for its nearest key, or is 0
    for (SparseMatrix<double>::InnerIterator edge(P, i); edge; ++edge) {
      const Index j = edge.col();
      const double by_log_weight = edge.value() * terms.by_weight(i, j);
      sums.log_key_weights(j) += by_log_weight;
      if (given_weights) continue;
      K.fill_slopes(i, j, log_weight, cost, slope);
      slope *= by_log_weight;
      const double near = sums.vjp ? sums.vjp->take_near(i, j, cost, slope) : 0;
      sums.scale -= K.scale_slope() * (near + slope(0, 0) * cost(0, 0));
      if (!sums.vjp) continue;
      const Vector<double> sum = slope.col(0);
      sums.vjp->add(i, j, 1, slope, sum, sum);
    }
  }
  return sums;
}

}  // namespace likewise
