// The API's document as pages, drawn by Scalar. Whatever of it speaks to its
// makers' servers is off, and the page's policy would not let it; it sends no
// requests with people's tokens either: it is for reading.
const place = document.getElementById('api-docs');
const { theme } = document.documentElement.dataset;
const dark = theme ? theme === 'dark' : matchMedia('(prefers-color-scheme: dark)').matches;

place.replaceChildren(); // what is there Scalar takes for its own
window.Scalar.createApiReference(place, {
  url: place.dataset.document,
  localization: { locale: document.documentElement.lang },
  forceDarkModeState: dark ? 'dark' : 'light',
  hideDarkModeToggle: true,
  telemetry: false,
  withDefaultFonts: false,
  agent: { disabled: true },
  mcp: { disabled: true },
  hideClientButton: true,
  hideTestRequestButton: true,
  showDeveloperTools: 'never',
  persistAuth: false,
});
