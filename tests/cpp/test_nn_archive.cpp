// A file gives back every bit, and says what is wrong with it.
#include <likewise/nn/archive.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <vector>

#include "catch.hpp"
#include "testing.hpp"

using namespace likewise;
using namespace likewise::nn;

namespace {

/// A place of its own, empty before and after.
struct Place {
  std::string path;
  explicit Place(
      std::string at = (std::filesystem::temp_directory_path() / "likewise_test_model.likewise").string())
      : path(std::move(at)) {
    std::filesystem::remove(path);
  }
  ~Place() { std::filesystem::remove(path); }
};

std::string bytes_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}
void write(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}
/// With the checksum that belongs to the changed bytes.
std::string sealed(std::string bytes) {
  bytes.resize(bytes.size() - 8);
  std::uint64_t sum = 0xcbf29ce484222325ULL;
  for (const char byte : bytes) sum = (sum ^ static_cast<unsigned char>(byte)) * 0x100000001b3ULL;
  for (int i = 0; i < 8; ++i) bytes += static_cast<char>((sum >> (8 * i)) & 0xff);
  return bytes;
}

AttentionModelOptions unusual() {
  return {.n_tokens = 3,
          .n_features = 2,
          .n_outputs = 5,
          .n_layers = 2,
          .block = {.attention = {.embed_dim = 6,
                                  .num_heads = 3,
                                  .score = Score::sqdist,
                                  .tied = true,
                                  .rank = 4,
                                  .learn_temperature = true,
                                  .bias = false},
                    .mlp_ratio = 1.5,
                    .activation = Activation::relu},
          .pooling = Pooling::cls,
          .positions = false,
          .position_std = 0.5};
}

/// Two maps for each of two heads, or one, or one and a network of three hidden units.
InContextModel in_context(bool tied, bool with_phi = false) {
  InContextModel model{.embedding = normal_matrix(4, 3, 1),
                       .query_maps = normal_matrix(2 * 2, 4, 2),
                       .log_temperature = Vector<double>::LinSpaced(2, -0.5, 1),
                       .context = normal_matrix(7, 3, 4),
                       .values = normal_matrix(7, 2, 5)};
  if (!tied) model.key_maps = normal_matrix(2 * 2, 4, 3);
  if (!with_phi) return model;
  model.map_in = normal_matrix(2 * 3, 2, 6);
  model.map_in_bias = normal_matrix(2 * 3, 1, 7);
  model.map_out = normal_matrix(2 * 2, 3, 8);
  model.map_out_bias = normal_matrix(2 * 2, 1, 9);
  return model;
}

PropagationNetworkOptions network_options(Score score = Score::sqdist) {
  AttentionLayerOptions module = bare_module(4, score, score == Score::sqdist ? 3 : 0);
  module.num_heads = 2;
  if (score == Score::sqdist) module.project = true;
  return {.n_features = 3, .n_outputs = 2, .n_layers = 2, .residual = true, .module = module};
}

/// Four nodes: a loop, a row without edges, columns that are not in order.
Graph graph(const std::string& weights) {
  SparseMatrix<double> edges(4, 4);
  edges.resizeNonZeros(5);
  std::ranges::copy(std::array{0, 2, 2, 4, 5}, edges.outerIndexPtr());
  std::ranges::copy(std::array{3, 0, 0, 1, 3}, edges.innerIndexPtr());
  std::ranges::copy(std::array{1.0, 0.5, 2.0, 5e-324, 3.0}, edges.valuePtr());
  return {edges, weights};
}

/// What `load` says of a file whose bytes are these.
using Message = std::function<std::string(const std::string& bytes)>;
Message message_of(const Place& place, const std::function<void()>& load) {
  return [&place, load](const std::string& bytes) {
    write(place.path, bytes);
    return refusal(load);
  };
}
/// The checksum fits the change.
std::string with(std::string bytes, std::size_t at, char byte) {
  bytes[at] = byte;
  return sealed(bytes);
}

