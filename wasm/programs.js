// Programs in Python and C++ that make what the page shows, from the lines of programs.json: what
// python/likewise/play/programs.py makes of them on a machine with Python.

import * as calls from "./calls.js";
import { SLOTS } from "./state.js";

/** {python, cpp}; `made` are the calls of the slots, `said` which of their arguments are no defaults. */
export function programs(lines, dials, state, views, made, said) {
  const defined = Object.keys(views).filter((name) => !("problem" in views[name]));
  const how = state.propagation;
  const held = state.held.flatMap((holds, i) => (holds ? [i] : []));
  const declared = calls.tables(made.metric).flatMap(declaration);
  const numbers = {
    n: state.points.length,
    n_classes: 1 + Math.max(1, ...state.classes),
    n_clusters: views.clusters.count,
    n_pairs: Math.min(dials.pairs, state.points.length),
    power: views.diffusion.power,
    alpha: how.alpha,
    plane: dials.plane,
    side: dials.side,
    tolerance: scientific(dials.tolerance),
  };
  const words = new Set([...defined, ...wordsOf(state, defined, declared)]);
  const written = (write) => Object.fromEntries(SLOTS.map((slot) => [slot, write(made[slot], said[slot])]));
  const points = state.points.map((point) => `[${point.map(calls.float).join(", ")}]`);
  const inPython = { points: list(points), classes: list(state.classes), held: list(held) };
  const inCpp = {
    coordinates: state.points.flat().map(calls.float).join(", "),
    class_list: state.classes.join(", "),
    held_list: held.join(", "),
    tables: declared.join("\n  "),
  };
  return {
    python: program(lines.python, words, { ...numbers, ...written(calls.python), ...inPython }),
    cpp: program(lines.cpp, words, { ...numbers, ...written(calls.cpp), ...inCpp }),
  };
}

function program(lines, words, names) {
  const holds = (need) => (need.startsWith("!") ? !words.has(need.slice(1)) : words.has(need));
  const said = lines.filter(([needs]) => needs.split(" ").every((need) => !need || holds(need)));
  return said.map(([, text]) => `${text.replace(/\$(\w+)/g, (_, name) => names[name])}\n`).join("");
}

/** What is true of the state, as programs.json says it. */
function wordsOf({ normalization, support, propagation: how }, defined, declared) {
  const words = {
    symmetric: normalization.name === "Symmetric",
    leaves_out: support.name === "LeaveOneOut", // of new places it leaves out nothing
    clamped: (how.alpha ?? "clamped") === "clamped",
    rests: how.name === "Equilibrium",
    spectral: how.name === "Spectrum",
    alone: how.name === "Spectrum" || how.moving === "points", // without values
    defined: defined.length > 0,
    pairs: defined.includes("clusters") || defined.includes("diffusion"),
    tables: declared.length > 0,
  };
  return Object.keys(words).filter((word) => words[word]);
}

function declaration([name, rows]) {
  const numbers = rows.flat().map(calls.float).join(", ");
  return [`lw::Matrix<double> ${name}(${rows.length}, ${rows[0].length});`, `${name} << ${numbers};`];
}

function list(items) {
  return `[${items.join(", ")}]`;
}

/** As Python prints it: 1e-06. */
function scientific(x) {
  return String(x.toExponential()).replace(/e([+-])(\d)$/, "e$10$2");
}
