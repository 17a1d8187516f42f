#include <likewise/nn/archive.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <random>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <utility>

namespace likewise::nn {
namespace {

constexpr std::string_view magic = "LIKEWISE";
constexpr std::uint32_t version = 5, oldest_version = 2;
/// Options that files of an earlier version do not have, and since which version they do.
constexpr std::array<std::pair<std::string_view, std::uint32_t>, 6> younger_options = {
    {{"map_width", 3}, {"share_map", 3}, {"temperature", 3}, {"project", 4}, {"values", 4}, {"slope", 5}}};

bool has_option(std::uint32_t file_version, std::string_view name) {
  return std::none_of(younger_options.begin(), younger_options.end(), [&](const auto& younger) {
    return younger.first == name && younger.second > file_version;
  });
}
constexpr std::string_view attention_kind = "attention model", in_context_kind = "in-context model";
constexpr std::size_t checksum_bytes = 8;

std::string named(const std::string& path) { return "path '" + path + "'"; }

/// FNV-1a, 64 bits: every step is invertible, so a single changed byte always shows.
std::uint64_t checksum(std::string_view bytes) {
  std::uint64_t sum = 0xcbf29ce484222325ULL;
  for (const char byte : bytes) sum = (sum ^ static_cast<unsigned char>(byte)) * 0x100000001b3ULL;
  return sum;
}

// --- numbers as bytes, the least significant first

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
  Reader(std::string_view bytes, std::string path, std::uint32_t file_version = version)
      : bytes_(bytes), path_(std::move(path)), version_(file_version) {}

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
  std::uint32_t file_version() const { return version_; }

