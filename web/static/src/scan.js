// The desk at which sticks are scanned. A scanner types a code and Enter faster
// than a page is loaded: the field is emptied at once and keeps the focus, and
// the codes are sent one after the other. One that does not arrive is sent again
// until it does: to scan a stick twice changes nothing.
const again = 3000;
const waiting = [];
let sending = false;

document.addEventListener('submit', (e) => {
  const form = e.target.closest('[data-scan]');
  if (!form) return;
  e.preventDefault();
  const code = form.elements.code;
  const body = new URLSearchParams(new FormData(form));
  code.value = '';
  code.focus();
  if (!body.get('code').trim()) return;
  waiting.push(body);
  if (!sending) send(form);
});

window.addEventListener('beforeunload', (e) => {
  if (waiting.length > 0) e.preventDefault();
});

async function send(form) {
  sending = true;
  const note = document.querySelector('[data-scan-waiting]');
  try {
    while (waiting.length > 0) {
      const response = await fetch(form.action, { method: 'POST', body: waiting[0], headers: { 'HX-Request': 'true' } });
      if (response.status === 401 || response.status === 403) {
        waiting.length = 0;
        location.reload();
        return;
      }
      if (!response.ok) throw new Error(response.statusText);
      waiting.shift();
      note.hidden = true;
      show(await response.text());
    }
    sending = false;
  } catch {
    note.hidden = false;
    setTimeout(() => send(form), again);
  }
}

function show(text) {
  const page = new DOMParser().parseFromString(text, 'text/html');
  for (const id of ['scan-result', 'scan-list']) {
    const fresh = page.getElementById(id);
    if (fresh) document.getElementById(id).replaceChildren(...fresh.childNodes);
  }
}
