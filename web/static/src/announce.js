// What changes by itself is read aloud by one region alone, and at most every
// ten seconds: somebody who listens could do nothing else otherwise. Logs and
// states in the live part of a page say nothing themselves; the newest of what
// they say waits for its turn.
const every = 10000;
const spoken = new WeakMap();
const waiting = new Map();
let last = -every;
let timer = 0;

function say() {
  timer = 0;
  if (waiting.size === 0) return;
  last = performance.now();
  document.getElementById('announcer').textContent = [...waiting.values()].join(' ');
  waiting.clear();
}

// name is the same for a part and for what the stream puts in its place.
function name(part) {
  return part.id || `${part.closest('[sse-swap]')?.getAttribute('sse-swap')} ${part.getAttribute('role')}`;
}

function look(live, first) {
  const said = spoken.get(live);
  for (const part of live.querySelectorAll('[role="log"], [role="status"], [role="alert"]')) {
    if (part.getAttribute('aria-live') !== 'off') part.setAttribute('aria-live', 'off');
    const line = part.getAttribute('role') === 'log' ? part.querySelector('.log-line:last-child') : part;
    const text = part.hidden ? '' : (line?.textContent ?? '').replace(/\s+/g, ' ').trim();
    if (said.get(name(part)) === text) continue;
    said.set(name(part), text);
    if (text && !first) waiting.set(name(part), text);
  }
  if (waiting.size > 0 && timer === 0) timer = setTimeout(say, Math.max(0, last + every - performance.now()));
}

document.addEventListener('DOMContentLoaded', () => {
  for (const live of document.querySelectorAll('[sse-connect]')) {
    spoken.set(live, new Map());
    look(live, true);
    new MutationObserver(() => look(live, false)).observe(live, { childList: true, subtree: true, characterData: true });
  }
});
