// A job's page: what moves arrives as data and is put where it belongs, so that
// thirty-two sticks cost a few kilobytes a second and nothing that is unfolded
// or has the focus is replaced. And the logs: filtered while one types, every
// line a place that a link leads to.
const sparkPoints = 60;

document.addEventListener('htmx:sseBeforeMessage', (e) => {
  if (!e.target.hasAttribute('data-now')) return;
  e.preventDefault();
  const now = JSON.parse(e.detail.data);
  setValue(document.getElementById('bar-all'), now.all);
  for (const stick of now.sticks) {
    setValue(document.getElementById(`bar-${stick.b}`), stick.d);
    setText(`amount-${stick.b}`, stick.t);
    setText(`rate-${stick.b}`, stick.r ?? '');
    setText(`left-${stick.b}`, stick.l ?? '');
    if (stick.k) drawSpark(document.getElementById(`spark-${stick.b}`), stick.k);
  }
});

function setValue(bar, value) {
  if (bar && bar.value !== value) bar.value = value;
}

function setText(id, text) {
  const place = document.getElementById(id);
  if (place && place.textContent.trim() !== text) place.textContent = text;
}

// drawSpark goes on with the line that the server drew.
function drawSpark(svg, rate) {
  if (!svg) return;
  const rates = [...(svg.dataset.rates ? svg.dataset.rates.split(' ').map(Number) : []), rate].slice(-sparkPoints);
  svg.dataset.rates = rates.join(' ');
  const top = Math.max(1, ...rates);
  const points = rates.map((r, i) => `${(100 * i / Math.max(rates.length - 1, 1)).toFixed(1)} ${(100 - 100 * r / top).toFixed(1)}`);
  svg.querySelector('.chart-line').setAttribute('d', `M${points.join('L')}`);
  svg.querySelector('.chart-area').setAttribute('d', `M0 100L${points.join('L')}L100 100z`);
}

// The filter hides lines; the form asks the server instead, for those without
// scripts and for a link to what was found.
const filter = () => document.querySelector('[data-filter-log]');

function filterLines(root) {
  const field = filter();
  if (!field) return;
  const wanted = field.value.trim().toLowerCase();
  for (const line of root.querySelectorAll('.log-line')) {
    line.hidden = wanted !== '' && !line.lastElementChild.textContent.toLowerCase().includes(wanted);
  }
}

let counting = 0;
document.addEventListener('input', (e) => {
  if (e.target !== filter()) return;
  filterLines(document);
  const wanted = e.target.value.trim() !== '';
  for (const fold of document.querySelectorAll('.fold, details.run')) {
    const hit = fold.querySelector('.log-line:not([hidden])');
    if (wanted && hit && !fold.open) {
      fold.open = true;
      fold.dataset.filtered = '';
    } else if ((!wanted || !hit) && 'filtered' in fold.dataset) {
      fold.open = false;
      delete fold.dataset.filtered;
    }
  }
  clearTimeout(counting); // one sentence for a screen reader, not one for each letter
  counting = setTimeout(() => {
    const place = document.querySelector('[data-filter-count]');
    const found = document.querySelectorAll('.log-line:not([hidden])').length;
    place.textContent = wanted ? place.dataset.filterCount.replace('{count}', found) : '';
  }, 500);
});
document.addEventListener('htmx:oobAfterSwap', (e) => {
  if (e.detail.target.classList.contains('log')) filterLines(e.detail.target);
});

// A link to a line unfolds what it is in; following the number of a line copies
// the link.
function reveal() {
  const line = /^#(b\d+|job)(-L\d+)?$/.test(location.hash) && document.getElementById(location.hash.slice(1));
  if (!line) return;
  for (let fold = line.closest('details'); fold; fold = fold.parentElement.closest('details')) fold.open = true;
  line.scrollIntoView({ block: 'nearest' });
}
window.addEventListener('hashchange', reveal);
document.addEventListener('DOMContentLoaded', reveal);
document.addEventListener('click', (e) => {
  const number = e.target.closest('.log-number');
  if (number) navigator.clipboard?.writeText(number.href).catch(() => {}); // the address is in the bar all the same
});
