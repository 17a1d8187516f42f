// Eight readings of one operator: what each asks, how it is drawn, and its main number in words.

import { make } from "./dials.js";
import { arrow, colors, inked, mark, numbers, PATTERNS, pixelsOf, ring, sheet, spread } from "./draw.js";
import { CLASSES } from "./points.js";

const PLANE = 2.1; // half a side of what is drawn

/** `draw` gives back how the point in focus is marked, `say` the main number; both are told what is shown. */
const VIEWS = [
  { id: "matrix", title: "The matrix P itself: who hears whom?", draw: drawMatrix, say: sayMatrix },
  { id: "regression", title: "One step: regression", draw: drawRegression, say: sayRegression },
  { id: "boundary", title: "Its sign: class boundary", draw: drawBoundary, say: sayBoundary },
  { id: "clusters", title: "Top eigenvectors: clusters", draw: drawClusters, say: sayClusters },
  {
    id: "diffusion",
    title: "Eigenvectors times powers: diffusion coordinates",
    draw: drawDiffusion,
    say: sayDiffusion,
  },
  { id: "labels", title: "Fixed point: propagated labels", draw: drawLabels, say: sayLabels },
  { id: "moved", title: "Values moved by P: attention output", draw: drawMoved, say: sayMoved },
  { id: "propagated", title: "The fifth slot", draw: drawPropagated, say: sayPropagated },
];

export function buildViews(grid) {
  for (const { id, title } of VIEWS) {
    const figure = make("figure", { id: `view-${id}` });
    const picture = make("div", { className: "picture" });
    const [canvas, above] = [make("canvas", {}), make("canvas", {})];
    canvas.setAttribute("role", "img");
    above.setAttribute("aria-hidden", "true");
    picture.append(canvas, above);
    const missing = make("p", { className: "missing", hidden: true });
    figure.append(make("h3", { textContent: title }), picture, missing, make("figcaption", {}));
    grid.append(figure);
  }
}

/** The answer with its arrays as numbers, and signs of eigenvectors as they were before. */
export function unpack(answer, before) {
  const unpacked = Object.entries(answer.views).map(([name, view]) => [name, unpackView(view)]);
  const views = Object.fromEntries(unpacked);
  const { coordinates } = views.diffusion;
  if (coordinates) keepSigns(coordinates, before?.views.diffusion.coordinates);
  return { ...answer, views };
}

function unpackView(view) {
  const read = (value) => (value?.shape ? numbers(value) : value);
  return Object.fromEntries(Object.entries(view).map(([name, value]) => [name, read(value)]));
}

/** An eigenvector's sign is free: it stays what it was, so that a drag does not turn the picture over. */
function keepSigns(now, before) {
  if (before?.length !== now.length) return;
  for (const axis of [0, 1]) {
    let along = 0;
    for (let at = axis; at < now.length; at += 2) along += now[at] * before[at];
    if (along < 0) for (let at = axis; at < now.length; at += 2) now[at] = -now[at];
  }
}

const marking = new Map(); // view -> how it marks the point in focus

/** Draw all views of an answer that is unpacked; `pen` is the class whose surface is shown. */
export function showViews(answered, pen) {
  const look = colors();
  for (const { id, title, draw, say } of VIEWS) {
    const [figure, view] = [document.getElementById(`view-${id}`), answered.views[id]];
    const shown = { ...answered, view, pen, look, n: answered.state.points.length };
    const heading = id === "propagated" ? `${title}: ${answered.state.propagation.name}` : title;
    const said = view.problem ? "" : [say(shown), ...view.notes].join(" ");
    describe(figure, heading, said, view.problem && (answered.problem ? " " : view.problem)); // said once
    marking.delete(id);
    if (!view.problem) marking.set(id, draw({ ...shown, ...sheet(figure.querySelector("canvas")) }));
  }
}

