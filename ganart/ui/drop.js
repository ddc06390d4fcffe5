// Takes pictures from the artist's computer: what is chosen or dropped goes to the disk of the server, four files at a
// time. The sending belongs to the tab: it goes on while another page is looked at. The page is told of its end alone.
const AT_ONCE = 4;
const PATIENCE = 30_000; // ms without an answer
const NO_ROUTE = "The program takes no files here. Start it with “streamlit run app.py”, then choose them again.";
const zones = new WeakMap();
const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const number = (count) => count.toLocaleString("en");
const files = (count) => `${number(count)} file${count === 1 ? "" : "s"}`;
const size = (bytes) => (bytes < 1e9 ? `${(bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0)} MB` : `${(bytes / 1e9).toFixed(1)} GB`);

// --- the sending

class Sender {
  constructor(chosen, closed) {
    this.chosen = chosen; // [{path, file}]
    this.state = "waiting"; // for a token; then "sending", "over"
    this.done = this.total = this.bytes = this.allBytes = 0;
    this.moving = new Map(); // request: bytes of it that are sent
    this.failed = closed.map((path) => [path, "it cannot be opened"]); // [path, reason]
    this.replaced = 0; // files that were there, by others of the same name
    this.said = "";
    this.changed = () => {};
  }

  async start(base, token) {
    this.state = "sending";
    this.token = token;
    this.address = `${base}/upload/${token}`;
    this.said = `Sending ${files(this.chosen.length)} …`;
    this.changed();
    const todo = await this.announce();
    if (todo) {
      this.total = todo.length;
      this.allBytes = todo.reduce((sum, [place]) => sum + this.chosen[place].file.size, 0);
      this.changed();
      await Promise.all(Array.from({ length: AT_ONCE }, () => this.work(todo)));
    }
    this.state = "over";
    this.said = this.story();
    this.chosen = [];
    this.changed("ended");
  }

  // What the server has not yet, by place and number.
  async announce() {
    const body = JSON.stringify(this.chosen.map(({ path, file }) => [path, file.size, file.lastModified]));
    const answer = await this.ask("POST", this.address, body);
    if (answer.status !== 200) {
      this.stopped ||= answer.text.endsWith(".") ? answer.text : NO_ROUTE;
      return null;
    }
    const told = JSON.parse(answer.text);
    this.replaced = told.replaced;
    for (const [place, reason] of told.refused) this.failed.push([this.chosen[place].path, reason]);
    return told.send;
  }

  async work(todo) {
    while (!this.stopped && todo.length) {
      const [place, name] = todo.shift();
      const { path, file } = this.chosen[place];
      const answer = await this.ask("PUT", `${this.address}/${name}`, file);
      if (answer.status === 204) {
        this.done += 1;
        this.bytes += file.size;
      } else if ([401, 404, 507, 0].includes(answer.status)) this.stopped ||= answer.text;
      else if (!this.stopped) this.failed.push([path, answer.text]);
      this.changed();
    }
  }

  // Asks until there is an answer: the server may be busy, or be started again just now.
  async ask(method, address, body) {
    let end = 0; // of the patience, since the last answer
    for (let attempt = 1; !this.stopped; attempt++) {
      const answer = await this.once(method, address, body);
      if (answer.status === 429) {
        end = 0;
        await wait(200 + 100 * Math.min(attempt, 20));
      } else if (answer.status && answer.status < 500) return answer;
      else if (answer.status === 507) return answer;
      else if (body instanceof File && !(await readable(body))) return { status: 400, text: "It cannot be read any more." };
      else if (Date.now() > (end ||= Date.now() + PATIENCE)) {
        return { status: 0, text: "The program does not answer. Start it again, then choose the same files to go on." };
      } else await wait(Math.min(500 * 2 ** attempt, 4000));
    }
    return { status: 0, text: this.stopped };
  }

