#include "spectrum/walk_vectors.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include <Eigen/QR>

namespace likewise::spectrum {
namespace {

using Rows = std::vector<std::vector<Index>>;
constexpr int most_sweeps = 30;
constexpr std::size_t most_solved = 1024;  // rows of one system
// Lost points that leak less than this to the others have eigenvalues of their own beside w: 0 there is as right as any number.
constexpr double undetermined = 1e-11;

bool any(const Rows& rows) {
  return std::any_of(rows.begin(), rows.end(), [](const auto& column) { return !column.empty(); });
}

/// v_i = (P v)_i / w for those rows, until they rest. Returns those that do not: what differs from the middle sweep's, since rows
/// that hang on one another move by turns.
template <class T>
Rows sweep(const LinearMap<T>& P, const Vector<double>& values, const Rows& rows, Matrix<T>& V,
           const Execution& run) {
  const double rest = 64 * static_cast<double>(std::numeric_limits<T>::epsilon());
  const auto differs = [&](T a, T b, Index column) {
    const double size = static_cast<double>(V.col(column).cwiseAbs().maxCoeff());
    return !(std::abs(static_cast<double>(a) - static_cast<double>(b)) <= rest * size);
  };
  Matrix<T> before = V, middle = V;
  for (int step = 0; step < most_sweeps; ++step) {
    if (step == most_sweeps / 2) middle = V;
    const Matrix<T> PV = P.apply(V, run);
    before = V;
    bool moves = false;
    for (std::size_t c = 0; c < rows.size(); ++c)
      for (const Index i : rows[c]) {
        const auto column = static_cast<Index>(c);
        V(i, column) = static_cast<T>(static_cast<double>(PV(i, column)) / values(column));
        moves = moves || differs(V(i, column), before(i, column), column);
      }
    if (!moves) return Rows(rows.size());
  }
  Rows moving(rows.size());
  for (std::size_t c = 0; c < rows.size(); ++c)
    for (const Index i : rows[c])
      if (differs(V(i, static_cast<Index>(c)), middle(i, static_cast<Index>(c)), static_cast<Index>(c)))
        moving[c].push_back(i);
  return moving;
}

/// (w I - P_LL) v_L = P_L v, v_L = 0 on the right, of the rows L of each column at once.
template <class T>
void solve(const LinearMap<T>& P, const Vector<double>& values, const Rows& rows, Matrix<T>& V,
           const Execution& run) {
  std::vector<Index> all;
  for (const auto& column : rows) all.insert(all.end(), column.begin(), column.end());
  std::sort(all.begin(), all.end());
  all.erase(std::unique(all.begin(), all.end()), all.end());
  if (all.size() > most_solved) return;
  Matrix<T> units = Matrix<T>::Zero(V.rows(), static_cast<Index>(all.size()));
  for (std::size_t a = 0; a < all.size(); ++a) units(all[a], static_cast<Index>(a)) = T(1);
  const Matrix<T> images = P.apply(units, run);
  Matrix<double> among(units.cols(), units.cols());
  for (std::size_t a = 0; a < all.size(); ++a)
    among.row(static_cast<Index>(a)) = images.row(all[a]).template cast<double>();
  const Matrix<double> right = P.apply(V, run).template cast<double>();
  for (std::size_t c = 0; c < rows.size(); ++c) {
    if (rows[c].empty()) continue;
    std::vector<Index> at;  // the places of these rows among all
    for (const Index i : rows[c]) at.push_back(std::lower_bound(all.begin(), all.end(), i) - all.begin());
    const auto column = static_cast<Index>(c), size = static_cast<Index>(at.size());
    Eigen::CompleteOrthogonalDecomposition<Eigen::MatrixXd> system;
    system.setThreshold(undetermined);
    system.compute(values(column) * Eigen::MatrixXd::Identity(size, size) - Eigen::MatrixXd(among(at, at)));
    const Eigen::VectorXd others = right(rows[c], column), found = system.solve(others);
    for (Index a = 0; a < size; ++a)
      V(rows[c][static_cast<std::size_t>(a)], column) = static_cast<T>(found(a));
  }
}

}  // namespace

template <class T>
void complete_by_walk(const LinearMap<T>& P, const Vector<double>& values, const Rows& lost, Matrix<T>& V,
                      const Execution& run) {
  Rows rows = lost;
  for (std::size_t c = 0; c < rows.size(); ++c) {
    if (std::abs(values(static_cast<Index>(c))) < least_eigenvalue) rows[c].clear();
    for (const Index i : rows[c]) V(i, static_cast<Index>(c)) = T(0);
  }
  if (!any(rows)) return;
  const Rows moving = sweep(P, values, rows, V, run);
  if (!any(moving)) return;
  for (std::size_t c = 0; c < moving.size(); ++c)
    for (const Index i : moving[c]) V(i, static_cast<Index>(c)) = T(0);
  solve(P, values, moving, V, run);
  Rows others(rows.size());  // what hangs on the rows that have been solved for
  for (std::size_t c = 0; c < rows.size(); ++c)
    for (const Index i : rows[c])
      if (std::find(moving[c].begin(), moving[c].end(), i) == moving[c].end()) others[c].push_back(i);
  sweep(P, values, others, V, run);
}

template void complete_by_walk(const LinearMap<float>&, const Vector<double>&, const Rows&, Matrix<float>&,
                               const Execution&);
template void complete_by_walk(const LinearMap<double>&, const Vector<double>&, const Rows&, Matrix<double>&,
                               const Execution&);

}  // namespace likewise::spectrum
