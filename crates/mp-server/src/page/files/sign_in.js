// The views without a token: sign in, and the link that makes the first token.

import { Api } from "./api.js";
import { element, setText } from "./dom.js";

/** A form for a token. It calls `signIn(token)`, which rejects with the reason if it fails. */
export class SignIn {
  title = "Sign in";

  constructor(signIn, message = "") {
    const error = element("p", { class: "error", role: "alert" }, message);
    const token = element("input", {
      type: "password", id: "token", name: "token", required: true, autocomplete: "current-password",
      spellcheck: "false",
    });
    const button = element("button", { class: "primary" }, "Sign in");
    const submit = async (event) => {
      event.preventDefault();
      button.disabled = true;
      setText(error, "");
      try {
        await signIn(token.value.trim());
      } catch (failure) {
        setText(error, failure.message);
        token.focus();
      } finally {
        button.disabled = false;
      }
    };
    this.element = card("Sign in",
      element("form", { onsubmit: submit },
        element("label", { class: "field", for: "token" },
          element("span", { class: "label" }, "Token of the admin API"), token),
        error,
        element("div", { class: "actions" }, button)),
      element("p", { class: "help" },
        "No token yet? The first start of the server prints a link that makes one; ",
        element("code", {}, "mp-server ctl new-token"), " makes further ones. ",
        "The token stays in this tab."));
  }

  update() {}
}

/** A button that makes the first token with the code of the link. */
export class Setup {
  title = "First token";

  constructor(code, signIn) {
    const error = element("p", { class: "error", role: "alert" });
    const token = element("code", { class: "token", tabindex: "0" });
    const open = element("button", { type: "button", class: "primary", onclick: () => signIn(token.textContent) }, "Open the page");
    const made = element("div", { hidden: true },
      element("p", { role: "status" }, "Save this token; it is shown only once:"),
      token,
      element("p", { class: "help" },
        "For a terminal: save it in a file, and give the file to ",
        element("code", {}, "mp-server ctl --token-file"), "."),
      element("div", { class: "actions" }, open));
    const button = element("button", { type: "button", class: "primary", id: "make" }, "Make the token");
    button.addEventListener("click", async () => {
      button.disabled = true;
      try {
        const response = await new Api(null).send("POST", "/v1/setup", { code });
        setText(token, response.token);
        made.hidden = false;
        question.hidden = true;
        open.focus();
      } catch (failure) {
        setText(error, failure.message);
        button.disabled = false;
      }
    });
    const question = element("div", {},
      element("p", {}, "The link works once, within ten minutes after the start of the server."),
      error,
      element("div", { class: "actions" }, button));
    this.element = card("First token of the admin API", question, made);
  }

  update() {}
}

function card(title, ...children) {
  return element("section", { class: "card" }, element("h1", {}, title), ...children);
}
