// The pad: a hand moves over a plane of the latent space, and the picture follows. Pictures come from a route of the
// server, the newest wish first; the page hears of it when the hand lets go. Without the route, every step is a rerun
// of the page.
const pads = new WeakMap();
const RESEND = 250; // ms between reruns where there is no route
const SETTLED = 450; // ms after the last key until the page is told
const AT_ONCE = 2; // requests under way: one is painted while the next one is asked for
const LATE = 90; // ms after which the sheet lends its nearest picture
const TEXT = "textarea, input:is([type=text], [type=number], [type=search], :not([type]))";
const clamp = (value, low, high) => Math.min(high, Math.max(low, value));

class Pad {
  constructor(root) {
    this.root = root;
    this.picture = root.querySelector(".picture");
    this.map = root.querySelector(".map");
    this.marker = root.querySelector(".marker");
    this.told = root.querySelector(".told");
    this.data = null;
    this.spot = [0, 0];
    this.view = { x: 0, y: 0, span: 1 };
    this.fingers = new Map();
    this.wanted = null; // the newest move that is not painted yet
    this.resending = null;
    this.flying = 0; // requests that are under way
    this.painted = this.coming = null; // the newest move that has a picture; what the next frame paints
    this.route = true;
    this.listen();
  }

  // --- what the page says

  update(data, tell) {
    const fresh = !this.data || data.turn !== this.data.turn || data.query !== this.data.query;
    const before = this.data;
    this.data = data;
    this.tell = tell;
    this.picture.setAttribute("aria-label", data.title);
    this.picture.style.imageRendering = data.smooth ? "auto" : "pixelated";
    this.map.setAttribute("aria-label", `Map of the plane. ${data.title}`);
    if (fresh) {
      // The page went elsewhere: what the hand is doing has lost its ground.
      this.wanted = this.start = this.resending = this.painted = this.coming = null;
      this.moved = false;
      clearTimeout(this.settling);
      clearTimeout(this.resending);
      this.spot = [...data.spot];
      if (!before || before.query !== data.query) this.view = { x: 0, y: 0, span: 1 };
      this.lookAt(this.spot);
    }
    if (fresh || !this.route) this.show(data.picture);
    if (!before || before.sheet !== data.sheet) this.loadSheet(data.sheet);
    this.mark();
  }

  async show(address) {
    const picture = await bitmap(await fetch(address));
    if (address === this.data.picture) this.paint(picture);
  }

  async loadSheet(address) {
    const sheet = await bitmap(await fetch(address));
    if (address !== this.data.sheet) return;
    this.sheet = { picture: sheet, view: { x: 0, y: 0, span: 1 } };
    this.drawMap();
  }

  // --- what the hand does

  listen() {
    const { picture, map } = this;
    picture.onpointerdown = (event) => this.press(event, false);
    map.onpointerdown = (event) => this.press(event, true);
    for (const surface of [picture, map]) {
      surface.onpointermove = (event) => this.drag(event);
      surface.onpointerup = surface.onpointercancel = (event) => this.release(event);
      surface.onkeydown = (event) => this.key(event);
      // A page that scrolls under the hand is not to stop here: only a pad that was touched zooms.
      surface.addEventListener(
        "wheel",
        (event) => {
          if (this.root.activeElement !== surface && document.activeElement !== surface && !event.ctrlKey) return;
          event.preventDefault();
          this.zoom(Math.exp(event.deltaY / 400));
        },
        { passive: false },
      );
    }
    window.addEventListener("keydown", leaveText, true);
  }

  press(event, absolute) {
    if (event.button > 0) return;
    const surface = event.currentTarget;
    surface.setPointerCapture(event.pointerId);
    surface.focus({ preventScroll: true });
    event.preventDefault();
    this.fingers.set(event.pointerId, [event.clientX, event.clientY]);
    this.start = { absolute, box: surface.getBoundingClientRect() };
    this.hold();
    this.route = true; // a server that was away may be back
    if (this.fingers.size === 1) this.moved = false; // a second finger does not undo what the first has moved
    if (absolute) this.drag(event);
  }

  drag(event) {
    if (!this.fingers.has(event.pointerId) || !this.start) return;
    const apart = this.distance();
    this.fingers.set(event.pointerId, [event.clientX, event.clientY]);
    if (this.fingers.size === 2) {
      if (apart > 0) this.zoom(apart / Math.max(this.distance(), 1));
      return;
    }
    const { at, spot, absolute, box } = this.start;
    const { x, y, span } = this.view;
    if (absolute) {
      const across = (2 * (event.clientX - box.left)) / box.width - 1;
      const down = (2 * (event.clientY - box.top)) / box.height - 1;
      this.move([x + span * clamp(across, -1, 1), y - span * clamp(down, -1, 1)], event.timeStamp);
    } else {
      const right = (2 * span * (event.clientX - at[0])) / box.width;
      const up = (-2 * span * (event.clientY - at[1])) / box.height;
      this.move([spot[0] + right, spot[1] + up], event.timeStamp);
    }
  }

