#include <likewise/nn/pooling.hpp>

#include <algorithm>
#include <string>

#include <likewise/error.hpp>

namespace likewise::nn {
namespace {

void check_padding(const BoolMatrix* key_padding, Index batch, Index length) {
  if (!key_padding) return;
  require(key_padding->rows() == batch && key_padding->cols() == length, "key_padding",
          "of shape (" + std::to_string(batch) + ", " + std::to_string(length) + ")",
          std::to_string(key_padding->rows()) + " x " + std::to_string(key_padding->cols()));
}

/// Rows of padding are 0, the others of `from`.
template <class T> void copy_tokens(const Values<T>& from, const BoolMatrix* key_padding, Matrix<T>& to) {
  to = from;
  for (Index i = 0; key_padding && i < to.rows(); ++i)
    if (!key_padding->data()[i]) to.row(i).setZero();
}

/// Each token's part in its sequence's mean.
template <class T> T part(const BoolMatrix* key_padding, Index sequence, Index length) {
  const Index n = key_padding ? key_padding->row(sequence).count() : length;
  return T(1) / static_cast<T>(std::max<Index>(n, 1));
}

}  // namespace

template <class T>
void pool(Pooling pooling, const Values<T>& x, Index batch, const BoolMatrix* key_padding, Matrix<T>& y) {
  require(batch >= 1 && x.rows() > 0 && x.rows() % batch == 0, "batch",
          "a divisor of the " + std::to_string(x.rows()) + " tokens", batch);
  const Index length = x.rows() / batch;
  check_padding(key_padding, batch, length);
  if (pooling == Pooling::none) return copy_tokens<T>(x, key_padding, y);
  y.setZero(batch, x.cols());
  for (Index s = 0; s < batch; ++s) {
    if (pooling == Pooling::cls) {
      y.row(s) = x.row(s * length);
      continue;
    }
    for (Index i = 0; i < length; ++i)
      if (!key_padding || (*key_padding)(s, i)) y.row(s) += x.row(s * length + i);
    y.row(s) *= part<T>(key_padding, s, length);
  }
}

template <class T>
void pool_backward(Pooling pooling, const Values<T>& grad_y, Index length, const BoolMatrix* key_padding,
                   Matrix<T>& grad_x) {
  require(length >= 1, "length", "at least 1", length);
  if (pooling == Pooling::none) {
    require(grad_y.rows() % length == 0, "grad_y",
            "of whole sequences of " + std::to_string(length) + " rows", grad_y.rows());
    check_padding(key_padding, grad_y.rows() / length, length);
    return copy_tokens<T>(grad_y, key_padding, grad_x);
  }
  check_padding(key_padding, grad_y.rows(), length);
  grad_x.setZero(grad_y.rows() * length, grad_y.cols());
  for (Index s = 0; s < grad_y.rows(); ++s) {
    if (pooling == Pooling::cls) {
      grad_x.row(s * length) = grad_y.row(s);
      continue;
    }
    for (Index i = 0; i < length; ++i)
      if (!key_padding || (*key_padding)(s, i))
        grad_x.row(s * length + i) = part<T>(key_padding, s, length) * grad_y.row(s);
  }
}

#define LIKEWISE_INSTANTIATE(T)                                                        \
  template void pool(Pooling, const Values<T>&, Index, const BoolMatrix*, Matrix<T>&); \
  template void pool_backward(Pooling, const Values<T>&, Index, const BoolMatrix*, Matrix<T>&);
LIKEWISE_INSTANTIATE(float)
LIKEWISE_INSTANTIATE(double)
#undef LIKEWISE_INSTANTIATE

}  // namespace likewise::nn
