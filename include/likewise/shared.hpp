// A large immutable part of a slot value (a factor, a mask, a graph): copied as a pointer, compared by content.
#pragma once

#include <algorithm>
#include <memory>
#include <ostream>
#include <utility>

#include <likewise/types.hpp>

namespace likewise {

template <class Content>
class Shared {
 public:
  Shared() : content_(std::make_shared<const Content>()) {}
  Shared(Content content) : content_(std::make_shared<const Content>(std::move(content))) {}  // NOLINT: implicit on purpose

  const Content& operator*() const { return *content_; }
  const Content* operator->() const { return content_.get(); }

  friend bool operator==(const Shared& a, const Shared& b) {
    return a.content_ == b.content_ || same_content(*a.content_, *b.content_);
  }
  friend std::ostream& operator<<(std::ostream& out, const Shared& s) {
    return out << '<' << s->rows() << " x " << s->cols() << '>';
  }

 private:
  template <class D>
  static bool same_content(const Eigen::MatrixBase<D>& a, const Eigen::MatrixBase<D>& b) {
    return a.rows() == b.rows() && a.cols() == b.cols() && a == b;
  }
  template <class T>
  static bool same_content(const SparseMatrix<T>& a, const SparseMatrix<T>& b) {
    if (a.rows() != b.rows() || a.cols() != b.cols() || a.nonZeros() != b.nonZeros()) return false;
    const auto equal = [](const auto* x, const auto* y, Index n) { return std::equal(x, x + n, y); };
    return equal(a.outerIndexPtr(), b.outerIndexPtr(), a.rows() + 1) &&
           equal(a.innerIndexPtr(), b.innerIndexPtr(), a.nonZeros()) &&
           equal(a.valuePtr(), b.valuePtr(), a.nonZeros());
  }

  std::shared_ptr<const Content> content_;
};

}  // namespace likewise
