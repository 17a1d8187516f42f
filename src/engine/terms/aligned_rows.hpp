// Blocks of a few columns whose rows are met at random: each row is to be one cache line, or whole ones.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>

#include <likewise/types.hpp>

namespace likewise::engine {

constexpr std::size_t cache_line = 64;

/// Rows that are whole lines lie on them only if the first does. What lies on 16 bytes, as memory of this size from Eigen or
/// NumPy may, has each row on one line too many: products with a sparse matrix then take up to twice as long.
template <class T> bool rows_cross_lines(const T* first, Index columns) {
  const bool whole_lines = static_cast<std::size_t>(columns) * sizeof(T) % cache_line == 0;
  return whole_lines && reinterpret_cast<std::uintptr_t>(first) % cache_line != 0;
}

/// A row-major matrix that begins on a cache line.
template <class T> class AlignedRows {
 public:
  using View = Eigen::Map<Matrix<T>>;

  AlignedRows() = default;
  AlignedRows(Index rows, Index columns) : rows_(rows), columns_(columns) {
    const std::size_t bytes = static_cast<std::size_t>(rows * columns) * sizeof(T);
    memory_.reset(static_cast<T*>(::operator new(bytes, std::align_val_t(cache_line))));
  }

  T* data() const { return memory_.get(); }
  View view() const { return {data(), rows_, columns_}; }

 private:
  struct Free {
    void operator()(T* memory) const { ::operator delete(memory, std::align_val_t(cache_line)); }
  };
  Index rows_ = 0, columns_ = 0;
  std::unique_ptr<T, Free> memory_;
};

}  // namespace likewise::engine
