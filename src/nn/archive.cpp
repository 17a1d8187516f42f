#include <likewise/nn/archive.hpp>

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string_view>
#include <type_traits>
#include <utility>

namespace likewise::nn {
namespace {

constexpr std::string_view magic = "LIKEWISE";
constexpr std::uint32_t version = 1;
constexpr std::size_t checksum_bytes = 8;

std::string named(const std::string& path) { return "path '" + path + "'"; }

/// FNV-1a, 64 bits: every step is invertible, so a single changed byte always shows.
std::uint64_t checksum(std::string_view bytes) {
  std::uint64_t sum = 0xcbf29ce484222325ULL;
  for (const char byte : bytes) sum = (sum ^ static_cast<unsigned char>(byte)) * 0x100000001b3ULL;
  return sum;
}

// --- numbers as bytes, the least significant first
// ----------------------------------------------------------------

template <class Number>
using BitsOf = std::conditional_t<sizeof(Number) == 1, std::uint8_t,
                                  std::conditional_t<sizeof(Number) == 4, std::uint32_t, std::uint64_t>>;

class Writer {
 public:
  template <class Number> void number(Number value) {
    auto bits = std::bit_cast<BitsOf<Number>>(value);
    char bytes[sizeof(Number)];
    for (char& byte : bytes) {
      byte = static_cast<char>(bits & 0xff);
      if constexpr (sizeof(Number) > 1) bits >>= 8;
    }
    raw({bytes, sizeof bytes});
  }
  void raw(std::string_view part) { bytes_ += part; }
  void text(std::string_view part) {
    number(static_cast<std::uint64_t>(part.size()));
    raw(part);
  }
  const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
};

class Reader {
 public:
  Reader(std::string_view bytes, std::string path) : bytes_(bytes), path_(std::move(path)) {}

  template <class Number> Number number() {
    const std::string_view part = raw(sizeof(Number));
    BitsOf<Number> bits = 0;
    for (std::size_t i = 0; i < sizeof(Number); ++i)
      bits = static_cast<BitsOf<Number>>(
          bits | static_cast<BitsOf<Number>>(BitsOf<Number>(static_cast<unsigned char>(part[i])) << (8 * i)));
    return std::bit_cast<Number>(bits);
  }
  std::string_view raw(std::uint64_t size) {
    if (size > left())
      refuse(named(path_), "a whole model file",
             "a truncated one of " + std::to_string(bytes_.size()) + " bytes");
    const std::string_view part = bytes_.substr(at_, static_cast<std::size_t>(size));
    at_ += part.size();
    return part;
  }
  std::string text() { return std::string(raw(number<std::uint64_t>())); }
  std::size_t left() const { return bytes_.size() - at_; }
  const std::string& path() const { return path_; }

