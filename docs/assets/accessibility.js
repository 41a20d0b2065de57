// What the theme leaves to be named: the search dialogue, the menus of code blocks, and areas that scroll.
function nameParts() {
  document.querySelector(".md-search")?.setAttribute("aria-label", "Search");
  document.querySelectorAll(".md-code__nav").forEach((menu, number) => {
    menu.setAttribute("aria-label", `Code block ${number + 1}`);
  });
  for (const area of document.querySelectorAll(".md-typeset__scrollwrap, pre > code")) {
    if (area.scrollWidth > area.clientWidth) area.setAttribute("tabindex", "0");
  }
}

addEventListener("load", () => {
  nameParts();
  // The theme adds the menus when a block comes into view.
  new MutationObserver(nameParts).observe(document.body, { childList: true, subtree: true });
});
addEventListener("resize", nameParts);
