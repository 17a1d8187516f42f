// A trained model as one file.
#pragma once

#include <string>

#include <likewise/nn/attention_model.hpp>

namespace likewise::nn {

/// Format, version 1; everything little-endian, strings as a u64 length and bytes, real numbers as IEEE 754:
///
///     8 bytes   "LIKEWISE"
///     u32       version
///     u32       bytes of a number: 4 or 8
///     string    metadata, the caller's
///     options   i64 n_tokens, n_features, n_outputs, n_layers; i64 embed_dim, num_heads; u8 score, u8 tied;
///               i64 rank; u8 diagonal, learn_temperature, key_bias, bias; f64 mlp_ratio; u8 activation;
///               u8 pooling; u8 positions; f64 position_std
///     u64       parameters, then of each: string name, i64 rows, i64 cols (0: a vector)
///     numbers   all parameters, one after the other
///     u64       FNV-1a of all bytes before
///
/// The file is written beside its place and moved there, so that a failure leaves an older one as it was.
/// Throws InvalidArgument naming the path where it cannot be written, or parameters of another length.
template <class T>
void save_model(const std::string& path, const AttentionModel& model, const Vector<T>& parameters,
                const std::string& metadata = "");

template <class T> struct SavedModel {
  AttentionModel model;
  Vector<T> parameters;
  std::string metadata;
};

/// The same model, bit for bit. Throws InvalidArgument naming the path and what is wrong with it: not there,
/// not such a file, another version, truncated, changed (checksum), numbers of another size.
template <class T> SavedModel<T> load_model(const std::string& path);

/// Bytes of a number in the file: 4 (float) or 8 (double). Throws as `load_model`.
int saved_number_size(const std::string& path);

}  // namespace likewise::nn
