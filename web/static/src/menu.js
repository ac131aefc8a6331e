// Menus are <details>, which open by themselves. One that is open closes when
// something else is clicked, when the focus leaves it, and by Escape, which
// brings the focus back.
function close(except) {
  for (const menu of document.querySelectorAll('details.menu[open]')) {
    if (menu !== except) menu.open = false;
  }
}

document.addEventListener('click', (e) => close(e.target.closest('details.menu')));
document.addEventListener('focusin', (e) => close(e.target.closest('details.menu')));
document.addEventListener('keydown', (e) => {
  const menu = document.activeElement?.closest('details.menu[open]');
  if (e.key !== 'Escape' || !menu) return;
  menu.open = false;
  menu.querySelector('summary').focus();
});
