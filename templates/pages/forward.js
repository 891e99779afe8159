location.replace(document.querySelector("a.button").href);