void require_damage_is_refused(const Place& place, const Message& message) {
  const std::string whole = bytes_of(place.path);
  const auto require_refusal = [&](const std::string& bytes, std::size_t at) {
    const std::string said = message(bytes);
    if (!contains(said, place.path) || !contains(said, "must be")) FAIL(at << ": " << said);
  };
  for (std::size_t size = 0; size < whole.size(); size += size < 200 ? 1 : 37)
    require_refusal(whole.substr(0, size), size);
  for (std::size_t at = 0; at < whole.size(); at += at < 300 ? 1 : 13) {
    std::string changed = whole;
    changed[at] = static_cast<char>(changed[at] ^ 0x10);
    require_refusal(changed, at);
  }
  CHECK(contains(message(whole + "x"), "checksum"));
}

}  // namespace

TEST_CASE("a loaded model predicts the same bits", "[nn]") {
  const Place place;
  const std::string metadata = std::string("{\"classes\": [1, 2]}\0 and a zero", 32);
  const Matrix<double> X = normal_matrix(12, 2, 1);
  AttentionModelOptions of_tokens = unusual();
  of_tokens.pooling = Pooling::none;
  for (const AttentionModelOptions& options :
       {unusual(), of_tokens, AttentionModelOptions{.n_features = 2}}) {
    const AttentionModel model(options);
    Vector<double> parameters = model.initial_parameters<double>(1);
    parameters(0) = 5e-324;  // the least of all numbers is kept too
    save_model(place.path, model, parameters, metadata);
    CHECK(saved_number_size(place.path) == 8);
    CHECK(saved_kind(place.path) == "attention model");
    const SavedModel<double> loaded = load_model<double>(place.path);
    CHECK(loaded.model.options() == options);
    CHECK(loaded.model.layout() == model.layout());
    CHECK(loaded.parameters == parameters);
    CHECK(loaded.metadata == metadata);
    CHECK(loaded.model.predict<double>(loaded.parameters, X) == model.predict<double>(parameters, X));
  }
  const AttentionModel model(unusual());
  const Vector<float> single = model.initial_parameters<float>(2);
  save_model(place.path, model, single);  // over the other
  CHECK(load_model<float>(place.path).parameters == single);
  CHECK(!std::filesystem::exists(place.path + ".unfinished"));
  CHECK(
      contains(refusal([&] { load_model<double>(place.path); }), "must be a model file of float64 numbers"));
}

TEST_CASE("the format is as documented, byte by byte", "[nn]") {
  const Place place;
  const AttentionModel model({.n_layers = 0, .block = {.attention = self_attention(1, 1)}});
  save_model<float>(place.path, model, Vector<float>::Constant(model.layout().size(), 1), "ab");
  const std::string bytes = bytes_of(place.path);
  CHECK(bytes.substr(0, 8) == "LIKEWISE");
  CHECK(bytes.substr(8, 4) == std::string("\6\0\0\0", 4));
  CHECK(bytes.substr(12, 23) == std::string("\17\0\0\0\0\0\0\0attention model", 23));
  CHECK(bytes.substr(35, 4) == std::string("\4\0\0\0", 4));
  CHECK(bytes.substr(39, 10) == std::string("\2\0\0\0\0\0\0\0ab", 10));
  CHECK(bytes.substr(49, 8) == std::string("\1\0\0\0\0\0\0\0", 8));
  // 6 i64, 2 u8, i64, 4 u8, i64, u8, f64, 2 u8, f64, f64, 3 u8, f64
  const std::size_t options = 49, parameters = options + 6 * 8 + 2 + 8 + 4 + 8 + 1 + 8 + 2 + 8 + 8 + 3 + 8;
  CHECK(bytes.substr(parameters, 8) == std::string("\7\0\0\0\0\0\0\0", 8));
  CHECK(bytes.substr(parameters + 16, 16) == "embedding.weight");
  CHECK(bytes.substr(bytes.size() - 12, 4) == std::string("\0\0\x80\x3f", 4));
  CHECK(sealed(bytes) == bytes);
  const std::size_t pooling = parameters - 8 - 2;
  for (const auto& [byte, meant] : {std::pair{'\0', Pooling::mean}, std::pair{'\2', Pooling::none}}) {
    write(place.path, with(bytes, pooling, byte));
    CHECK(load_model<float>(place.path).model.options().pooling == meant);
  }
  write(place.path, with(bytes, pooling, 3));
  CHECK(contains(refusal([&] { load_model<float>(place.path); }), "options are known; got 3"));
}

