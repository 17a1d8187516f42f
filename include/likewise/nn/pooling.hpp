// One row out of a sequence's tokens.
#pragma once

#include <likewise/types.hpp>

namespace likewise::nn {

/// mean: over the tokens that are not padding. cls: the first token, which a model puts there for this end.
enum class Pooling { mean, cls };

/// x (batch * length, features), sequence after sequence, to y (batch, features). `key_padding` (batch,
/// length), true = a token; nullptr: all are. The mean of no tokens is 0. Throws InvalidArgument where shapes
/// do not fit. O(entries of x), as `pool_backward`.
template <class T>
void pool(Pooling pooling, const Values<T>& x, Index batch, const BoolMatrix* key_padding, Matrix<T>& y);

/// grad_y (batch, features) to grad_x (batch * length, features).
template <class T>
void pool_backward(Pooling pooling, const Values<T>& grad_y, Index length, const BoolMatrix* key_padding,
                   Matrix<T>& grad_x);

}  // namespace likewise::nn
