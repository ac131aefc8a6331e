// Live parts of a page: htmx's SSE extension swaps what the server sends; this
// keeps the connection. A stream that breaks is opened again with the ID of
// the last event that arrived, so that no line of a log is missing or shown
// twice. A hidden tab closes its stream, since a browser opens only six
// connections to one server; when it is seen again a new stream begins with a
// snapshot. A laptop that wakes up shows the present, not the past: its
// connections are dead and do not know it, so one that is silent for longer than
// the server ever is, or from before a gap in the clock, is opened again.
const htmx = window.htmx;
const streams = new Set();
const silence = 50000; // ms; the server says something every 20 s
const beat = 5000; // ms between two looks at the clock

// Stream is an EventSource, as far as the extension uses one, that outlives
// its connections.
class Stream extends EventTarget {
  readyState = EventSource.CONNECTING;
  onopen = null;
  onerror = null;
  #url;
  #names = new Set();
  #source = null;
  #seen = '';
  #failures = 0;
  #timer = 0;
  #heard = 0;

  constructor(url) {
    super();
    this.#url = url;
    streams.add(this);
    // The server says so when nobody is signed in any more.
    this.addEventListener('reload', () => location.reload());
    this.wake();
  }

  addEventListener(name, listener, options) {
    super.addEventListener(name, listener, options);
    if (this.#names.has(name)) return;
    this.#names.add(name);
    if (this.#source) this.#forward(this.#source, name);
  }

  close() {
    this.sleep();
    this.readyState = EventSource.CLOSED;
    streams.delete(this);
  }

  sleep() {
    clearTimeout(this.#timer);
    this.#source?.close();
    this.#source = null;
  }

  // check opens a stream again that is dead, as far as one can tell.
  check(slept) {
    if (!this.#source || (!slept && Date.now() - this.#heard < silence)) return;
    this.sleep();
    this.wake();
  }

  wake() {
    if (document.hidden || this.#source || this.readyState === EventSource.CLOSED) return;
    const url = new URL(this.#url, location.href);
    if (this.#seen) url.searchParams.set('after', this.#seen);
    const source = new EventSource(url);
    this.#source = source;
    this.#heard = Date.now();
    source.addEventListener('alive', () => { this.#heard = Date.now(); });
    source.onopen = (e) => {
      this.#failures = 0;
      this.readyState = EventSource.OPEN;
      this.onopen?.(e);
    };
    source.onerror = (e) => {
      this.sleep();
      this.readyState = EventSource.CONNECTING;
      // One break is nothing: streams end now and then, and begin again.
      if (this.#failures > 0) this.onerror?.(e);
      const wait = Math.min(500 * 2 ** this.#failures, 15000);
      this.#failures += 1;
      this.#timer = setTimeout(() => this.wake(), wait * (0.5 + Math.random()));
    };
    for (const name of this.#names) this.#forward(source, name);
  }

  #forward(source, name) {
    source.addEventListener(name, (e) => {
      if (source !== this.#source) return;
      this.#heard = Date.now();
      if (e.lastEventId) this.#seen = e.lastEventId;
      this.dispatchEvent(new MessageEvent(name, { data: e.data, lastEventId: e.lastEventId }));
    });
  }
}

htmx.createEventSource = (url) => new Stream(url);

document.addEventListener('visibilitychange', () => {
  for (const stream of streams) {
    if (document.hidden) stream.sleep();
    else stream.wake();
  }
});
let looked = Date.now();
setInterval(() => {
  const slept = Date.now() - looked > 3 * beat;
  looked = Date.now();
  for (const stream of streams) stream.check(slept);
}, beat);
// What was open before the network came back may be dead.
window.addEventListener('online', () => streams.forEach((s) => s.check(true)));
window.addEventListener('pagehide', () => streams.forEach((s) => s.sleep()));
window.addEventListener('pageshow', () => streams.forEach((s) => s.wake()));

// The connection's state is said in words.
document.addEventListener('htmx:sseOpen', (e) => showLost(e.target, false));
document.addEventListener('htmx:sseError', (e) => showLost(e.target, true));

function showLost(region, lost) {
  const note = region.querySelector('[data-connection-lost]');
  if (note) note.hidden = !lost;
}

// A log that shows its end goes on showing its end.
document.addEventListener('htmx:oobBeforeSwap', (e) => {
  const log = e.detail.target;
  if (!log.classList.contains('log')) return;
  log.dataset.follow = String(log.scrollHeight - log.scrollTop - log.clientHeight < 24);
});
document.addEventListener('htmx:oobAfterSwap', (e) => {
  const log = e.detail.target;
  if (log.dataset.follow === 'true') log.scrollTop = log.scrollHeight;
});

// A dialog whose button is gone asks about something that is over.
document.addEventListener('htmx:sseMessage', () => {
  for (const dialog of document.querySelectorAll('main dialog[open]')) {
    if (!document.querySelector(`[data-opens="${dialog.id}"]:not([disabled])`)) dialog.close();
  }
});
