// Sparse matrices written row by row, without lists of triplets.
#pragma once

#include <algorithm>
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <likewise/error.hpp>
#include <likewise/types.hpp>

#include "engine/parallel.hpp"

namespace likewise {

namespace csr {

/// Eigen 3.4 copies a sparse matrix that is moved; swapping takes it over.
template <class T> SparseMatrix<T> taken(SparseMatrix<T>&& A) {
  SparseMatrix<T> B;
  B.swap(A);
  return B;
}
template <class T> std::shared_ptr<const SparseMatrix<T>> shared(SparseMatrix<T>&& A) {
  const auto B = std::make_shared<SparseMatrix<T>>();
  B->swap(A);
  return B;
}

constexpr Index rows_at_a_time = 1024;

/// Entries of consecutive rows, while they are written.
template <class T> struct Rows {
  std::vector<int> ends;  ///< of each row, counted from the first
  std::vector<int> indices;
  std::vector<T> values;

  void put(Index column, T value) {
    indices.push_back(static_cast<int>(column));
    values.push_back(value);
  }

  /// Ends a row: sorted by column, entries of one column added up in the order that they came in.
  void end_row() {
    const std::size_t begin = ends.empty() ? 0 : static_cast<std::size_t>(ends.back());
    const bool ascending = std::adjacent_find(indices.begin() + static_cast<std::ptrdiff_t>(begin),
                                              indices.end(), std::greater_equal<>())
                           == indices.end();
    if (!ascending) sort_from(begin);
    ends.push_back(static_cast<int>(indices.size()));
  }

 private:
  void sort_from(std::size_t begin) {
    std::vector<std::pair<int, T>> row;
    for (std::size_t e = begin; e < indices.size(); ++e) row.emplace_back(indices[e], values[e]);
    std::stable_sort(row.begin(), row.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    indices.resize(begin);
    values.resize(begin);
    for (const auto& [column, value] : row)
      if (indices.size() > begin && indices.back() == column)
        values.back() += value;
      else
        put(column, value);
  }
};

template <class T>
SparseMatrix<T> joined(const std::vector<Rows<T>>& parts, Index rows, Index cols, const Execution& run) {
  std::vector<Index> begins{0};
  for (const Rows<T>& part : parts) begins.push_back(begins.back() + static_cast<Index>(part.indices.size()));
  require(begins.back() <= std::numeric_limits<int>::max(), "support",
          "one with at most 2^31 - 1 edges (fewer neighbors, a smaller radius)", begins.back());
  SparseMatrix<T> A(rows, cols);
  A.resizeNonZeros(begins.back());
  A.outerIndexPtr()[0] = 0;
  engine::parallel_blocks(static_cast<Index>(parts.size()), run, "writing edges", [&](Index b) {
    const Rows<T>& part = parts[static_cast<std::size_t>(b)];
    const Index begin = begins[static_cast<std::size_t>(b)];
    std::copy(part.indices.begin(), part.indices.end(), A.innerIndexPtr() + begin);
    std::copy(part.values.begin(), part.values.end(), A.valuePtr() + begin);
    int* const ends = A.outerIndexPtr() + b * rows_at_a_time + 1;
    for (std::size_t row = 0; row < part.ends.size(); ++row)
      ends[row] = static_cast<int>(begin) + part.ends[row];
  });
  return A;
}

/// The matrix whose row i holds what write_row(i, out) puts there with out.put(j, value).
/// `operations`: about what all rows cost.
template <class T, class WriteRow>
SparseMatrix<T> written(Index rows, Index cols, double operations, const Execution& run,
                        const WriteRow& write_row) {
  const Index n_blocks = engine::block_count(rows, rows_at_a_time);
  const Execution threads = engine::sized(run, operations);
  std::vector<Rows<T>> parts(static_cast<std::size_t>(n_blocks));
  engine::parallel_blocks(n_blocks, threads, "writing edges", [&](Index b) {
    const engine::Block block = engine::block_of(b, rows, rows_at_a_time);
    Rows<T>& part = parts[static_cast<std::size_t>(b)];
    part.ends.reserve(static_cast<std::size_t>(block.size));
    for (Index i = block.begin; i < block.begin + block.size; ++i) {
      write_row(i, part);
      part.end_row();
    }
  });
  return joined(parts, rows, cols, threads);
}

/// A^T by counting: a few blocks of rows count and then write side by side.
template <class T> SparseMatrix<T> transposed(const SparseMatrix<T>& A, const Execution& run) {
  const Index entries = A.nonZeros(), few = 8;
  const Index n_blocks = entries < 100000 ? 1 : few,
              size = std::max<Index>(1, engine::block_count(A.rows(), n_blocks));
  std::vector<std::vector<int>> at(
      static_cast<std::size_t>(n_blocks));  // where a block writes its next of a column
  const auto over_entries = [&](Index b, const auto& visit) {
    const Index end = std::min(A.rows(), (b + 1) * size);
    for (Index i = b * size; i < end; ++i)
      for (typename SparseMatrix<T>::InnerIterator e(A, i); e; ++e) visit(i, e);
  };
  const Execution threads = engine::sized(run, 4.0 * static_cast<double>(entries));
  engine::parallel_blocks(n_blocks, threads, "transposing", [&](Index b) {
    std::vector<int>& count = at[static_cast<std::size_t>(b)];
    count.assign(static_cast<std::size_t>(A.cols()), 0);
    over_entries(b, [&](Index, const auto& e) { ++count[static_cast<std::size_t>(e.col())]; });
  });
  SparseMatrix<T> B(A.cols(), A.rows());
  B.resizeNonZeros(entries);
  int begin = 0;
  for (Index j = 0; j < A.cols(); ++j) {
    B.outerIndexPtr()[j] = begin;
    for (auto& block : at) {
      const int count = block[static_cast<std::size_t>(j)];
      block[static_cast<std::size_t>(j)] = begin;
      begin += count;
    }
  }
  B.outerIndexPtr()[A.cols()] = begin;
  engine::parallel_blocks(n_blocks, threads, "transposing", [&](Index b) {
    std::vector<int>& next = at[static_cast<std::size_t>(b)];
    over_entries(b, [&](Index i, const auto& e) {
      const int here = next[static_cast<std::size_t>(e.col())]++;
      B.innerIndexPtr()[here] = static_cast<int>(i);
      B.valuePtr()[here] = e.value();
    });
  });
  return B;
}

}  // namespace csr

}  // namespace likewise
