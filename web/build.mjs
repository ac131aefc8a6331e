// Builds what the pages load into static/dist: one script for every page, one
// for the answer-file editor, one for uploads, one style sheet, and what /api/docs alone
// loads. Nothing is loaded from elsewhere at run time.
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { build } from 'esbuild';

await build({
  entryPoints: {
    app: 'static/src/app.js',
    editor: 'static/src/editor.js',
    upload: 'static/src/upload.js',
    api_docs: 'static/src/api_docs.js',
  },
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

// Scalar comes as one script that wants nothing else; its source map stays behind.
const scalar = readFileSync('node_modules/@scalar/api-reference/dist/browser/standalone.js', 'utf8');
writeFileSync('static/dist/scalar.js', scalar.replace(/\n\/\/# sourceMappingURL=.*\s*$/, '\n'));