TEST_CASE("every truncation and every changed byte is refused with the path", "[nn]") {
  const Place place;
  AttentionModelOptions options = unusual();
  options.n_layers = 1;
  const AttentionModel model(options);
  save_model<float>(place.path, model, model.initial_parameters<float>(1), "some metadata");
  require_damage_is_refused(place, message_of(place, [&] { load_model<float>(place.path); }));
  const Message in_context_message = message_of(place, [&] { load_in_context_model(place.path); });
  for (const InContextModel& in_context_model : {in_context(false), in_context(true, true)}) {
    save_model(place.path, in_context_model, "some metadata");
    require_damage_is_refused(place, in_context_message);
  }
  const PropagationNetwork network(network_options());
  const TrainingRows<float> rows{normal_matrix(4, 3, 1).cast<float>(), graph("given")};
  save_model(place.path, network, network.initial_parameters<float>(1), rows, "some metadata");
  require_damage_is_refused(place, message_of(place, [&] { load_propagation_network<float>(place.path); }));
}

TEST_CASE("each thing that can be wrong with a file has its own message", "[nn]") {
  const Place place;
  const AttentionModel model(unusual());
  const Vector<float> parameters = model.initial_parameters<float>(1);
  save_model(place.path, model, parameters, "");
  const std::string whole = bytes_of(place.path);
  const Message message = message_of(place, [&] { load_model<float>(place.path); });
  const std::size_t kind = 8 + 4 + 8, number_size = kind + 15, metadata = number_size + 4,
                    options = metadata + 8;
  CHECK(contains(refusal([] { load_model<float>("/nowhere/at.all"); }), "a file that can be read"));
  CHECK(contains(refusal([] { load_model<float>("/tmp"); }), "a file that can be read"));
  CHECK(contains(message("PK\3\4 something else"), "begins with LIKEWISE"));
  CHECK(contains(message(""), "begins with LIKEWISE"));
  CHECK(contains(message("LIKEWI"), "truncated"));
  CHECK(contains(message(with(whole, 8, 1)), "of version 2 to 6; got version 1"));
  CHECK(contains(message(with(whole, 8, 7)), "of version 2 to 6; got version 7"));
  CHECK(contains(message(with(whole, kind, 'A')),
                 "a known kind, 'attention model', 'in-context model' or 'propagation network'; got "
                 "'Attention model'"));
  CHECK(contains(message(with(whole, number_size, 5)), "4 or 8 bytes a number"));
  CHECK(contains(message(with(whole, number_size, 8)), "float32 numbers; got float64"));
  CHECK(contains(message(with(whole, options + 16, 6)), "parameters of its options"));   // another n_outputs
  CHECK(contains(message(with(whole, options + 30, 64)), "parameters of its options"));  // 2^54 layers
  CHECK(contains(message(with(whole, options + 48, 7)), "options are known"));
  CHECK(contains(message(with(whole, metadata, 127)), place.path));  // a length beyond all
  CHECK(contains(message(sealed(whole.substr(0, whole.size() - 4))), "numbers"));
  CHECK(contains(message(sealed(whole + "x")), "ends with its last number; got 1 bytes more"));
  CHECK(contains(refusal([&] { save_model<float>("/nowhere/at.all", model, parameters); }),
                 "a place where a file can be written"));
  CHECK(contains(refusal([&] { save_model<float>(place.path, model, parameters.head(3)); }),
                 "parameters must be"));
}

