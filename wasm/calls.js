// A choice on a dial as a call: what the engine makes a value of, and how it is written in Python and in C++. The
// same as python/likewise/play/calls.py, whose lines scripts/browser/check_static_play.py compares with these.

const MODULES = {
  metric: "metrics",
  kernel: "kernels",
  support: "supports",
  normalization: "normalizations",
  propagation: "propagations",
};
const STEEPNESS = 3; // of tanh in the small network of Mapped

/** {module, name, arguments} of the choice {name, and its fields}; each argument is {kind, value}. */
export function callOf(dials, slot, chosen) {
  const fields = dials[slot].find(({ name }) => name === chosen.name).fields;
  const meant = fields.map((field) => {
    return [field.name, { kind: field.kind, value: meaning(field, chosen[field.name]) }];
  });
  const make = METRICS_OF_THE_PLANE[chosen.name] ?? ((same) => same);
  return { module: MODULES[slot], name: chosen.name, arguments: make(Object.fromEntries(meant)) };
}

/** A word may stand for a value ("unbounded" for none); other things stand for themselves. */
function meaning({ words }, given) {
  return typeof given === "string" && words && !Array.isArray(words) ? words[given] : given;
}

const METRICS_OF_THE_PLANE = {
  /** Distances across a direction count more than along it. */
  Mahalanobis({ stretch, angle }) {
    const [c, s] = direction(angle.value);
    return { factor: table([c, s], [-stretch.value * s, stretch.value * c]) };
  },
  /** Queries are turned before they are compared: at 0 it is the dot product. */
  Bilinear({ angle }) {
    const [c, s] = direction(angle.value);
    return { query_factor: table([c, -s], [s, c]), key_factor: table([1, 0], [0, 1]) };
  },
  /** A network of one hidden unit that pulls left and right apart: (x1 + pull tanh(3 x1), x2). */
  Mapped({ pull }) {
    const network = { W1: table([STEEPNESS, 0]), W2: table([pull.value], [0]) };
    return { map: { kind: "call", value: { module: "maps", name: "ResidualMLP", arguments: network } } };
  },
};

function direction(degrees) {
  const angle = (degrees * Math.PI) / 180;
  return [Math.cos(angle), Math.sin(angle)];
}

/** As it is printed, with six digits, so that the lines make the same. */
function table(...rows) {
  return { kind: "table", value: rows.map((row) => row.map((x) => Number(x.toFixed(6)) + 0)) };
}

// --- what the engine reads ---------------------------------------------------------------------------------

/** Without kinds: {name, arguments}. */
export function plain({ name, arguments: given }) {
  const values = Object.entries(given).map(([key, { kind, value }]) => {
    return [key, kind === "call" ? plain(value) : value];
  });
  return { name, arguments: Object.fromEntries(values) };
}

// --- what a reader takes along -----------------------------------------------------------------------------

/** The call in Python; `said` are the names of its arguments that are no defaults. */
export function python(call, said = Object.keys(call.arguments)) {
  const parts = said.map((key) => `${key}=${inPython(call.arguments[key])}`);
  return `lw.${call.module}.${call.name}(${parts.join(", ")})`;
}

function inPython({ kind, value }) {
  if (kind === "call") return python(value);
  if (kind === "flag") return value ? "True" : "False";
  if (typeof value === "string") return `'${value}'`;
  if (kind === "table") return `[${value.map((row) => `[${row.map(float).join(", ")}]`).join(", ")}]`;
  return number(kind, value);
}

/** The value in C++; its tables are the variables that `tables` names. */
export function cpp(call, said = Object.keys(call.arguments)) {
  const parts = said.map((key) => `.${key} = ${inCpp(key, call.arguments[key])}`);
  return `lw::${call.module === "maps" ? "maps::" : ""}${call.name}{${parts.join(", ")}}`;
}

function inCpp(key, { kind, value }) {
  if (kind === "call") return cpp(value);
  if (kind === "table") return key;
  if (kind === "flag") return String(value);
  return typeof value === "string" ? `"${value}"` : number(kind, value);
}

/** [name, table] of the tables of numbers in it. */
export function tables(call) {
  return Object.entries(call.arguments).flatMap(([key, { kind, value }]) =>
    kind === "call" ? tables(value) : kind === "table" ? [[key, value]] : [],
  );
}

function number(kind, value) {
  return value === null ? "None" : kind === "count" ? String(value) : float(value);
}

/** As Python and C++ tell it from an int. */
export function float(x) {
  return Number.isInteger(x) ? x.toFixed(1) : String(x);
}
