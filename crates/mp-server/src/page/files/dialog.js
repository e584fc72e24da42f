// Questions before an operation, and notices after it.

import { element, setText } from "./dom.js";

/**
 * Asks for the values of fields, and passes them to `submit`. If it fails, the dialog stays open
 * and shows why.
 *
 * A field has a `name`, a `label`, and optionally a `type`, a `value`, a `help` text, and further
 * attributes of its input.
 */
export function ask({ title, text, fields = [], action, isDanger = false, submit }) {
  const error = element("p", { class: "error", role: "alert" });
  const inputs = fields.map(input);
  const confirm = element("button", { class: isDanger ? "danger" : "primary" }, action);
  const cancel = element("button", { type: "button", onclick: () => dialog.close() }, "Cancel");
  const form = element("form", {
    method: "dialog",
    onsubmit: async (event) => {
      event.preventDefault();
      confirm.disabled = true;
      try {
        await submit(Object.fromEntries(inputs.map(({ name, read }) => [name, read()])));
        dialog.close();
      } catch (failure) {
        setText(error, failure.message);
      } finally {
        confirm.disabled = false;
      }
    },
  },
  element("h2", { id: "dialog-title" }, title),
  text ? element("p", {}, text) : null,
  ...inputs.map(({ row }) => row),
  error,
  element("div", { class: "actions" }, cancel, confirm));
  const dialog = element("dialog", {
    "aria-labelledby": "dialog-title", onclose: () => dialog.remove(),
  }, form);
  document.body.append(dialog);
  dialog.showModal();
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
