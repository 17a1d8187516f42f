#include "spectrum/blocks.hpp"

#include <algorithm>
#include <memory>
#include <numeric>
#include <utility>

#include "engine/parallel.hpp"
#include "operator/csr.hpp"
#include "operator/dense_map.hpp"
#include "operator/state.hpp"
#include "operator/symmetric_form.hpp"
#include "spectrum/label_components.hpp"

namespace likewise::spectrum {

namespace {

using Sparse = SparseMatrix<double>;

// A streamed operator of up to this many bytes is stored, within a quarter of the memory that is allowed.
constexpr double store_up_to = 512e6;
// A stored operator of up to so many points is multiplied in float64, and made symmetric to the last digit.
constexpr Index widen_up_to = 2048;
// Stored as sparse where at most this share of the entries is not 0, as dense where more are: a dense product reads no places.
constexpr double sparse_share = 0.1, dense_share = 0.25;
// Of a dense operator: entries that change no eigenvalue at double precision.
constexpr double negligible_share = 1e-32;

/// The call's limits without its progress: many products make one piece of work.
Execution quiet(Execution run) {
  run.progress = {};
  return run;
}

// --- products

constexpr Index rows_at_a_time = 512;

double operations(double entries, Index columns) { return entries * static_cast<double>(columns); }

/// (A + A^T) / 2, rows sorted. What the engine computed in float32 differs in the last digits.
Sparse symmetric(Sparse&& matrix, const Execution& run) {
  const Sparse transposed = csr::transposed(matrix, run);
  Sparse A = csr::transposed(transposed, run);
  const Index entries = A.nonZeros();
  const bool same_places =
      std::equal(A.outerIndexPtr(), A.outerIndexPtr() + A.rows() + 1, transposed.outerIndexPtr())
      && std::equal(A.innerIndexPtr(), A.innerIndexPtr() + entries, transposed.innerIndexPtr());
  if (!same_places) return Sparse(0.5 * (A + transposed));
  for (Index e = 0; e < entries; ++e) A.valuePtr()[e] = 0.5 * (A.valuePtr()[e] + transposed.valuePtr()[e]);
  return csr::taken(std::move(A));
}

SymmetricBlock sparse_block(Sparse&& matrix, const Execution& run) {
  const auto A = csr::shared(symmetric(std::move(matrix), run));
  const auto single = csr::shared(SparseMatrix<float>(A->cast<float>()));
  const auto row_product = [A, run](const Matrix<double>& X, Matrix<double>& Y) {
    engine::sparse_product(*A, X.data(), Y.data(), X.cols(), run, "eigenpairs");
  };
  const auto step = [single, run](engine::SparseStep<float> s) {
    s.A = engine::rows_of(*single);
    const Index n = single->rows();
    engine::parallel_blocks(
        engine::block_count(n, rows_at_a_time),
        engine::sized(run, operations(static_cast<double>(single->nonZeros()), s.columns)), "eigenpairs",
        [&](Index b) { engine::sparse_step(s, engine::block_of(b, n, rows_at_a_time)); });
  };
  return {.size = A->rows(),
          .product = [row_product](const Columns& X) -> Columns {
            const Matrix<double> rows = X;
            Matrix<double> Y(X.rows(), X.cols());
            row_product(rows, Y);
            return Y;
          },
          .dense = [A] { return Columns(*A); },
          .step = step,
          .row_product = row_product,
          .sparse = A,
          .squares = [A] { return A->squaredNorm(); }};
}

/// The products of a block that is not sparse.
template <class Apply> void put_products(SymmetricBlock& block, const Apply& apply) {
  block.product = [apply](const Columns& X) -> Columns { return apply(X); };
  block.row_product = [apply](const Matrix<double>& X, Matrix<double>& Y) { Y = apply(X); };
  block.step = [apply, n = block.size](const engine::SparseStep<float>& s) {
    using Map = Eigen::Map<const Matrix<float>>;
    Eigen::Map<Matrix<float>> Y(s.Y, n, s.columns);
    const Matrix<double> image = apply(Map(s.X, n, s.columns).template cast<double>());
    Matrix<float> next = s.alpha * image.template cast<float>() + s.beta * Map(s.X, n, s.columns);
    if (s.gamma != 0) next += s.gamma * Map(s.Z, n, s.columns);
    if (s.R)
      next += Map(s.R, n, s.columns) * Eigen::Map<const Vector<float>>(s.delta, s.columns).asDiagonal();
    Y = next;
  };
}

SymmetricBlock dense_block(Matrix<double> matrix, const Execution& run) {
  matrix = (0.5 * (matrix + matrix.transpose())).eval();
  const auto A = std::make_shared<const DenseMap<double>>(std::move(matrix));
  SymmetricBlock block{.size = A->rows(),
                       .dense = [A]() -> Columns { return A->P; },
                       .squares = [A] { return A->P.squaredNorm(); }};
  put_products(block, [A, run](const Matrix<double>& X) -> Matrix<double> { return A->apply(X, run); });
  return block;
}

double share_of(double entries, Index n) {
  return entries / (static_cast<double>(n) * static_cast<double>(n));
}

/// Stored as what makes products cheaper.
SymmetricBlock block_of_sparse(Sparse&& matrix, const Execution& run) {
  const Index n = matrix.rows();
  const double bytes = 3.0 * sizeof(double) * static_cast<double>(n) * static_cast<double>(n);
  const bool full = share_of(static_cast<double>(matrix.nonZeros()), n) > dense_share;
  if (full && bytes <= 0.25 * static_cast<double>(run.memory_allowed()))
    return dense_block(Matrix<double>(matrix), run);
  return sparse_block(std::move(matrix), run);
}

template <class T>
SymmetricBlock whole_block(std::shared_ptr<const LinearMapStorage<T>> S, const Execution& run) {
  const bool exact = dense_matrix_of(*S) != nullptr;
  const auto apply = [S, run](const Matrix<double>& X) -> Matrix<double> {
    return S->apply(Matrix<T>(X.template cast<T>()), run).template cast<double>();
  };
  SymmetricBlock block{
      .size = S->rows(),
      .noise = (exact && sizeof(T) == 8 ? 4 : 32) * static_cast<double>(std::numeric_limits<T>::epsilon())};
  put_products(block, apply);
  if (const Matrix<T>* stored = dense_matrix_of(*S))
    block.squares = [S, stored] { return stored->template cast<double>().squaredNorm(); };
  block.dense = [S, apply]() -> Columns {
    if (const Matrix<T>* stored = dense_matrix_of(*S)) return stored->template cast<double>();
    return apply(Matrix<double>::Identity(S->rows(), S->rows()));
  };
  return block;
}

// --- splitting

/// Rows and columns `points` of A, whole components, in that order. `position` is scratch: a point's place in its
/// component.
template <class T>
Sparse submatrix(const SparseMatrix<T>& A, const std::vector<int>& points, std::vector<int>& position,
                 const Execution& run) {
  const auto size = static_cast<Index>(points.size());
  Sparse part(size, size);
  int* const offsets = part.outerIndexPtr();
  using Entry = typename SparseMatrix<T>::InnerIterator;
  offsets[0] = 0;
  for (Index row = 0; row < size; ++row) {
    position[static_cast<std::size_t>(points[static_cast<std::size_t>(row)])] = static_cast<int>(row);
    int entries = 0;
    for (Entry e(A, points[static_cast<std::size_t>(row)]); e; ++e) entries += e.value() != T(0);
    offsets[row + 1] = offsets[row] + entries;
  }
  part.resizeNonZeros(offsets[size]);
  const Execution threads = engine::sized(run, 4.0 * static_cast<double>(part.nonZeros()));
  engine::parallel_blocks(engine::block_count(size, rows_at_a_time), threads, "eigenpairs", [&](Index b) {
    const engine::Block rows = engine::block_of(b, size, rows_at_a_time);
    for (Index row = rows.begin; row < rows.begin + rows.size; ++row) {
      int at = offsets[row];
      for (Entry e(A, points[static_cast<std::size_t>(row)]); e; ++e)
        if (e.value() != T(0)) {
          part.innerIndexPtr()[at] = position[static_cast<std::size_t>(e.col())];
          part.valuePtr()[at++] = static_cast<double>(e.value());
        }
    }
  });
  return part;
}

/// What multiplies each part of a matrix that falls apart.
template <class PartOf>
std::vector<Component> split(std::vector<std::vector<int>> parts, const PartOf& part_of) {
  std::vector<Component> components;
  for (std::vector<int>& points : parts) {
    SymmetricBlock block = part_of(points);
    components.push_back({std::move(points), std::move(block)});
  }
  return components;
}

/// The points of each component in the order of a walk through the graph: products then find what they need in the
/// nearest cache.
template <class T> std::vector<Component> split_sparse(const SparseMatrix<T>& A, const Execution& run) {
  auto found = find_components(A.rows(), [&](Index i, const auto&, const auto& reach) {
    for (typename SparseMatrix<T>::InnerIterator entry(A, i); entry; ++entry)
      if (entry.value() != T(0)) reach(entry.col());
  });
  std::vector<int> position(static_cast<std::size_t>(A.rows()));
  return split(std::move(found.points), [&](const std::vector<int>& points) {
    return block_of_sparse(submatrix(A, points, position, run), run);
  });
}

std::vector<int> all_points(Index n) {
  std::vector<int> points(static_cast<std::size_t>(n));
  std::iota(points.begin(), points.end(), 0);
  return points;
}

/// Components of the graph of those entries that change an eigenvalue at double precision: clusters far apart
/// have 1e-300 between them. O(n^2).
template <class T> std::vector<std::vector<int>> components_of_dense(const Matrix<T>& A) {
  const T negligible = static_cast<T>(negligible_share) * A.maxCoeff();
  auto found = find_components(A.rows(), [&](Index i, const std::vector<Index>& labels, const auto& reach) {
    for (Index j = 0; j < A.rows(); ++j)
      if (labels[static_cast<std::size_t>(j)] < 0 && A(i, j) > negligible) reach(j);
  });
  for (std::vector<int>& points : found.points) std::sort(points.begin(), points.end());
  return std::move(found.points);
}

template <class T> std::string storage_for_many_products(const SelfOperator<T>& P, const Execution& run) {
  const double bytes = static_cast<double>(P.rows()) * static_cast<double>(P.rows()) * sizeof(T);
  const bool fits = bytes <= std::min(store_up_to, 0.25 * static_cast<double>(run.memory_allowed()));
  return P.storage() == "streamed" && fits ? "dense" : P.storage();
}

}  // namespace

template <class T> std::vector<Component> components_of(const SelfOperator<T>& P, const Execution& run) {
  const auto S = symmetric_form(P, storage_for_many_products(P, run), run);
  if (const SparseMatrix<T>* sparse = sparse_matrix_of(*S)) return split_sparse(*sparse, quiet(run));
  if (const Matrix<T>* dense = dense_matrix_of(*S)) {
    const T negligible = static_cast<T>(negligible_share) * dense->maxCoeff();
    const double kept = static_cast<double>((dense->array() > negligible).count());
    if (share_of(kept, dense->rows()) <= sparse_share && kept <= 2e9)
      return split_sparse(SparseMatrix<T>(dense->sparseView(dense->maxCoeff(), T(negligible_share))),
                          quiet(run));
    auto parts = components_of_dense(*dense);
    if (parts.size() > 1 || P.rows() <= widen_up_to)
      return split(std::move(parts), [&](const std::vector<int>& points) {
        return dense_block((*dense)(points, points).template cast<double>(), quiet(run));
      });
  }
  return {{all_points(P.rows()), whole_block<T>(S, quiet(run))}};
}

template std::vector<Component> components_of(const SelfOperator<float>&, const Execution&);
template std::vector<Component> components_of(const SelfOperator<double>&, const Execution&);

}  // namespace likewise::spectrum