 private:
  std::string_view bytes_;
  std::string path_;
  std::size_t at_ = 0;
};

// --- options, in one order for both ways
// --------------------------------------------------------------------------

/// Calls visit(field) for each; `Options` is const when they are written.
template <class Options, class Visit> void each_option(Options& o, const Visit& visit) {
  visit(o.n_tokens);
  visit(o.n_features);
  visit(o.n_outputs);
  visit(o.n_layers);
  auto& a = o.block.attention;
  visit(a.embed_dim);
  visit(a.num_heads);
  visit(a.score);
  visit(a.tied);
  visit(a.rank);
  visit(a.diagonal);
  visit(a.learn_temperature);
  visit(a.key_bias);
  visit(a.bias);
  visit(o.block.mlp_ratio);
  visit(o.block.activation);
  visit(o.pooling);
  visit(o.positions);
  visit(o.position_std);
}

template <class Field> constexpr bool is_choice = std::is_enum_v<Field> || std::is_same_v<Field, bool>;

void write_options(Writer& out, const AttentionModelOptions& options) {
  each_option(options, [&](const auto& field) {
    using Field = std::remove_cvref_t<decltype(field)>;
    if constexpr (is_choice<Field>)
      out.number(static_cast<std::uint8_t>(field));
    else if constexpr (std::is_integral_v<Field>)
      out.number(static_cast<std::int64_t>(field));
    else
      out.number(field);
  });
}

AttentionModelOptions read_options(Reader& in) {
  AttentionModelOptions options;
  each_option(options, [&](auto& field) {
    using Field = std::remove_cvref_t<decltype(field)>;
    if constexpr (is_choice<Field>) {
      const auto choice = in.number<std::uint8_t>();
      require(choice <= 1, named(in.path()), "a model file whose options are known", int{choice});
      field = static_cast<Field>(choice);
    } else if constexpr (std::is_integral_v<Field>) {
      field = static_cast<Field>(in.number<std::int64_t>());
    } else {
      field = in.number<double>();
    }
  });
  return options;
}

void write_layout(Writer& out, const ParameterLayout& layout) {
  out.number(static_cast<std::uint64_t>(layout.entries().size()));
  for (const ParameterLayout::Entry& entry : layout.entries()) {
    out.text(entry.name);
    out.number(static_cast<std::int64_t>(entry.slot.rows));
    out.number(static_cast<std::int64_t>(entry.slot.cols));
  }
}

/// The names and shapes in the file, each one line.
std::vector<std::string> read_layout(Reader& in) {
  const auto size = in.number<std::uint64_t>();
  std::vector<std::string> lines;
  for (std::uint64_t i = 0; i < size; ++i) {
    const std::string name = in.text();
    const auto rows = in.number<std::int64_t>(), cols = in.number<std::int64_t>();
    lines.push_back(name + " " + std::to_string(rows) + " x " + std::to_string(cols));
  }
  return lines;
}
std::string line_of(const ParameterLayout::Entry& entry) {
  return entry.name + " " + std::to_string(entry.slot.rows) + " x " + std::to_string(entry.slot.cols);
}

void require_layout(const std::vector<std::string>& lines, const ParameterLayout& layout,
                    const std::string& path) {
  for (std::size_t i = 0; i < std::max(lines.size(), layout.entries().size()); ++i) {
    const std::string want = i < layout.entries().size() ? line_of(layout.entries()[i]) : "no parameter",
                      got = i < lines.size() ? lines[i] : "no parameter";
    require(want == got, named(path), "a model file with the parameters of its options, '" + want + "'",
            "'" + got + "'");
  }
}

// --- files
// --------------------------------------------------------------------------------------------------------

std::string bytes_of_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  require(file.is_open() && !std::filesystem::is_directory(path), named(path), "a file that can be read",
          "none");
  std::string bytes{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  require(!file.bad(), named(path), "a file that can be read", "an error of the system");
  return bytes;
}

void write_file(const std::string& path, const std::string& bytes) {
  const std::string beside = path + ".unfinished";
  {
    std::ofstream file(beside, std::ios::binary | std::ios::trunc);
    file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    file.close();
    if (file.fail()) {
      std::error_code ignored;
      std::filesystem::remove(beside, ignored);
      refuse(named(path), "a place where a file can be written", "an error of the system");
    }
  }
  std::error_code error;
  std::filesystem::rename(beside, path, error);
  if (!error) return;
  std::error_code ignored;
  std::filesystem::remove(beside, ignored);
  refuse(named(path), "a place where a file can be written", error.message());
}

AttentionModel model_of(const AttentionModelOptions& options, const std::string& path) {
  try {
    return AttentionModel(options);
  } catch (const InvalidArgument& error) {
    refuse(named(path), "a model file of options that fit each other", error.what());
  }
}

/// What comes before the metadata: kind of file, version, checksum. Returns the bytes of a number.
int read_head(Reader& in, std::string_view bytes) {
  require(bytes.starts_with(magic.substr(0, std::min(bytes.size(), magic.size()))) && !bytes.empty(),
          named(in.path()), "a model file, which begins with LIKEWISE", "another file");
  in.raw(magic.size());
  const auto found = in.number<std::uint32_t>();
  require(found == version, named(in.path()), "a model file of version " + std::to_string(version),
          "version " + std::to_string(found));
  const auto size = in.number<std::uint32_t>();
  in.raw(checksum_bytes);  // at least
  const std::string_view content = bytes.substr(0, bytes.size() - checksum_bytes);
  Reader last(bytes.substr(content.size()), in.path());
  require(last.number<std::uint64_t>() == checksum(content), named(in.path()),
          "a model file as it was written", "a truncated or changed one (its checksum differs)");
  require(size == 4 || size == 8, named(in.path()), "a model file of 4 or 8 bytes a number", size);
  return static_cast<int>(size);
}

}  // namespace

template <class T>
void save_model(const std::string& path, const AttentionModel& model, const Vector<T>& parameters,
                const std::string& metadata) {
  require(parameters.size() == model.layout().size(), "parameters",
          "the model's " + std::to_string(model.layout().size()) + " numbers", parameters.size());
  Writer out;
  out.raw(magic);
  out.number(version);
  out.number(static_cast<std::uint32_t>(sizeof(T)));
  out.text(metadata);
  write_options(out, model.options());
  write_layout(out, model.layout());
  for (const T x : parameters) out.number(x);
  out.number(checksum(out.bytes()));
  write_file(path, out.bytes());
}

template <class T> SavedModel<T> load_model(const std::string& path) {
  const std::string bytes = bytes_of_file(path);
  Reader head(bytes, path);
  const int size = read_head(head, bytes);
  require(size == sizeof(T), named(path),
          sizeof(T) == 4 ? "a model file of float32 numbers" : "a model file of float64 numbers",
          size == 4 ? "float32" : "float64");
  Reader in(std::string_view(bytes).substr(0, bytes.size() - checksum_bytes), path);
  in.raw(magic.size() + 2 * sizeof(std::uint32_t));
  std::string metadata = in.text();
  const AttentionModelOptions options = read_options(in);
  const std::vector<std::string> lines = read_layout(in);
  // Before a model of absurd size is made.
  require(options.n_layers <= static_cast<Index>(lines.size()), named(path),
          "a model file with the parameters of its options", std::to_string(lines.size()) + " parameters");
  AttentionModel model = model_of(options, path);
  require_layout(lines, model.layout(), path);
  require(in.left() == static_cast<std::size_t>(model.layout().size()) * sizeof(T), named(path),
          "a model file of " + std::to_string(model.layout().size()) + " numbers",
          std::to_string(in.left()) + " bytes of numbers");
  Vector<T> parameters(model.layout().size());
  for (T& x : parameters) x = in.number<T>();
  return {std::move(model), std::move(parameters), std::move(metadata)};
}

int saved_number_size(const std::string& path) {
  const std::string bytes = bytes_of_file(path);
  Reader in(bytes, path);
  return read_head(in, bytes);
}

#define LIKEWISE_INSTANTIATE(T)                                                                              \
  template void save_model(const std::string&, const AttentionModel&, const Vector<T>&, const std::string&); \
  template SavedModel<T> load_model(const std::string&);
LIKEWISE_INSTANTIATE(float)
LIKEWISE_INSTANTIATE(double)
#undef LIKEWISE_INSTANTIATE

}  // namespace likewise::nn
