// Toasts: sentences about what was just done. One that is good goes by itself;
// one about something that went wrong stays until it is closed.
const stays = 6000;

export function toast(sentence, tone) {
  const place = document.getElementById('toasts');
  const box = document.createElement('div');
  box.className = `toast toast-${tone}`;
  box.dataset.toast = tone;
  box.append(Object.assign(document.createElement('div'), { textContent: sentence }));
  place.append(box);
}

document.addEventListener('DOMContentLoaded', () => {
  const place = document.getElementById('toasts');
  new MutationObserver((changes) => {
    for (const box of changes.flatMap((c) => [...c.addedNodes])) {
      if (box.dataset?.toast === 'good') leave(box);
    }
  }).observe(place, { childList: true });
});

// It does not go while somebody reads it, with the pointer or the keyboard.
function leave(box) {
  setTimeout(() => {
    if (box.matches(':hover, :focus-within')) leave(box);
    else box.remove();
  }, stays);
}
