#include "spectrum/blocks.hpp"

#include <algorithm>
#include <memory>
#include <numeric>
#include <utility>

#include "engine/parallel.hpp"
#include "operator/csr.hpp"
#include "operator/state.hpp"
#include "operator/symmetric_form.hpp"
#include "spectrum/label_components.hpp"

namespace likewise::spectrum {

namespace {

/// The same entries in float32, in the same places: rows of a reordered matrix are not sorted, as Eigen's cast wants them.
SparseMatrix<float> single_precision(const SparseMatrix<double>& A) {
  SparseMatrix<float> B(A.rows(), A.cols());
  B.resizeNonZeros(A.nonZeros());
  std::copy_n(A.outerIndexPtr(), A.rows() + 1, B.outerIndexPtr());
  std::copy_n(A.innerIndexPtr(), A.nonZeros(), B.innerIndexPtr());
  std::copy_n(A.valuePtr(), A.nonZeros(), B.valuePtr());
  return B;
}

using Sparse = SparseMatrix<double>;

// A streamed operator of up to this many bytes is stored, within a quarter of the memory that is allowed.
constexpr double store_up_to = 512e6;

/// The call's limits without its progress: many products make one piece of work.
Execution quiet(Execution run) {
  run.progress = {};
  return run;
}

// --- products ------------------------------------------------------------------------------------

constexpr Index rows_at_a_time = 512;

double operations(double entries, Index columns) { return entries * static_cast<double>(columns); }

SymmetricBlock sparse_block(Sparse&& matrix, const Execution& run) {
  const auto A = csr::shared(std::move(matrix));
  const auto single = csr::shared(single_precision(*A));
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
          .is_sparse = true};
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

SymmetricBlock dense_block(Columns matrix) {
  const auto A = std::make_shared<const Columns>(std::move(matrix));
  SymmetricBlock block{.size = A->rows(), .dense = [A] { return *A; }};
  put_products(block, [A](const Matrix<double>& X) -> Matrix<double> { return *A * X; });
  return block;
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
  block.dense = [S, apply]() -> Columns {
    if (const Matrix<T>* stored = dense_matrix_of(*S)) return stored->template cast<double>();
    return apply(Matrix<double>::Identity(S->rows(), S->rows()));
  };
  return block;
}

// --- splitting -----------------------------------------------------------------------------------

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
    return sparse_block(submatrix(A, points, position, run), run);
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
  const T negligible = static_cast<T>(1e-32) * A.maxCoeff();
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
  if (const Matrix<T>* dense = dense_matrix_of(*S))
    if (auto parts = components_of_dense(*dense); parts.size() > 1)
      return split(std::move(parts), [&](const std::vector<int>& points) {
        return dense_block((*dense)(points, points).template cast<double>());
      });
  return {{all_points(P.rows()), whole_block<T>(S, quiet(run))}};
}

template std::vector<Component> components_of(const SelfOperator<float>&, const Execution&);
template std::vector<Component> components_of(const SelfOperator<double>&, const Execution&);

}  // namespace likewise::spectrum
