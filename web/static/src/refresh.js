// Parts that keep themselves up to date by asking: [data-refresh] names the
// page that has the part, under the same ID. A page is asked once for all of
// its parts. A part is replaced only when it looks different from the last
// time; what was ticked and what had the focus stays so, as long as it is still
// there.
const every = 3000;
const before = new WeakMap();

function markup(part) {
  return part.innerHTML.replace(/\s+/g, ' ');
}

async function refresh(url) {
  const response = await fetch(url, { headers: { 'HX-Request': 'true' } });
  // An upload that was cut off is taken up again on the page that has it.
  if (response.status === 401 && !document.querySelector('[data-upload-signed-out]:not([hidden]), [data-upload-progress]:not([hidden])')) location.reload();
  if (!response.ok) return;
  const page = new DOMParser().parseFromString(await response.text(), 'text/html');
  for (const part of document.querySelectorAll('[data-refresh]')) {
    // It may have been exchanged for another host's while this was asked.
    if (part.dataset.refresh === url) exchange(part, page.getElementById(part.id));
  }
}

function exchange(part, fresh) {
  if (!fresh) return;
  const now = markup(fresh);
  if (before.get(part) === now) return;
  before.set(part, now);

  const ticked = new Set([...part.querySelectorAll('input:checked')].map((box) => box.value));
  const focused = part.contains(document.activeElement) ? document.activeElement.id : '';
  part.replaceChildren(...fresh.childNodes);
  for (const box of part.querySelectorAll('input[type="checkbox"]:not([disabled])')) {
    box.checked = ticked.has(box.value);
  }
  if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
  part.dispatchEvent(new Event('change', { bubbles: true }));
}

document.addEventListener('DOMContentLoaded', () => {
  for (const part of document.querySelectorAll('[data-refresh]')) before.set(part, markup(part));
  tick();
});

async function tick() {
  if (!document.hidden) {
    const urls = [...document.querySelectorAll('[data-refresh]')].map((part) => part.dataset.refresh);
    for (const url of new Set(urls)) {
      await refresh(url).catch(() => {}); // the server is away; the next time, then
    }
  }
  setTimeout(tick, every);
}