function describe(figure, heading, said, problem) {
  const [picture, missing] = [figure.querySelector(".picture"), figure.querySelector(".missing")];
  figure.querySelector("h3").textContent = heading;
  picture.hidden = Boolean(problem);
  missing.hidden = !problem;
  missing.textContent = problem ? `Not defined for these slots. ${problem}`.trim() : "";
  figure.querySelector("figcaption").textContent = said;
  picture.firstChild.setAttribute("aria-label", `${heading}. ${said}`);
}

/** Mark the point in focus in each view, or none. */
export function showSeen(seen) {
  const look = colors();
  for (const { id } of VIEWS) {
    const above = document.querySelector(`#view-${id} .picture`).lastChild;
    const { ctx, side } = sheet(above);
    if (seen !== null) marking.get(id)?.(ctx, look, side, seen);
  }
}

// --- on the plane ------------------------------------------------------------------------------------------

function place(side, x, y) {
  return [((x + PLANE) / (2 * PLANE)) * side, ((PLANE - y) / (2 * PLANE)) * side];
}

function pointsOf({ state, side }) {
  return state.points.map(([x, y]) => place(side, x, y));
}

function endsOf({ view, side, n }) {
  return Array.from({ length: n }, (_, i) => place(side, view.ends[2 * i], view.ends[2 * i + 1]));
}

/** Marks of classes or clusters; `radius` is one number, or one of each point. */
function drawMarks({ ctx, look }, places, kinds, radius = 3) {
  places.forEach((at, i) => mark(ctx, look, at, kinds[i], radius[i] ?? radius));
  return (above, look, side, i) => places[i] && ring(above, look, places[i], 9);
}

/** The share of class k at each pixel. */
function surfaceOf({ views, side }, k) {
  const { values, side: cells } = views.regression;
  const grid = values.subarray(k * cells ** 2, (k + 1) * cells ** 2);
  return spread(grid, cells, pixelsOf(side), 2 / PLANE);
}

function nClasses({ views }) {
  return views.regression.values.length / views.regression.side ** 2;
}

// --- the matrix --------------------------------------------------------------------------------------------

/** Rows and columns by class. */
function sortedByClass({ state }) {
  return state.points.map((_, i) => i).sort((i, j) => state.classes[i] - state.classes[j] || i - j);
}

function drawMatrix(shown) {
  const { ctx, side, look, view, n } = shown;
  const order = sortedByClass(shown);
  const top = Math.max(...view.largest);
  const rows = view.largest.map((largest) => (top > 0 ? Math.sqrt(largest / top) / 255 : 0));
  const pixels = pixelsOf(side);
  const of = Array.from({ length: pixels }, (_, pixel) => order[Math.floor((pixel * n) / pixels)]);
  inked(ctx, look, pixels, (at, column, row) => view.weights[of[row] * n + of[column]] * rows[of[row]]);
  drawEdges(shown, order);
  return (above, look, side, i) => {
    above.strokeStyle = look.ink;
    above.lineWidth = 1.5;
    above.strokeRect(0.75, (order.indexOf(i) / n) * side, side - 1.5, Math.max(3, side / n));
  };
}

/** Broken lines between the classes. */
function drawEdges({ ctx, side, look, n, state }, order) {
  ctx.strokeStyle = look.soft;
  ctx.setLineDash([3, 3]);
  ctx.beginPath();
  order.forEach((i, at) => {
    if (at === 0 || state.classes[i] === state.classes[order[at - 1]]) return;
    const edge = (at / n) * side;
    ctx.moveTo(0, edge);
    ctx.lineTo(side, edge);
    ctx.moveTo(edge, 0);
    ctx.lineTo(edge, side);
  });
  ctx.stroke();
  ctx.setLineDash([]);
}

function sayMatrix({ view, n }) {
  const sorted = [...view.effective].sort((a, b) => a - b);
  const heard = `A row hears ${short(sorted[n >> 1])} points: the median effective number of neighbors.`;
  return `${n} × ${n}, by class; more ink is more weight. ${heard}`;
}

// --- one step ----------------------------------------------------------------------------------------------

const BANDS = 10;

