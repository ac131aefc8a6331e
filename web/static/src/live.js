// Live regions: [sse-connect] elements fill themselves from the server. A
// hidden tab closes its stream; when it is seen again the whole region is
// fetched anew, which opens a stream that begins with a snapshot. So a laptop
// that wakes up shows the present, not the past.
const htmx = window.htmx;

function sourceOf(element) {
  return element['htmx-internal-data']?.sseEventSource;
}

document.addEventListener('visibilitychange', () => {
  for (const region of document.querySelectorAll('[sse-connect]')) {
    if (document.hidden) {
      sourceOf(region)?.close();
      region.dataset.asleep = 'true';
    } else if (region.dataset.asleep) {
      delete region.dataset.asleep;
      htmx.ajax('GET', location.href, { target: `#${region.id}`, select: `#${region.id}`, swap: 'outerHTML' });
    }
  }
});

// The connection's state is said in words beside the region.
document.addEventListener('htmx:sseOpen', (e) => show(e.target, false));
document.addEventListener('htmx:sseError', (e) => show(e.target, true));

function show(region, lost) {
  const note = region.querySelector('[data-connection-lost]');
  if (note) note.hidden = !lost;
}
