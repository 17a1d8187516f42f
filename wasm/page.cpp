// What one operator says of the points, for a page without a server: the views of python/likewise/play/readings.py, each the same
// calls of the public interface. scripts/browser/check_static_play.py holds the two against each other.
#include <emscripten/bind.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <numeric>
#include <optional>
#include <vector>

#include <likewise/kmeans.hpp>
#include <likewise/mechanism.hpp>
#include <likewise/propagate.hpp>

#include "slots.hpp"

namespace lw = likewise;

namespace page {
namespace {

using Points = lw::Matrix<double>;
using Labels = std::vector<std::int8_t>;

// --- arrays, to and from JavaScript --------------------------------------------------------------------------------

template <class T> val copied(const T* data, std::size_t size) {
  return val(emscripten::typed_memory_view(size, data)).call<val>("slice");
}

template <class T = float, class D> val array(const Eigen::DenseBase<D>& numbers) {
  const lw::Matrix<T> rows = numbers.template cast<T>();
  return copied(rows.data(), static_cast<std::size_t>(rows.size()));
}

val array(const Labels& labels) { return copied(labels.data(), labels.size()); }

/// A list of numbers.
template <class D> val list(const Eigen::DenseBase<D>& numbers) {
  val made = val::array();
  for (const double x : numbers) made.call<void>("push", x);
  return made;
}

val finite(double x) { return std::isfinite(x) ? val(x) : val::null(); }

// --- what is asked -------------------------------------------------------------------------------------------------

/// What the page says of the pictures: dials.json.
struct Look {
  double plane, tolerance;
  int side, pairs, patience;
};

struct Asked {
  lw::Mechanism mechanism;
  Points X;
  std::vector<int> classes;
  std::vector<bool> held;
  Look look;
};

Asked asked(const lw::Mechanism& mechanism, const val& state, const val& dials) {
  const auto xy = emscripten::convertJSArrayToNumberVector<double>(state["points"].call<val>("flat"));
  const auto n = static_cast<Index>(xy.size() / 2);
  Asked of{mechanism,
           Eigen::Map<const Points>(xy.data(), n, 2),
           emscripten::convertJSArrayToNumberVector<int>(state["classes"]),
           {},
           {.plane = dials["plane"].as<double>(),
            .tolerance = dials["tolerance"].as<double>(),
            .side = dials["side"].as<int>(),
            .pairs = dials["pairs"].as<int>(),
            .patience = dials["patience"].as<int>()}};
  for (const int held : emscripten::convertJSArrayToNumberVector<int>(state["held"]))
    of.held.push_back(held != 0);
  return of;
}

Points one_hot(const std::vector<int>& classes) {
  const int most = *std::max_element(classes.begin(), classes.end());
  Points V = Points::Zero(static_cast<Index>(classes.size()), 1 + std::max(1, most));
  for (std::size_t i = 0; i < classes.size(); ++i) V(static_cast<Index>(i), classes[i]) = 1;
  return V;
}

/// Rows from the lower edge of the plane, each from its left.
Points places(const Look& look) {
  const Eigen::VectorXd line = Eigen::VectorXd::LinSpaced(look.side, -look.plane, look.plane);
  Points grid(look.side * look.side, 2);
  for (int i = 0; i < grid.rows(); ++i) grid.row(i) << line(i % look.side), line(i / look.side);
  return grid;
}

/// The class of the largest share of each row, -1 where there are none but 0.
Labels winners(const Points& shares) {
  Labels found;
  for (Index i = 0; i < shares.rows(); ++i) {
    const Eigen::RowVectorXd row = shares.row(i).unaryExpr([](double x) { return std::isnan(x) ? 0 : x; });
    Index most = 0;
    row.maxCoeff(&most);
    found.push_back(static_cast<std::int8_t>((row.array() != 0).any() ? most : -1));
  }
  return found;
}

template <class Mask>
double share_right(const Labels& found, const std::vector<int>& classes, const Mask& counts) {
  double right = 0, all = 0;
  for (std::size_t i = 0; i < found.size(); ++i) {
    if (!counts(i)) continue;
    ++all;
    right += found[i] == classes[i];
  }
  return all > 0 ? right / all : 1;
}

/// How many keys each row hears: exp of the entropy of its shares, 0 of an empty row.
lw::Vector<double> effective_neighbors(const Points& P) {
  lw::Vector<double> counts(P.rows());
  for (Index i = 0; i < P.rows(); ++i) {
    const double sum = P.row(i).sum();
    double entropy = 0;
    for (const double weight : P.row(i))
      if (sum > 0 && weight > 0) entropy -= weight / sum * std::log(weight / sum);
    counts(i) = sum > 0 ? std::exp(entropy) : 0;
  }
  return counts;
}

/// The same clusters, numbered by the mean class of their points.
Labels like_classes(const std::vector<Index>& labels, int count, const std::vector<int>& classes) {
  std::vector<double> sum(static_cast<std::size_t>(count)), size(sum.size());
  for (std::size_t i = 0; i < labels.size(); ++i) {
    sum[static_cast<std::size_t>(labels[i])] += classes[i];
    size[static_cast<std::size_t>(labels[i])] += 1;
  }
  std::vector<std::size_t> order;
  for (std::size_t k = 0; k < size.size(); ++k)
    if (size[k] > 0) order.push_back(k);
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return sum[a] / size[a] < sum[b] / size[b]; });
  std::vector<std::int8_t> number(size.size());
  for (std::size_t at = 0; at < order.size(); ++at) number[order[at]] = static_cast<std::int8_t>(at);
  Labels found;
  for (const Index label : labels) found.push_back(number[static_cast<std::size_t>(label)]);
  return found;
}

