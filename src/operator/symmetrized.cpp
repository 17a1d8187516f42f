#include "operator/symmetrized.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include <likewise/error.hpp>

#include "operator/csr.hpp"

namespace likewise {
namespace {

using Edge = SparseMatrix<double>::InnerIterator;
constexpr double minus_infinity = -std::numeric_limits<double>::infinity();
const double log_half = -std::log(2.0);

/// log of what an edge becomes whose two sides have weights exp(a) and exp(b).
using Joined = double (*)(double a, double b);

double larger(double a, double b) { return std::max(a, b); }
double smaller(double a, double b) { return std::min(a, b); }
double mean(double a, double b) {
  const double top = std::max(a, b);
  return top == minus_infinity ? top : top + std::log1p(std::exp(std::min(a, b) - top)) + log_half;
}
/// exp(a) + exp(b) - exp(a + b), without the digits that the difference would lose.
double either(double a, double b) {
  const double top = std::max(a, b), low = std::min(a, b);
  return low == minus_infinity ? top : top + std::log1p(std::exp(low - top) - std::exp(low));
}

Joined joined_by(const std::string& how) {
  return how == "average" ? mean : how == "union" ? larger : how == "fuzzy_union" ? either : smaller;
}

void require_memberships(const SparseMatrix<double>& A) {
  const Eigen::Map<const Vector<double>> logs(A.valuePtr(), A.nonZeros());
  const double most = logs.size() ? logs.maxCoeff() : 0;
  require(most <= 0, "kernel", "of weights that are at most 1 with symmetrize='fuzzy_union'",
          "a weight of " + std::to_string(std::exp(most)));
}

}  // namespace

SparseMatrix<double> symmetrized(const SparseMatrix<double>& A, const std::string& how,
                                 const Execution& run) {
  if (how == "fuzzy_union") require_memberships(A);
  const SparseMatrix<double> B = csr::transposed(A, run);
  const Joined join = joined_by(how);
  const double operations = 20.0 * static_cast<double>(A.nonZeros());
  return csr::written<double>(A.rows(), A.cols(), operations, run, [&](Index i, auto& row) {
    const auto one_sided = [&](Index j, double v) {
      if (how != "mutual") row.put(j, join(v, minus_infinity));
    };
    Edge a(A, i), b(B, i);
    while (a || b) {  // merge two rows sorted by column
      if (!b || (a && a.col() < b.col())) {
        one_sided(a.col(), a.value());
        ++a;
      } else if (!a || b.col() < a.col()) {
        one_sided(b.col(), b.value());
        ++b;
      } else {
        row.put(a.col(), join(a.value(), b.value()));
        ++a;
        ++b;
      }
    }
  });
}

}  // namespace likewise