function drawRegression(shown) {
  const { ctx, side, look, view } = shown;
  const shares = surfaceOf(shown, shownClass(shown));
  const range = view.high - view.low || 1;
  inked(ctx, look, pixelsOf(side), (at) => {
    const band = Math.min(BANDS - 1, Math.floor((BANDS * (shares[at] - view.low)) / range));
    return (0.85 * band) / (BANDS - 1) || 0;
  });
  return drawMarks(shown, pointsOf(shown), shown.state.classes, 2.6);
}

function shownClass(shown) {
  return Math.min(shown.pen, nClasses(shown) - 1);
}

function sayRegression(shown) {
  const { view } = shown;
  const whose = CLASSES[shownClass(shown)];
  const bands = `from ${share(view.low)} (paper) to ${share(view.high)} (ink)`;
  return `The share of class ${whose} at each place: ${BANDS} bands, ${bands}.`;
}

function drawBoundary(shown) {
  const { ctx, side, look } = shown;
  const n = pixelsOf(side);
  const whose = winners(Array.from({ length: nClasses(shown) }, (_, k) => surfaceOf(shown, k)));
  const scale = n / side;
  inked(ctx, look, n, (at, column, row) => {
    const k = whose[at];
    const edge = (column > 0 && whose[at - 1] !== k) || (row > 0 && whose[at - n] !== k);
    return edge ? 1 : k < 0 ? 0 : PATTERNS[k](column / scale, row / scale);
  });
  return drawMarks(shown, pointsOf(shown), shown.state.classes, 2.6);
}

/** The class of the largest share at each pixel, -1 where there is none. */
function winners(surfaces) {
  return Int8Array.from(surfaces[0], (_, at) => {
    let best = -1;
    for (let k = 0, most = 0; k < surfaces.length; ++k)
      if (surfaces[k][at] > most) [best, most] = [k, surfaces[k][at]];
    return best;
  });
}

function sayBoundary({ view }) {
  return `${percent(view.agreement)} of the points are classed as they were drawn.`;
}

// --- the spectrum ------------------------------------------------------------------------------------------

function drawClusters(shown) {
  clear(shown);
  return drawMarks(shown, pointsOf(shown), shown.view.labels, 3.2);
}

function sayClusters({ view }) {
  const sizes = Array.from({ length: view.count }, (_, k) => view.labels.filter((l) => l === k).length);
  const eigenvalues = view.eigenvalues.map(short).join(", ");
  return `${view.count} clusters of ${list(sizes)} points; eigenvalues ${eigenvalues}.`;
}

function drawDiffusion(shown) {
  const { ctx, side, look, view, n } = shown;
  clear(shown);
  const largest = Math.max(...view.coordinates.map(Math.abs)) || 1;
  const at = (t) => 0.5 * side + (t / largest) * 0.44 * side;
  ctx.strokeStyle = look.line;
  ctx.strokeRect(0, at(0), side, 0);
  ctx.strokeRect(at(0), 0, 0, side);
  const { coordinates } = view;
  const places = Array.from({ length: n }, (_, i) => [at(coordinates[2 * i]), at(-coordinates[2 * i + 1])]);
  return drawMarks(shown, places, shown.state.classes, 3);
}

function sayDiffusion({ view }) {
  const [, second, third] = view.eigenvalues;
  const powers = `times w to the power ${view.power}`;
  return `The second and third eigenvector ${powers}; w is ${short(second)} and ${short(third)}.`;
}

// --- the fixed point, and moved values ---------------------------------------------------------------------

function drawLabels(shown) {
  clear(shown);
  const places = pointsOf(shown);
  const marked = drawMarks(shown, places, shown.view.labels, sureness(shown));
  shown.state.held.forEach((held, i) => held && ring(shown.ctx, shown.look, places[i], 7));
  return marked;
}

