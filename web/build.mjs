// Builds what the pages load into static/dist: one script for every page, one
// for the answer-file editor, one for uploads, one style sheet. Nothing is loaded from
// elsewhere at run time.
import { execFileSync } from 'node:child_process';
import { build } from 'esbuild';

await build({
  entryPoints: { app: 'static/src/app.js', editor: 'static/src/editor.js', upload: 'static/src/upload.js' },
  outdir: 'static/dist',
  bundle: true,
  minify: true,
  format: 'iife',
  target: 'es2022',
  legalComments: 'linked',
  logLevel: 'warning',
});

execFileSync(
  'node_modules/.bin/tailwindcss',
  ['--input', 'static/src/app.css', '--output', 'static/dist/app.css', '--minify'],
  { stdio: ['ignore', 'ignore', 'inherit'] },
);
