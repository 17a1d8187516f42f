// The plane on which points are drawn, dragged, and walked through with keys.

const SVG = "http://www.w3.org/2000/svg";
const STEP = 0.05; // of an arrow key
const FINE = 0.01; // with Shift
const APART = 0.12; // points of a stroke
const LARGEST_WEIGHT = 0.17; // radius of the largest weight of a row

export const CLASSES = ["A", "B", "C", "D"];
export const SHAPES = ["circle", "square", "triangle", "diamond"];
const OUTLINES = [
  "M-1 0a1 1 0 1 0 2 0a1 1 0 1 0 -2 0z",
  "M-.9 -.9h1.8v1.8h-1.8z",
  "M0 -1.2L1.15 .85H-1.15z",
  "M0 -1.3L1.3 0L0 1.3L-1.3 0z",
];

export function svg(tag, attributes = {}) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}

/** A class's shape around 0, of radius 1. */
export function shapeOf(k) {
  return svg("path", { d: OUTLINES[k], class: `shape class-${k}` });
}

export class Plane {
  /**
   * @param place the svg element
   * @param round a coordinate to one of the plane
   * @param heard.edit(change, when) the points are to change: change({points, classes, held}); see play.js
   * @param heard.look(i) the point in focus, or null
   * @param heard.pen() the class of new points
   */
  constructor(place, round, heard) {
    Object.assign(this, { place, round, heard, selected: null, over: null, stroke: null, dragged: null });
    this.weights = svg("g", { class: "weights", "aria-hidden": "true" });
    this.marks = svg("g");
    place.append(frame(), this.weights, this.marks);
    place.addEventListener("pointerdown", (event) => this.press(event));
    place.addEventListener("pointermove", (event) => this.drag(event));
    for (const end of ["pointerup", "pointercancel"]) place.addEventListener(end, () => this.release());
    place.addEventListener("pointerleave", () => this.hover(null));
    place.addEventListener("keydown", (event) => this.key(event));
    place.addEventListener("focusin", (event) => this.select(indexOf(event.target)));
  }

  show(state) {
    this.state = state;
    if (this.marks.children.length !== state.points.length) this.weights.replaceChildren();
    while (this.marks.children.length > state.points.length) this.marks.lastChild.remove();
    while (this.marks.children.length < state.points.length) this.marks.append(mark());
    const size = state.points.length > 250 ? 0.038 : 0.05;
    state.points.forEach((point, i) => showMark(this.marks.children[i], i, state, size));
    if (this.selected >= state.points.length) this.select(null);
  }

  /** The row of P: shares of its largest weight, or null. */
  showRow(shares) {
    const circles = (shares ?? []).flatMap((share, j) => {
      const [x, y] = this.state.points[j];
      return share > 0.002 ? [svg("circle", { cx: x, cy: -y, r: LARGEST_WEIGHT * Math.sqrt(share) })] : [];
    });
    this.weights.replaceChildren(...circles);
  }

  select(i) {
    if (this.selected !== null) this.marks.children[this.selected]?.classList.remove("selected");
    this.selected = i;
    if (i !== null) this.marks.children[i].classList.add("selected");
    this.look();
  }

  focus(i) {
    const near = Math.min(i, this.state.points.length - 1);
    if (near >= 0) this.marks.children[near].focus();
    else this.place.closest("section").querySelector("#add").focus();
  }

  hover(i) {
    if (i === this.over) return;
    this.over = i;
    this.look();
  }

  look() {
    this.heard.look(this.over ?? this.selected);
  }

  // --- pointer

  at(event) {
    const inverse = this.place.getScreenCTM().inverse();
    const { x, y } = new DOMPoint(event.clientX, event.clientY).matrixTransform(inverse);
    return [this.round(x), this.round(-y)];
  }

  press(event) {
    if (event.button !== 0) return;
    event.preventDefault();
    this.place.setPointerCapture(event.pointerId);
    const i = indexOf(event.target);
    if (i === null) this.stroke = null;
    this.dragged = i;
    if (i === null) this.draw(this.at(event));
    else this.marks.children[i].focus({ preventScroll: true });
  }

