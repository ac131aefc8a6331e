// Resumable uploads (tus). A form [data-upload] holds a file field and the
// fields that describe the image; when the bytes are there the form is posted
// with the upload's ID in place of the file. Without this script the form
// posts the file itself.
import { Upload } from 'tus-js-client';

document.addEventListener('submit', (e) => {
  const form = e.target.closest('form[data-upload]');
  if (!form || form.elements.upload.value) return;
  const file = form.elements.file.files[0];
  if (!file) return;
  e.preventDefault();
  start(form, file);
});

function start(form, file) {
  const box = form.querySelector('[data-upload-progress]');
  const bar = box.querySelector('progress');
  const text = box.querySelector('[data-upload-text]');
  const failed = form.querySelector('[data-upload-error]');
  const cancel = form.querySelector('[data-upload-cancel]');
  box.hidden = false;
  failed.hidden = true;

  let began = performance.now();
  let first = null;
  const upload = new Upload(file, {
    endpoint: form.dataset.upload,
    chunkSize: 32 * 1024 * 1024,
    retryDelays: [0, 1000, 3000, 5000, 10000, 20000],
    metadata: { filename: file.name },
    removeFingerprintOnSuccess: true,
    onProgress(sent, total) {
      if (first === null) {
        first = sent;
        began = performance.now();
      }
      bar.max = total;
      bar.value = sent;
      const seconds = (performance.now() - began) / 1000;
      const rate = seconds > 0 ? (sent - first) / seconds : 0;
      text.textContent = describe(sent, total, rate);
    },
    onError(error) {
      const body = error.originalResponse?.getBody();
      failed.textContent = body?.trim() || failed.dataset.fallback;
      failed.hidden = false;
      box.hidden = true;
    },
    onSuccess() {
      form.elements.upload.value = upload.url.split('/').pop();
      form.elements.file.disabled = true;
      text.textContent = form.dataset.checking;
      bar.removeAttribute('value');
      form.submit();
    },
  });
  cancel.onclick = () => {
    upload.abort(true);
    box.hidden = true;
  };
  upload.findPreviousUploads().then((previous) => {
    if (previous.length > 0) upload.resumeFromPreviousUpload(previous[0]);
    upload.start();
  });
}

function describe(sent, total, rate) {
  const gib = (n) => `${(n / 2 ** 30).toFixed(2)} GiB`;
  const parts = [`${Math.floor((sent / total) * 100)} %`, `${gib(sent)} / ${gib(total)}`];
  if (rate > 0) {
    parts.push(`${(rate / 1e6).toFixed(1)} MB/s`);
    const left = Math.round((total - sent) / rate);
    parts.push(`${Math.floor(left / 60)}:${String(left % 60).padStart(2, '0')}`);
  }
  return parts.join(' · ');
}
