// The state: five dials and the points, as ask() takes it; and its form in the address.

export const SLOTS = ["metric", "kernel", "support", "normalization", "propagation"];
const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/** dials.json: the choices of each slot, and their fields. */
export async function loadDials() {
  const dials = await (await fetch("dials.json")).json();
  for (const choice of SLOTS.flatMap((slot) => dials[slot]))
    choice.fields = choice.fields.map((field) => (typeof field === "string" ? dials[field] : field));
  return dials;
}

export function choiceOf(dials, slot, name) {
  return dials[slot].find((choice) => choice.name === name);
}

/** {name, and its fields} of a choice as it starts. */
export function startOf(choice) {
  const fields = choice.fields.map((field) => [field.name, field.start]);
  return Object.fromEntries([["name", choice.name], ...fields]);
}

export function wordsOf(field) {
  return Array.isArray(field.words) ? field.words : Object.keys(field.words ?? {});
}

export function isWord(value) {
  return typeof value === "string";
}

/** A coordinate inside the plane, with three digits. */
export function onPlane(dials, x) {
  return Math.round(1000 * Math.max(-dials.plane, Math.min(dials.plane, x))) / 1000 + 0;
}

// --- the address: metric=Minkowski,3&...&points=, five letters a point -------------------------------------

export function toHash(dials, state) {
  const parts = SLOTS.map((slot) => `${slot}=${slotText(dials, slot, state[slot])}`);
  return `#${parts.join("&")}&points=${pointsText(dials, state)}`;
}

function slotText(dials, slot, chosen) {
  const values = choiceOf(dials, slot, chosen.name).fields.map((field) => chosen[field.name]);
  return [chosen.name, ...values.map((value) => (isWord(value) ? value : Number(value)))].join(",");
}

function pointsText(dials, state) {
  const coordinate = (x) => {
    const thousandths = Math.round(1000 * (x + dials.plane));
    return LETTERS[thousandths >> 6] + LETTERS[thousandths & 63];
  };
  const point = ([x, y], i) => coordinate(x) + coordinate(y) + LETTERS[state.classes[i] + 4 * state.held[i]];
  return state.points.map(point).join("");
}

/** The state that an address holds, and the names of the parts in it that this page cannot read. */
export function fromHash(dials, hash) {
  const parts = new Map(hash.replace(/^#/, "").split("&").map((part) => part.split("=")));
  const unread = [];
  const state = {};
  for (const slot of SLOTS) {
    state[slot] = slotOf(dials, slot, parts.get(slot));
    if (!state[slot]) unread.push(slot);
    state[slot] ??= startOf(dials[slot][0]);
  }
  const points = pointsOf(dials, parts.get("points") ?? "");
  if (!points) unread.push("points");
  return { state: { ...state, ...(points ?? { points: [], classes: [], held: [] }) }, unread };
}

function slotOf(dials, slot, text = "") {
  const [name, ...values] = text.split(",");
  const choice = choiceOf(dials, slot, name);
  if (!choice || values.length !== choice.fields.length) return undefined;
  const read = choice.fields.map((field, i) => [field.name, fieldOf(field, values[i])]);
  if (read.some(([, value]) => value === undefined)) return undefined;
  return Object.fromEntries([["name", name], ...read]);
}

function fieldOf(field, text) {
  if (field.kind === "flag") return { 1: true, 0: false }[text];
  if (wordsOf(field).includes(text)) return text;
  const value = Number(text);
  const fits = text !== "" && field.kind !== "word" && value >= field.low && value <= field.high;
  return fits && (field.kind !== "count" || Number.isInteger(value)) ? value : undefined;
}

function pointsOf(dials, text) {
  const numbers = [...text].map((letter) => LETTERS.indexOf(letter));
  const count = numbers.length / 5;
  if (!Number.isInteger(count) || count > dials.most_points || numbers.includes(-1)) return undefined;
  const found = { points: [], classes: [], held: [] };
  for (let at = 0; at < numbers.length; at += 5) {
    const [a, b, c, d, marks] = numbers.slice(at, at + 5);
    const thousandths = [64 * a + b, 64 * c + d];
    found.points.push(thousandths.map((t) => onPlane(dials, t / 1000 - dials.plane)));
    found.classes.push(marks & 3);
    found.held.push((marks >> 2) & 1);
  }
  return found;
}
