// What a reader would stumble over, as an attribute of the page that this one is framed in, by the frame's name.
function shown(element) {
  const { width, height } = element.getBoundingClientRect();
  return width > 0 && height > 0 && element.textContent.trim() !== "";
}

// Own text, not only that of elements within.
function hasOwnText(element) {
  return [...element.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.data.trim() !== "");
}

// Relative luminance and contrast as in WCAG 2.2, 1.4.3.
function luminance(colour) {
  const [r, g, b] = colour.match(/[\d.]+/g).slice(0, 3).map((part) => {
    const share = part / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

function behind(element) {
  for (let at = element; at !== null; at = at.parentElement) {
    const colour = getComputedStyle(at).backgroundColor;
    if (!/, 0\)$/.test(colour)) return colour;
  }
  return "rgb(255, 255, 255)";
}

function contrast(element) {
  const style = getComputedStyle(element);
  const ink = element instanceof SVGElement ? style.fill : style.color;
  const [one, other] = [luminance(ink), luminance(behind(element))];
  return (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
}

const texts = [...document.querySelectorAll("body *")].filter((element) => hasOwnText(element) && shown(element));
const labels = [...document.querySelectorAll(".chart text")].filter(shown);
const name = (element) => element.textContent.trim();

const overlapping = [];
labels.forEach((one, index) => {
  const a = one.getBoundingClientRect();
  labels.slice(index + 1).forEach((other) => {
    const b = other.getBoundingClientRect();
    const across = Math.min(a.right, b.right) - Math.max(a.left, b.left);
    const down = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
    // The boxes of letters have a little room above and below.
    if (across > 0 && down > 3) overlapping.push(`${name(one)} | ${name(other)}`);
  });
});

const looks = JSON.parse(top.document.documentElement.dataset.looks ?? "{}");
looks[window.name] = {
  width: innerWidth,
  needed: document.documentElement.scrollWidth,
  dark: luminance(behind(document.body)) < 0.2,
  texts: texts.length,
  small: texts.filter((element) => parseFloat(getComputedStyle(element).fontSize) < 11).map(name),
  faint: texts.filter((element) => contrast(element) < 4.5).map(name),
  labels: labels.map(name),
  overlapping,
  outside: labels
    .filter((label) => {
      const { left, right } = label.getBoundingClientRect();
      return left < 0 || right > innerWidth;
    })
    .map(name),
  curves: [...document.querySelectorAll(".curves path")].map((path) => {
    const { width, height } = path.getBoundingClientRect();
    return { kind: path.getAttribute("class"), width, height };
  }),
};
top.document.documentElement.dataset.looks = JSON.stringify(looks);
