// metrics.Custom: the user's own cost, a Python function on two blocks of points, called once a tile.
#include <pybind11/eigen.h>

#include <likewise/metric.hpp>

#include "bind_value.hpp"
#include "gil.hpp"
#include "laws.hpp"

namespace likewise::python {

namespace {

/// Calls the Python function with the GIL held, from whatever thread the engine fills its tile in.
class PythonTileFunction : public TileFunction {
 public:
  explicit PythonTileFunction(py::object function) : function_(std::move(function)) {}
  ~PythonTileFunction() override {
    if (!Py_IsInitialized()) {
      function_.release();  // with the interpreter
      return;
    }
    const WithGil gil;
    function_ = {};
  }
  PythonTileFunction(const PythonTileFunction&) = delete;
  PythonTileFunction& operator=(const PythonTileFunction&) = delete;

  const py::object& function() const { return function_; }

  void operator()(const Points<double>& x, const Points<double>& z, Tile<double> out) const override {
    const WithGil gil;
    const py::object result = call(function_, py::make_tuple(Matrix<double>(x), Matrix<double>(z)));
    const auto costs = real_numbers<double>(result);
    require(static_cast<bool>(costs), "metric", "a function that returns an array of costs",
            py::repr(result).cast<std::string>());
    if (costs.ndim() != 2 || costs.shape(0) != out.rows() || costs.shape(1) != out.cols())
      throw InvalidArgument("metric must return costs of shape (" + std::to_string(out.rows()) + ", "
                            + std::to_string(out.cols()) + ") for blocks of " + std::to_string(x.rows())
                            + " and " + std::to_string(z.rows()) + " points; got shape "
                            + py::str(costs.attr("shape")).cast<std::string>() + ".");
    out = Eigen::Map<const Matrix<double>>(costs.data(), costs.shape(0), costs.shape(1));
    require(!out.hasNaN(), "metric", "a function that returns no NaN", "NaN");
  }

 private:
  py::object function_;
};

py::object function_of(const CustomMetric& metric) {
  const auto* own = dynamic_cast<const PythonTileFunction*>(metric.function.get());
  return own ? own->function() : py::none();
}

std::string name_of(const py::object& function) {
  return py::str(py::getattr(function, "__name__", py::repr(function))).cast<std::string>();
}

CustomMetric make(py::object function, bool symmetric, bool zero_on_self, bool triangle_inequality,
                  bool shift_invariant, const py::object& distance_power) {
  if (!PyCallable_Check(function.ptr()))
    wrong_type("function", "a callable (X_block, Z_block) -> costs", function);
  CustomMetric metric;
  metric.laws = {.symmetric = symmetric,
                 .zero_on_self = zero_on_self,
                 .triangle_inequality = triangle_inequality,
                 .shift_invariant = shift_invariant,
                 .distance_power = FieldType<int>::from("distance_power", distance_power)};
  metric.label = name_of(function);
  metric.function = std::make_shared<PythonTileFunction>(std::move(function));
  return metric;
}

py::dict fields(const CustomMetric& metric) {
  py::dict fields;
  fields["function"] = function_of(metric);
  fields["symmetric"] = metric.laws.symmetric;
  fields["zero_on_self"] = metric.laws.zero_on_self;
  fields["triangle_inequality"] = metric.laws.triangle_inequality;
  fields["shift_invariant"] = metric.laws.shift_invariant;
  fields["distance_power"] = FieldType<int>::to("distance_power", metric.laws.distance_power);
  return fields;
}

std::string print(const CustomMetric& metric) {
  std::string text = "Custom(" + name_of(function_of(metric));
  const py::dict standard = fields(CustomMetric{});
  for (const auto& [name, value] : fields(metric))
    if (!py::str(name).equal(py::str("function")) && !value.equal(standard[name]))
      text += ", " + py::str(name).cast<std::string>() + "=" + py::repr(value).cast<std::string>();
  return text + ")";
}

}  // namespace

void bind_custom_metric(py::module_& m) {
  py::class_<CustomMetric> cls(m, "Custom", R"(c(x, z) = a cost of your own.

Parameters
----------
function : callable (X_block (m, d), Z_block (n, d)) -> costs (m, n), lower is closer
    Called once a tile from worker threads, which hold the GIL meanwhile; float64 blocks. An exception
    in it stops the work and propagates. The value can be pickled if the function can.
symmetric, zero_on_self, triangle_inequality, shift_invariant : bool, default False
    The laws that the cost obeys. Whoever needs a law that is not declared refuses.
distance_power : 1 (the cost is a distance), 2 (the square of one) or None (neither)
)");
  cls.def(py::init(&make), py::arg("function"), py::kw_only(), py::arg("symmetric") = false,
          py::arg("zero_on_self") = false, py::arg("triangle_inequality") = false,
          py::arg("shift_invariant") = false, py::arg("distance_power") = py::none());
  cls.def_property_readonly("function", &function_of);
  cls.def("__repr__", &print);
  cls.def("__hash__", [](const CustomMetric& metric) { return py::hash(function_of(metric)); });
  // Equal functions with equal laws, although each value holds its function in a wrapper of its own.
  const auto equal = [](const CustomMetric& a, const CustomMetric& b) {
    return a.laws == b.laws && function_of(a).equal(function_of(b));
  };
  def_value_protocol<CustomMetric>(cls, "likewise.metrics", &fields, equal);
  def_laws(cls);
}

}  // namespace likewise::python
