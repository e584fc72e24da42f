// Questions before an operation, and notices after it.

import { element, setText } from "./dom.js";

/**
 * Asks for the values of fields, and passes them to `submit`. `others` are further actions, which
 * need no values.
 *
 * A field has a `name`, a `label`, and optionally a `type`, a `value`, a `help` text, and further
 * attributes of its input.
 */
export function ask({ title, text, fields = [], action, isDanger = false, submit, others = [] }) {
  const inputs = fields.map(input);
  const read = () => Object.fromEntries(inputs.map((it) => [it.name, it.read()]));
  const run = () => submit(read());
  const content = inputs.map(({ row }) => row);
  const actions = [...others, { name: action, isDanger, isPrimary: true, run }];
  show({ title, text, content, actions });
}

/** The field of an operator's text for players. `whose` says who receives it. */
export function reasonField(whose) {
  return { name: "reason", label: "Reason", maxlength: 256, help: `for the log, and for ${whose}` };
}

/**
 * Shows a dialog with a button for each action. The one that `isPrimary` is also that of the key
 * Enter. If its `run` fails, the dialog stays open and shows why.
 */
export function show({ title, text, content, actions }) {
  const error = element("p", { class: "error", role: "alert" });
  const run = async (action, button) => {
    button.disabled = true;
    try {
      await action.run();
      close(dialog);
    } catch (failure) {
      setText(error, failure.message);
    } finally {
      button.disabled = false;
    }
  };
  const buttons = actions.map((action) => {
    const button = element("button", {
      type: action.isPrimary ? "submit" : "button",
      class: action.isDanger ? "danger" : action.isPrimary ? "primary" : "",
      onclick: () => {
        if (!action.isPrimary) run(action, button);
      },
    }, action.name);
    return button;
  });
  const primary = actions.findIndex(({ isPrimary }) => isPrimary);
  const form = element("form", {
    method: "dialog",
    onsubmit: (event) => {
      event.preventDefault();
      run(actions[primary], buttons[primary]);
    },
  },
  element("h2", { id: "dialog-title" }, title),
  text ? element("p", {}, text) : null,
  ...content,
  error,
  element("div", { class: "actions" },
    element("button", { type: "button", onclick: () => close(dialog) }, "Cancel"), ...buttons));
  const dialog = open(form);
}

/** Shows a dialog with choices: `{ name, run }`. It closes before the chosen one runs. */
export function choose({ title, text, choices }) {
  const buttons = choices.map(({ name, run }) => element("button", {
    type: "button",
    onclick: () => {
      close(dialog);
      run();
    },
  }, name));
  const dialog = open(element("div", {},
    element("h2", { id: "dialog-title" }, title),
    text ? element("p", {}, text) : null,
    element("div", { class: "choices" }, ...buttons),
    element("div", { class: "actions" },
      element("button", { type: "button", onclick: () => close(dialog) }, "Cancel"))));
}

/** Closes a dialog now. The event `close` comes later, when another dialog may be open. */
function close(dialog) {
  dialog.close();
  dialog.remove();
}

/** Opens a dialog, which is removed when the user closes it by a key. */
function open(content) {
  const dialog = element("dialog", {
    "aria-labelledby": "dialog-title", onclose: () => dialog.remove(),
  }, content);
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}

function input({ name, label, type = "text", value = "", help, ...attributes }) {
  const isSwitch = type === "checkbox";
  const own = isSwitch ? { checked: value === true } : { value };
  const field = element("input", { type, name, autocomplete: "off", ...own, ...attributes });
  const read = () => {
    if (isSwitch) return field.checked;
    return type === "number" && field.value !== "" ? field.valueAsNumber : field.value;
  };
  const text = element("span", { class: "label" }, label);
  const row = element("label", { class: isSwitch ? "switch" : "field" },
    ...(isSwitch ? [field, text] : [text, field]),
    help ? element("span", { class: "help" }, help) : null);
  return { name, row, read };
}

const NOTICE_MS = 5000;

/** Shows a text for a few seconds, in place of the previous one. Screen readers read it. */
export function notify(text) {
  const notice = element("p", {}, text);
  document.getElementById("notices").replaceChildren(notice);
  setTimeout(() => notice.remove(), NOTICE_MS);
}
