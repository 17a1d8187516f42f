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
#include <limits>
#include <memory>
#include <random>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <utility>

namespace likewise::nn {
namespace {

constexpr std::string_view magic = "LIKEWISE";
constexpr std::uint32_t version = 6, oldest_version = 2;
/// Options that files of an earlier version do not have, and since which version they do.
constexpr std::array<std::pair<std::string_view, std::uint32_t>, 6> younger_options = {
    {{"map_width", 3}, {"share_map", 3}, {"temperature", 3}, {"project", 4}, {"values", 4}, {"slope", 5}}};

bool has_option(std::uint32_t file_version, std::string_view name) {
  return std::none_of(younger_options.begin(), younger_options.end(), [&](const auto& younger) {
    return younger.first == name && younger.second > file_version;
  });
}
constexpr std::string_view attention_kind = "attention model", in_context_kind = "in-context model",
                           network_kind = "propagation network";
constexpr std::size_t checksum_bytes = 8;
constexpr Index most_bare_layers = 4096;  ///< without parameters, so that a file's length does not bound them

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
template <class Numbers> void read_numbers(Reader& in, Numbers&& numbers) {
  using Number = typename std::remove_cvref_t<Numbers>::Scalar;
  for (Index i = 0; i < numbers.size(); ++i) numbers.data()[i] = in.number<Number>();
}
/// Before memory is taken for them.
template <class T> void require_numbers(const Reader& in, Index size) {
  require(static_cast<std::size_t>(size) <= in.left() / sizeof(T), named(in.path()),
          "a model file of " + std::to_string(size) + " numbers",
          std::to_string(in.left()) + " bytes of numbers");
}

std::string shape(std::int64_t rows, std::int64_t cols) {
  return std::to_string(rows) + " x " + std::to_string(cols);
}
template <class Part> void write_shape(Writer& out, const Part& part) {
  out.number(static_cast<std::int64_t>(part.rows()));
  out.number(static_cast<std::int64_t>(part.cols()));
}
/// Makes the part with its shape in the file, which has at most `numbers` of them: none of absurd size.
template <class Part> void read_shape(Reader& in, std::int64_t numbers, Part& part) {
  const auto rows = in.number<std::int64_t>(), cols = in.number<std::int64_t>();
  const bool is_possible = Part::ColsAtCompileTime == 1 ? cols == 1 : cols >= 0;
  require(is_possible && rows >= 0 && (cols == 0 || rows <= numbers / cols), named(in.path()),
          "a model file with the numbers of its shapes", shape(rows, cols));
  part.resize(rows, cols);
}

// --- options, by each_option in one order for both ways

template <class Field> constexpr bool is_choice = std::is_enum_v<Field> || std::is_same_v<Field, bool>;
/// The last of the values that a choice has.
template <class Field>
constexpr int last_choice = std::is_same_v<Field, Score>     ? static_cast<int>(Score::given)
                            : std::is_same_v<Field, Pooling> ? static_cast<int>(Pooling::none)
                                                             : 1;

template <class Options> void write_options(Writer& out, const Options& options) {
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

template <class Options> Options read_options(Reader& in) {
  Options options;
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
    lines.push_back(name + " " + shape(rows, cols));
  }
  return lines;
}
std::string line_of(const ParameterLayout::Entry& entry) {
  return entry.name + " " + shape(entry.slot.rows, entry.slot.cols);
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
  require(kind == attention_kind || kind == in_context_kind || kind == network_kind, named(in.path()),
          "a model file of a known kind, '" + std::string(attention_kind) + "', '"
              + std::string(in_context_kind) + "' or '" + std::string(network_kind) + "'",
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

/// What `content(in, metadata)` makes of a whole file of that kind, as `write_model` writes it.
template <class T, class Content>
auto read_model(const std::string& path, std::string_view kind, const Content& content) {
  const std::string bytes = bytes_of_file(path);
  Reader in = read_sealed(bytes, path);
  std::string metadata = read_beginning<T>(in, kind);
  auto model = content(in, std::move(metadata));
  require(in.left() == 0, named(path), "a model file that ends with its last number",
          std::to_string(in.left()) + " bytes more");
  return model;
}

// --- of options: attention models and propagation networks

bool may_have(Index n_layers, Index n_parameters) {
  return n_layers <= std::max(n_parameters, most_bare_layers);
}

/// And `rest`, what else a kind has.
template <class T, class Model, class Rest>
void write_of_options(const std::string& path, std::string_view kind, const Model& model,
                      const Vector<T>& parameters, const std::string& metadata, const Rest& rest) {
  const ParameterLayout& layout = model.layout();
  require(parameters.size() == layout.size(), "parameters",
          "the model's " + std::to_string(layout.size()) + " numbers", parameters.size());
  require(may_have(model.options().n_layers, std::ssize(layout.entries())), "n_layers",
          "at most " + std::to_string(most_bare_layers) + " where layers have no parameters",
          model.options().n_layers);
  write_model<T>(path, kind, metadata, [&](Writer& out) {
    write_options(out, model.options());
    write_layout(out, layout);
    write_numbers(out, parameters);
    rest(out);
  });
}

/// The model of the options in the file, whose parameters are those that it names.
template <class Model> Model read_of_options(Reader& in) {
  using Options = std::remove_cvref_t<decltype(std::declval<Model>().options())>;
  const auto options = read_options<Options>(in);
  const std::vector<std::string> lines = read_layout(in);
  // Before a model of absurd size is made.
  require(may_have(options.n_layers, std::ssize(lines)), named(in.path()),
          "a model file with the parameters of its options", std::to_string(lines.size()) + " parameters");
  Model model = naming(in.path(), [&] { return Model(options); });
  require_layout(lines, model.layout(), in.path());
  return model;
}
template <class T> Vector<T> read_parameters(Reader& in, const ParameterLayout& layout) {
  require_numbers<T>(in, layout.size());
  Vector<T> parameters(layout.size());
  read_numbers(in, parameters);
  return parameters;
}

// --- in context, one order of parts for both ways

template <class Model, class Visit>
void each_part(Model& model, std::uint32_t file_version, const Visit& visit) {
  visit(model.embedding);
  visit(model.query_maps);
  visit(model.key_maps);
  visit(model.log_temperature);
  if (file_version >= 6) {
    visit(model.map_in);
    visit(model.map_in_bias);
    visit(model.map_out);
    visit(model.map_out_bias);
  }
  visit(model.context);
  visit(model.values);
}

void write_in_context(Writer& out, const InContextModel& model) {
  each_part(model, version, [&](const auto& part) { write_shape(out, part); });
  each_part(model, version, [&](const auto& part) { write_numbers(out, part); });
}

InContextModel read_in_context(Reader& in) {
  InContextModel model;
  const auto most = static_cast<std::int64_t>(in.left() / sizeof(double));
  Index size = 0;
  each_part(model, in.file_version(), [&](auto& part) {
    read_shape(in, most, part);
    size += part.size();
  });
  require_numbers<double>(in, size);
  each_part(model, in.file_version(), [&](auto& part) { read_numbers(in, part); });
  naming(in.path(), [&] { validate(model); });
  return model;
}

// --- the rows of a network's training, and the edges between them

template <class T> void check(const TrainingRows<T>& context, Index n_features) {
  const Matrix<T>& X = context.X;
  require(X.size() == 0 || X.cols() == n_features, "context",
          "none or rows of n_features = " + std::to_string(n_features) + " columns",
          shape(X.rows(), X.cols()));
  if (!context.graph) return;
  const SparseMatrix<double>& edges = *context.graph->edges;
  require(edges.rows() == X.rows() && edges.cols() == X.rows(), "graph",
          "edges between the rows of context, " + shape(X.rows(), X.rows()),
          shape(edges.rows(), edges.cols()));
  [[maybe_unused]] const Support valid(*context.graph);
}

template <class Number> Eigen::Map<const Vector<Number>> array(const Number* first, Index size) {
  return {first, size};
}
template <class Number> Eigen::Map<Vector<Number>> array(Number* first, Index size) { return {first, size}; }

void write_edges(Writer& out, const SparseMatrix<double>& edges) {
  const Index rows = edges.rows(), nonzeros = edges.nonZeros();
  out.number(static_cast<std::int64_t>(rows));
  out.number(static_cast<std::int64_t>(nonzeros));
  write_numbers(out, array(edges.outerIndexPtr(), rows + 1));
  write_numbers(out, array(edges.innerIndexPtr(), nonzeros));
  write_numbers(out, array(edges.valuePtr(), nonzeros));
}

/// Where rows start, and columns, before anybody follows them.
void require_edges(const Reader& in, const SparseMatrix<double>& edges, Index nonzeros) {
  const int *starts = edges.outerIndexPtr(), *columns = edges.innerIndexPtr();
  const Index rows = edges.rows();
  require(starts[0] == 0 && starts[rows] == nonzeros && std::is_sorted(starts, starts + rows + 1),
          named(in.path()), "a model file of a graph whose rows follow one another", "other places of rows");
  const auto* outside = std::find_if(columns, columns + nonzeros, [&](int j) { return j < 0 || j >= rows; });
  if (outside != columns + nonzeros)
    refuse(named(in.path()), "a model file with edges to nodes in [0, " + std::to_string(rows - 1) + "]",
           *outside);
}

SparseMatrix<double> read_edges(Reader& in) {
  const auto rows = in.number<std::int64_t>(), nonzeros = in.number<std::int64_t>();
  const auto most = std::min(static_cast<std::int64_t>(in.left() / sizeof(int)),
                             std::int64_t{std::numeric_limits<int>::max()});
  require(rows >= 0 && rows < most && nonzeros >= 0 && nonzeros <= most, named(in.path()),
          "a model file with the edges of its graph",
          std::to_string(rows) + " nodes and " + std::to_string(nonzeros) + " edges");
  SparseMatrix<double> edges(rows, rows);
  edges.resizeNonZeros(nonzeros);
  read_numbers(in, array(edges.outerIndexPtr(), rows + 1));
  read_numbers(in, array(edges.innerIndexPtr(), nonzeros));
  read_numbers(in, array(edges.valuePtr(), nonzeros));
  require_edges(in, edges, nonzeros);
  return edges;
}

constexpr std::array<const char*, 2> weights_of_graph = {"kernel", "given"};  // 1 and 2; 0: no graph

template <class T> void write_context(Writer& out, const TrainingRows<T>& context) {
  write_shape(out, context.X);
  write_numbers(out, context.X);
  std::uint8_t weights = 0;
  if (context.graph) weights = context.graph->weights == weights_of_graph[0] ? 1 : 2;
  out.number(weights);
  if (context.graph) write_edges(out, *context.graph->edges);
}

template <class T> TrainingRows<T> read_context(Reader& in) {
  TrainingRows<T> context;
  read_shape(in, static_cast<std::int64_t>(in.left() / sizeof(T)), context.X);
  read_numbers(in, context.X);
  const auto weights = in.number<std::uint8_t>();
  require(weights <= weights_of_graph.size(), named(in.path()), "a model file whose edges are known",
          int{weights});
  if (weights) context.graph = Graph{read_edges(in), weights_of_graph[weights - 1U]};
  return context;
}

}  // namespace

template <class T>
void save_model(const std::string& path, const AttentionModel& model, const Vector<T>& parameters,
                const std::string& metadata) {
  write_of_options(path, attention_kind, model, parameters, metadata, [](Writer&) {});
}

void save_model(const std::string& path, const InContextModel& model, const std::string& metadata) {
  validate(model);
  write_model<double>(path, in_context_kind, metadata, [&](Writer& out) { write_in_context(out, model); });
}

template <class T>
void save_model(const std::string& path, const PropagationNetwork& network, const Vector<T>& parameters,
                const std::type_identity_t<TrainingRows<T>>& context, const std::string& metadata) {
  check(context, network.options().n_features);
  write_of_options(path, network_kind, network, parameters, metadata,
                   [&](Writer& out) { write_context(out, context); });
}

template <class T> SavedModel<T> load_model(const std::string& path) {
  return read_model<T>(path, attention_kind, [](Reader& in, std::string metadata) {
    auto model = read_of_options<AttentionModel>(in);
    Vector<T> parameters = read_parameters<T>(in, model.layout());
    return SavedModel<T>{std::move(model), std::move(parameters), std::move(metadata)};
  });
}

SavedInContextModel load_in_context_model(const std::string& path) {
  return read_model<double>(path, in_context_kind, [](Reader& in, std::string metadata) {
    return SavedInContextModel{read_in_context(in), std::move(metadata)};
  });
}

template <class T> SavedPropagationNetwork<T> load_propagation_network(const std::string& path) {
  return read_model<T>(path, network_kind, [](Reader& in, std::string metadata) {
    auto network = read_of_options<PropagationNetwork>(in);
    Vector<T> parameters = read_parameters<T>(in, network.layout());
    TrainingRows<T> context = read_context<T>(in);
    naming(in.path(), [&] { check(context, network.options().n_features); });
    return SavedPropagationNetwork<T>{std::move(network), std::move(parameters), std::move(context),
                                      std::move(metadata)};
  });
}

std::string saved_kind(const std::string& path) { return head_of_file(path).kind; }
int saved_number_size(const std::string& path) { return head_of_file(path).number_size; }

#define LIKEWISE_INSTANTIATE(T)                                                                              \
  template void save_model(const std::string&, const AttentionModel&, const Vector<T>&, const std::string&); \
  template void save_model(const std::string&, const PropagationNetwork&, const Vector<T>&,                  \
                           const std::type_identity_t<TrainingRows<T>>&, const std::string&);                \
  template SavedModel<T> load_model(const std::string&);                                                     \
  template SavedPropagationNetwork<T> load_propagation_network(const std::string&);
LIKEWISE_INSTANTIATE(float)
LIKEWISE_INSTANTIATE(double)
#undef LIKEWISE_INSTANTIATE

}  // namespace likewise::nn