  drag(event) {
    if (this.dragged !== null) {
      const to = this.at(event);
      this.heard.edit(({ points }) => (points[this.dragged] = to), "going");
    } else if (this.stroke) {
      const to = this.at(event);
      if (Math.hypot(to[0] - this.stroke[0], to[1] - this.stroke[1]) > APART) this.draw(to);
    } else this.hover(indexOf(event.target));
  }

  /** A point of the pen's class, the first or the next of a stroke. */
  draw(point) {
    this.stroke = point;
    this.add(point, "going");
  }

  release() {
    if (this.dragged === null && !this.stroke) return;
    this.heard.edit(() => {}, "ended");
    this.dragged = this.stroke = null;
  }

  // --- keys and buttons

  key(event) {
    const i = indexOf(event.target);
    const moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
    const step = event.shiftKey ? FINE : STEP;
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Enter") this.addBeside();
    else if (event.key === "Escape") this.place.closest("section").querySelector("#add").focus();
    else if (i === null) return;
    else if (event.key in moves) this.move(i, moves[event.key].map((direction) => direction * step));
    else if (event.key === "Delete" || event.key === "Backspace") this.remove(i);
    else if (["1", "2", "3", "4"].includes(event.key)) this.reclass(i, Number(event.key) - 1);
    else if (event.key.toLowerCase() === "h") this.hold(i);
    else return;
    event.preventDefault();
  }

  move(i, [dx, dy]) {
    const [x, y] = this.state.points[i];
    const to = [this.round(x + dx), this.round(y + dy)];
    this.heard.edit(({ points }) => (points[i] = to), "pause");
  }

  add(point, when = "ended") {
    const change = (all) => {
      all.points.push(point);
      all.classes.push(this.heard.pen());
      all.held.push(0);
    };
    return this.heard.edit(change, when);
  }

  /** A point beside the selected one, or in the middle; it has the focus then, and arrow keys move it. */
  addBeside() {
    const [x, y] = this.selected === null ? [0, 0] : this.state.points[this.selected];
    if (this.add([this.round(x + 0.1), this.round(y + 0.1)])) this.focus(this.state.points.length - 1);
  }

  remove(i) {
    this.heard.edit((all) => Object.values(all).forEach((list) => list.splice(i, 1)), "ended");
    this.focus(i);
  }

  reclass(i, k) {
    this.heard.edit(({ classes }) => (classes[i] = k), "ended");
  }

  hold(i) {
    const held = this.state.held[i] ? 0 : 1;
    this.heard.edit((all) => (all.held[i] = held), "ended");
  }
}

/** The index of the point that an element belongs to, or null. */
function indexOf(element) {
  const found = element.closest?.(".point");
  return found ? [...found.parentNode.children].indexOf(found) : null;
}

function frame() {
  const made = svg("g", { class: "frame", "aria-hidden": "true" });
  made.append(svg("rect", { x: -2.09, y: -2.09, width: 4.18, height: 4.18 }));
  made.append(svg("path", { d: "M-2.09 0H2.09M0 -2.09V2.09" }));
  return made;
}

function mark() {
  const made = svg("g", { class: "point", tabindex: "0", role: "button", "aria-roledescription": "point" });
  const [reach, ring] = [svg("circle", { class: "reach", r: 2.2 }), svg("circle", { class: "ring", r: 1.9 })];
  made.append(reach, ring, shapeOf(0));
  return made;
}

function showMark(made, i, { points, classes, held }, size) {
  const [[x, y], k] = [points[i], classes[i]];
  made.setAttribute("transform", `translate(${x} ${-y}) scale(${size})`);
  const label = held[i] ? ", label held" : "";
  made.setAttribute("aria-label", `${i + 1} of class ${CLASSES[k]}${label}, at ${x}, ${y}`);
  made.classList.toggle("held", held[i] === 1);
  const shape = made.lastChild;
  if (shape.getAttribute("d") !== OUTLINES[k]) shape.setAttribute("d", OUTLINES[k]);
  shape.setAttribute("class", `shape class-${k}`);
}
