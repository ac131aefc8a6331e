// Resumable uploads (tus). A form [data-upload] holds a file field and the
// fields that describe the image; when the bytes are there the form is posted
// with the upload's ID in place of the file. Without this script the form
// posts the file itself.
import { Upload, defaultOptions } from 'tus-js-client';

let uploading = false;

document.addEventListener('submit', (e) => {
  const form = e.target.closest('form[data-upload]');
  if (!form || form.elements.upload.value) return;
  const file = form.elements.file.files[0];
  if (!file) return;
  e.preventDefault();
  if (!uploading) start(form, file);
});

window.addEventListener('beforeunload', (e) => {
  if (uploading) e.preventDefault();
});

function start(form, file) {
  const box = form.querySelector('[data-upload-progress]');
  const bar = box.querySelector('progress');
  const text = box.querySelector('[data-upload-text]');
  const failed = form.querySelector('[data-upload-error]');
  const cancel = form.querySelector('[data-upload-cancel]');
  const submit = form.querySelector('button:not([type="button"])');

  function show(running) {
    uploading = running;
    box.hidden = !running;
    submit.disabled = running;
    form.elements.file.disabled = running;
  }
  show(true);
  failed.hidden = true;
  form.querySelector('[data-upload-unfinished]').hidden = true;
  bar.removeAttribute('value');
  text.textContent = '';

  const seen = []; // what had arrived when, of the last seconds
  const upload = new Upload(file, {
    endpoint: form.dataset.upload,
    chunkSize: 32 * 1024 * 1024,
    retryDelays: [0, 1000, 3000, 5000, 10000, 20000],
    metadata: { filename: file.name },
    removeFingerprintOnSuccess: true,
    onProgress(sent, total) {
      seen.push([performance.now(), sent]);
      while (seen.length > 2 && seen.at(-1)[0] - seen[0][0] > recent) seen.shift();
      bar.max = total;
      bar.value = sent;
      text.textContent = sent < total ? describe(sent, total, rateOf(seen), form.dataset.left) : form.dataset.checking;
    },
    onError(error) {
      // What has arrived is kept: after signing in again it goes on from there.
      if (error.originalResponse?.getStatus() === 401) {
        form.querySelector('[data-upload-signed-out]').hidden = false;
        box.hidden = true;
        return;
      }
      const body = error.originalResponse?.getBody();
      failed.textContent = body?.trim() || failed.dataset.fallback;
      failed.hidden = false;
      show(false);
    },
    onSuccess() {
      uploading = false;
      form.elements.upload.value = upload.url.split('/').pop();
      form.submit();
    },
  });
  form.querySelector('[data-upload-resume]').onclick = () => {
    form.querySelector('[data-upload-signed-out]').hidden = true;
    seen.length = 0;
    show(true);
    upload.start();
  };
  cancel.onclick = () => {
    upload.abort(true).catch(() => {}); // gone already
    show(false);
    cancel.onclick = null;
  };
  upload.findPreviousUploads().then((previous) => {
    if (previous.length > 0) upload.resumeFromPreviousUpload(previous[0]);
    upload.start();
  });
}

function size(n) {
  return n < 2 ** 30 ? `${(n / 2 ** 20).toFixed(1)} MiB` : `${(n / 2 ** 30).toFixed(2)} GiB`;
}

// recent is how far back the rate looks, in milliseconds: a line that became
// slow is soon told to be.
const recent = 10000;

// rateOf is in bytes per second, 0 where it is not known yet.
function rateOf(seen) {
  const [[since, before], [now, sent]] = [seen[0], seen.at(-1)];
  return now - since > 500 ? ((sent - before) * 1000) / (now - since) : 0;
}

function describe(sent, total, rate, left) {
  const parts = [`${Math.floor((sent / total) * 100)} %`, `${size(sent)} / ${size(total)}`];
  if (rate > 0) {
    parts.push(`${(rate / 1e6).toFixed(1)} MB/s`, left.replace('{time}', clock(Math.round((total - sent) / rate))));
  }
  return parts.join(' · ');
}

function clock(seconds) {
  const two = (n) => String(n).padStart(2, '0');
  const [h, m, s] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  return h > 0 ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}

// An upload that ended with its page is named when the form is opened again:
// choosing the same file goes on with it. One that the server has thrown away is
// forgotten.
async function recall(form) {
  const note = form.querySelector('[data-upload-unfinished]');
  if (!note || form.elements.upload.value) return;
  const storage = defaultOptions.urlStorage;
  const kept = await storage.findAllUploads();
  kept.sort((a, b) => new Date(b.creationTime) - new Date(a.creationTime));
  for (const one of kept) {
    const answer = await fetch(one.uploadUrl, { method: 'HEAD', headers: { 'Tus-Resumable': '1.0.0' } });
    const arrived = Number(answer.headers.get('Upload-Offset'));
    if (answer.status === 404 || answer.status === 410) await storage.removeUpload(one.urlStorageKey);
    if (!answer.ok || uploading || !form.elements.file) continue;
    note.textContent = note.dataset.words
      .replace('{file}', one.metadata.filename)
      .replace('{arrived}', size(arrived))
      .replace('{total}', size(one.size));
    note.hidden = false;
    return;
  }
}

document.addEventListener('DOMContentLoaded', () => {
  for (const form of document.querySelectorAll('form[data-upload]')) recall(form).catch(() => {}); // the server is away
});
