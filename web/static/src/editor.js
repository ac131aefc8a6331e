// The answer-file editor: CodeMirror laid over a textarea, which keeps the
// text, so that the form works without it. Colours are the style sheet's.
import { basicSetup, EditorView } from 'codemirror';
import { xml } from '@codemirror/lang-xml';
import { syntaxHighlighting } from '@codemirror/language';
import { linter, lintGutter } from '@codemirror/lint';
import { classHighlighter } from '@lezer/highlight';

for (const area of document.querySelectorAll('textarea[data-editor="xml"]')) {
  const nonce = document.querySelector('meta[name="csp-nonce"]').content;
  const checkURL = area.dataset.check;
  const view = new EditorView({
    doc: area.value,
    extensions: [
      EditorView.cspNonce.of(nonce),
      syntaxHighlighting(classHighlighter),
      basicSetup,
      xml(),
      EditorView.lineWrapping,
      EditorView.editorAttributes.of({ class: 'editor' }), // a class from outside goes with the next focus
      EditorView.contentAttributes.of({ 'aria-labelledby': area.dataset.label, tabindex: '0' }),
      lintGutter(),
      linter((v) => problems(v, checkURL), { delay: 500 }),
      EditorView.updateListener.of((u) => {
        if (u.docChanged) area.value = u.state.doc.toString();
      }),
    ],
  });
  area.after(view.dom);
  area.hidden = true;
}

// The server's own check, so that editor and save agree.
async function problems(view, url) {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'HX-Request': 'true' },
    body: new URLSearchParams({ source: view.state.doc.toString() }),
  });
  if (!response.ok) return [];
  const found = await response.json();
  return found.map((p) => {
    const line = view.state.doc.line(Math.min(Math.max(p.line, 1), view.state.doc.lines));
    const from = Math.min(line.from + Math.max(p.column - 1, 0), line.to);
    return { from, to: line.to, severity: p.severity, message: p.message };
  });
}
