import { openPalette } from './palette.js';

// Keys for who does not want to reach for the pointer; /shortcuts lists them.
// Single letters are not heard while somebody types, nor with another key held.
let going = 0;

function typing(e) {
  return e.target.closest?.('input, textarea, select, [contenteditable], dialog[open]');
}

document.addEventListener('keydown', (e) => {
  if ((e.ctrlKey || e.metaKey) && !e.altKey && !e.shiftKey && e.key.toLowerCase() === 'k') {
    e.preventDefault();
    openPalette();
    return;
  }
  if (!('keys' in document.body.dataset)) return; // somebody does not want them
  if (e.ctrlKey || e.metaKey || e.altKey || e.isComposing || typing(e)) return;
  if (e.key === '/') {
    e.preventDefault();
    openPalette();
  } else if (e.key === '?') {
    document.querySelector('a[href="/shortcuts"]')?.click();
  } else if (e.timeStamp - going < 1500) {
    document.querySelector(`[data-go="${CSS.escape(e.key.toUpperCase())}"]`)?.click();
    going = 0;
  } else if (e.key === 'g') {
    going = e.timeStamp;
  } else if (e.key === 'c') {
    if (document.body.dataset.new) location.assign(document.body.dataset.new);
  }
});
