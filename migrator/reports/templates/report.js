"use strict";
// What the page cannot do by itself: details of a bar, zoom, filter. Without this file it is all
// there to read, in the chapters and in the titles of the bars.
(() => {
  const one = (selector, within = document) => within.querySelector(selector);
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  all(".js").forEach((part) => { part.hidden = false; });

  const chart = one(".chart");
  const chapters = all("details.database");
  const chapter = (number) => one(`details.database[data-lane="${number}"]`);

  // -- chapters -----------------------------------------------------------------------------
  const reveal = () => {
    const target = location.hash && document.getElementById(location.hash.slice(1));
    const owner = target && target.closest("details");
    if (owner && !owner.open) { owner.open = true; target.scrollIntoView(); }
  };
  addEventListener("hashchange", reveal);
  reveal();
  one("#open-all").addEventListener("click", () => chapters.forEach((c) => { c.open = !c.hidden; }));
  one("#close-all").addEventListener("click", () => chapters.forEach((c) => { c.open = false; }));

  // On paper nothing can be opened. Newer browsers do this by style alone.
  let opened = [];
  const supported = CSS.supports("selector(::details-content)");
  addEventListener("beforeprint", () => {
    if (supported) return;
    opened = all("details:not([open])");
    opened.forEach((part) => { part.open = true; });
  });
  addEventListener("afterprint", () => { opened.forEach((part) => { part.open = false; }); opened = []; });

  if (!chart) return;

  // -- details of a bar ---------------------------------------------------------------------
  const tip = one("#tip");
  const lanes = all(".lane");
  let current = null;
  all(".track b, .track em").forEach((bar) => {
    bar.dataset.tip = bar.title;  // a browser would show the title as well
    bar.removeAttribute("title");
  });
  const hide = () => {
    if (current) current.classList.remove("current");
    current = null;
    tip.hidden = true;
  };
  const show = (bar) => {
    if (current) current.classList.remove("current");
    current = bar;
    bar.classList.add("current");
    tip.textContent = bar.dataset.tip;
    tip.hidden = false;
    const box = bar.getBoundingClientRect();
    const left = Math.max(box.left, chart.getBoundingClientRect().left);
    tip.style.left = `${Math.max(8, Math.min(left, innerWidth - tip.offsetWidth - 8))}px`;
    const above = box.top - tip.offsetHeight - 8;
    tip.style.top = `${above > 4 ? above : box.bottom + 8}px`;
  };
  const barAt = (event) => event.target.closest(".track b, .track em");
  chart.addEventListener("pointerover", (event) => { const bar = barAt(event); if (bar) show(bar); });
  chart.addEventListener("pointerout", (event) => { if (event.pointerType === "mouse") hide(); });
  chart.addEventListener("click", (event) => { const bar = barAt(event); if (bar) show(bar); else hide(); });
  chart.addEventListener("scroll", hide);
  addEventListener("scroll", hide, { passive: true });
  chart.addEventListener("focusout", hide);
  chart.addEventListener("keydown", (event) => {
    if (event.key === "Escape") { hide(); return; }
    const track = event.target.closest(".track");
    if (!track) return;
    const bars = all("b:not(.operation)", track);
    const here = bars.indexOf(current);
    const last = bars.length - 1;
    const to = {
      ArrowRight: Math.min(here + 1, last), ArrowLeft: Math.max(here - 1, 0), Home: 0, End: last,
    }[event.key];
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      const visible = lanes.filter((lane) => !lane.hidden);
      const next = visible[visible.indexOf(track.parentElement) + (event.key === "ArrowDown" ? 1 : -1)];
      if (next) { event.preventDefault(); hide(); one(".track", next).focus(); }
    } else if (event.key === "Enter") {
      location.hash = one("a.who", track.parentElement).hash;
      reveal();
    } else if (to !== undefined && bars[to]) {
      event.preventDefault();
      bars[to].scrollIntoView({ block: "nearest", inline: "nearest", behavior: "instant" });
      requestAnimationFrame(() => show(bars[to]));
    }
  });

  // -- zoom -----------------------------------------------------------------------------------
  const scale = one(".scale");
  const rules = one(".rules");
  const first = [scale.innerHTML, rules.innerHTML];
  const spelled = (seconds, step) => {
    if (!seconds) return "0";
    if (step < 1) return `${seconds.toFixed(Math.min(3, Math.ceil(-Math.log10(step))))} s`;
    if (seconds < 60) return `${Math.round(seconds)} s`;
    const whole = Math.round(seconds);
    if (whole < 3600) return `${Math.floor(whole / 60)} min ${String(whole % 60).padStart(2, "0")} s`;
    return `${Math.floor(whole / 3600)} h ${String(Math.floor(whole / 60) % 60).padStart(2, "0")} min`;
  };
  const nice = (step) => {
    const round = [1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14400, 43200, 86400];
    if (step >= 1) return round.find((one) => one >= step) || 86400 * Math.ceil(step / 86400);
    const power = 10 ** Math.floor(Math.log10(step));
    return [1, 2, 5, 10].map((one) => one * power).find((one) => one >= step * 0.999);
  };
  let zoom = 1;
  const own = one("#own");
  const draw = () => {
    const longest = Math.max(...lanes.map((lane) => Number(lane.dataset.span)), 0.01);
    const length = own.checked ? longest : Number(chart.dataset.length);
    chart.style.setProperty("--t", length);
    chart.style.setProperty("--zoom", zoom);
    chart.style.setProperty("--own", own.checked ? 1 : 0);
    chart.classList.toggle("own", own.checked);
    one("#fit").textContent = zoom === 1 ? "Fit" : `${zoom}×`;
    // Where idle stretches are cut short, only the page's own marks are at the right places.
    if (chart.dataset.gaps && !own.checked) {
      [scale.innerHTML, rules.innerHTML] = first;
      return;
    }
    const step = nice(length / Math.max(2, Math.floor((scale.clientWidth || 600) / 110)));
    scale.textContent = "";
    rules.textContent = "";
    for (let number = 0; number * step <= length * 1.0001 && number < 2000; number += 1) {
      const tick = document.createElement("i");
      tick.style.setProperty("--s", number * step);
      rules.append(tick.cloneNode());
      const label = document.createElement("span");
      label.textContent = spelled(number * step, step);
      tick.append(label);
      if (number * step <= length * 0.97) scale.append(tick);
    }
  };
  // What the lines in view show is what somebody wants to see larger.
  const centre = () => {
    const room = chart.getBoundingClientRect();
    const seen = current ? [current] : lanes.filter((lane) => {
      const box = lane.getBoundingClientRect();
      return !lane.hidden && box.bottom > room.top + 30 && box.top < Math.min(room.bottom, innerHeight);
    }).flatMap((lane) => all("b", lane));
    const boxes = seen.map((bar) => bar.getBoundingClientRect());
    const inView = boxes.filter((box) => box.right > room.left && box.left < room.right);
    const used = inView.length ? inView : boxes;
    if (!used.length) return 0.5;
    const left = Math.min(...used.map((box) => box.left));
    const right = Math.max(...used.map((box) => box.right));
    return ((left + right) / 2 - room.left + chart.scrollLeft) / chart.scrollWidth;
  };
  const magnify = (factor) => {
    const middle = centre();
    zoom = Math.min(256, Math.max(1, factor ? zoom * factor : 1));
    hide();
    draw();
    chart.scrollLeft = middle * chart.scrollWidth - chart.clientWidth / 2;
  };
  one("#in").addEventListener("click", () => magnify(2));
  one("#out").addEventListener("click", () => magnify(0.5));
  one("#fit").addEventListener("click", () => magnify(0));
  own.addEventListener("change", () => { hide(); draw(); });
  chart.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "+" || event.key === "=") magnify(2);
    if (event.key === "-") magnify(0.5);
    if (event.key === "0") magnify(0);
  });
  addEventListener("resize", draw);
  draw();

  // -- filter ---------------------------------------------------------------------------------
  const find = one("#find");
  const shown = one("#shown");
  const kind = one("#show");
  const texts = new Map();
  const text = (lane) => {
    const number = lane.dataset.lane;
    if (!texts.has(number)) {
      const names = all("b.migration", lane).map((bar) => bar.dataset.tip);
      texts.set(number, [one(".alias", lane).textContent, ...names,
        chapter(number).textContent].join("\n").toLowerCase());
    }
    return texts.get(number);
  };
  const filter = () => {
    const wanted = find.value.trim().toLowerCase();
    let count = 0;
    lanes.forEach((lane) => {
      const flags = lane.dataset.flags.split(" ");
      const fits = (!kind.value || flags.includes(kind.value)) && (!wanted || text(lane).includes(wanted));
      lane.hidden = !fits;
      chapter(lane.dataset.lane).hidden = !fits;
      count += fits;
    });
    const narrowed = wanted || kind.value;
    shown.textContent = narrowed ? `${count} of ${lanes.length}` : "";
    one("#none").hidden = Boolean(count);
    hide();
  };
  let timer;
  find.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(filter, 120); });
  kind.addEventListener("change", filter);
})();