  once(method, address, body) {
    return new Promise((resolve) => {
      const request = new XMLHttpRequest();
      const finish = (status, text) => {
        this.moving.delete(request);
        resolve({ status, text });
      };
      request.open(method, address);
      request.setRequestHeader("content-type", "application/octet-stream");
      request.upload.onprogress = ({ loaded }) => {
        if (!this.moving.has(request)) return;
        this.moving.set(request, body.size ? Math.min(loaded, body.size) : 0);
        this.changed();
      };
      request.onload = () => finish(request.status, request.responseText || NO_ROUTE);
      request.onerror = request.onabort = request.ontimeout = () => finish(0, "");
      this.moving.set(request, 0);
      request.send(body);
    });
  }

  stop(reason) {
    this.stopped ||= reason;
    if (this.state === "waiting") {
      this.state = "over";
      this.said = reason;
      this.changed();
    }
    for (const request of [...this.moving.keys()]) request.abort();
  }

  share() {
    const moving = [...this.moving.values()].reduce((sum, bytes) => sum + bytes, 0);
    return this.allBytes ? (this.bytes + moving) / this.allBytes : 0;
  }

  story() {
    if (this.stopped) return this.stopped;
    const told = [];
    if (this.failed.length) {
      const [path, reason] = this.failed[0];
      const others = this.failed.length > 1 ? ` and ${files(this.failed.length - 1)} more` : "";
      told.push(`Left out: ${path}${others} (${reason.replace(/\.$/, "")}).`);
    }
    if (this.replaced) {
      told.push(`${files(this.replaced)} gave way to others of the same name. To have both, drop their folders together.`);
    }
    return told.join(" ");
  }
}

async function readable(file) {
  try {
    await file.slice(0, 1).arrayBuffer();
    return true;
  } catch {
    return false;
  }
}

// --- what is dropped: files and folders within folders

