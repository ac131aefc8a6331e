// A part of a form that follows what happens elsewhere: [data-follow] is a
// stream that says, with a fingerprint, that something changed. The form is then
// sent to [data-from], which answers with the page as it is now, and the part is
// taken from there, and so are those that are [data-followed]: what was chosen was
// sent, so it is still chosen, as long as it is the same. Choosing another host
// asks in the same way.
const htmx = window.htmx;
let followed = null; // the part, its address, its stream
let asking = false;
let again = false;
// What was ticked on this page before somebody left it, and is not on it again yet:
// Back brings the page as it first was, and a stick that was plugged in later comes
// by the stream.
let awaited = [];

function follow() {
  const part = document.querySelector('[data-follow]');
  if (!part || followed?.url === part.dataset.follow) return;
  followed?.stream.close();
  const stream = htmx.createEventSource(part.dataset.follow);
  followed = { url: part.dataset.follow, stream };
  stream.addEventListener('changed', (e) => {
    const now = document.querySelector('[data-follow]');
    if (now && now.dataset.print !== e.data) ask(now);
  });
}

async function ask(part) {
  if (asking) {
    again = true;
    return;
  }
  asking = true;
  try {
    do {
      again = false;
      const body = new URLSearchParams(new FormData(part.closest('form')));
      for (const device of awaited) body.append('device', device);
      const response = await fetch(part.dataset.from, { method: 'POST', body, headers: { 'HX-Request': 'true' } });
      if (response.status === 401) location.reload();
      if (!response.ok) break;
      const page = new DOMParser().parseFromString(await response.text(), 'text/html');
      for (const beside of document.querySelectorAll('[data-followed]')) exchange(beside, page.getElementById(beside.id));
      part = exchange(part, page.getElementById(part.id));
    } while (again);
  } catch {
    // The server is away: its stream says so when it is back.
  } finally {
    asking = false;
  }
}

// exchange puts the fresh part in the place of the old one. What was not there
// before lights up; what had the focus keeps it.
function exchange(part, fresh) {
  if (!fresh || !part.isConnected) return part;
  const known = new Set([...part.querySelectorAll('[id]')].map((e) => e.id));
  const same = part.dataset.host === fresh.dataset.host;
  const focused = part.contains(document.activeElement) ? document.activeElement.id : '';
  for (const socket of same ? fresh.querySelectorAll('.socket[id]') : []) {
    if (!known.has(socket.id)) socket.classList.add('socket-new');
  }
  part.replaceWith(fresh);
  htmx.process(fresh);
  if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
  if (!part.dataset.follow) return fresh;
  fresh.dispatchEvent(new Event('change', { bubbles: true }));
  follow();
  return fresh;
}

const boxes = () => [...document.querySelectorAll('[data-follow] input[name="device"]')];

// remember keeps for this tab what is ticked in the form, by the form's key. (To
// change the page's state in the history would make Back ask for it by GET.)
function remember() {
  const there = boxes();
  awaited = awaited.filter((device) => !there.some((box) => box.value === device));
  const chosen = there.filter((box) => box.checked).map((box) => box.value);
  sessionStorage.setItem('ticked', JSON.stringify({ key: formKey(), chosen: [...chosen, ...awaited] }));
}

// recall finds what was ticked in this form and is not on the page.
function recall() {
  const kept = JSON.parse(sessionStorage.getItem('ticked') ?? '{}');
  const there = boxes();
  if (formKey() && kept.key === formKey()) awaited = kept.chosen.filter((device) => !there.some((box) => box.value === device));
}

const formKey = () => document.querySelector('[data-follow]')?.closest('form').elements.key?.value;

document.addEventListener('change', (e) => {
  const part = document.querySelector('[data-follow]');
  if (!part) return;
  if (e.target.matches('[data-hosts] input')) {
    awaited = []; // another host has other sticks
    ask(part);
  }
  remember();
});

// The zone of whoever looks, where the form does not know it yet, and a moment as
// its clocks show it.
function ownZone() {
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  if (!zone) return;
  for (const field of document.querySelectorAll('[data-own-zone]')) field.value = zone;
  for (const field of document.querySelectorAll('[data-moment]:not([data-moment=""])')) {
    const at = new Date(field.dataset.moment);
    field.value = new Date(at - at.getTimezoneOffset() * 60000).toISOString().slice(0, 16);
  }
}

document.addEventListener('DOMContentLoaded', () => {
  recall();
  follow();
  ownZone();
});
