// The admin API of the server that this page comes from.

import { Stream } from "./events.js";

/** An error that the server reports (RFC 9457), or a connection that fails. */
export class Problem extends Error {
  constructor(status, code, detail) {
    super(detail);
    this.status = status;
    this.code = code;
  }

  /** True if the same request fails again: the token or the path is wrong. */
  get isFinal() {
    return [400, 401, 403, 404].includes(this.status);
  }
}

/** Requests with a token. The token is only sent in the header `Authorization`. */
export class Api {
  #token;

  constructor(token) {
    this.#token = token;
  }

  /** Returns the body of a response to GET. */
  get(path) {
    return this.send("GET", path);
  }

  /** Sends a request. Returns the body of the response, or null without one. */
  async send(method, path, body) {
    const response = await this.#fetch(path, {
      method,
      headers: body === undefined ? {} : { "Content-Type": "application/json" },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    const text = await response.text();
    return text === "" ? null : JSON.parse(text);
  }

  /** Follows server-sent events; see `Stream`. */
  stream(path, handlers) {
    return new Stream(async (signal) => (await this.#fetch(path, { signal })).body, handlers);
  }

  async #fetch(path, options) {
    const headers = { ...options.headers };
    if (this.#token) headers.Authorization = `Bearer ${this.#token}`;
    let response;
    try {
      response = await fetch(path, { ...options, headers, cache: "no-store" });
    } catch {
      throw new Problem(0, "unreachable", "The server does not respond.");
    }
    if (response.ok) return response;
    const body = await response.json().catch(() => ({}));
    const detail = body.detail ?? `The server responds with the status ${response.status}.`;
    throw new Problem(response.status, body.code ?? "", detail);
  }
}

/** Returns a path with its parameters filled in: `{room}` stands for `parameters.room`. */
export function path(template, parameters = {}) {
  return template.replace(/\{(\w+)\}/g, (_, name) => encodeURIComponent(parameters[name]));
}

/** What a token may do with this server, by its description of the API. */
export class Access {
  constructor(openapi, scopes) {
    this.paths = openapi.paths ?? {};
    this.scopes = scopes;
  }

  /** Returns whether the server has an operation, and the token its scope. */
  allows(method, template) {
    const operation = this.paths[template]?.[method.toLowerCase()];
    if (operation === undefined) return false;
    const needed = (operation.security ?? []).flatMap((scheme) => scheme.token ?? []);
    return needed.every((scope) => this.scopes.includes(scope));
  }
}
