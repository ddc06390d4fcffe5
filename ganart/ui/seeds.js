// The wall of seeds: it scrolls on for ever. Tiles are made for what can be seen, cut from sheets that a route of the
// server paints; what has scrolled away is let go. Each tile is a button: arrows walk, Enter picks, P pins.
const walls = new WeakMap();
const GAP = 4;
const MOST_SHEETS = 24;
const PATIENCE = 30_000; // ms for a sheet
const LAST_SEED = 2 ** 32 - 1;

class Wall {
  constructor(root) {
    this.frame = root.querySelector(".seeds");
    this.inner = root.querySelector(".inner");
    this.tiles = new Map(); // seed: element
    this.sheets = new Map(); // number of the chunk: promise of an address
    this.pins = new Map(); // seed: whether it is to be pinned, until the page has heard of it
    this.turn = Date.now(); // of what was said of pins
    this.focused = null;
    this.frame.onscroll = () => this.layOut();
    this.inner.onkeydown = (event) => this.key(event);
    this.observer = new ResizeObserver(() => this.layOut());
    this.observer.observe(this.frame);
  }

  update(data, pick, tellPins) {
    const before = this.data;
    this.data = data;
    this.pick = pick;
    this.tellPins = tellPins;
    if (data.heard === this.turn || before?.query !== data.query) this.pins.clear();
    this.frame.setAttribute("aria-label", data.title);
    if (!before || before.query !== data.query || before.first !== data.first) {
      this.forget();
      this.inner.replaceChildren();
      this.tiles.clear();
      this.frame.scrollTop = 0;
      this.focused = null;
      this.rows = 0;
      this.only = false;
    }
    this.layOut();
    for (const [seed, tile] of this.tiles) this.dress(seed, tile);
  }

  layOut() {
    const { clientHeight: height, scrollTop: top } = this.frame;
    const width = this.inner.clientWidth; // without what the frame keeps free around it
    if (!this.data || !width) return;
    const columns = Math.max(3, Math.min(12, Math.floor((width + GAP) / (this.data.side + GAP))));
    const pitch = (this.pitch = (width + GAP) / columns);
    const { first, chunk } = this.data;
    const most = this.only ? Math.ceil(chunk / columns) : Math.ceil((LAST_SEED - first + 1) / columns);
    const from = Math.max(0, Math.floor(top / pitch) - 2);
    const to = Math.min(most, Math.ceil((top + height) / pitch) + 2);
    this.columns = columns;
    // There is always another screen below.
    this.rows = Math.min(most, Math.max(this.rows ?? 0, to + Math.ceil(height / pitch)));
    this.inner.style.height = `${this.rows * pitch}px`;
    const kept = new Set();
    for (let place = from * columns; place < to * columns; place++) {
      const seed = first + place;
      if (seed > LAST_SEED || (this.only && place >= chunk)) break;
      kept.add(seed);
      if (!this.tiles.has(seed)) this.make(seed);
      const tile = this.tiles.get(seed);
      tile.style.transform = `translate(${(place % columns) * pitch}px, ${Math.floor(place / columns) * pitch}px)`;
      tile.style.width = tile.style.height = `${pitch - GAP}px`;
    }
    for (const [seed, tile] of this.tiles) {
      if (kept.has(seed) || tile.contains(this.inner.getRootNode().activeElement)) continue;
      tile.remove();
      this.tiles.delete(seed);
    }
    if (this.tiles.size && !this.tiles.has(this.focused)) this.focus(first + from * columns, false);
  }

  make(seed) {
    const tile = document.createElement("div");
    tile.className = "tile";
    const pick = document.createElement("button");
    pick.type = "button";
    pick.className = "pick";
    pick.dataset.seed = seed;
    pick.tabIndex = -1;
    pick.onclick = () => {
      this.focus(seed, false);
      this.pick(seed);
    };
    const pin = document.createElement("button");
    pin.type = "button";
    pin.className = "pin";
    pin.tabIndex = -1;
    pin.onclick = () => this.pin(seed);
    tile.append(pick, pin);
    this.tiles.set(seed, tile);
    this.inner.append(tile);
    this.dress(seed, tile);
    this.fill(seed, pick);
  }

  pin(seed) {
    this.pins.set(seed, this.mark(seed) !== "pinned");
    this.turn += 1;
    this.tellPins({ turn: this.turn, seeds: Object.fromEntries(this.pins) });
    const tile = this.tiles.get(seed);
    if (tile) this.dress(seed, tile);
  }

  mark(seed) {
    if (this.pins.has(seed)) return this.pins.get(seed) ? "pinned" : undefined;
    return this.data.marks[seed];
  }

