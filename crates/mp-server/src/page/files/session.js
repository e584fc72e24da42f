// The token of this browser tab. It is in the tab's storage, which ends with the tab, and never in
// a URL.

const KEY = "mp-token";

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
