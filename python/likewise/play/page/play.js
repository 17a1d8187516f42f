// The page: one state, which the dials and the plane change, and whose answer the views show.

import { ask } from "./ask.js";
import { buildDials, make, showDials, showFormulas } from "./dials.js";
import { CLASSES, Plane, shapeOf, SHAPES, svg } from "./points.js";
import { preset, PRESETS } from "./presets.js";
import { fromHash, loadDials, onPlane, SLOTS, startOf, toHash } from "./state.js";
import { buildViews, short, showSeen, showViews, unpack } from "./views.js";

const COUNTS = [60, 120, 250, 500];
const PAUSE = 500; // ms after which arrow keys have ended a move

const dials = await loadDials();
const round = (x) => onPlane(dials, x);
const at = (id) => document.getElementById(id);
let state; // what the reader has set
let answered = null; // the newest answer, unpacked
let pen = 0;
let seen = null;
const past = []; // states that Undo goes back to
let kept = null; // the hash of the state that the address holds
let pause = 0;

// --- asking: one question at a time, always the newest state -----------------------------------------------

let wanted = null;
let asking = false;

async function refresh() {
  wanted = state;
  if (asking) return;
  asking = true;
  try {
    while (wanted) {
      const asked = wanted;
      wanted = null;
      await show(asked);
    }
  } finally {
    asking = false;
  }
  document.body.dataset.answers = Number(document.body.dataset.answers ?? 0) + 1; // for who drives the page
}

async function show(asked) {
  const start = performance.now();
  let answer;
  try {
    answer = await ask(asked);
  } catch (error) {
    const gone = "There is no answer: is likewise play still running?";
    tell("problem", error instanceof TypeError ? gone : error.message);
    return;
  }
  if (wanted && wanted.points.length !== asked.points.length) return; // stale: its rows are of other points
  answered = unpack(answer, answered);
  showAnswer(performance.now() - start);
}

function showAnswer(elapsed) {
  const none = state.points.length === 0;
  tell("problem", none ? "There are no points. Click into the plane, or place a preset." : answered.problem);
  showFormulas(answered);
  redraw();
  showRow();
  at("python").textContent = answered.python;
  at("cpp").textContent = answered.cpp;
  const [all, engine] = [elapsed, answered.milliseconds].map(Math.round);
  const n = answered.state.points.length;
  at("status").textContent = `${n} points, answered in ${all} ms, of which the engine took ${engine}.`;
}

function redraw() {
  if (!answered) return;
  showViews(answered, pen);
  showSeen(seen);
}

function tell(where, text) {
  at(where).hidden = !text;
  if (at(where).textContent !== text) at(where).textContent = text;
}

// --- the state, Undo, and the address ----------------------------------------------------------------------

/** Take over a state; `ended` says that a turn or a drag is over, so that it is worth going back to. */
function change(next, ended) {
  state = next;
  plane.show(state);
  showDials(dials, state, turned);
  refresh();
  if (ended) keep();
}

function keep() {
  clearTimeout(pause);
  const hash = toHash(dials, state);
  if (hash === kept) return;
  if (kept !== null) past.push(kept);
  kept = hash;
  history.pushState(null, "", hash);
  at("undo").disabled = past.length === 0;
}

function turned(slot, chosen, ended) {
  change({ ...state, [slot]: chosen }, ended);
}

/**
 * Change the points: of a copy, so that an answer under way keeps those that it was asked for. A change is
 * "going" on, has "ended", or ends with the next "pause".
 */
function edit(alter, when) {
  const next = { points: [...state.points], classes: [...state.classes], held: [...state.held] };
  alter(next);
  if (next.points.length > dials.most_points) {
    tell("notice", `${dials.most_points} points are the most that there can be.`);
    return false;
  }
  tell("notice", "");
  change({ ...state, ...next }, when === "ended");
  clearTimeout(pause);
  if (when === "pause") pause = setTimeout(keep, PAUSE);
  return true;
}

function undo() {
  keep(); // what a pause has not kept yet
  if (!past.length) return;
  const back = past.pop();
  kept = back;
  history.pushState(null, "", back);
  at("undo").disabled = past.length === 0;
  change(fromHash(dials, back).state, false);
}

