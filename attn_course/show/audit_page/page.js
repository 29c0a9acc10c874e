// The audit: tables, questions, a decision, a name. Nothing is kept but on this page, until it is saved.

const audit = JSON.parse(document.getElementById("audit").textContent);
const isNumber = (words) => /^[−-]?\d+(\.\d+)?$/.test(words);
const list = (names) => names.join(", ");

function table({ title, about, columns, rows }, number) {
  const id = `table-${number}`;
  const ofNumbers = (column) => rows.every((cells) => isNumber(cells[column]));
  const head = columns.map((words, column) =>
    html("th", { scope: "col", class: ofNumbers(column) && "number" }, harmless(words)),
  );
  const body = rows.map((cells) =>
    html(
      "tr",
      {},
      html("th", { scope: "row" }, harmless(cells[0])),
      ...cells.slice(1).map((words) => html("td", { class: isNumber(words) && "number" }, harmless(words))),
    ),
  );
  const scroll = html(
    "div",
    { class: "scroll", tabindex: 0, role: "region", "aria-labelledby": id },
    html("table", {}, html("thead", {}, html("tr", {}, ...head)), html("tbody", {}, ...body)),
  );
  const said = html("p", { class: "soft" }, harmless(about));
  return html("section", {}, html("h2", { id }, harmless(title)), said, scroll);
}

// ---- what is filled in

const fields = [];
function field(name, label, node, missing = label) {
  node.id = `field-${name}`;
  node.addEventListener("input", changed);
  fields.push({ name, missing, node });
  return html("div", { class: "field" }, html("label", { for: node.id }, harmless(label)), node);
}
const area = (rows) => html("textarea", { rows, autocomplete: "off" });

const questions = audit.questions.map(({ name, words }, i) =>
  field(`answer-${i}`, `${i + 1}. ${words}`, area(3), `answer ${i + 1}`),
);
const choices = audit.decisions.map((words, i) => {
  const input = html("input", { type: "radio", name: "decision", id: `decision-${i}`, value: i, onchange: changed });
  return html("label", { class: "choice", for: input.id }, input, harmless(words));
});
const reason = field("reason", "Reason", area(3), "the reason");
const person = field("name", "Name", html("input", { type: "text", autocomplete: "name" }), "a name");
const day = field("date", "Date", html("input", { type: "date" }), "the date");
const oath = html("input", { type: "checkbox", id: "oath", onchange: () => refresh() });
const value = (name) => fields.find((each) => each.name === name).node.value.trim();
const decision = () => {
  const chosen = document.querySelector("input[name=decision]:checked");
  return chosen ? audit.decisions[Number(chosen.value)] : null;
};
const missing = () => [
  ...fields.filter(({ node }) => !node.value.trim()).map((each) => each.missing),
  ...(decision() === null ? ["a decision"] : []),
];

// A signature is for what stood there when it was given: whoever changes a word takes it back.
function changed() {
  oath.checked = false;
  refresh();
}

function state() {
  return {
    format: audit.format,
    subject: audit.subject,
    fingerprint: audit.fingerprint,
    answers: Object.fromEntries(audit.questions.map(({ name }, i) => [name, value(`answer-${i}`)])),
    decision: decision(),
    reason: value("reason"),
    name: value("name"),
    date: value("date"),
    signed: oath.checked,
  };
}

// ---- signing, saving, printing

const seal = html("p", { class: "seal", role: "status" });
const save = html("button", { type: "button", onclick: saved }, "Save as a file");
const print = html("button", { type: "button", onclick: () => window.print() }, "Print");

function refresh() {
  const open = missing();
  oath.disabled = open.length > 0;
  const done = oath.checked && !open.length;
  const said = done
    ? `Signed by ${harmless(value("name"))} on ${value("date")}: ${harmless(decision())}.`
    : open.length
      ? `Unsigned: nobody answers for this. Missing: ${list(open)}.`
      : "Unsigned: all is filled in, and nobody has put their name to it yet.";
  seal.textContent = said;
  seal.classList.toggle("signed", done);
  save.textContent = done ? "Save the signed audit" : "Save as it is, unsigned";
  // On paper a text field shows what fits; the words beside it show all.
  document.querySelectorAll("textarea").forEach((node) => (node.nextSibling.textContent = node.value));
}

function saved() {
  const text = `${JSON.stringify(state(), null, 1)}\n`;
  const address = URL.createObjectURL(new Blob([text], { type: "application/json" }));
  const link = html("a", { href: address, download: oath.checked ? "audit-signed.json" : "audit-unsigned.json" });
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}

const untested = html("ul", {}, ...audit.untested.map((words) => html("li", {}, harmless(words))));
document.getElementById("page").append(
  html(
    "header",
    {},
    html("p", { class: "eyebrow" }, "Audit"),
    html("h1", {}, harmless(audit.subject)),
    html("p", {}, html("span", { class: "soft" }, "Meant for: "), harmless(audit.use)),
    seal,
  ),
  ...audit.sections.map(table),
  ...(audit.untested.length ? [html("section", {}, html("h2", {}, "What was not tested"), untested)] : []),
  html(
    "form",
    { onsubmit: (event) => event.preventDefault() },
    html("h2", {}, "To be answered by a person"),
    ...questions,
    html("fieldset", {}, html("legend", {}, "Decision"), ...choices),
    reason,
    html("div", { class: "pair" }, person, day),
    html(
      "label",
      { class: "choice oath", for: "oath" },
      oath,
      "I have read the measurements, and I answer for this decision.",
    ),
    html("div", { class: "buttons" }, save, print),
  ),
  html("p", { class: "soft small" }, "Nothing that you write leaves this page unless you save it. Measurements: "),
);
document.querySelector("main > p:last-child").append(html("code", {}, audit.fingerprint.slice(0, 16)));
for (const node of document.querySelectorAll("textarea"))
  node.after(html("div", { class: "paper", "aria-hidden": "true" }));
refresh();
