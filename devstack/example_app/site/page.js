// What all parts of the app do to the page.

// A mailed link has its secret in the address. Out of it at once: it would stay in history, logs and screenshots.
export const given = Object.fromEntries(new URLSearchParams(location.search));
history.replaceState(null, "", location.pathname);

export const byId = (id) => document.getElementById(id);

export const main = document.querySelector("main");

export const say = (text) => { byId("notice").textContent = text; };

export function go(path, notice = "") {
  sessionStorage.notice = notice;
  location.assign(path);
}

export function element(tag, text) {
  const made = document.createElement(tag);
  made.textContent = text;
  return made;
}

// Facts of a page, each in the element that names it.
export function show(facts) {
  for (const [name, text] of Object.entries(facts)) main.querySelector(`[data-fact=${name}]`).textContent = text;
}

export const when = (time) => new Date(time).toLocaleString([], { dateStyle: "medium", timeStyle: "short" });
