// A file gives back every bit, and says what is wrong with it.
#include <likewise/nn/archive.hpp>

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

/// Two maps for each of two heads, or one.
InContextModel in_context(bool tied) {
  InContextModel model{.embedding = normal_matrix(4, 3, 1),
                       .query_maps = normal_matrix(2 * 2, 4, 2),
                       .log_temperature = Vector<double>::LinSpaced(2, -0.5, 1),
                       .context = normal_matrix(7, 3, 4),
                       .values = normal_matrix(7, 2, 5)};
  if (!tied) model.key_maps = normal_matrix(2 * 2, 4, 3);
  return model;
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
  for (const AttentionModelOptions& options : {unusual(), AttentionModelOptions{.n_features = 2}}) {
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
  CHECK(bytes.substr(8, 4) == std::string("\5\0\0\0", 4));
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
}

TEST_CASE("every truncation and every changed byte is refused with the path", "[nn]") {
  const Place place;
  AttentionModelOptions options = unusual();
  options.n_layers = 1;
  const AttentionModel model(options);
  save_model<float>(place.path, model, model.initial_parameters<float>(1), "some metadata");
  require_damage_is_refused(place, message_of(place, [&] { load_model<float>(place.path); }));
  save_model(place.path, in_context(false), "some metadata");
  require_damage_is_refused(place, message_of(place, [&] { load_in_context_model(place.path); }));
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
  CHECK(contains(message(with(whole, 8, 1)), "of version 2 to 5; got version 1"));
  CHECK(contains(message(with(whole, 8, 6)), "of version 2 to 5; got version 6"));
  CHECK(contains(message(with(whole, kind, 'A')),
                 "a known kind, 'attention model' or 'in-context model'; got "
                 "'Attention model'"));
  CHECK(contains(message(with(whole, number_size, 5)), "4 or 8 bytes a number"));
  CHECK(contains(message(with(whole, number_size, 8)), "float32 numbers; got float64"));
  CHECK(contains(message(with(whole, options + 16, 6)), "parameters of its options"));   // another n_outputs
  CHECK(contains(message(with(whole, options + 30, 64)), "parameters of its options"));  // 2^54 layers
  CHECK(contains(message(with(whole, options + 48, 7)), "options are known"));
  CHECK(contains(message(with(whole, metadata, 127)), place.path));  // a length beyond all
  CHECK(contains(message(sealed(whole.substr(0, whole.size() - 4))), "numbers"));
  CHECK(contains(refusal([&] { save_model<float>("/nowhere/at.all", model, parameters); }),
                 "a place where a file can be written"));
  CHECK(contains(refusal([&] { save_model<float>(place.path, model, parameters.head(3)); }),
                 "parameters must be"));
}

TEST_CASE("a loaded in-context model predicts the same bits", "[nn]") {
  const Place place;
  const Matrix<double> X = normal_matrix(12, 3, 6);
  for (const bool tied : {true, false}) {
    InContextModel model = in_context(tied);
    model.context(0, 0) = 5e-324;
    save_model(place.path, model, "a word");
    CHECK(saved_kind(place.path) == "in-context model");
    CHECK(saved_number_size(place.path) == 8);
    const SavedInContextModel loaded = load_in_context_model(place.path);
    CHECK(loaded.metadata == "a word");
    CHECK(loaded.model.tied() == tied);
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
  append(std::vector<std::int64_t>{1, 3, 1, 1, 0, 0, 1, 1, 2, 3, 2, 1});
  append(std::vector<double>{7, 7, 7, 8, 9, 1, 2, 3, 4, 5, 6, 10, 10});
  CHECK(bytes.substr(50, bytes.size() - 58) == rest);
  CHECK(sealed(bytes) == bytes);
}

TEST_CASE("a file of the other kind, and shapes that do not fit, have their own messages", "[nn]") {
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
  CHECK(contains(message(with(whole, rows(4) + 7, -1)), "numbers of its shapes"));            // negative
  CHECK(contains(message(with(whole, rows(3) + 8, 2)), "numbers of its shapes; got 2 x 2"));  // no vector
  // 3 x 7 for 7 x 3: as many numbers
  CHECK(contains(message(with(with(whole, rows(4), 3), rows(4) + 8, 7)),
                 "parts fit each other; got context must"));

  write(place.path, whole);
  model.values = normal_matrix(6, 2, 5);
  CHECK(contains(refusal([&] { save_model(place.path, model); }), "values must be"));
  CHECK(bytes_of(place.path) == whole);
  CHECK(contains(refusal([] { save_model("/nowhere/at.all", in_context(true)); }),
                 "a place where a file can be written"));
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
