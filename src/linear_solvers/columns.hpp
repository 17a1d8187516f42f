// Several right sides at once: what solvers say of each.
#pragma once

#include <likewise/types.hpp>

namespace likewise::solvers {

/// One number for each column.
using Columns = Eigen::RowVectorXd;

template <class T> Columns column_norms(const Matrix<T>& x) {
  return x.template cast<double>().colwise().norm();
}

}  // namespace likewise::solvers