// --- the views -----------------------------------------------------------------------------------------------------

/// An operator with its points; what several views look at is computed once.
class Reading {
 public:
  explicit Reading(Asked asked)
      : of_(std::move(asked)), P_(of_.mechanism.self_operator(of_.X, {}, run_)), V_(one_hot(of_.classes)) {
    worst_ = {};
  }

  val bandwidth() const {
    if (lw::bandwidth_of(P_.mechanism().kernel) == nullptr) return val::null();
    const lw::SelectedBandwidth& found = P_.bandwidth();
    val told = val::object();
    told.set("rule", found.rule);
    told.set("length", found.length);
    told.set("each", found.row_scale.size() > 0);
    return told;
  }

  val matrix() {
    const Points& P = dense();
    const lw::Vector<double> largest = P.rowwise().maxCoeff();
    std::vector<std::uint8_t> weights;
    for (Index i = 0; i < P.rows(); ++i)
      for (const double weight : P.row(i))
        weights.push_back(static_cast<std::uint8_t>(
            largest(i) > 0 ? std::nearbyint(255 * std::sqrt(weight / largest(i))) : 0));
    val view = val::object();
    view.set("weights", copied(weights.data(), weights.size()));
    view.set("largest", array(largest));
    view.set("sums", array(P.rowwise().sum()));
    view.set("effective", array(effective_neighbors(P)));
    return view;
  }

  val regression() {
    const Points& values = at_places();
    val view = val::object();
    view.set("values", array(values.transpose()));
    view.set("side", of_.look.side);
    view.set("low", finite(values.minCoeff()));
    view.set("high", finite(values.maxCoeff()));
    return view;
  }

  val boundary() {
    at_places();  // where there is no surface there is no boundary
    const Labels own = winners(P_.apply(V_, run_));
    val view = val::object();
    view.set("own", array(own));
    view.set("agreement", share_right(own, of_.classes, [](std::size_t) { return true; }));
    return view;
  }

  val clusters() {
    const lw::Eigenpairs<double>& found = pairs();
    const int count = n_clusters();
    const Points& vectors = found.walk_vectors.size() ? found.walk_vectors : found.vectors;
    const auto labels = lw::kmeans(Points(vectors.leftCols(count)), {.n_clusters = count}, run_).labels;
    val view = val::object();
    view.set("labels", array(like_classes(labels, count, of_.classes)));
    view.set("count", count);
    view.set("eigenvalues", list(found.values));
    return view;
  }

  val diffusion() {
    if (of_.X.rows() < 3)
      throw lw::InvalidArgument("points must be at least 3 for two coordinates beside the constant one.");
    const auto* spectrum = std::get_if<lw::Spectrum>(&of_.mechanism.propagation);
    const double power = spectrum ? spectrum->power : 1;
    const lw::Eigenpairs<double>& found = pairs();
    const Eigen::Vector2d scale =
        found.values.segment(1, 2).unaryExpr([&](double w) { return std::pow(w, power); });
    val view = val::object();
    view.set("coordinates", array(found.vectors.middleCols(1, 2) * scale.asDiagonal()));
    view.set("power", power);
    view.set("eigenvalues", list(found.values.head(3)));
    return view;
  }

