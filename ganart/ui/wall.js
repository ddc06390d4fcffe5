// A wall of pictures cut from one sheet. Each is a button, so that keyboard and screen reader work.
export default function ({ data, parentElement, setTriggerValue }) {
  const wall = parentElement.querySelector(".wall");
  if (!wall || !data) return;
  wall.setAttribute("aria-label", data.title);
  wall.style.setProperty("--side", `${data.side}px`);
  wall.style.setProperty("--across", data.across);

  while (wall.children.length > data.labels.length) wall.lastChild.remove();
  while (wall.children.length < data.labels.length) {
    const button = document.createElement("button");
    button.type = "button";
    wall.append(button);
  }

  const at = (index, count) => (count > 1 ? (100 * index) / (count - 1) : 0);
  data.labels.forEach((label, index) => {
    const button = wall.children[index];
    button.title = label;
    button.setAttribute("aria-label", label);
    button.setAttribute("aria-pressed", String(data.selected.includes(index)));
    button.style.backgroundImage = `url(${data.sheet})`;
    button.style.backgroundSize = `${100 * data.columns}% ${100 * data.rows}%`;
    const column = index % data.columns;
    const row = Math.floor(index / data.columns);
    button.style.backgroundPosition = `${at(column, data.columns)}% ${at(row, data.rows)}%`;
    button.onclick = () => setTriggerValue("picked", index);
  });
}
