// Small conveniences: theme, copying, dialogs, forms that submit once.
document.addEventListener('click', (e) => {
  const copy = e.target.closest('[data-copy]');
  if (copy) {
    const text = document.getElementById(copy.dataset.copy).innerText;
    navigator.clipboard.writeText(text).then(() => {
      copy.textContent = copy.dataset.done;
    });
  }
  const opener = e.target.closest('[data-opens]');
  if (opener) document.getElementById(opener.dataset.opens).showModal();
  const closer = e.target.closest('[data-closes]');
  if (closer) {
    e.preventDefault();
    closer.closest('dialog').close();
  }
});

// A form that was sent is not sent twice by an impatient click.
document.addEventListener('submit', (e) => {
  for (const button of e.target.querySelectorAll('button[type="submit"], button:not([type])')) {
    setTimeout(() => { button.disabled = true; }, 0);
    setTimeout(() => { button.disabled = false; }, 8000);
  }
});

// Exact times in the reader's own zone; the server wrote UTC.
function localTimes(root) {
  for (const t of root.querySelectorAll('time[datetime]')) {
    const at = new Date(t.dateTime);
    if (Number.isNaN(at.getTime())) continue;
    t.title = at.toLocaleString(document.documentElement.lang, { dateStyle: 'full', timeStyle: 'long' });
    if (t.dataset.format === 'time') t.textContent = at.toLocaleTimeString(document.documentElement.lang, { hour12: false });
    else t.textContent = at.toLocaleString(document.documentElement.lang, { dateStyle: 'medium', timeStyle: 'short', hour12: false });
  }
}
document.addEventListener('DOMContentLoaded', () => localTimes(document));
document.addEventListener('htmx:afterSwap', (e) => localTimes(e.target));
document.addEventListener('htmx:sseMessage', (e) => localTimes(e.target));