  // From here on, moves count from where the first finger is now.
  hold() {
    const [at] = this.fingers.values();
    this.start = { ...this.start, at, spot: [...this.spot] };
  }

  distance() {
    if (this.fingers.size !== 2) return 0;
    const [a, b] = [...this.fingers.values()];
    return Math.hypot(a[0] - b[0], a[1] - b[1]);
  }

  release(event) {
    if (!this.fingers.delete(event.pointerId)) return;
    if (this.fingers.size === 1 && this.start) this.hold(); // the other finger goes on from where it is
    if (this.fingers.size === 0) {
      this.start = null;
      if (this.moved) this.commit();
    }
  }

  key(event) {
    const far = this.view.span * (event.shiftKey ? 0.25 : 0.06);
    const steps = { ArrowLeft: [-far, 0], ArrowRight: [far, 0], ArrowUp: [0, far], ArrowDown: [0, -far] };
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (steps[event.key]) {
      this.move([this.spot[0] + steps[event.key][0], this.spot[1] + steps[event.key][1]], event.timeStamp);
    } else if (event.key === "Home") this.move([0, 0], event.timeStamp);
    else if (event.key === "+" || event.key === "=") this.zoom(0.8);
    else if (event.key === "-") this.zoom(1.25);
    else return;
    event.preventDefault();
    event.stopPropagation();
    if (this.moved) {
      clearTimeout(this.settling);
      this.settling = setTimeout(() => this.commit(), SETTLED);
    }
  }

  zoom(factor) {
    const span = clamp(this.view.span * factor, 0.02, 1);
    // The spot stays where it is on the map.
    const share = [0, 1].map((axis) => (this.spot[axis] - [this.view.x, this.view.y][axis]) / this.view.span);
    this.view = { x: this.spot[0] - share[0] * span, y: this.spot[1] - share[1] * span, span };
    this.lookAt(this.spot);
    if (this.start) this.hold();
    this.mark();
    this.drawMap();
    clearTimeout(this.sharpening);
    this.sharpening = setTimeout(() => this.sharpen(), 160);
  }

  move(spot, at) {
    const next = spot.map((value) => clamp(value, -1, 1));
    if (next[0] === this.spot[0] && next[1] === this.spot[1]) return;
    this.spot = next;
    this.moved = true;
    this.wanted = { spot: next, at };
    this.lookAt(next);
    this.mark();
    this.pump();
  }

  commit() {
    clearTimeout(this.settling);
    this.moved = false;
    this.tellSpot();
    this.told.textContent = `${this.data.name}: ${this.spot[0].toFixed(2)} across, ${this.spot[1].toFixed(2)} up`;
  }

  // Always with another count: the page hears only of what is new, and the same spot of another plane is.
  tellSpot() {
    this.count = (this.count ?? Date.now()) + 1;
    this.tell("spot", { x: this.spot[0], y: this.spot[1], turn: this.data.turn, count: this.count });
  }

  // --- pictures

  address(kind, values) {
    const numbers = Object.entries(values).map(([name, value]) => `${name}=${+value.toFixed(5)}`);
    return `${this.data.base}/paint/${kind}?${this.data.query}&${numbers.join("&")}`;
  }

  async pump() {
    if (this.flying >= AT_ONCE || !this.wanted) return;
    if (!this.route) return this.rerun();
    const move = this.wanted;
    const { query, turn } = this.data;
    const current = () => query === this.data.query && turn === this.data.turn;
    const lost = () => current() && this.lose(move);
    this.wanted = null;
    this.flying += 1;
    const late = setTimeout(() => current() && this.lend(move), LATE);
    try {
      const answer = await fetch(this.address("point", { x: move.spot[0], y: move.spot[1] }));
      if (answer.status === 429) {
        await new Promise((resolve) => setTimeout(resolve, RESEND));
        if (current()) this.wanted ??= move;
      } else if (!answer.ok) lost();
      else {
        const picture = await bitmap(answer);
        clearTimeout(late);
        if (current()) this.paintMove(picture, move);
      }
    } catch {
      lost();
    } finally {
      clearTimeout(late);
      this.flying -= 1;
    }
    this.pump();
  }

