// A large immutable part of a slot value (a factor, a mask, a graph): copied as a pointer, compared by
// content.
#pragma once

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <functional>
#include <memory>
#include <ostream>
#include <type_traits>
#include <utility>

#include <likewise/types.hpp>
#include <likewise/value.hpp>

namespace likewise {

template <class Content> class Shared {
 public:
  Shared() : content_(std::make_shared<const Content>()) {}
  Shared(Content content)  // NOLINT: implicit on purpose
      : content_(std::make_shared<const Content>(compressed(std::move(content)))) {}
  /// From what Content is made of: a column-major matrix, an expression.
  template <class Other>
  requires(
      !std::same_as<
          std::remove_cvref_t<Other>,
          Content> && !std::same_as<std::remove_cvref_t<Other>, Shared> && std::constructible_from<Content, const Other&>)
      Shared(const Other& other)
      : Shared(Content(other)) {}  // NOLINT

  const Content& operator*() const { return *content_; }
  const Content* operator->() const { return content_.get(); }

  friend bool operator==(const Shared& a, const Shared& b) {
    return a.content_ == b.content_ || same_content(*a.content_, *b.content_);
  }
  friend std::ostream& operator<<(std::ostream& out, const Shared& s) {
    return out << '<' << s->rows() << " x " << s->cols() << '>';
  }
  /// Of the shape only: reading the content would cost as much as comparing it.
  friend std::size_t hash_value(const Shared& s) {
    return detail::combine_hashes(std::hash<Index>{}(s->rows()), std::hash<Index>{}(s->cols()));
  }

 private:
  static Content compressed(Content content) {
    if constexpr (requires { content.makeCompressed(); }) content.makeCompressed();
    return content;
  }
  template <class C>
  requires(!std::derived_from<C, Eigen::EigenBase<C>>) static bool same_content(const C& a, const C& b) {
    return a == b;
  }
  template <class D> static bool same_content(const Eigen::MatrixBase<D>& a, const Eigen::MatrixBase<D>& b) {
    return a.rows() == b.rows() && a.cols() == b.cols() && a == b;
  }
  template <class T> static bool same_content(const SparseMatrix<T>& a, const SparseMatrix<T>& b) {
    if (a.rows() != b.rows() || a.cols() != b.cols() || a.nonZeros() != b.nonZeros()) return false;
    const auto equal = [](const auto* x, const auto* y, Index n) { return std::equal(x, x + n, y); };
    return equal(a.outerIndexPtr(), b.outerIndexPtr(), a.rows() + 1)
           && equal(a.innerIndexPtr(), b.innerIndexPtr(), a.nonZeros())
           && equal(a.valuePtr(), b.valuePtr(), a.nonZeros());
  }

  std::shared_ptr<const Content> content_;
};

}  // namespace likewise
