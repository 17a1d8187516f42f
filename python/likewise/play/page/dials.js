// The five dials, which stand in the equation.

import { choiceOf, isWord, SLOTS, startOf, wordsOf } from "./state.js";

const NOTCHES = 400; // of a dial whose numbers grow by factors

/** Fill the fieldsets; `turned(slot, chosen, ended)` hears of every turn, and of its end. */
export function buildDials(dials, turned) {
  for (const slot of SLOTS) {
    const choices = dials[slot].map(({ name }) => new Option(name));
    const select = make("select", { ariaLabel: slot });
    select.append(...choices);
    select.addEventListener("change", () => turned(slot, startOf(choiceOf(dials, slot, select.value)), true));
    const [fields, formula] = [make("div", { className: "fields" }), make("p", { className: "formula" })];
    fieldset(slot).append(select, fields, formula);
  }
}

/** Show what is chosen. The fields of a slot are made anew only where another choice stands there. */
export function showDials(dials, state, turned) {
  for (const slot of SLOTS) {
    const chosen = state[slot];
    const choice = choiceOf(dials, slot, chosen.name);
    fieldset(slot).querySelector("select").value = chosen.name;
    const rows = fieldset(slot).querySelector(".fields");
    if (rows.dataset.of !== chosen.name) {
      rows.replaceChildren(...choice.fields.map((field) => widget(slot, field)));
      rows.dataset.of = chosen.name;
      listen(rows, slot, choice, turned);
    }
    choice.fields.forEach((field, i) => showField(rows.children[i], field, chosen[field.name]));
  }
}

/** The formula of each slot, and the length that a rule has found. */
export function showFormulas({ equation, bandwidth }) {
  for (const [slot, formula] of equation) {
    const found = slot === "kernel" && bandwidth && bandwidth.rule !== "number";
    const length = bandwidth?.each ? "a length of each point" : `h = ${bandwidth?.length?.toPrecision(3)}`;
    fieldset(slot).querySelector(".formula").textContent = found ? `${formula}; ${length}` : formula;
  }
}

// --- one field ---------------------------------------------------------------------------------------------

/** A name, a select where there are words, a range where there are numbers, and the value. */
function widget(slot, field) {
  const row = make("div", { className: `field ${field.kind}` });
  row.append(make("span", { className: "name", textContent: field.name.replaceAll("_", " ") }));
  const named = `${slot} ${field.name.replaceAll("_", " ")}`;
  if (field.kind === "flag") row.append(make("input", { type: "checkbox", ariaLabel: named }));
  if (wordsOf(field).length) row.append(wordsWidget(field, named));
  if (field.kind === "number" || field.kind === "count") {
    row.append(make("input", { type: "range", ariaLabel: named, ...scaleOf(field) }), make("output", {}));
  }
  return row;
}

function wordsWidget(field, named) {
  const select = make("select", { ariaLabel: field.kind === "word" ? named : `${named} or a rule` });
  if (field.kind !== "word") select.append(new Option("number", ""));
  select.append(...wordsOf(field).map((word) => new Option(word)));
  return select;
}

function scaleOf(field) {
  if (field.scale === "log") return { min: 0, max: NOTCHES, step: 1 };
  return { min: field.low, max: field.high, step: field.step ?? 1 };
}

function toNotch(field, value) {
  if (field.scale !== "log") return value;
  return Math.round((NOTCHES * Math.log(value / field.low)) / Math.log(field.high / field.low));
}

function fromNotch(field, notch) {
  if (field.scale !== "log") return Number(notch);
  const value = Number((field.low * (field.high / field.low) ** (notch / NOTCHES)).toPrecision(3));
  return Math.max(field.low, Math.min(field.high, value));
}

/** The value that the widget stands at. */
function valueOf(row, field) {
  if (field.kind === "flag") return row.querySelector("input").checked;
  const word = row.querySelector("select")?.value;
  return word ? word : fromNotch(field, row.querySelector("input").value);
}

function showField(row, field, value) {
  const [select, input, output] = ["select", "input", "output"].map((tag) => row.querySelector(tag));
  if (select) select.value = isWord(value) ? value : "";
  if (field.kind === "flag") input.checked = value;
  if (!output) return;
  input.hidden = output.hidden = isWord(value);
  if (isWord(value)) return;
  output.textContent = value;
  if (fromNotch(field, input.value) !== value) input.value = toNotch(field, value);
  input.setAttribute("aria-valuetext", value);
}

function listen(rows, slot, choice, turned) {
  const said = (ended) => () => {
    const values = choice.fields.map((field, i) => [field.name, valueOf(rows.children[i], field)]);
    turned(slot, Object.fromEntries([["name", choice.name], ...values]), ended);
  };
  rows.oninput = said(false);
  rows.onchange = said(true);
}

function fieldset(slot) {
  return document.getElementById(`slot-${slot}`);
}

export function make(tag, properties) {
  return Object.assign(document.createElement(tag), properties);
}
