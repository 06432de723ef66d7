// What every page needs beside its theme, whichever program rendered it.
(() => {
  const all = (what) => [...document.querySelectorAll(what)];

  // Search: what explains a thing stands before its entry in the reference, which keeps the last places
  if (window.Fuse) {
    const search = Fuse.prototype.search, told = 14;
    Fuse.prototype.search = function (query, { limit = 20, ...options } = {}) {
      const found = search.call(this, query, options), inReference = (hit) => /(^|\/)api\//.test(hit.item.href);
      const reference = found.filter(inReference), pages = found.filter((hit) => !inReference(hit));
      return [...pages.slice(0, Math.max(told, limit - reference.length)), ...reference].slice(0, limit);
    };
  }

  // The table of contents where there is no margin for it
  const contents = document.querySelector("#TOC > ul"), title = document.querySelector("#title-block-header");
  if (contents && title) {
    const fold = document.createElement("details"), list = contents.cloneNode(true);
    fold.className = "toc-here";
    fold.innerHTML = "<summary>On this page</summary>";
    list.querySelectorAll("[id]").forEach((link) => link.removeAttribute("id"));
    list.querySelectorAll(".active").forEach((link) => link.classList.remove("active"));
    list.addEventListener("click", (event) => { if (event.target.closest("a")) fold.open = false; });
    fold.append(list);
    title.after(fold);
  }

  // What scrolls sideways can be reached and scrolled with the keyboard
  const reach = () => all("main :is(pre, .cell-output, .sd-table, .table-responsive)").forEach((box) => {
    const scrolls = box.scrollWidth > box.clientWidth + 1 && /auto|scroll/.test(getComputedStyle(box).overflowX);
    if (scrolls) box.tabIndex = 0;
    else box.removeAttribute("tabindex");
  });
  addEventListener("resize", reach);
  addEventListener("load", reach);

  // What is pressed with a pointer is pressed with the keyboard, too
  all(".category, .listing-category").forEach((one) => { one.tabIndex = 0; one.setAttribute("role", "button"); });
  document.addEventListener("keydown", (event) => {
    const pressed = event.target.closest("[role=button]:not(button, [href])");
    if (pressed && (event.key === "Enter" || event.key === " ")) { event.preventDefault(); pressed.click(); }
  });
})();
