// Applies the theme that was chosen before, ahead of the first paint.
{
  const theme = localStorage.getItem("mp-theme");
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
}