/** What the address says: at the start, and when the reader goes back, forward, or edits it. */
function read() {
  if (location.hash === kept) return;
  if (kept !== null) past.push(kept);
  const { state: found, unread } = fromHash(dials, location.hash);
  kept = location.hash;
  at("undo").disabled = past.length === 0;
  change(found, false);
  const lost = `The address holds no readable ${unread.join(", ")}; a start stands there instead.`;
  tell("notice", unread.length ? lost : "");
}

function begin() {
  if (location.hash.length > 1) return read();
  const slots = Object.fromEntries(SLOTS.map((slot) => [slot, startOf(dials[slot][0])]));
  change({ ...slots, ...preset(PRESETS[0], COUNTS[1], round) }, false);
  kept = toHash(dials, state);
  history.replaceState(null, "", kept);
}

// --- the point in focus ------------------------------------------------------------------------------------

function look(i) {
  for (const id of ["remove", "reclass", "hold"]) at(id).disabled = plane.selected === null;
  if (i === seen) return;
  seen = i;
  showSeen(answered?.state.points.length === state.points.length ? seen : null);
  showRow();
}

function showRow() {
  const view = answered?.views.matrix;
  const n = answered?.state.points.length;
  if (!view?.weights || n !== state.points.length || seen === null || seen >= n) {
    plane.showRow(null);
    if (seen === null) at("row").textContent = "Point at one, or walk to it, to see its row of P.";
    return;
  }
  const row = [...view.weights.subarray(seen * n, (seen + 1) * n)].map((q) => (q / 255) ** 2);
  plane.showRow(row);
  const most = row.indexOf(Math.max(...row));
  const [heard, sum, largest] = [view.effective, view.sums, view.largest].map((of) => short(of[seen]));
  at("row").textContent =
    `Point ${seen + 1}, class ${CLASSES[state.classes[seen]]}, at ${state.points[seen].join(", ")}: ` +
    `effective number of neighbors ${heard}; its row sums to ${sum}; ` +
    `largest weight ${largest}, to ${most === seen ? "itself" : `point ${most + 1}`}.`;
}

// --- tools -------------------------------------------------------------------------------------------------

function buildPen() {
  CLASSES.forEach((name, k) => {
    const label = make("label", { className: "chip" });
    const radio = make("input", { type: "radio", name: "pen", value: k, checked: k === pen });
    radio.addEventListener("change", () => {
      pen = k;
      redraw();
    });
    const icon = svg("svg", { viewBox: "-1.7 -1.7 3.4 3.4", "aria-hidden": "true" });
    icon.append(shapeOf(k));
    radio.setAttribute("aria-label", `${name}, ${SHAPES[k]}`);
    label.append(radio, icon, name);
    at("pen").append(label);
  });
}

function buildTools() {
  at("preset").append(...PRESETS.map((name) => new Option(name)));
  at("count").append(...COUNTS.map((count) => new Option(count)));
  at("count").value = COUNTS[1];
  const replace = (points) => {
    plane.select(null);
    change({ ...state, ...points }, true);
  };
  const place = () => replace(preset(at("preset").value, Number(at("count").value), round));
  for (const id of ["preset", "count"]) at(id).addEventListener("change", place);
  at("make").addEventListener("click", place);
  at("undo").addEventListener("click", undo);
  at("clear").addEventListener("click", () => replace({ points: [], classes: [], held: [] }));
  at("add").addEventListener("click", () => plane.addBeside());
  for (const id of ["remove", "reclass", "hold"])
    at(id).addEventListener("click", () => plane.selected !== null && plane[id](plane.selected, pen));
  at("skip").addEventListener("click", () => at("add").focus());
  for (const button of document.querySelectorAll("[data-copy]"))
    button.addEventListener("click", () => copy(button));
}

async function copy(button) {
  const what = button.dataset.copy;
  const text = what === "address" ? location.href : at(what).textContent;
  const label = button.textContent;
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = "Copied";
  } catch {
    button.textContent = "Not allowed here: select and copy";
  }
  setTimeout(() => (button.textContent = label), 1500);
}

// --- the start ---------------------------------------------------------------------------------------------

const plane = new Plane(at("plane"), round, { edit, look, pen: () => pen });
buildPen();
buildTools();
buildDials(dials, turned);
buildViews(document.querySelector("#views .grid"));
addEventListener("popstate", read);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
matchMedia("(forced-colors: active)").addEventListener("change", redraw);
new ResizeObserver(redraw).observe(document.querySelector("#views .grid"));
at("undo").disabled = true;
look(null);
showRow();
begin();
