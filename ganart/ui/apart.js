// A convolution taken apart: four grids of numbers. Point at a place of the result, or walk there with the keyboard,
// and everything that it is made of lights up. All numbers and links come from the page.
const DIGITS = 2;

function told(value) {
  return Number.isInteger(value) ? String(value) : value.toFixed(DIGITS);
}

function fill(root, name, rows) {
  const grid = root.querySelector(`.${name} .grid`);
  const columns = rows[0].length;
  grid.style.setProperty("--columns", columns);
  const wanted = rows.length * columns;
  while (grid.children.length > wanted) grid.lastChild.remove();
  while (grid.children.length < wanted) {
    grid.append(document.createElement(name === "result" ? "button" : "span"));
  }
  rows.flat().forEach((value, index) => (grid.children[index].textContent = told(value)));
  return [...grid.children];
}

export default function ({ data, parentElement: root }) {
  if (!data || !root.querySelector(".apart")) return;
  const picture = fill(root, "picture", data.picture);
  const kernel = fill(root, "kernel", data.kernel);
  const columns = fill(root, "columns", data.columns);
  const result = fill(root, "result", data.result);
  const across = data.columns[0].length;
  root.querySelector(".columns .name").textContent = data.columnsName;
  const sum = root.querySelector(".sum");

  const show = (place) => {
    for (const cell of [...picture, ...kernel, ...columns, ...result]) cell.classList.remove("lit");
    result[place].classList.add("lit");
    const parts = [];
    data.terms[place].forEach(([from, by], index) => {
      const [row, column] = data.cells[place][index];
      columns[row * across + column].classList.add("lit");
      kernel[by].classList.add("lit");
      if (from >= 0) picture[from].classList.add("lit");
      const value = from < 0 ? "0" : told(data.picture.flat()[from]);
      parts.push(`${value}·${told(data.kernel.flat()[by])}`);
    });
    const whole = told(data.result.flat()[place]);
    sum.textContent = parts.length ? `${parts.join(" + ")} = ${whole}` : `nothing reaches here = ${whole}`;
  };
  result.forEach((cell, place) => {
    cell.type = "button";
    cell.setAttribute("aria-label", `Result, place ${place + 1}: ${cell.textContent}`);
    cell.onpointerenter = cell.onfocus = cell.onclick = () => show(place);
  });
  show(Math.min(data.place, result.length - 1));
}
