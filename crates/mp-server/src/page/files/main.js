// The page: signs in, follows the server, and shows the view that the address names.

import { Access, Api } from "./api.js";
import { BANS, Bans } from "./bans.js";
import { element, setText } from "./dom.js";
import { Model } from "./model.js";
import { Overview } from "./overview.js";
import { Room } from "./room.js";
import { Rooms } from "./rooms.js";
import { CONFIG, Server } from "./server.js";
import { forgetToken, isDev, storedToken, storeToken } from "./session.js";
import { Setup, SignIn } from "./sign_in.js";
import { themeSwitch } from "./theme.js";

const VIEWS = [
  { hash: "#/", title: "Overview", isAllowed: () => true },
  { hash: "#/rooms", title: "Rooms", isAllowed: () => true },
  { hash: "#/bans", title: "Bans", isAllowed: (access) => access.allows("GET", BANS) },
  { hash: "#/server", title: "Server", isAllowed: (access) => access.allows("GET", CONFIG) },
];

/** The signed-in page; null while nobody is signed in. */
let page = null;

class Page {
  #context;
  #model;
  #view = null;
  #links = new Map();
  #state = element("span", { class: "state" });
  #lost = element("p", { class: "lost", role: "alert", hidden: true });

  constructor(api, access) {
    this.#context = { api, access };
    const links = VIEWS.filter(({ isAllowed }) => isAllowed(access)).map(({ hash, title }) => {
      const link = element("a", { href: hash }, title);
      this.#links.set(hash, link);
      return link;
    });
    bar().replaceChildren(
      element("button", { type: "button", class: "skip", onclick: () => main().focus() }, "Skip to content"),
      element("span", { class: "brand" }, "mp-server"), this.#state,
      element("nav", { "aria-label": "Views" }, ...links),
      themeSwitch(),
      element("button", { type: "button", class: "quiet", onclick: () => signOut() }, "Sign out"),
    );
    bar().after(this.#lost);
    this.#model = new Model(api, {
      changed: () => this.#update(),
      refused: (error) => (error.status === 401 ? signOut(error.message) : this.#showLost(error.message)),
    });
    this.route();
  }

  close() {
    this.#model.close();
    this.#view?.close?.();
    this.#lost.remove();
  }

  /** Shows the view of the address. */
  route() {
    this.#view?.close?.();
    this.#view = this.#viewOf(location.hash);
    const current = location.hash.startsWith("#/rooms") ? "#/rooms" : location.hash || "#/";
    for (const [hash, link] of this.#links) {
      if (hash === current) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
    show(this.#view);
    this.#update();
  }

  #viewOf(hash) {
    const [, name] = /^#\/rooms\/(.+)$/.exec(hash) ?? [];
    if (name !== undefined) return new Room(this.#context, decodeURIComponent(name));
    if (hash === "#/rooms") return new Rooms(this.#context);
    if (hash === "#/bans") return new Bans(this.#context);
    if (hash === "#/server") return new Server(this.#context);
    return new Overview();
  }

  #update() {
    const { status, lost } = this.#model;
    if (lost !== null) this.#showLost(`The connection to the server is lost: ${lost} Connecting again…`);
    else this.#lost.hidden = true;
    if (status !== null && lost === null) {
      setText(this.#state, status.ready ? "ready" : status.reasons[0]);
      this.#state.dataset.state = status.ready ? "ready" : "refusing";
    } else {
      setText(this.#state, lost === null ? "connecting" : "not connected");
      this.#state.dataset.state = "lost";
    }
    this.#view?.update(this.#model);
  }

  #showLost(message) {
    setText(this.#lost, message);
    this.#lost.hidden = false;
  }
}

function bar() {
  return document.getElementById("bar");
}

function main() {
  return document.getElementById("main");
}

function show(view) {
  document.title = `${view.title} – mp-server`;
  main().replaceChildren(view.element);
  window.scrollTo(0, 0);
}

/** Checks a token, and shows the page. Rejects if the server does not accept it. */
async function signIn(token) {
  const api = new Api(token);
  const [{ scopes }, openapi] = await Promise.all([
    api.get("/v1/token"), api.get("/v1/openapi.json"),
  ]);
  if (token !== null) storeToken(token);
  if (location.pathname !== "/") history.replaceState(null, "", "/");
  page = new Page(api, new Access(openapi, scopes));
}

function signOut(message = "") {
  forgetToken();
  page?.close();
  page = null;
  showSignedOut(new SignIn(signIn, message));
}

function showSignedOut(view) {
  bar().replaceChildren(element("span", { class: "brand" }, "mp-server"), element("span", { class: "gap" }), themeSwitch());
  show(view);
  main().querySelector("input, button")?.focus();
}

async function start() {
  const code = location.hash.slice(1);
  if (location.pathname === "/setup" && code !== "") {
    history.replaceState(null, "", "/setup");
    showSignedOut(new Setup(code, signIn));
    return;
  }
  const token = storedToken();
  if (token === null && !isDev()) {
    showSignedOut(new SignIn(signIn));
    return;
  }
  try {
    await signIn(token);
  } catch (error) {
    signOut(error.message);
  }
}

window.addEventListener("hashchange", () => page?.route());
start();
