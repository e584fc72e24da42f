// The token of this browser tab. It is in the tab's storage, which ends with the tab, and never in
// a URL.

const KEY = "mp-token";

/** Returns whether the server runs for development. Without a token, it may let the page in. */
export function isDev() {
  return "dev" in document.documentElement.dataset;
}

/** Returns the token, or null. */
export function storedToken() {
  return sessionStorage.getItem(KEY);
}

export function storeToken(token) {
  sessionStorage.setItem(KEY, token);
}

export function forgetToken() {
  sessionStorage.removeItem(KEY);
}
