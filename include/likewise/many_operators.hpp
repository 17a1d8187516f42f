// Many operators at once, such as the heads of attention: spread over threads where they are enough for them, else one after
// the other, each with all threads. Results are those of one at a time.
#pragma once

#include <memory>
#include <mutex>
#include <vector>

#include <likewise/gradient.hpp>
#include <likewise/step.hpp>

namespace likewise {

/// Somebody's matrix, one for each operator.
template <class T> using EachMatrix = std::vector<Eigen::Map<const Matrix<T>>>;

/// m.cross_operator(X[i], Z[i]) for all i.
template <class T>
std::vector<CrossOperator<T>> cross_operators(const Mechanism& m, const EachMatrix<T>& X,
                                              const EachMatrix<T>& Z, const OperatorOptions& options = {},
                                              const Execution& run = {});
/// P[i] V[i].
template <class T>
std::vector<Matrix<T>> apply_each(const std::vector<CrossOperator<T>>& P, const EachMatrix<T>& V,
                                  const Execution& run = {});
/// vjp(P[i], grad_Y[i], V[i], Y[i]).
template <class T>
std::vector<OperatorGradient<T>> vjp_each(const std::vector<CrossOperator<T>>& P, const EachMatrix<T>& grad_Y,
                                          const EachMatrix<T>& V, const EachMatrix<T>& Y,
                                          const Execution& run = {});

/// One mechanism on many queries and keys, as steps: few pairs are tiles, whose operators would take longer to make than
/// their products (16 x 16 pairs, forward and backward: 20 times). Else the operators above.
template <class T> class ManySteps {
 public:
  ManySteps(const Mechanism& m, EachMatrix<T> X, EachMatrix<T> Z, const Execution& run = {});

  /// Y[i] = P[i] V[i].
  std::vector<Matrix<T>> apply(const EachMatrix<T>& V, const Execution& run = {}) const;
  /// As vjp_each.
  std::vector<OperatorGradient<T>> vjp(const EachMatrix<T>& grad_Y, const EachMatrix<T>& V,
                                       const EachMatrix<T>& Y, const Execution& run = {}) const;
  /// Whether they are tiles.
  bool tiles() const { return operators_.empty() && !queries_.empty(); }

 private:
  StepInputs<T> inputs(std::size_t i, const EachMatrix<T>& V) const;
  std::vector<Vector<double>> log_sums_with(const EachMatrix<T>& V, const Execution& run) const;
  void require_fitting(const char* name, const EachMatrix<T>& of_each, bool of_keys) const;

  /// What a product leaves for derivatives: log row sums, which depend on no value.
  struct Known {
    std::mutex lock;
    std::vector<Vector<double>> log_sums;
  };

  Mechanism mechanism_;
  EachMatrix<T> queries_, keys_;
  std::vector<CrossOperator<T>> operators_;
  std::shared_ptr<Known> known_ = std::make_shared<Known>();
};

}  // namespace likewise
