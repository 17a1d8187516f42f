#include "training_data.hpp"

#include <algorithm>
#include <string>

#include <likewise/operator.hpp>

#include "checks.hpp"
#include "select_bandwidth/among.hpp"

namespace likewise {

template <class T, class S> void check_training_data(const Points<T>& X, const Points<S>& Y) {
  check_points<T>("X", X);
  check_points<S>("y", Y);
  require(Y.rows() == X.rows(), "y", "of length " + std::to_string(X.rows()) + " (a row for each point of X)",
          "length " + std::to_string(Y.rows()));
}

Vector<double> log_sample_weights(const Vector<double>& sample_weight, Index n) {
  if (sample_weight.size() == 0) return Vector<double>::Zero(n);
  require(sample_weight.size() == n, "sample_weight",
          "of length " + std::to_string(n) + " (one for each point)",
          "length " + std::to_string(sample_weight.size()));
  require(sample_weight.allFinite() && sample_weight.minCoeff() >= 0, "sample_weight",
          "finite and not negative", "a negative, infinite or NaN weight");
  require(sample_weight.maxCoeff() > 0, "sample_weight", "positive for at least one point", "zeros only");
  return sample_weight.array().log();
}

void check_labels(const std::vector<Index>& labels, Index n, Index n_classes) {
  require(static_cast<Index>(labels.size()) == n, "labels",
          "of length " + std::to_string(n) + " (one for each point)", labels.size());
  for (const Index label : labels)
    require(0 <= label && label < n_classes, "labels", "classes in [0, " + std::to_string(n_classes) + ")",
            label);
}

template <class T> Matrix<T> one_hot(const std::vector<Index>& labels, Index n_classes) {
  check_labels(labels, static_cast<Index>(labels.size()), n_classes);
  Matrix<T> columns = Matrix<T>::Zero(static_cast<Index>(labels.size()), n_classes);
  for (Index i = 0; i < columns.rows(); ++i) columns(i, labels[static_cast<std::size_t>(i)]) = 1;
  return columns;
}

Support left_out(const Support& support, Index n_points) {
  if (const Neighbors* neighbors = support.neighbors())
    return without_selector(support) & LeaveOneOut{}
           & Neighbors{std::min(neighbors->n_neighbors, n_points - 1), "none", false};
  return support & LeaveOneOut{};
}

Kernel filled_kernel(const Kernel& kernel, const Bandwidth& bandwidth, const Support& support) {
  if (bandwidth.is_open()) return kernel;
  if (const auto* indicator = std::get_if<Indicator>(&kernel); indicator && indicator->bandwidth.is_open())
    return bandwidth.is_number() || support.is_all_pairs() ? Indicator{bandwidth} : *indicator;
  const Bandwidth* own = bandwidth_of(kernel);
  if (own == nullptr) return kernel;
  require(!own->is_number() || !bandwidth.is_number() || *own == bandwidth, "bandwidth",
          "given once, or the same number in " + repr(kernel), bandwidth);
  return own->is_open() ? with_bandwidth(kernel, bandwidth) : kernel;
}

template <class T>
ResolvedMechanism resolve_bandwidth(const Mechanism& mechanism, const Points<T>& Z,
                                    const Vector<double>& log_weights, const Execution& run) {
  const Index width = widths(mechanism.metric).keys;
  require_width("X", Z.cols(), width == Widths::any ? Z.cols() : width, mechanism.metric);
  const SelectedBandwidth found = bandwidth_among<T>(mechanism, Z, log_weights, run);
  Mechanism resolved = mechanism;
  if (found.row_scale.size() == 0 && found.key_scale.size() == 0)
    resolved.kernel = with_bandwidth(mechanism.kernel, Bandwidth(found.length));
  return {resolved, found};
}

#define LIKEWISE_INSTANTIATE(T)                                                                           \
  template void check_training_data(const Points<T>&, const Points<T>&);                                  \
  template Matrix<T> one_hot(const std::vector<Index>&, Index);                                           \
  template ResolvedMechanism resolve_bandwidth(const Mechanism&, const Points<T>&, const Vector<double>&, \
                                               const Execution&);
LIKEWISE_INSTANTIATE(float)
LIKEWISE_INSTANTIATE(double)
template void check_training_data(const Points<float>&, const Points<double>&);
#undef LIKEWISE_INSTANTIATE

}  // namespace likewise
