// A trained model as one file.
#pragma once

#include <string>

#include <likewise/nn/attention_model.hpp>
#include <likewise/nn/in_context_model.hpp>

namespace likewise::nn {

/// Format, version 5 (2 to 4 are read too); everything little-endian, strings as a u64 length and bytes, real numbers as IEEE 754:
///
///     8 bytes   "LIKEWISE"
///     u32       version
///     string    kind: "attention model" or "in-context model"
///     u32       bytes of a number: 4 or 8; 8 of an in-context model
///     string    metadata, the caller's
///               what that kind has, below
///     u64       FNV-1a of all bytes before
///
/// An attention model:
///
///     options   i64 n_tokens, n_features, n_outputs, n_layers; i64 embed_dim, num_heads; u8 score, u8 tied;
///               i64 rank; u8 diagonal, learn_temperature, key_bias, bias;
///               from version 3 on i64 map_width, u8 share_map, f64 temperature; from version 4 on u8 project, values;
///               from version 5 on f64 slope;
///               f64 mlp_ratio; u8 activation; u8 pooling; u8 positions; f64 position_std
///     u64       parameters, then of each: string name, i64 rows, i64 cols (0: a vector)
///     numbers   all parameters, one after the other
///
/// An in-context model:
///
///     shapes    i64 rows, i64 cols of embedding, query_maps, key_maps (0, 0 where one map serves both),
///               log_temperature (cols 1), context, values
///     numbers   of each in that order, row by row
///
/// The file is written under a new name beside its place and moved there, so that a failure leaves an older one as it
/// was, and others who read it see a whole one. An older file's permissions stay, links are followed. Throws
/// InvalidArgument naming the path where it cannot be written or is no regular file, or parameters of another length.
template <class T>
void save_model(const std::string& path, const AttentionModel& model, const Vector<T>& parameters,
                const std::string& metadata = "");
/// The same of an in-context model with its labeled rows; throws InvalidArgument as `validate` too.
void save_model(const std::string& path, const InContextModel& model, const std::string& metadata = "");

template <class T> struct SavedModel {
  AttentionModel model;
  Vector<T> parameters;
  std::string metadata;
};
struct SavedInContextModel {
  InContextModel model;
  std::string metadata;
};

/// The same model, bit for bit. Throws InvalidArgument naming the path and what is wrong with it: not there,
/// not such a file, another version, truncated, changed (checksum), a model of the other kind, numbers of
/// another size.
template <class T> SavedModel<T> load_model(const std::string& path);
SavedInContextModel load_in_context_model(const std::string& path);

/// Which model the file holds: "attention model" (`load_model`) or "in-context model" (`load_in_context_model`).
/// Throws as they do.
std::string saved_kind(const std::string& path);

/// Bytes of a number in the file: 4 (float) or 8 (double). Throws as `load_model`.
int saved_number_size(const std::string& path);

}  // namespace likewise::nn