TEST_CASE("a loaded in-context model predicts the same bits", "[nn]") {
  const Place place;
  const Matrix<double> X = normal_matrix(12, 3, 6);
  for (InContextModel model : {in_context(true), in_context(false), in_context(true, true)}) {
    model.context(0, 0) = 5e-324;
    save_model(place.path, model, "a word");
    CHECK(saved_kind(place.path) == "in-context model");
    CHECK(saved_number_size(place.path) == 8);
    const SavedInContextModel loaded = load_in_context_model(place.path);
    CHECK(loaded.metadata == "a word");
    CHECK(loaded.model.tied() == model.tied());
    CHECK(loaded.model.map_width() == model.map_width());
    CHECK(loaded.model.mechanisms() == model.mechanisms());
    CHECK(loaded.model.context == model.context);
    CHECK(loaded.model.values == model.values);
    CHECK(loaded.model.outputs(X) == model.outputs(X));
  }
}

TEST_CASE("the format of an in-context model is as documented, byte by byte", "[nn]") {
  const Place place;
  const auto filled = [](Index rows, Index cols, double x) {
    return Matrix<double>::Constant(rows, cols, x);
  };
  Matrix<double> context(2, 3);
  context << 1, 2, 3, 4, 5, 6;
  save_model(place.path,
             {.embedding = filled(1, 3, 7),
              .query_maps = filled(1, 1, 8),
              .log_temperature = Vector<double>::Constant(1, 9),
              .map_in = filled(2, 1, 11),
              .map_in_bias = filled(2, 1, 12),
              .map_out = filled(1, 2, 13),
              .map_out_bias = filled(1, 1, 14),
              .context = context,
              .values = filled(2, 1, 10)},
             "ab");
  const std::string bytes = bytes_of(place.path);
  CHECK(bytes.substr(12, 24) == std::string("\20\0\0\0\0\0\0\0in-context model", 24));
  CHECK(bytes.substr(36, 4) == std::string("\10\0\0\0", 4));
  CHECK(bytes.substr(40, 10) == std::string("\2\0\0\0\0\0\0\0ab", 10));
  std::string rest;
  const auto append = [&rest](const auto& numbers) {
    for (const auto x : numbers) rest.append(reinterpret_cast<const char*>(&x), sizeof x);
  };
  append(std::vector<std::int64_t>{1, 3, 1, 1, 0, 0, 1, 1, 2, 1, 2, 1, 1, 2, 1, 1, 2, 3, 2, 1});
  append(std::vector<double>{7, 7, 7, 8, 9, 11, 11, 12, 12, 13, 13, 14, 1, 2, 3, 4, 5, 6, 10, 10});
  CHECK(bytes.substr(50, bytes.size() - 58) == rest);
  CHECK(sealed(bytes) == bytes);
}

TEST_CASE("in-context models of earlier versions have no phi", "[nn]") {
  const Place place;
  const InContextModel model = in_context(true);
  save_model(place.path, model);
  std::string earlier = bytes_of(place.path);
  const std::size_t shapes = 8 + 4 + 8 + 16 + 4 + 8;
  earlier.erase(shapes + 4 * 16, 4 * 16);
  for (const char version : {'\2', '\3', '\4', '\5'}) {
    write(place.path, with(earlier, 8, version));
    CHECK(load_in_context_model(place.path).model.mechanisms() == model.mechanisms());
    CHECK(load_in_context_model(place.path).model.values == model.values);
  }
}

TEST_CASE("a file of another kind, and shapes that do not fit, have their own messages", "[nn]") {
  const Place place;
  const AttentionModel other(unusual());
  save_model(place.path, other, other.initial_parameters<double>(1));
  CHECK(contains(refusal([&] { load_in_context_model(place.path); }),
                 "of kind 'in-context model'; got 'attention model'"));
  InContextModel model = in_context(true);
  save_model(place.path, model);
  CHECK(contains(refusal([&] { load_model<double>(place.path); }),
                 "of kind 'attention model'; got 'in-context model'"));
  CHECK(contains(refusal([] { saved_kind("/nowhere/at.all"); }), "a file that can be read"));

  const std::string whole = bytes_of(place.path);
  const Message message = message_of(place, [&] { load_in_context_model(place.path); });
  const std::size_t number_size = 8 + 4 + 8 + 16, shapes = number_size + 4 + 8;
  const auto rows = [&](std::size_t part) { return shapes + 16 * part; };
  CHECK(contains(message(with(whole, number_size, 4)), "float64 numbers; got float32"));
  CHECK(contains(message(with(whole, rows(0), 5)), "numbers"));                               // five for four
  CHECK(contains(message(with(whole, rows(0) + 7, 64)), "numbers of its shapes"));            // 2^62
  CHECK(contains(message(with(whole, rows(8) + 7, -1)), "numbers of its shapes"));            // negative
  CHECK(contains(message(with(whole, rows(3) + 8, 2)), "numbers of its shapes; got 2 x 2"));  // no vector
  // 3 x 7 for 7 x 3: as many numbers
  CHECK(contains(message(with(with(whole, rows(8), 3), rows(8) + 8, 7)),
                 "parts fit each other; got context must"));

  write(place.path, whole);
  model.values = normal_matrix(6, 2, 5);
  CHECK(contains(refusal([&] { save_model(place.path, model); }), "values must be"));
  CHECK(bytes_of(place.path) == whole);
  CHECK(contains(refusal([] { save_model("/nowhere/at.all", in_context(true)); }),
                 "a place where a file can be written"));
}

