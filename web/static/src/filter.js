// A filter bar asks for its list as one types: fields that are empty are left
// out of the address, which then can be kept and shared.
document.addEventListener('htmx:configRequest', (e) => {
  if (!e.target.closest?.('form.filters')) return;
  const given = e.detail.parameters;
  for (const name of Object.keys(given)) {
    if (given[name] === '') delete given[name];
  }
});
