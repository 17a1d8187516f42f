#include "spectrum/blocks.hpp"

#include <memory>
#include <numeric>
#include <utility>

#include "engine/parallel.hpp"
#include "operator/state.hpp"
#include "operator/symmetric_form.hpp"
#include "spectrum/label_components.hpp"

namespace likewise::spectrum {

namespace {

using Sparse = SparseMatrix<double>;

// A streamed operator of up to this many bytes is stored, within a quarter of the memory that is allowed.
constexpr double store_up_to = 512e6;

/// The call's limits without its progress: many products make one piece of work.
Execution quiet(Execution run) {
  run.progress = {};
  return run;
}

// --- products ------------------------------------------------------------------------------------

Columns multiply(const Sparse& A, const Columns& X, const Execution& run) {
  constexpr Index rows_at_a_time = 4096;
  Columns Y = Columns::Zero(A.rows(), X.cols());
  engine::parallel_blocks(engine::block_count(A.rows(), rows_at_a_time), run, "eigenpairs", [&](Index b) {
    const engine::Block rows = engine::block_of(b, A.rows(), rows_at_a_time);
    for (Index c = 0; c < X.cols(); ++c)
      for (Index i = rows.begin; i < rows.begin + rows.size; ++i)
        for (Sparse::InnerIterator entry(A, i); entry; ++entry) Y(i, c) += entry.value() * X(entry.col(), c);
  });
  return Y;
}

SymmetricBlock sparse_block(Sparse matrix, const Execution& run) {
  const auto A = std::make_shared<const Sparse>(std::move(matrix));
  return {.size = A->rows(),
          .product = [A, run](const Columns& X) { return multiply(*A, X, run); },
          .dense = [A] { return Columns(*A); }};
}

SymmetricBlock dense_block(Columns matrix) {
  const auto A = std::make_shared<const Columns>(std::move(matrix));
  return {.size = A->rows(),
          .product = [A](const Columns& X) -> Columns { return *A * X; },
          .dense = [A] { return *A; }};
}

template <class T>
SymmetricBlock whole_block(std::shared_ptr<const LinearMapStorage<T>> S, const Execution& run) {
  const bool exact = dense_matrix_of(*S) != nullptr;
  const auto product = [S, run](const Columns& X) -> Columns {
    return S->apply(Matrix<T>(X.template cast<T>()), run).template cast<double>();
  };
  const auto dense = [S, product]() -> Columns {
    if (const Matrix<T>* stored = dense_matrix_of(*S)) return stored->template cast<double>();
    return product(Columns::Identity(S->rows(), S->rows()));
  };
  return {
      .size = S->rows(),
      .product = product,
      .dense = dense,
      .noise = (exact && sizeof(T) == 8 ? 4 : 32) * static_cast<double>(std::numeric_limits<T>::epsilon())};
}

// --- splitting -----------------------------------------------------------------------------------

std::vector<std::vector<int>> points_by_component(const std::vector<Index>& labels) {
  std::vector<std::vector<int>> points;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const auto label = static_cast<std::size_t>(labels[i]);
    if (label == points.size()) points.emplace_back();
    points[label].push_back(static_cast<int>(i));
  }
  return points;
}

/// Rows and columns `points` of A, whole components. `position` is scratch: a point's place in its component.
Sparse submatrix(const Sparse& A, const std::vector<int>& points, std::vector<int>& position) {
  for (std::size_t at = 0; at < points.size(); ++at)
    position[static_cast<std::size_t>(points[at])] = static_cast<int>(at);
  std::vector<Eigen::Triplet<double>> entries;
  for (std::size_t row = 0; row < points.size(); ++row)
    for (Sparse::InnerIterator entry(A, points[row]); entry; ++entry)
      if (entry.value() != 0)
        entries.emplace_back(static_cast<int>(row), position[static_cast<std::size_t>(entry.col())],
                             entry.value());
  const auto size = static_cast<Index>(points.size());
  Sparse part(size, size);
  part.setFromTriplets(entries.begin(), entries.end());
  return part;
}

/// What multiplies each part of a matrix that falls apart.
template <class PartOf>
std::vector<Component> split(const std::vector<Index>& labels, const PartOf& part_of) {
  std::vector<Component> components;
  for (std::vector<int>& points : points_by_component(labels)) {
    SymmetricBlock block = part_of(points);
    components.push_back({std::move(points), std::move(block)});
  }
  return components;
}

std::vector<Component> split_sparse(const Sparse& A, const Execution& run) {
  std::vector<int> position(static_cast<std::size_t>(A.rows()));
  return split(connected_components(A), [&](const std::vector<int>& points) {
    return sparse_block(submatrix(A, points, position), run);
  });
}

std::vector<int> all_points(Index n) {
  std::vector<int> points(static_cast<std::size_t>(n));
  std::iota(points.begin(), points.end(), 0);
  return points;
}

/// Components of the graph of those entries that change an eigenvalue at double precision: clusters far apart
/// have 1e-300 between them. O(n^2).
template <class T> std::vector<Index> components_of_dense(const Matrix<T>& A) {
  const T negligible = static_cast<T>(1e-32) * A.maxCoeff();
  return label_components(A.rows(), [&](Index i, const std::vector<Index>& labels, const auto& reach) {
    for (Index j = 0; j < A.rows(); ++j)
      if (labels[static_cast<std::size_t>(j)] < 0 && A(i, j) > negligible) reach(j);
  });
}

bool is_one_component(const std::vector<Index>& labels) {
  return std::all_of(labels.begin(), labels.end(), [](Index label) { return label == 0; });
}

template <class T> std::string storage_for_many_products(const SelfOperator<T>& P, const Execution& run) {
  const double bytes = static_cast<double>(P.rows()) * static_cast<double>(P.rows()) * sizeof(T);
  const bool fits = bytes <= std::min(store_up_to, 0.25 * static_cast<double>(run.memory_allowed()));
  return P.storage() == "streamed" && fits ? "dense" : P.storage();
}

}  // namespace

template <class T> std::vector<Component> components_of(const SelfOperator<T>& P, const Execution& run) {
  const auto S = symmetric_form(P, storage_for_many_products(P, run), run);
  if (const SparseMatrix<T>* sparse = sparse_matrix_of(*S))
    return split_sparse(sparse->template cast<double>(), quiet(run));
  if (const Matrix<T>* dense = dense_matrix_of(*S))
    if (const std::vector<Index> labels = components_of_dense(*dense); !is_one_component(labels))
      return split(labels, [&](const std::vector<int>& points) {
        return dense_block((*dense)(points, points).template cast<double>());
      });
  return {{all_points(P.rows()), whole_block<T>(S, quiet(run))}};
}

template std::vector<Component> components_of(const SelfOperator<float>&, const Execution&);
template std::vector<Component> components_of(const SelfOperator<double>&, const Execution&);

}  // namespace likewise::spectrum