TEST_CASE("a loaded propagation network predicts the same bits", "[nn]") {
  const Place place;
  const Matrix<double> X = normal_matrix(4, 3, 6), asked = normal_matrix(7, 3, 7);
  for (const Score score : {Score::sqdist, Score::dot, Score::given})
    for (const TrainingRows<double>& rows :
         {TrainingRows<double>{}, TrainingRows<double>{X}, TrainingRows<double>{X, graph("kernel")},
          TrainingRows<double>{X, graph("given")}}) {
      const PropagationNetwork network(network_options(score));
      const Vector<double> parameters = network.initial_parameters<double>(1);
      save_model(place.path, network, parameters, rows, "a word");
      CHECK(saved_kind(place.path) == "propagation network");
      CHECK(saved_number_size(place.path) == 8);
      const SavedPropagationNetwork<double> loaded = load_propagation_network<double>(place.path);
      CHECK(loaded.network.options() == network.options());
      CHECK(loaded.network.layout() == network.layout());
      CHECK(loaded.parameters == parameters);
      CHECK(loaded.metadata == "a word");
      CHECK(loaded.context.X == rows.X);
      CHECK(loaded.context.graph == rows.graph);
      const auto answer = [&](const PropagationNetwork& of, const TrainingRows<double>& context) {
        const Values<double> before = context.X;
        return context.graph ? predict<double>(of, parameters, before, 4, nullptr, *context.graph)
                             : predict<double>(of, parameters, asked, 3, before.size() ? &before : nullptr);
      };
      CHECK(answer(loaded.network, loaded.context) == answer(network, rows));
    }
}