  val labels() {
    const auto* how = std::get_if<lw::Equilibrium>(&of_.mechanism.propagation);
    const std::optional<double> alpha = how ? how->alpha : std::nullopt;
    if (std::find(of_.held.begin(), of_.held.end(), true) == of_.held.end())
      throw lw::InvalidArgument("held must be true of one point at least: its label is what spreads.");
    Points known = V_;
    for (std::size_t i = 0; i < of_.held.size(); ++i)
      if (!of_.held[i]) known.row(static_cast<Index>(i)).setZero();
    const lw::EquilibriumOptions options{.max_iter = of_.look.patience};
    const auto F = alpha ? lw::soft_equilibrium<double>(P_, known, *alpha, options, run_)
                         : lw::clamped_equilibrium<double>(P_, known, of_.held, options, run_);
    note_unless_converged(F.report, options.max_iter);
    const Labels found = winners(F.values);
    val view = values(F.values, found);
    view.set("right", share_right(found, of_.classes, [&](std::size_t i) { return !of_.held[i]; }));
    view.set("alpha", alpha ? val(*alpha) : val::null());
    view.set("unreached", std::count(found.begin(), found.end(), -1));
    return view;
  }

  val moved() {
    const Points ends = P_.apply(of_.X, run_);
    val view = val::object();
    view.set("ends", array(ends));
    view.set("mean_move", finite((ends - of_.X).rowwise().norm().mean()));
    return view;
  }

  /// What the fifth slot says is done.
  val propagated() {
    const lw::Propagation& how = of_.mechanism.propagation;
    val view = val::object();
    if (const auto* spectrum = std::get_if<lw::Spectrum>(&how)) {
      const lw::Vector<double>& all = pairs().values;
      view.set("eigenvalues", list(all.head(std::min(spectrum->n, all.size()))));
      view.set("kind", "spectrum");
    } else if (const auto* steps = std::get_if<lw::Steps>(&how); steps && steps->moving == "points") {
      const auto found = lw::propagate<double>(P_, of_.X, {}, run_);
      note_unless_converged(found.report, steps->max_iter);
      view.set("ends", array(found.values));
      view.set("kind", "points");
    } else {
      view = std::holds_alternative<lw::Equilibrium>(how) ? labels() : propagated_values(how);
      view.set("kind", "values");
    }
    return view;
  }

  /// A view with what the library noted on the way; or why it is not defined.
  val told(val (Reading::*view)()) {
    notes_ = val::array();
    worst_ = {};
    try {
      val shown = (this->*view)();
      note_unless_converged(worst_, worst_.n_iter);
      shown.set("notes", notes_);
      return shown;
    } catch (const std::exception& problem) {
      val missing = val::object();
      missing.set("problem", std::string(problem.what()));
      return missing;
    }
  }

 private:
  const Points& dense() {
    if (!dense_) dense_ = P_.dense(run_);
    return *dense_;
  }

  /// Refused where all eigenvectors are alike, so that none says anything.
  const lw::Eigenpairs<double>& pairs() {
    if (pairs_) return *pairs_;
    const Points& P = dense();
    if (P.rows() > 1 && (P.array() != 0).count() == (P.diagonal().array() != 0).count())
      throw lw::InvalidArgument(
          "P must join points to have eigenvectors that tell them apart; each hears none but itself.");
    const lw::SpectrumOptions options{.tol = of_.look.tolerance};
    pairs_ = lw::largest_eigenpairs(P_, std::min<Index>(of_.look.pairs, P.rows()), options, run_);
    note_unless_converged(pairs_->report, options.max_iter);
    return *pairs_;
  }

