#include "scores.hpp"

namespace likewise {

template <class T> std::vector<Index> largest_columns(const Matrix<T>& values) {
  std::vector<Index> largest(static_cast<std::size_t>(values.rows()));
  for (Index i = 0; i < values.rows(); ++i) values.row(i).maxCoeff(&largest[static_cast<std::size_t>(i)]);
  return largest;
}

template <class T>
double accuracy(const std::vector<Index>& labels, const Matrix<T>& values, const Vector<double>& weights) {
  const std::vector<Index> found = largest_columns(values);
  double right = 0;
  for (std::size_t i = 0; i < found.size(); ++i)
    if (found[i] == labels[i]) right += weights(static_cast<Index>(i));
  return right / weights.sum();
}

template <class T>
double r_squared(const Matrix<T>& targets, const Matrix<T>& predicted, const Vector<double>& weights) {
  double sum = 0;
  for (Index c = 0; c < targets.cols(); ++c) {
    const Vector<double> y = targets.col(c).template cast<double>();
    const Vector<double> error = predicted.col(c).template cast<double>() - y;
    const double mean = weights.dot(y) / weights.sum();
    const double varies = weights.dot((y.array() - mean).square().matrix());
    const double misses = weights.dot(error.cwiseAbs2());
    sum += varies > 0 ? 1 - misses / varies : (misses == 0 ? 1.0 : 0.0);
  }
  return sum / static_cast<double>(targets.cols());
}

#define LIKEWISE_INSTANTIATE(T)                                                                 \
  template std::vector<Index> largest_columns(const Matrix<T>&);                                \
  template double accuracy(const std::vector<Index>&, const Matrix<T>&, const Vector<double>&); \
  template double r_squared(const Matrix<T>&, const Matrix<T>&, const Vector<double>&);
LIKEWISE_INSTANTIATE(float)
LIKEWISE_INSTANTIATE(double)
#undef LIKEWISE_INSTANTIATE

}  // namespace likewise
