"use strict";
const input = document.getElementById("q");

// "/" goes to the search, as on most pages of this kind.
document.addEventListener("keydown", (event) => {
  const typing = event.target.closest("input, textarea, select");
  if (event.key !== "/" || typing || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  input.focus();
});

// Code has a button that copies it. Browsers copy on safe pages only: https and this machine.
for (const pre of navigator.clipboard ? document.querySelectorAll("pre") : []) {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = "Copy";
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(pre.textContent);
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = "Copy"; }, 2000);
  });
  const box = document.createElement("div");
  box.className = "code";
  pre.replaceWith(box);
  box.append(pre, button);
}

// The search page lists everything: what does not fit is hidden, and what fits by its title comes first.
const status = document.getElementById("found");

function search() {
  const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
  let found = 0;
  for (const section of document.querySelectorAll(".results")) {
    const list = section.querySelector("ul");
    let here = 0;
    for (const item of [...list.children].reverse()) {
      const title = item.firstElementChild.textContent.toLowerCase();
      const text = `${item.textContent.toLowerCase()} ${item.dataset.words}`;
      item.hidden = !words.every((word) => text.includes(word));
      if (item.hidden) continue;
      here += 1;
      if (words.length && words.every((word) => title.includes(word))) list.prepend(item);
    }
    section.hidden = here === 0;
    found += here;
  }
  status.textContent = words.length ? `${found} found` : `${found} pages, routes and errors`;
}

if (status) {
  input.value = new URLSearchParams(location.search).get("q") ?? "";
  input.addEventListener("input", () => {
    history.replaceState(null, "", input.value ? `?q=${encodeURIComponent(input.value)}` : location.pathname);
    search();
  });
  input.form.addEventListener("submit", (event) => event.preventDefault());
  search();
}
