"use strict";
/* The page is whole without this. It reads the lines at the pointer, and opens a trade from its mark in the chart. */
(() => {
  const chart = document.getElementById("chart");
  const data = JSON.parse(document.getElementById("samples").textContent);
  const cross = document.createElement("div");
  const cells = [...document.querySelectorAll("[data-read]")];
  const last = data.at.length - 1;
  let place = last;

  const show = (index) => {
    place = Math.min(Math.max(index, 0), last);
    for (const cell of cells) {
      const key = cell.dataset.read;
      cell.textContent = key === "time" ? data.time[place] : data.columns[key][place];
    }
    const plot = chart.querySelector(".plot").getBoundingClientRect();
    const left = plot.left - chart.getBoundingClientRect().left;
    cross.style.left = `${left + data.at[place] * plot.width}px`;
    cross.style.visibility = "visible";
  };
  const rest = () => {
    show(last);
    cross.style.visibility = "hidden";
  };
  const nearest = (share) => {
    let low = 0;
    let high = last;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (data.at[middle] < share) low = middle + 1;
      else high = middle;
    }
    return low > 0 && share - data.at[low - 1] < data.at[low] - share ? low - 1 : low;
  };
  const follow = (event) => {
    const plot = chart.querySelector(".plot").getBoundingClientRect();
    show(nearest((event.clientX - plot.left) / plot.width));
  };
  const open = (event) => {
    const mark = event.target.closest("[data-trade]");
    const row = mark && document.getElementById(`trade-${mark.dataset.trade}`);
    if (!row) return;
    row.querySelector("details").open = true;
    row.scrollIntoView({ block: "center" });
  };
  const step = (event) => {
    const by = { ArrowLeft: -1, ArrowRight: 1, PageUp: -24, PageDown: 24 }[event.key];
    if (event.key === "Escape") rest();
    if (!by) return;
    event.preventDefault();
    show(place + by);
  };

  if (last < 0) return;
  cross.className = "cross";
  chart.append(cross);
  chart.tabIndex = 0;
  document.documentElement.classList.add("has-script");
  chart.addEventListener("pointermove", follow);
  chart.addEventListener("pointerdown", follow);
  chart.addEventListener("pointerleave", rest);
  chart.addEventListener("blur", rest);
  chart.addEventListener("keydown", step);
  chart.addEventListener("click", open);
})();
