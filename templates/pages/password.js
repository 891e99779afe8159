"use strict";
// Checks the rules that need no server while a password is typed, and lets it be seen. The server checks all of them.
{
  const field = document.getElementById("password");
  const reveal = document.getElementById("reveal");
  const list = document.getElementById("rules");
  const shortest = 4; // shorter words of an address occur in many a good password

  const words = (id) => {
    const address = document.getElementById(id).value.toLowerCase();
    return [address, address.split("@")[0]];
  };
  const fits = {
    least: (text, number) => [...text].length >= number,
    most: (text, number) => text !== "" && [...text].length <= number,
    without: (text, id) => text !== "" && !words(id).some((word) =>
      word === text.toLowerCase() || (word.length >= shortest && text.toLowerCase().includes(word))),
  };

  const check = () => {
    for (const rule of list.children) {
      const [name] = Object.keys(rule.dataset).filter((key) => key in fits);
      if (!name) continue;
      const met = fits[name](field.value, rule.dataset[name]);
      rule.classList.toggle("met", met);
      rule.lastElementChild.textContent = met ? ` (${list.dataset.met})` : "";
    }
  };
  for (const rule of list.children) {
    const state = rule.appendChild(document.createElement("span"));
    state.className = "unseen";
  }
  field.addEventListener("input", check);

  reveal.hidden = false;
  reveal.addEventListener("click", () => {
    const shown = field.type === "password";
    field.type = shown ? "text" : "password";
    reveal.setAttribute("aria-pressed", String(shown));
    field.focus();
  });
  // A password that is shown would be remembered like any other text.
  field.form.addEventListener("submit", () => { field.type = "password"; });
}
