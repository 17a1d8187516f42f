// "Repeat until nothing moves", once for all iterations that end so.
#pragma once

#include <limits>
#include <numeric>
#include <utility>
#include <vector>

#include <likewise/execution.hpp>
#include <likewise/types.hpp>

namespace likewise {

/// What a step did: how far things moved, in the iteration's own measure, and whether they count as standing still.
struct Move {
  double residual = 0;
  bool still = false;
};

/// step() again and again, until it moves nothing or was called max_iter times: n_iter counts the calls.
template <class Step> IterationReport until_still(const char* solver, int max_iter, const Step& step) {
  IterationReport report{
      .residual = std::numeric_limits<double>::infinity(), .converged = false, .solver = solver};
  while (report.n_iter < max_iter && !report.converged) {
    const Move move = step();
    report.residual = move.residual;
    report.converged = move.still;
    ++report.n_iter;
  }
  return report;
}

/// The length of each row's move in a unit; as short as the rounding of where it ends is none.
template <class T> Vector<double> row_moves(const Matrix<T>& from, const Matrix<T>& to, double unit) {
  const Vector<double> moved = (to - from).template cast<double>().rowwise().norm();
  const Vector<double> rounding =
      to.template cast<double>().rowwise().norm() * (8.0 * std::numeric_limits<T>::epsilon());
  return (moved.array() <= rounding.array()).select(0.0, moved.array() / unit);
}

/// Rows that move each by itself, so that a batch ends where its rows end alone: those that moved at most tol stay where they
/// are. step(from, moving) says where those rows go, seen(moving, from, to) is told that they did; a move is taken in units of `unit`.
template <class T, class Step, class Seen>
IterationReport rows_until_still(Matrix<T>& rows, double unit, double tol, int max_iter, const Step& step,
                                 const Seen& seen) {
  std::vector<Index> moving(static_cast<std::size_t>(rows.rows()));
  std::iota(moving.begin(), moving.end(), Index(0));
  return until_still("iterate", max_iter, [&]() -> Move {
    if (moving.empty()) return {0, true};
    const Matrix<T> from = rows(moving, Eigen::all), to = step(from, moving);
    const Vector<double> moved = row_moves<T>(from, to, unit);
    rows(moving, Eigen::all) = to;
    seen(moving, from, to);
    std::vector<Index> still_moving;
    for (std::size_t i = 0; i < moving.size(); ++i)
      if (!(moved(static_cast<Index>(i)) <= tol)) still_moving.push_back(moving[i]);
    moving = std::move(still_moving);
    return {moved.maxCoeff(), moving.empty()};
  });
}

}  // namespace likewise
