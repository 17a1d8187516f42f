// One row out of a sequence's tokens, or a row of each.
#pragma once

#include <likewise/types.hpp>

namespace likewise::nn {

/// mean: over the tokens that are not padding. cls: the first token, which a model puts there for this end. none: each
/// token is a row of its own.
enum class Pooling { mean, cls, none };

/// x (batch * length, features), sequence after sequence, to y (batch, features), of none (batch * length, features).
/// `key_padding` (batch, length), true = a token; nullptr: all are. The mean of no tokens is 0, and of none the row of
/// padding. Throws InvalidArgument where shapes do not fit. O(entries of x), as `pool_backward`.
template <class T>
void pool(Pooling pooling, const Values<T>& x, Index batch, const BoolMatrix* key_padding, Matrix<T>& y);

/// grad_y, of y's shape, to grad_x (batch * length, features).
template <class T>
void pool_backward(Pooling pooling, const Values<T>& grad_y, Index length, const BoolMatrix* key_padding,
                   Matrix<T>& grad_x);

}  // namespace likewise::nn
