import { toast } from './toast.js';

// Small conveniences: copying, dialogs, forms that submit once, counting what
// was ticked, times in the reader's own zone.
document.addEventListener('click', (e) => {
  const copy = e.target.closest('[data-copy]');
  if (copy) copyText(copy);
  const opener = e.target.closest('[data-opens]');
  if (opener) document.getElementById(opener.dataset.opens).showModal();
  e.target.closest('[data-closes]')?.closest('dialog').close();
  if (e.target.closest('[data-print]')) print();
  e.target.closest('[data-dismiss]')?.closest('.toast').remove();
});

function copyText(button) {
  const source = document.getElementById(button.dataset.copy);
  getSelection().selectAllChildren(source);
  // Browsers have a clipboard only where the connection is safe.
  navigator.clipboard?.writeText(source.textContent).then(() => {
    // A button with an icon alone keeps it, and its size.
    if (button.querySelector('svg')) toast(button.dataset.done, 'good');
    else button.textContent = button.dataset.done;
  }, () => {});
}

// A form that was sent is not sent twice by an impatient click.
document.addEventListener('submit', (e) => {
  const buttons = [...e.target.querySelectorAll('button:not([type="button"])')];
  setTimeout(() => {
    if (e.defaultPrevented) return;
    for (const b of buttons) b.disabled = true;
    setTimeout(() => buttons.forEach((b) => { b.disabled = false; }), 8000);
  });
});
window.addEventListener('pageshow', (e) => {
  if (e.persisted) document.querySelectorAll('form button').forEach((b) => { b.disabled = false; });
});

// Whoever ticks one of several means these: not every site and not every event,
// though that was chosen before. Whoever then chooses every one means all.
document.addEventListener('change', (e) => {
  const set = e.target.closest('fieldset');
  if (e.target.matches('input[type="checkbox"][name="site"]:checked, input[type="checkbox"][name="type"]:checked')) {
    const these = set?.querySelector('input[type="radio"][value="no"]');
    if (these) these.checked = true;
  } else if (e.target.matches('input[type="radio"][name="every"][value="yes"], input[type="radio"][name="everywhere"][value="yes"]')) {
    for (const box of set?.querySelectorAll('input[type="checkbox"]') ?? []) box.checked = false;
  }
});

// [data-tick] ticks all boxes of its name that may be ticked, [data-most] at most, or none.
document.addEventListener('click', (e) => {
  const button = e.target.closest?.('[data-tick]');
  if (!button) return;
  const boxes = [...document.querySelectorAll(`input[name="${button.dataset.tick}"]:not(:disabled)`)];
  if ('ticked' in button.dataset) {
    const room = Number(button.dataset.most || Infinity) - boxes.filter((box) => box.checked).length;
    for (const box of boxes.filter((box) => !box.checked).slice(0, Math.max(room, 0))) box.checked = true;
  } else {
    for (const box of boxes) box.checked = false;
  }
  button.dispatchEvent(new Event('change', { bubbles: true }));
});

// How many boxes are ticked, in words.
function countTicked() {
  for (const place of document.querySelectorAll('[data-chosen-count]')) {
    const n = document.querySelectorAll(`input[name="${place.dataset.chosenCount}"]:checked`).length;
    const { none, one, other, most, full, over } = place.dataset;
    const words = n > most ? over : n == most ? full : [none, one][n] ?? other;
    const text = words.replace('{count}', n);
    if (place.textContent !== text) place.textContent = text;
  }
}
document.addEventListener('change', countTicked);

// Exact times in the reader's own zone; the server wrote UTC.
function localTimes(root) {
  const language = document.documentElement.lang;
  for (const t of root.querySelectorAll('time[datetime]')) {
    const at = new Date(t.dateTime);
    if (t.title || Number.isNaN(at.getTime())) continue;
    t.title = at.toLocaleString(language, { dateStyle: 'full', timeStyle: 'long' });
    const exact = { hour: '2-digit', minute: '2-digit', second: '2-digit', fractionalSecondDigits: 3 };
    const style = t.dataset.format === 'exact' ? exact : { dateStyle: 'medium', timeStyle: 'short' };
    t.textContent = at.toLocaleString(language, { ...style, hourCycle: 'h23' });
  }
}

// Which zone that is, is said once, at the foot of the page.
function nameZone() {
  const format = new Intl.DateTimeFormat(document.documentElement.lang, { timeZoneName: 'short' });
  const short = format.formatToParts(new Date()).find((p) => p.type === 'timeZoneName').value;
  for (const place of document.querySelectorAll('[data-zone]')) {
    place.textContent = place.dataset.zone.replace('{zone}', `${format.resolvedOptions().timeZone} (${short})`);
  }
}

document.addEventListener('DOMContentLoaded', () => {
  countTicked();
  localTimes(document);
  nameZone();
  // Runs before anything is painted, whoever changed the page.
  new MutationObserver((changes) => {
    for (const c of changes) {
      if (c.addedNodes.length > 0) localTimes(c.target);
    }
  }).observe(document.body, { childList: true, subtree: true });
});
