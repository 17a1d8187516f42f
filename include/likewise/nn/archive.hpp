// A trained model as one file.
#pragma once

#include <optional>
#include <string>
#include <type_traits>

#include <likewise/nn/attention_model.hpp>
#include <likewise/nn/in_context_model.hpp>
#include <likewise/nn/propagation_network.hpp>
#include <likewise/support/graph.hpp>

namespace likewise::nn {

/// Format, version 6 (2 to 5 are read too); everything little-endian, strings as a u64 length and bytes, real numbers as IEEE 754:
///
///     8 bytes   "LIKEWISE"
///     u32       version
///     string    kind: "attention model", "in-context model" or "propagation network"
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
///               f64 mlp_ratio; u8 activation; u8 pooling (0 mean, 1 cls, 2 none: one output a token); u8 positions;
///               f64 position_std
///     u64       parameters, then of each: string name, i64 rows, i64 cols (0: a vector)
///     numbers   all parameters, one after the other
///
/// An in-context model:
///
///     shapes    i64 rows, i64 cols of embedding, query_maps, key_maps (0, 0 where one map serves both),
///               log_temperature (cols 1); from version 6 on map_in, map_in_bias (cols 1), map_out, map_out_bias
///               (cols 1), without numbers where heads have no phi; context, values
///     numbers   of each in that order, row by row
///
/// A propagation network (from version 6 on):
///
///     options   i64 n_features, n_outputs, n_layers; u8 residual; then of the modules i64 embed_dim ... f64 slope, as above
///     u64       parameters, then of each: string name, i64 rows, i64 cols (0: a vector)
///     numbers   all parameters, one after the other
///     rows      of the training: i64 rows, i64 cols (0, 0 where none are kept), numbers, row by row
///     u8        0: no graph; 1: a graph's edges, which the kernel weighs; 2: weights of its own. Then, of a graph,
///     edges     i64 rows (and columns), i64 nonzeros; i32 where each row starts, rows + 1 of them; i32 the column of
///               each edge; f64 its weight
///
/// The file is written under a new name beside its place and moved there, so that a failure leaves an older one as it
/// was, and others who read it see a whole one. An older file's permissions stay, links are followed. Throws
/// InvalidArgument naming the path where it cannot be written or is no regular file, or parameters of another length.
template <class T>
void save_model(const std::string& path, const AttentionModel& model, const Vector<T>& parameters,
                const std::string& metadata = "");
/// The same of an in-context model with its labeled rows; throws InvalidArgument as `validate` too.
void save_model(const std::string& path, const InContextModel& model, const std::string& metadata = "");

/// Rows that a network was trained on and is asked with again: with RowContext::all asked rows join them (`predict`'s context);
/// of a graph they are its nodes.
template <class T> struct TrainingRows {
  Matrix<T> X = {};                 ///< (n, n_features); empty: none are kept
  std::optional<Graph> graph = {};  ///< (n, n)
};
/// The same of a propagation network with the rows of its training; throws InvalidArgument naming what does not fit too.
template <class T>
void save_model(const std::string& path, const PropagationNetwork& network, const Vector<T>& parameters,
                const std::type_identity_t<TrainingRows<T>>& context = {}, const std::string& metadata = "");

template <class T> struct SavedModel {
  AttentionModel model;
  Vector<T> parameters;
  std::string metadata;
};
struct SavedInContextModel {
  InContextModel model;
  std::string metadata;
};
template <class T> struct SavedPropagationNetwork {
  PropagationNetwork network;
  Vector<T> parameters;
  TrainingRows<T> context;
  std::string metadata;
};

/// The same model, bit for bit. Throws InvalidArgument naming the path and what is wrong with it: not there,
/// not such a file, another version, truncated, changed (checksum), a model of another kind, numbers of
/// another size, parts that do not fit each other.
template <class T> SavedModel<T> load_model(const std::string& path);
SavedInContextModel load_in_context_model(const std::string& path);
template <class T> SavedPropagationNetwork<T> load_propagation_network(const std::string& path);

/// Which model the file holds: "attention model" (`load_model`), "in-context model" (`load_in_context_model`) or "propagation
/// network" (`load_propagation_network`). Throws as they do.
std::string saved_kind(const std::string& path);

/// Bytes of a number in the file: 4 (float) or 8 (double). Throws as `load_model`.
int saved_number_size(const std::string& path);

}  // namespace likewise::nn