 private:
  std::string_view bytes_;
  std::string path_;
  std::uint32_t version_;
  std::size_t at_ = 0;
};

template <class Numbers> void write_numbers(Writer& out, const Numbers& numbers) {
  for (Index i = 0; i < numbers.size(); ++i) out.number(numbers.data()[i]);
}
template <class Numbers> void read_numbers(Reader& in, Numbers& numbers) {
  for (Index i = 0; i < numbers.size(); ++i) numbers.data()[i] = in.number<typename Numbers::Scalar>();
}
template <class T> void require_numbers(const Reader& in, Index size) {
  require(in.left() == static_cast<std::size_t>(size) * sizeof(T), named(in.path()),
          "a model file of " + std::to_string(size) + " numbers",
          std::to_string(in.left()) + " bytes of numbers");
}

// --- options, by each_option in one order for both ways

template <class Field> constexpr bool is_choice = std::is_enum_v<Field> || std::is_same_v<Field, bool>;
/// The last of the values that a choice has.
template <class Field>
constexpr int last_choice = std::is_same_v<Field, Score> ? static_cast<int>(Score::given) : 1;

void write_options(Writer& out, const AttentionModelOptions& options) {
  each_option(options, [&](const char*, const auto& field) {
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
  each_option(options, [&](const char* name, auto& field) {
    if (!has_option(in.file_version(), name)) return;  // at its default
    using Field = std::remove_cvref_t<decltype(field)>;
    if constexpr (is_choice<Field>) {
      const auto choice = in.number<std::uint8_t>();
      require(choice <= last_choice<Field>, named(in.path()), "a model file whose options are known",
              int{choice});
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

/// The system ends a name at its first null byte, so that another file than the one named would be read or written.
void require_whole_name(const std::string& path) {
  require(path.find('\0') == std::string::npos, "path", "the name of a file, which has no null byte",
          "a name with an embedded null byte, '" + std::string(path.c_str()) + "\\0...'");
}

std::string bytes_of_file(const std::string& path) {
  require_whole_name(path);
  std::error_code ignored;
  const auto status = std::filesystem::status(path, ignored);  // a pipe or a device may never end
  require(!std::filesystem::exists(status) || std::filesystem::is_regular_file(status), named(path),
          "a file that can be read", "a folder, a device or another special file");
  std::ifstream file(path, std::ios::binary);
  require(file.is_open(), named(path), "a file that can be read", "none");
  std::string bytes{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  require(!file.bad(), named(path), "a file that can be read", "an error of the system");
  return bytes;
}

[[noreturn]] void refuse_to_write(const std::string& path, const std::string& why) {
  refuse(named(path), "a place where a file can be written", why);
}

/// Where links lead to, which may be a file that is not there yet.
std::filesystem::path followed(const std::string& path) {
  constexpr int most_links = 40;  // a circle otherwise
  std::filesystem::path place = path;
  std::error_code error;
  for (int links = 0; std::filesystem::is_symlink(std::filesystem::symlink_status(place, error)); ++links) {
    if (links == most_links) refuse_to_write(path, "a circle of links");
    place = place.parent_path() / std::filesystem::read_symlink(place, error);
    if (error) refuse_to_write(path, error.message());
  }
  return place;
}

struct Close {
  void operator()(std::FILE* file) const { std::fclose(file); }
};
using OpenFile = std::unique_ptr<std::FILE, Close>;

/// A new file in the folder of `place`, under a short name that nobody has; `beside` becomes its path.
OpenFile new_file(const std::filesystem::path& place, std::filesystem::path& beside) {
  constexpr int tries = 16;
  std::random_device random;
  for (int i = 0; i < tries; ++i) {
    beside = place.parent_path() / (".likewise-" + std::to_string(random()) + ".unfinished");
    if (OpenFile file{std::fopen(beside.string().c_str(), "wbx")}) return file;  // x: never one that is there
    if (errno != EEXIST) break;
  }
  return nullptr;
}

/// Written beside its place and moved there. A file that is there keeps its permissions, links stay links.
void write_file(const std::string& path, const std::string& bytes) {
  namespace fs = std::filesystem;
  require_whole_name(path);
  std::error_code error;
  const fs::path place = followed(path);
  const fs::file_status earlier = fs::status(place, error);
  if (fs::exists(earlier) && !fs::is_regular_file(earlier))
    refuse_to_write(path, fs::is_directory(earlier) ? "a folder" : "a device or another special file");
  fs::path beside;
  OpenFile file = new_file(place, beside);
  if (!file) refuse_to_write(path, std::generic_category().message(errno));
  error.clear();
  if (fs::exists(earlier)) fs::permissions(beside, earlier.permissions(), error);  // before there is content
  const bool written = !error && std::fwrite(bytes.data(), 1, bytes.size(), file.get()) == bytes.size();
  const bool closed = std::fclose(file.release()) == 0;
  if (!error && !(written && closed)) error = {errno, std::generic_category()};
  if (!error) fs::rename(beside, place, error);
  if (!error) return;
  std::error_code ignored;
  fs::remove(beside, ignored);
  refuse_to_write(path, error.message());
}

/// A whole file: what every kind begins with, the `content` that a kind writes, the checksum.
template <class T, class Content>
void write_model(const std::string& path, std::string_view kind, const std::string& metadata,
                 const Content& content) {
  Writer out;
  out.raw(magic);
  out.number(version);
  out.text(kind);
  out.number(static_cast<std::uint32_t>(sizeof(T)));
  out.text(metadata);
  content(out);
  out.number(checksum(out.bytes()));
  write_file(path, out.bytes());
}

/// What comes after the version and before the checksum, both checked.
Reader read_sealed(std::string_view bytes, const std::string& path) {
  require(bytes.starts_with(magic.substr(0, std::min(bytes.size(), magic.size()))) && !bytes.empty(),
          named(path), "a model file, which begins with LIKEWISE", "another file");
  Reader in(bytes, path);
  in.raw(magic.size());
  const auto found = in.number<std::uint32_t>();
  require(oldest_version <= found && found <= version, named(path),
          "a model file of version " + std::to_string(oldest_version) + " to " + std::to_string(version),
          "version " + std::to_string(found));
  const std::string_view content = in.raw(in.left() - std::min(in.left(), checksum_bytes));
  require(in.number<std::uint64_t>() == checksum(bytes.substr(0, bytes.size() - checksum_bytes)), named(path),
          "a model file as it was written", "a truncated or changed one (its checksum differs)");
  return {content, path, found};
}

struct Head {
  std::string kind;
  int number_size;
};

Head read_head(Reader& in) {
  const std::string kind = in.text();
  require(kind == attention_kind || kind == in_context_kind, named(in.path()),
          "a model file of a known kind, '" + std::string(attention_kind) + "' or '"
              + std::string(in_context_kind) + "'",
          "'" + kind + "'");
  const auto size = in.number<std::uint32_t>();
  require(size == 4 || size == 8, named(in.path()), "a model file of 4 or 8 bytes a number", size);
  return {kind, static_cast<int>(size)};
}
Head head_of_file(const std::string& path) {
  const std::string bytes = bytes_of_file(path);
  Reader in = read_sealed(bytes, path);
  return read_head(in);
}

/// The metadata of a file of that kind whose numbers are Ts.
template <class T> std::string read_beginning(Reader& in, std::string_view kind) {
  const Head head = read_head(in);
  require(head.kind == kind, named(in.path()), "a model file of kind '" + std::string(kind) + "'",
          "'" + head.kind + "'");
  require(head.number_size == sizeof(T), named(in.path()),
          sizeof(T) == 4 ? "a model file of float32 numbers" : "a model file of float64 numbers",
          sizeof(T) == 4 ? "float64" : "float32");
  return in.text();
}

/// What else a model may say about its parts, with the file's name.
template <class Make> auto naming(const std::string& path, const Make& make) {
  try {
    return make();
  } catch (const InvalidArgument& error) {
    refuse(named(path), "a model file whose parts fit each other", error.what());
  }
}

// --- in context, one order of parts for both ways

template <class Model, class Visit> void each_part(Model& model, const Visit& visit) {
  visit(model.embedding);
  visit(model.query_maps);
  visit(model.key_maps);
  visit(model.log_temperature);
  visit(model.context);
  visit(model.values);
}

void write_in_context(Writer& out, const InContextModel& model) {
  each_part(model, [&](const auto& part) {
    out.number(static_cast<std::int64_t>(part.rows()));
    out.number(static_cast<std::int64_t>(part.cols()));
  });
  each_part(model, [&](const auto& part) { write_numbers(out, part); });
}

/// Makes the part with its shape in the file, which has at most `numbers` of them: none of absurd size.
template <class Part> void read_shape(Reader& in, std::int64_t numbers, Part& part) {
  const auto rows = in.number<std::int64_t>(), cols = in.number<std::int64_t>();
  const bool is_possible = Part::ColsAtCompileTime == 1 ? cols == 1 : cols >= 0;
  require(is_possible && rows >= 0 && (cols == 0 || rows <= numbers / cols), named(in.path()),
          "a model file with the numbers of its shapes", std::to_string(rows) + " x " + std::to_string(cols));
  part.resize(rows, cols);
}

InContextModel read_in_context(Reader& in) {
  InContextModel model;
  const auto most = static_cast<std::int64_t>(in.left() / sizeof(double));
  Index size = 0;
  each_part(model, [&](auto& part) {
    read_shape(in, most, part);
    size += part.size();
  });
  require_numbers<double>(in, size);
  each_part(model, [&](auto& part) { read_numbers(in, part); });
  return model;
}

}  // namespace

template <class T>
void save_model(const std::string& path, const AttentionModel& model, const Vector<T>& parameters,
                const std::string& metadata) {
  require(parameters.size() == model.layout().size(), "parameters",
          "the model's " + std::to_string(model.layout().size()) + " numbers", parameters.size());
  write_model<T>(path, attention_kind, metadata, [&](Writer& out) {
    write_options(out, model.options());
    write_layout(out, model.layout());
    write_numbers(out, parameters);
  });
}

void save_model(const std::string& path, const InContextModel& model, const std::string& metadata) {
  validate(model);
  write_model<double>(path, in_context_kind, metadata, [&](Writer& out) { write_in_context(out, model); });
}

template <class T> SavedModel<T> load_model(const std::string& path) {
  const std::string bytes = bytes_of_file(path);
  Reader in = read_sealed(bytes, path);
  std::string metadata = read_beginning<T>(in, attention_kind);
  const AttentionModelOptions options = read_options(in);
  const std::vector<std::string> lines = read_layout(in);
  // Before a model of absurd size is made.
  require(options.n_layers <= static_cast<Index>(lines.size()), named(path),
          "a model file with the parameters of its options", std::to_string(lines.size()) + " parameters");
  AttentionModel model = naming(path, [&] { return AttentionModel(options); });
  require_layout(lines, model.layout(), path);
  require_numbers<T>(in, model.layout().size());
  Vector<T> parameters(model.layout().size());
  read_numbers(in, parameters);
  return {std::move(model), std::move(parameters), std::move(metadata)};
}

SavedInContextModel load_in_context_model(const std::string& path) {
  const std::string bytes = bytes_of_file(path);
  Reader in = read_sealed(bytes, path);
  std::string metadata = read_beginning<double>(in, in_context_kind);
  InContextModel model = read_in_context(in);
  naming(path, [&] { validate(model); });
  return {std::move(model), std::move(metadata)};
}

std::string saved_kind(const std::string& path) { return head_of_file(path).kind; }
int saved_number_size(const std::string& path) { return head_of_file(path).number_size; }

#define LIKEWISE_INSTANTIATE(T)                                                                              \
  template void save_model(const std::string&, const AttentionModel&, const Vector<T>&, const std::string&); \
  template SavedModel<T> load_model(const std::string&);
LIKEWISE_INSTANTIATE(float)
LIKEWISE_INSTANTIATE(double)
#undef LIKEWISE_INSTANTIATE

}  // namespace likewise::nn
