// A file gives back every bit, and says what is wrong with it.
#include <likewise/nn/archive.hpp>

#include <filesystem>
#include <fstream>

#include "catch.hpp"
#include "testing.hpp"

using namespace likewise;
using namespace likewise::nn;

namespace {

/// A place of its own, empty before and after.
struct Place {
  std::string path = (std::filesystem::temp_directory_path() / "likewise_test_model.likewise").string();
  Place() { std::filesystem::remove(path); }
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
  CHECK(bytes.substr(8, 8) == std::string("\1\0\0\0\4\0\0\0", 8));
  CHECK(bytes.substr(16, 10) == std::string("\2\0\0\0\0\0\0\0ab", 10));
  CHECK(bytes.substr(26, 8) == std::string("\1\0\0\0\0\0\0\0", 8));
  // 6 i64, 2 u8, i64, 4 u8, f64, 3 u8, f64
  const std::size_t options = 26, parameters = options + 6 * 8 + 2 + 8 + 4 + 8 + 3 + 8;
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
  const std::string whole = bytes_of(place.path);
  for (std::size_t size = 0; size < whole.size(); size += size < 200 ? 1 : 37) {
    write(place.path, whole.substr(0, size));
    const std::string message = refusal([&] { load_model<float>(place.path); });
    if (!contains(message, place.path) || !contains(message, "must be")) FAIL(size << ": " << message);
  }
  for (std::size_t at = 0; at < whole.size(); at += at < 300 ? 1 : 13) {
    std::string changed = whole;
    changed[at] = static_cast<char>(changed[at] ^ 0x10);
    write(place.path, changed);
    const std::string message = refusal([&] { load_model<float>(place.path); });
    if (!contains(message, place.path) || !contains(message, "must be")) FAIL(at << ": " << message);
  }
  write(place.path, whole + "x");
  CHECK(contains(refusal([&] { load_model<float>(place.path); }), "checksum"));
}

TEST_CASE("each thing that can be wrong with a file has its own message", "[nn]") {
  const Place place;
  const AttentionModel model(unusual());
  const Vector<float> parameters = model.initial_parameters<float>(1);
  save_model(place.path, model, parameters, "");
  const std::string whole = bytes_of(place.path);
  const auto message = [&](const std::string& bytes) {
    write(place.path, bytes);
    return refusal([&] { load_model<float>(place.path); });
  };
  const auto with = [&](std::size_t at, char byte) {
    std::string changed = whole;
    changed[at] = byte;
    return sealed(changed);
  };
  CHECK(contains(refusal([] { load_model<float>("/nowhere/at.all"); }), "a file that can be read"));
  CHECK(contains(refusal([] { load_model<float>("/tmp"); }), "a file that can be read"));
  CHECK(contains(message("PK\3\4 something else"), "begins with LIKEWISE"));
  CHECK(contains(message(""), "begins with LIKEWISE"));
  CHECK(contains(message("LIKEWI"), "truncated"));
  CHECK(contains(message(with(8, 2)), "of version 1; got version 2"));
  CHECK(contains(message(with(12, 5)), "4 or 8 bytes a number"));
  CHECK(contains(message(with(12, 8)), "float32 numbers; got float64"));
  CHECK(contains(message(with(24 + 16, 6)), "parameters of its options"));   // another n_outputs
  CHECK(contains(message(with(24 + 30, 64)), "parameters of its options"));  // 2^54 layers
  CHECK(contains(message(with(24 + 48, 7)), "options are known"));
  CHECK(contains(message(with(16, 127)), place.path));  // a metadata length beyond all
  CHECK(contains(message(sealed(whole.substr(0, whole.size() - 4))), "numbers"));
  CHECK(contains(refusal([&] { save_model<float>("/nowhere/at.all", model, parameters); }),
                 "a place where a file can be written"));
  CHECK(contains(refusal([&] { save_model<float>(place.path, model, parameters.head(3)); }),
                 "parameters must be"));
}
