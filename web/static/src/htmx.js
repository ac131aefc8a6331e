// htmx, as a global for its extensions, without inline styles and eval, which
// our Content-Security-Policy forbids.
import htmx from 'htmx.org';

htmx.config.includeIndicatorStyles = false;
htmx.config.allowEval = false;
window.htmx = htmx;
