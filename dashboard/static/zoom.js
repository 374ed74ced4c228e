/** Shows a face large in a dialog; without this module its link opens the plain PNG. */

const dialog = document.querySelector("#zoom");
const picture = dialog.querySelector("img");
const caption = dialog.querySelector("figcaption");
const download = dialog.querySelector("a[download]");

let shown = 0;

function faces() {
  return [...document.querySelectorAll("a[data-zoom]")];
}

function show(index) {
  const all = faces();
  shown = (index + all.length) % all.length;
  const link = all[shown];
  const url = link.getAttribute("href");
  picture.src = url;
  picture.alt = link.dataset.zoom;
  caption.textContent = link.dataset.zoom;
  download.href = url;
  download.download = `${link.dataset.zoom.toLowerCase().replaceAll(" ", "-")}.png`;
}

document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-zoom]");
  if (!link || event.button || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  show(faces().indexOf(link));
  dialog.showModal();
});

dialog.addEventListener("click", (event) => {
  if (event.target === dialog) dialog.close(); // the backdrop
  if (event.target.value === "previous") show(shown - 1);
  if (event.target.value === "next") show(shown + 1);
});

dialog.addEventListener("keydown", (event) => {
  if (event.key === "ArrowLeft") show(shown - 1);
  if (event.key === "ArrowRight") show(shown + 1);
});

dialog.addEventListener("close", () => faces()[shown]?.focus());