  dress(seed, tile) {
    const [pick, pin] = tile.children;
    const mark = this.mark(seed);
    const name = `Seed ${seed}`;
    pick.title = name;
    pick.setAttribute("aria-label", mark ? `${name}, ${mark}` : name);
    pick.setAttribute("aria-pressed", String(seed === this.data.selected));
    const pinned = mark === "pinned";
    pin.title = pinned ? `Take ${name.toLowerCase()} off the pins` : `Pin ${name.toLowerCase()}`;
    pin.setAttribute("aria-label", pin.title);
    pin.setAttribute("aria-pressed", String(pinned));
    tile.dataset.mark = mark ?? "";
  }

  async fill(seed, button) {
    const { first, chunk, columns } = this.data;
    const number = Math.floor((seed - first) / chunk);
    const place = (seed - first) % chunk;
    const query = this.data.query;
    const address = await this.sheet(number);
    if (!address || query !== this.data.query) return;
    const rows = Math.ceil(Math.min(chunk, LAST_SEED - first - number * chunk + 1) / columns);
    const share = (index, count) => (count > 1 ? (100 * index) / (count - 1) : 0);
    button.style.backgroundImage = `url(${address})`;
    button.style.backgroundSize = `${100 * columns}% ${100 * rows}%`;
    button.style.backgroundPosition = `${share(place % columns, columns)}% ${share(Math.floor(place / columns), rows)}%`;
  }

  sheet(number) {
    if (!this.sheets.has(number)) this.sheets.set(number, number === 0 ? this.data.sheet : this.fetch(number));
    const found = this.sheets.get(number);
    this.sheets.delete(number); // to the end: the first are those not used for the longest time
    this.sheets.set(number, found);
    if (this.sheets.size > MOST_SHEETS) {
      const [oldest, address] = this.sheets.entries().next().value;
      this.sheets.delete(oldest);
      release(address);
    }
    return found;
  }

  async fetch(number) {
    const { base, query, first, chunk, columns } = this.data;
    const address = `${base}/paint/seeds?${query}&first=${first + number * chunk}&count=${chunk}&columns=${columns}`;
    const end = Date.now() + PATIENCE;
    for (let attempt = 0; Date.now() < end; attempt++) {
      const answer = await fetch(address).catch(() => null);
      if (answer?.ok) return URL.createObjectURL(await answer.blob());
      if (answer && answer.status !== 429) break;
      await new Promise((resolve) => setTimeout(resolve, 150 * Math.min(attempt + 1, 20)));
      if (query !== this.data.query) return null;
    }
    // Without the route the wall ends with the pictures that the page brought.
    if (query === this.data.query) {
      this.only = true;
      this.rows = 0;
      this.layOut();
    }
    return null;
  }

  key(event) {
    const seed = Number(event.target.dataset.seed ?? -1);
    if (seed < 0 || event.ctrlKey || event.metaKey || event.altKey) return;
    const page = Math.max(1, Math.floor(this.frame.clientHeight / this.pitch)) * this.columns;
    const steps = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -this.columns, ArrowDown: this.columns, PageUp: -page, PageDown: page };
    if (steps[event.key]) this.focus(Math.max(this.data.first, Math.min(LAST_SEED, seed + steps[event.key])), true);
    else if (event.key === "Home") this.focus(this.data.first, true);
    else if (event.key.toLowerCase() === "p") this.pin(seed);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  // One tile is in the order of the Tab key; the arrows move which one.
  focus(seed, really) {
    if (really) {
      const { pitch } = this;
      const top = Math.floor((seed - this.data.first) / this.columns) * pitch;
      this.rows = Math.max(this.rows, Math.ceil(top / pitch) + 2);
      this.inner.style.height = `${this.rows * pitch}px`;
      const { scrollTop, clientHeight } = this.frame;
      if (top < scrollTop) this.frame.scrollTop = top;
      else if (top + pitch > scrollTop + clientHeight) this.frame.scrollTop = top + pitch - clientHeight;
      this.layOut();
    }
    const before = this.tiles.get(this.focused)?.firstChild;
    if (before) before.tabIndex = -1;
    this.focused = seed;
    const tile = this.tiles.get(seed)?.firstChild;
    if (!tile) return;
    tile.tabIndex = 0;
    if (really) tile.focus({ preventScroll: true });
  }

  forget() {
    for (const address of this.sheets.values()) release(address);
    this.sheets.clear();
  }

  stop() {
    this.observer.disconnect();
    this.forget();
  }
}

async function release(address) {
  const found = await address;
  if (found?.startsWith("blob:")) URL.revokeObjectURL(found);
}

export default function ({ data, parentElement: root, setStateValue, setTriggerValue }) {
  if (!data || !root.querySelector(".seeds")) return;
  if (!walls.has(root)) walls.set(root, new Wall(root));
  walls.get(root).update(
    data,
    (seed) => setTriggerValue("picked", seed),
    (pins) => setStateValue("pinned", pins),
  );
  return () => {
    if (root.host.isConnected) return; // not the end: a newer call came while this one was loading
    walls.get(root)?.stop();
    walls.delete(root);
  };
}