/** Radii: large where one class has all, small where classes are even or where numbers are below 0. */
function sureness({ view, n }) {
  const width = view.values.length / n;
  return Array.from({ length: n }, (_, i) => {
    const row = view.values.subarray(i * width, (i + 1) * width);
    const sum = row.reduce((a, b) => a + Math.abs(b), 0);
    const even = 1 / width;
    const share = Math.max(...row) / sum;
    return Number.isFinite(share) ? 1.6 + (2.6 * Math.max(0, share - even)) / (1 - even) : 3;
  });
}

function sayLabels({ view, state }) {
  const free = state.held.filter((held) => !held).length;
  const how = view.alpha === null ? "Held labels are clamped" : `Held labels weigh ${short(1 - view.alpha)}`;
  const lost = view.unreached ? ` ${view.unreached} are not reached (crosses).` : "";
  const right = `${percent(view.right)} of the ${free} others get the class they were drawn with`;
  return `${how}. ${right}; the larger the surer.${lost}`;
}

function drawMoved(shown) {
  clear(shown);
  return drawArrows(shown);
}

function drawArrows(shown) {
  const [starts, ends] = [pointsOf(shown), endsOf(shown)];
  const marked = drawMarks(shown, starts, shown.state.classes, 1.8);
  starts.forEach((start, i) => arrow(shown.ctx, shown.look, start, ends[i]));
  return marked;
}

function sayMoved({ view }) {
  const what = "attention whose values are the points, a step of mean shift";
  return `One step of P takes a point ${short(view.mean_move)} far on average: ${what}.`;
}

// --- the fifth slot ----------------------------------------------------------------------------------------

function drawPropagated(shown) {
  clear(shown);
  if (shown.view.kind === "spectrum") return drawStems(shown);
  if (shown.view.kind === "points") return drawArrows(shown);
  return drawMarks(shown, pointsOf(shown), shown.view.labels, sureness(shown));
}

function drawStems({ ctx, side, look, view }) {
  const values = view.eigenvalues;
  const [top, low] = [Math.max(1, ...values), Math.min(0, ...values)];
  const height = (value) => side * (0.9 - (0.8 * (value - low)) / (top - low));
  ctx.strokeStyle = look.soft;
  ctx.strokeRect(0.06 * side, height(0), 0.88 * side, 0);
  values.forEach((value, i) => {
    const x = side * (0.12 + (0.76 * (i + 0.5)) / values.length);
    ctx.strokeRect(x, height(value), 0, height(0) - height(value));
    mark(ctx, look, [x, height(value)], 0, 4);
  });
}

function sayPropagated({ view, state, n }) {
  if (view.kind === "spectrum") return `The largest eigenvalues: ${view.eigenvalues.map(short).join(", ")}.`;
  const moved = `After ${state.propagation.t} steps the points are at`;
  if (view.kind === "points") return `${moved} ${clumps(view.ends)} places.`;
  const kept = percent(state.classes.filter((k, i) => k === view.labels[i]).length / n);
  return `${kept} of the points have the largest share of their own class afterwards; the larger the surer.`;
}

/** How many places there are that differ by more than a fiftieth. */
function clumps(ends) {
  const found = [];
  for (let at = 0; at < ends.length; at += 2) {
    const near = ([x, y]) => Math.hypot(x - ends[at], y - ends[at + 1]) < 0.02;
    if (!found.some(near)) found.push([ends[at], ends[at + 1]]);
  }
  return found.length;
}

// --- words -------------------------------------------------------------------------------------------------

function clear({ ctx, side, look }) {
  ctx.fillStyle = look.card;
  ctx.fillRect(0, 0, side, side);
}

export function short(x) {
  if (x === null || !Number.isFinite(x)) return "no number";
  const size = Math.abs(x);
  return size >= 1e4 || (size > 0 && size < 1e-3) ? x.toExponential(1) : String(Number(x.toPrecision(3)));
}

/** With three digits behind the point. */
function share(x) {
  return x === null ? "no number" : String(Number(x.toFixed(3)));
}

function percent(share) {
  return `${Math.round(100 * share)} %`;
}

function list(items) {
  return items.length < 2 ? items.join("") : `${items.slice(0, -1).join(", ")} and ${items.at(-1)}`;
}