async function walk(entries, most) {
  const found = [];
  const closed = []; // what cannot be opened
  const todo = [...entries];
  while (todo.length && found.length <= most) {
    const entry = todo.shift();
    const path = entry.fullPath.replace(/^\//, "");
    if (entry.isFile) {
      if (hidden(path)) continue;
      const file = await new Promise((resolve) => entry.file(resolve, () => resolve(null)));
      if (file) found.push({ path, file });
      else closed.push(path);
    } else {
      const reader = entry.createReader();
      for (;;) {
        const some = await new Promise((resolve) => reader.readEntries(resolve, () => resolve(null)));
        if (!some) closed.push(`${path}/`);
        if (!some?.length) break;
        todo.push(...some);
      }
    }
  }
  return { found, closed };
}

// What a system puts beside pictures; as archive.is_hidden has it.
function hidden(path) {
  const system = ["Thumbs.db", "desktop.ini", "__MACOSX"];
  return path.split("/").some((part) => (part.startsWith(".") && !part.endsWith(".icloud")) || system.includes(part));
}

// --- what is seen of it

class Zone {
  constructor(root) {
    this.root = root;
    this.find = (name) => root.querySelector(`.${name}`);
    this.frame = this.find("drop");
    for (const kind of ["folder", "files"]) {
      const input = this.find(`pick-${kind}`);
      this.find(kind).onclick = () => input.click();
      input.onchange = () => {
        this.take([...input.files].map((file) => ({ path: file.webkitRelativePath || file.name, file })));
        input.value = "";
      };
    }
    this.frame.ondragover = (event) => {
      event.preventDefault();
      this.frame.classList.add("over");
    };
    this.frame.ondragleave = () => this.frame.classList.remove("over");
    this.frame.ondrop = (event) => this.dropped(event);
    this.find("stop").onclick = () => this.sender?.stop("Stopped.");
    for (const wish of ["settle", "clear"]) {
      this.find(wish).onclick = () => {
        this.sender = window.ganartSender = null;
        this.say("");
        this.tell(wish);
      };
    }
    this.sender = window.ganartSender ?? null;
  }

  async dropped(event) {
    event.preventDefault();
    this.frame.classList.remove("over");
    const items = [...event.dataTransfer.items].filter((item) => item.kind === "file");
    const entries = items.map((item) => item.webkitGetAsEntry()).filter(Boolean);
    const loose = [...event.dataTransfer.files];
    this.say("Looking at what was dropped …");
    if (!entries.length) return this.take(loose.map((file) => ({ path: file.name, file })));
    const { found, closed } = await walk(entries, this.data.most);
    this.take(found, closed);
  }

  take(given, closed = []) {
    if (this.busy()) return;
    this.sender = window.ganartSender = null;
    const chosen = given.filter(({ path }) => !hidden(path));
    if (!chosen.length) return this.say(closed.length ? `${closed[0]} cannot be opened.` : "No files are in there.");
    if (chosen.length > this.data.most) return this.say(`These are more than ${files(this.data.most)}. Give a folder with fewer of them.`);
    this.sender = window.ganartSender = new Sender(chosen, closed);
    this.draw();
    this.begin();
  }

  // The page answers with a token; it is asked again where it was too busy to hear.
  async begin() {
    const sender = this.sender;
    while (sender.state === "waiting" && !sender.stopped) {
      if (this.data.token) return this.start();
      this.tell("begin");
      await wait(3000);
    }
  }

  start() {
    const sender = this.sender;
    if (sender?.state === "waiting") sender.start(this.data.base, this.data.token);
  }

  busy() {
    return Boolean(this.sender) && this.sender.state !== "over";
  }

  say(text) {
    const said = this.find("said");
    if (said.textContent !== text) said.textContent = text;
  }

  update(data, tell) {
    this.data = data;
    this.tell = tell;
    this.frame.setAttribute("aria-label", data.label);
    const { sender } = this;
    const past = sender?.state === "over" && !sender.stopped && sender.token !== data.token;
    if (past) this.sender = window.ganartSender = null;
    if (data.token) this.start();
    this.draw();
  }

  soon() {
    this.timer ??= setTimeout(() => {
      this.timer = null;
      this.draw();
    }, 100);
  }

  draw() {
    const { sender, data } = this;
    const busy = this.busy();
    if (sender) {
      sender.changed = (event) => {
        this.soon();
        if (event) this.tell(event);
      };
    }
    const focused = this.root.activeElement ?? this.frame.getRootNode().activeElement;
    for (const kind of ["folder", "files"]) this.find(kind).disabled = busy;
    this.find("work").hidden = !busy;
    const lacking = data.listed - data.there;
    this.find("clear").hidden = busy || !data.listed;
    this.find("settle").hidden = busy || !lacking || !data.there;
    this.find("settle").textContent = `Go on with the ${number(data.there)}`;
    this.find("lead").textContent = busy || !data.listed
      ? "Drop a folder of pictures here, or a zip of them."
      : lacking
        ? `${number(data.there)} of ${files(data.listed)} of “${data.title}” are here. Choose the same again, and the rest is sent.`
        : `“${data.title}” is here: ${files(data.listed)}, ${size(data.bytes)}. You can add more.`;
    if (busy) {
      this.find("bar").value = sender.share();
      this.find("count").textContent = sender.total
        ? `${number(sender.done)} of ${files(sender.total)}, ${size(sender.bytes)} of ${size(sender.allBytes)}`
        : "";
    }
    if (sender) this.say(sender.said);
    if (busy && ["folder", "files"].some((kind) => this.find(kind) === focused)) this.find("stop").focus();
    if (!busy && this.find("stop") === focused) this.find("folder").focus();
  }

  leave() {
    clearTimeout(this.timer);
    if (this.sender) this.sender.changed = () => {};
  }
}

export default function ({ data, parentElement: root, setTriggerValue }) {
  if (!data || !root.querySelector(".drop")) return;
  if (!zones.has(root)) zones.set(root, new Zone(root));
  zones.get(root).update(data, (event) => setTriggerValue("asked", event));
  return () => {
    if (root.host.isConnected) return; // not the end: a newer call came while this one was loading
    zones.get(root)?.leave();
    zones.delete(root);
  };
}
