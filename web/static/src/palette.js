// The command palette: Ctrl K or / opens a search over the page. What it finds
// are links; the arrow keys walk through them and Enter follows one, while the
// focus stays where one types.
const wait = 120;

function parts() {
  const box = document.getElementById('palette');
  return box && { box, input: box.querySelector('input'), list: box.querySelector('.palette-list') };
}

let timer = 0;
let asked = 0;

async function ask() {
  const { input, list } = parts();
  const mine = ++asked;
  let html;
  try {
    const response = await fetch(`/search?${new URLSearchParams({ q: input.value })}`, { headers: { 'HX-Request': 'true' } });
    if (response.status === 401) location.reload();
    html = response.ok ? await response.text() : null;
  } catch {
    html = null;
  }
  if (mine !== asked) return; // something else was typed meanwhile
  if (html === null) list.textContent = list.dataset.failed;
  else list.innerHTML = html;
  walk(0);
}

// The line that Enter follows.
function walk(step) {
  const { list } = parts();
  const all = [...list.querySelectorAll('.found-item')];
  const now = all.findIndex((a) => a.classList.contains('here'));
  const next = all.length ? (Math.max(now, 0) + step + all.length) % all.length : -1;
  all.forEach((a, i) => a.classList.toggle('here', i === next));
  all[next]?.scrollIntoView({ block: 'nearest' });
}

export function openPalette() {
  const found = parts();
  if (!found || document.querySelector('dialog[open]')) return false;
  found.box.showModal();
  found.input.select();
  ask();
  return true;
}

document.addEventListener('click', (e) => {
  const plain = !e.ctrlKey && !e.metaKey && !e.shiftKey;
  if (e.target.closest('[data-palette]') && plain && openPalette()) e.preventDefault();
  if (e.target.id === 'palette') e.target.close(); // beside it
});

document.addEventListener('input', (e) => {
  if (!e.target.closest('#palette')) return;
  clearTimeout(timer);
  timer = setTimeout(ask, wait);
});

document.addEventListener('keydown', (e) => {
  if (!e.target.closest?.('#palette input')) return;
  if (e.key === 'ArrowDown' || e.key === 'ArrowUp') {
    e.preventDefault();
    walk(e.key === 'ArrowDown' ? 1 : -1);
  }
});

// Enter follows the line that is chosen; without one it leads to the page.
document.addEventListener('submit', (e) => {
  const here = e.target.closest('#palette')?.querySelector('.here');
  if (!here) return;
  e.preventDefault();
  here.click();
});
