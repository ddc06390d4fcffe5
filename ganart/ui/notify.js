// Tells the artist when a run has ended, where the browser may: asked for with the button, once.
export default function ({ data, parentElement }) {
  const button = parentElement.querySelector("button");
  const known = "Notification" in window;
  const key = `ganart-${data.run}`;
  button.textContent = data.label;
  const refresh = () => {
    button.hidden = !data.active || !known || Notification.permission !== "default";
  };
  button.onclick = () => Notification.requestPermission().then(refresh);
  refresh();
  if (data.active) {
    sessionStorage.setItem(key, "at work");
  } else if (sessionStorage.getItem(key)) {
    sessionStorage.removeItem(key);
    if (known && Notification.permission === "granted") {
      new Notification(data.title, { body: data.body, tag: key });
    }
  }
}
