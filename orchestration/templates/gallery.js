// Filters of the gallery: cards that do not fit are hidden, and so are sections without any.
const form = document.getElementById("filters"), cards = [...document.querySelectorAll(".card")];

function fits(card, wanted) {
  return wanted.every(([name, value]) =>
    name === "text"
      ? card.textContent.toLowerCase().includes(value.toLowerCase())
      : card.getAttribute("data-" + name.replace("_", "-")) === value,
  );
}

function apply() {
  const wanted = [...new FormData(form)].filter(([, value]) => value);
  for (const card of cards) card.hidden = !fits(card, wanted);
  for (const section of document.querySelectorAll("main section"))
    section.hidden = !section.querySelector(".card:not([hidden])");
  form.querySelector("output").value = cards.filter(card => !card.hidden).length + " of " + cards.length + " shown";
}

form.addEventListener("input", apply);
form.addEventListener("change", apply);
form.addEventListener("submit", event => event.preventDefault());
form.addEventListener("reset", () => setTimeout(apply));
form.hidden = false;
apply();
