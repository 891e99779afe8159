// Draws a QR picture.
import { correction, generate } from "./vendor/lean-qr-2.7.4.js"; // with a bundler: from "lean-qr"

const SVG = "http://www.w3.org/2000/svg";
const MARGIN = 4; // of the standard, in modules; phones do not find a picture without it

// Dark on light in every colour scheme: many phones do not read it the other way round.
export function picture(text, label) {
  const code = generate(text, { minCorrectionLevel: correction.M });
  const side = code.size + 2 * MARGIN;
  let dark = "";
  for (let y = 0; y < code.size; y += 1) {
    for (let x = 0; x < code.size; x += 1) if (code.get(x, y)) dark += `M${x + MARGIN} ${y + MARGIN}h1v1h-1z`;
  }
  const svg = make("svg", { viewBox: `0 0 ${side} ${side}`, role: "img", "aria-label": label, "shape-rendering": "crispEdges" });
  svg.append(make("rect", { width: side, height: side, fill: "#fff" }), make("path", { d: dark, fill: "#000" }));
  return svg;
}

function make(tag, attributes) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}