  /// One step from the points to the places of the plane, which have no index: (places, classes).
  const Points& at_places() {
    if (at_places_) return *at_places_;
    const lw::Support& support = of_.mechanism.support;
    const auto is = [&]<class Leaf>(std::type_identity<Leaf>) {
      return support.filters().size() == 1 && std::holds_alternative<Leaf>(support.filters()[0]);
    };
    if (is(std::type_identity<lw::Causal>{}) || is(std::type_identity<lw::Window>{}))
      lw::refuse("support", "one of places, not of positions in a row", support);
    const lw::Normalization& rule = of_.mechanism.normalization;
    if (std::holds_alternative<lw::Column>(rule) || std::holds_alternative<lw::Global>(rule))
      lw::refuse("normalization", "one whose rows stand alone, as RowStochastic()", repr(rule));
    lw::SelfOperator<double> P = P_;
    if (is(std::type_identity<
            lw::LeaveOneOut>{})) {  // a new place is none of the points: nothing is left out
      lw::Mechanism across = of_.mechanism;
      across.support = lw::AllPairs{};
      P = across.self_operator(of_.X, {}, run_);
    }
    at_places_ = P.at(places(of_.look), run_).apply(V_, run_);
    return *at_places_;
  }

  /// As many as the spectrum on the fifth dial has vectors, else as there are classes; at least 2.
  int n_clusters() const {
    const auto* spectrum = std::get_if<lw::Spectrum>(&of_.mechanism.propagation);
    std::vector<int> kinds = of_.classes;
    std::sort(kinds.begin(), kinds.end());
    const auto n_kinds = std::unique(kinds.begin(), kinds.end()) - kinds.begin();
    const Index wanted = spectrum ? spectrum->n : n_kinds;
    return static_cast<int>(std::min(std::max<Index>(2, wanted), of_.X.rows()));
  }

  val propagated_values(const lw::Propagation& how) {
    lw::LinearMap<double> map = P_;
    if (const auto* steps = std::get_if<lw::Steps>(&how)) map = lw::power<double>(P_, *steps->t);
    if (const auto* heat = std::get_if<lw::Heat>(&how)) map = lw::heat<double>(P_, heat->t);
    const Points F = map.apply(V_, run_);
    return values(F, winners(F));
  }

  static val values(const Points& F, const Labels& winners) {
    val view = val::object();
    view.set("values", array<double>(F));
    view.set("labels", array(winners));
    return view;
  }

  /// In the words of python/likewise/_errors.py.
  void note_unless_converged(const lw::IterationReport& report, int max_iter) {
    if (report.converged) return;
    std::array<char, 256> text{};
    std::snprintf(
        text.data(), text.size(),
        "max_iter=%d was reached without convergence. residual=%.3g, steps=%d. Increase max_iter or tol, or "
        "look at the data.",
        max_iter, std::fabs(report.residual), report.n_iter);  // a NaN may have a sign
    notes_.call<void>("push", std::string(text.data()));
  }

  lw::IterationReport worst_ = {};
  val notes_ = val::array();
  const lw::Execution run_ = {.n_jobs = 1, .not_converged = [this](const lw::IterationReport& report) {
                                if (worst_.converged || !(report.residual <= worst_.residual))
                                  worst_ = report;
                              }};
  Asked of_;
  lw::SelfOperator<double> P_;
  Points V_;
  std::optional<Points> dense_, at_places_;
  std::optional<lw::Eigenpairs<double>> pairs_;
};

struct View {
  const char* name;
  val (Reading::*view)();
};
constexpr std::array views = {
    View{"matrix", &Reading::matrix},       View{"regression", &Reading::regression},
    View{"boundary", &Reading::boundary},   View{"clusters", &Reading::clusters},
    View{"diffusion", &Reading::diffusion}, View{"labels", &Reading::labels},
    View{"moved", &Reading::moved},         View{"propagated", &Reading::propagated},
};

val problem(const std::string& message) {
  val shown = val::object();
  for (const View& view : views) {
    val missing = val::object();
    missing.set("problem", message);
    shown.set(view.name, missing);
  }
  return shown;
}

/// {problem, bandwidth, views} of a state, beside what the calls of its slots make: {printed, said}.
val answer(const val& calls, const val& state, const val& dials) {
  const Called made = called(calls);
  val told = val::object();
  told.set("printed", made.mechanism.equation());
  told.set("said", made.said);
  told.set("problem", "");
  told.set("bandwidth", val::null());
  try {
    Reading reading(asked(made.mechanism, state, dials));
    val shown = val::object();
    for (const View& view : views) shown.set(view.name, reading.told(view.view));
    told.set("bandwidth", reading.bandwidth());
    told.set("views", shown);
  } catch (const std::exception& refused) {
    told.set("problem", std::string(refused.what()));
    told.set("views", problem(refused.what()));
  }
  return told;
}

EMSCRIPTEN_BINDINGS(page) { emscripten::function("answer", &answer); }

}  // namespace
}  // namespace page