TEST_CASE("the format of a propagation network is as documented, byte by byte", "[nn]") {
  const Place place;
  const PropagationNetwork network(
      {.n_features = 1, .n_outputs = 1, .n_layers = 0, .module = bare_module(1, Score::dot)});
  SparseMatrix<double> edges(2, 2);
  edges.insert(1, 0) = 0.5;
  save_model<float>(place.path, network, Vector<float>::Constant(4, 1),
                    {Matrix<float>::Constant(2, 1, 3), Graph{edges, "given"}}, "ab");
  const std::string bytes = bytes_of(place.path);
  CHECK(bytes.substr(12, 27) == std::string("\23\0\0\0\0\0\0\0propagation network", 27));
  CHECK(bytes.substr(39, 4) == std::string("\4\0\0\0", 4));
  // i64 n_features, n_outputs, n_layers, u8 residual; 2 i64, 2 u8, i64, 4 u8, i64, u8, f64, 2 u8, f64
  const std::size_t options = 43 + 10, parameters = options + 25 + 16 + 2 + 8 + 4 + 8 + 1 + 8 + 2 + 8;
  CHECK(bytes.substr(options, 24) == std::string("\1\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 24));
  CHECK(bytes.substr(parameters, 8) == std::string("\4\0\0\0\0\0\0\0", 8));
  CHECK(bytes.substr(parameters + 16, 12) == "input.weight");
  std::string rest;
  const auto append = [&rest](const auto& numbers) {
    for (const auto x : numbers) rest.append(reinterpret_cast<const char*>(&x), sizeof x);
  };
  append(std::array{1.0f, 1.0f, 1.0f, 1.0f});
  append(std::array{std::int64_t{2}, std::int64_t{1}});
  append(std::array{3.0f, 3.0f});
  append(std::array{std::uint8_t{2}});
  append(std::array{std::int64_t{2}, std::int64_t{1}});
  append(std::array{0, 0, 1, 0});
  append(std::array{0.5});
  CHECK(bytes.substr(bytes.size() - 8 - rest.size(), rest.size()) == rest);
  CHECK(sealed(bytes) == bytes);
}

TEST_CASE("each thing that can be wrong with a propagation network in a file has its own message", "[nn]") {
  const Place place;
  const PropagationNetwork network(network_options());
  const Vector<double> parameters = network.initial_parameters<double>(1);
  const TrainingRows<double> rows{normal_matrix(4, 3, 6), graph("given")};
  save_model(place.path, network, parameters, rows);
  CHECK(contains(refusal([&] { load_model<double>(place.path); }),
                 "of kind 'attention model'; got 'propagation network'"));
  CHECK(contains(refusal([&] { load_propagation_network<float>(place.path); }),
                 "float32 numbers; got float64"));
  const std::string whole = bytes_of(place.path);
  const Message message = message_of(place, [&] { load_propagation_network<double>(place.path); });
  const std::size_t options = 8 + 4 + 8 + 19 + 4 + 8, edges = whole.size() - 8 - (5 * 4 + 5 * 4 + 5 * 8),
                    nonzeros = edges - 8, nodes = nonzeros - 8, weights = nodes - 1,
                    shape = weights - 4 * 3 * 8 - 16;
  CHECK(contains(message(with(whole, options + 8, 3)), "parameters of its options"));  // another n_outputs
  CHECK(contains(message(with(whole, options + 16 + 6, 64)), "parameters of its options; got 14 parameters"));
  CHECK(contains(message(with(whole, options + 24, 2)), "options are known"));
  CHECK(contains(message(with(whole, shape, 5)), place.path));
  CHECK(contains(message(with(whole, shape + 7, 64)), "numbers of its shapes"));
  CHECK(contains(message(with(whole, shape + 15, -1)), "numbers of its shapes"));
  CHECK(contains(message(with(with(whole, shape, 3), shape + 8, 4)),
                 "parts fit each other; got context must be none or rows of n_features = 3 columns"));
  CHECK(contains(message(with(whole, weights, 3)), "edges are known; got 3"));
  CHECK(contains(message(with(whole, weights, 0)), "ends with its last number"));
  CHECK(contains(message(with(whole, nodes, 3)), place.path));
  CHECK(contains(message(with(whole, nodes + 7, 64)), "edges of its graph"));
  CHECK(contains(message(with(whole, nodes + 7, -1)), "edges of its graph"));
  CHECK(contains(message(with(whole, nonzeros + 4, 1)), "edges of its graph"));
  CHECK(contains(message(with(whole, nonzeros + 7, -1)), "edges of its graph"));
  CHECK(contains(message(with(whole, nonzeros, 4)), "rows follow one another"));
  CHECK(contains(message(with(whole, edges, 1)), "rows follow one another"));
  CHECK(contains(message(with(whole, edges + 4, 3)), "rows follow one another"));  // row 1 starts after row 2
  CHECK(contains(message(with(whole, edges + 20, 4)), "nodes in [0, 3]; got 4"));
  CHECK(contains(message(with(whole, edges + 23, -1)), "nodes in [0, 3]; got -"));
  CHECK(contains(message(with(whole, whole.size() - 9, -1)), "edges must be finite and not negative"));

  write(place.path, whole);
  const auto said = [&](const TrainingRows<double>& context) {
    return refusal([&] { save_model(place.path, network, parameters, context); });
  };
  CHECK(contains(said({normal_matrix(4, 2, 6)}), "context must be none or rows of n_features = 3 columns"));
  CHECK(contains(said({normal_matrix(5, 3, 6), graph("kernel")}),
                 "graph must be edges between the rows of context, 5 x 5; got 4 x 4"));
  CHECK(contains(said({{}, graph("kernel")}), "graph must be edges"));
  CHECK(contains(said({rows.X, graph("other")}), "weights must be"));
  CHECK(contains(refusal([&] { save_model<double>(place.path, network, parameters.head(3)); }),
                 "parameters must be"));
  CHECK(bytes_of(place.path) == whole);
}

/// Kind: modules without parameters, of which a file of any size may have any number.
TEST_CASE("layers without parameters are counted", "[nn]") {
  const Place place;
  PropagationNetworkOptions options = network_options(Score::given);
  options.n_layers = 50;
  const auto save = [&] {
    const PropagationNetwork network(options);
    save_model(place.path, network, network.initial_parameters<float>(1));
  };
  save();
  CHECK(load_propagation_network<float>(place.path).network.layers().size() == 50);
  const Message message = message_of(place, [&] { load_propagation_network<float>(place.path); });
  const std::size_t n_layers = 8 + 4 + 8 + 19 + 4 + 8 + 16;
  CHECK(contains(message(with(bytes_of(place.path), n_layers + 6, 64)), "parameters of its options"));
  options.n_layers = 5000;
  CHECK(contains(refusal(save), "n_layers must be at most 4096 where layers have no parameters; got 5000"));
}

/// Kind: a name that C reads up to its first null byte, or that leaves no room for the name of a file beside it.
TEST_CASE("a path is the name as it is", "[nn]") {
  const AttentionModel model(unusual());
  const Vector<float> parameters = model.initial_parameters<float>(1);
  const Place place;
  save_model(place.path, model, parameters, "first");
  const std::string other = place.path + std::string("\0.v2", 4);
  CHECK(contains(refusal([&] { save_model(other, model, parameters, "second"); }), "path must be"));
  CHECK(contains(refusal([&] { load_model<float>(other); }), "embedded null byte"));
  CHECK(load_model<float>(place.path).metadata == "first");
  namespace fs = std::filesystem;
  for (const std::string& name : {std::string(255, 'n'), std::string("caf\xe9"), std::string("\xff")}) {
    const Place unusual_place{(fs::temp_directory_path() / name).string()};
    save_model(unusual_place.path, model, parameters, name);
    CHECK(load_model<float>(unusual_place.path).metadata == name);
  }
}

/// Kind: moving a new file into place changes what lay there: a link, a mode, a neighbor of the same name, a device.
TEST_CASE("saving changes a file's content and nothing else", "[nn]") {
  namespace fs = std::filesystem;
  const Place place, target{(fs::temp_directory_path() / "likewise_test_target.likewise").string()},
      neighbor{place.path + ".unfinished"};
  const AttentionModel model(unusual());
  const Vector<float> parameters = model.initial_parameters<float>(1);
  const auto save = [&](const std::string& path) { save_model(path, model, parameters, ""); };
  write(neighbor.path, "somebody's");
  fs::create_symlink(target.path, place.path);
  save(place.path);  // a link to nothing yet
  CHECK(fs::is_symlink(place.path));
  CHECK(load_model<float>(target.path).parameters == parameters);
  const fs::perms own = fs::perms::owner_read | fs::perms::owner_write;
  fs::permissions(target.path, own);
  save(place.path);
  CHECK(fs::is_symlink(place.path));
  CHECK(fs::status(target.path).permissions() == own);
  CHECK(bytes_of(neighbor.path) == "somebody's");
  for (const auto& entry : fs::directory_iterator(fs::temp_directory_path()))
    if (entry.path().string() != neighbor.path)
      CHECK(entry.path().string().rfind(target.path + ".", 0) == std::string::npos);
  fs::remove(place.path);
  fs::create_symlink(place.path, place.path);
  CHECK(contains(refusal([&] { save(place.path); }), "link"));
  CHECK(contains(refusal([&] { save("/dev/null"); }), "a device or another special file"));
  CHECK(fs::is_character_file("/dev/null"));
  CHECK(contains(refusal([&] { save(fs::temp_directory_path().string()); }), "a folder"));
  CHECK(contains(refusal([&] { load_model<float>("/dev/null"); }), "special file"));
}
