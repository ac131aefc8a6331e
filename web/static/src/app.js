// What every page loads. Pages work without it: each form posts and each link
// leads somewhere; this makes them live.
import './htmx.js';
import './filter.js';
import 'htmx-ext-sse';
import './live.js';
import './job.js';
import './follow.js';
import './refresh.js';
import './scan.js';
import './ui.js';
import './menu.js';
import './palette.js';
import './keys.js';
import './toast.js';
import './announce.js';