  // Paint with the next frame, unless a newer move is there already, and note how long after the move it can be seen.
  paintMove(picture, move) {
    if (this.painted && move.at < this.painted.at) return;
    const waiting = this.coming;
    this.painted = move;
    this.coming = { picture, move };
    if (waiting) return;
    requestAnimationFrame(() => {
      if (!this.coming) return; // the page went elsewhere meanwhile
      const { picture: newest, move: seen } = this.coming;
      this.coming = null;
      this.paint(newest);
      const { port1, port2 } = new MessageChannel(); // its message comes when the frame has been painted
      port1.onmessage = () => {
        performance.measure("ganart-pad", { start: seen.at, end: performance.now(), detail: seen.spot });
        performance.clearMeasures("ganart-pad");
      };
      port2.postMessage(0);
    });
  }

  paint(picture) {
    if (this.picture.width !== picture.width) this.picture.width = this.picture.height = picture.width;
    this.picture.getContext("2d").drawImage(picture, 0, 0);
  }

  // The route is gone: from here on, reruns.
  lose(move) {
    this.route = false;
    this.wanted ??= move;
  }

  rerun() {
    if (this.resending) return;
    this.resending = setTimeout(() => {
      this.resending = null;
      this.wanted = null;
      if (!this.route) this.tellSpot();
    }, RESEND);
  }

  // The server is slow just now: the nearest picture of the sheet stands in.
  lend(move) {
    if (!this.sheet) return;
    const { cells } = this.data;
    const { x, y, span } = this.sheet.view;
    const column = Math.floor(((move.spot[0] - x) / span + 1) * 0.5 * cells);
    const row = Math.floor((1 - (move.spot[1] - y) / span) * 0.5 * cells);
    if (Math.min(column, row) < 0 || Math.max(column, row) >= cells) return;
    const side = this.sheet.picture.width / cells;
    const target = this.picture.getContext("2d");
    const { width, height } = this.picture;
    target.drawImage(this.sheet.picture, column * side, row * side, side, side, 0, 0, width, height);
  }

  // --- the map

  // Keep the spot in the part of the plane that the map shows.
  lookAt([x, y]) {
    const { span } = this.view;
    const inside = (middle, value) => clamp(clamp(middle, value - span, value + span), span - 1, 1 - span);
    this.view = { x: inside(this.view.x, x), y: inside(this.view.y, y), span };
  }

  async sharpen() {
    const view = { ...this.view };
    if (!this.route || view.span === 1) return;
    try {
      const answer = await fetch(this.address("plane", { ...view, cells: this.data.cells }));
      if (!answer.ok) return;
      const picture = await bitmap(answer);
      if (view.x === this.view.x && view.y === this.view.y && view.span === this.view.span) {
        this.sheet = { picture, view };
        this.drawMap();
      }
    } catch {
      // the map stays as coarse as it is
    }
  }

  drawMap() {
    if (!this.sheet) return;
    const canvas = this.map.querySelector("canvas");
    const { picture, view } = this.sheet;
    canvas.width = canvas.height = 320;
    const scale = picture.width / 2 / view.span;
    const left = (this.view.x - this.view.span - (view.x - view.span)) * scale;
    const top = (view.y + view.span - (this.view.y + this.view.span)) * scale;
    const side = 2 * this.view.span * scale;
    const target = canvas.getContext("2d");
    target.imageSmoothingQuality = "high";
    target.drawImage(picture, left, top, side, side, 0, 0, 320, 320);
  }

  mark() {
    const { x, y, span } = this.view;
    this.marker.style.left = `${50 + (50 * (this.spot[0] - x)) / span}%`;
    this.marker.style.top = `${50 - (50 * (this.spot[1] - y)) / span}%`;
    if (this.sheet && (this.drawn?.x !== x || this.drawn?.y !== y)) {
      this.drawn = { x, y };
      this.drawMap();
    }
  }

  stop() {
    window.removeEventListener("keydown", leaveText, true);
    for (const timer of [this.settling, this.sharpening, this.resending]) clearTimeout(timer);
  }
}

// Where somebody types, Ctrl+Z takes back letters, and not also a picture.
function leaveText(event) {
  const undoes = (event.ctrlKey || event.metaKey) && /^[zy]$/i.test(event.key);
  if (undoes && event.composedPath()[0].matches?.(TEXT)) event.stopImmediatePropagation();
}

async function bitmap(answer) {
  return createImageBitmap(await answer.blob());
}

export default function ({ data, parentElement: root, setStateValue }) {
  if (!data || !root.querySelector(".pad")) return;
  if (!pads.has(root)) pads.set(root, new Pad(root));
  pads.get(root).update(data, setStateValue);
  return () => {
    if (root.host.isConnected) return; // not the end: a newer call came while this one was loading
    pads.get(root)?.stop();
    pads.delete(root);
  };
}
