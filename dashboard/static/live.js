/**
 * Keeps a page up to date: server-sent events move its bars and previews at once, and what else
 * has changed is fetched as the page's own HTML.
 */

import { morph } from "./morph.js";

const REFRESH_MS = 30_000; // also when no event comes: events are only speed
const SOON_MS = 250; // a burst of changes is one fetch
const PROGRESS_MS = 3_000; // shards and times while a job only moves on
const MILESTONES = [25, 50, 75];

const main = document.querySelector("main");
const connection = document.querySelector("#connection");
const isJobPage = "job" in main.dataset;
const whole = new Intl.NumberFormat("en");

let source = null;
let timer = 0;
let due = Infinity;
let isFetching = false;

function refreshWithin(milliseconds) {
  const wanted = performance.now() + milliseconds;
  if (wanted >= due) return;
  clearTimeout(timer);
  due = wanted;
  timer = setTimeout(refresh, milliseconds);
}

async function refresh() {
  due = Infinity;
  if (isFetching) return refreshWithin(SOON_MS);
  isFetching = true;
  try {
    const response = await fetch(location.href, { headers: { Accept: "text/html" } });
    if (response.redirected || [401, 403].includes(response.status)) return location.reload();
    if (response.ok) show(new DOMParser().parseFromString(await response.text(), "text/html"));
  } catch {
    say("The server is out of reach; trying again.");
  } finally {
    isFetching = false;
  }
  connect();
  refreshWithin(REFRESH_MS);
}

function show(page) {
  const before = statuses();
  morph(main, page.querySelector("main"));
  document.title = page.title;
  for (const [job, status] of statuses()) {
    if (before.has(job) && before.get(job) !== status) announce(job, status);
  }
}

function statuses() {
  const marked = isJobPage ? [main] : [...main.querySelectorAll("[data-job]")];
  return new Map(marked.map((element) => [element.dataset.job, element.dataset.status]));
}

function connect() {
  const url = main.dataset.events;
  if (!url) {
    say("");
    return disconnect();
  }
  if (document.hidden || (source && source.readyState !== EventSource.CLOSED)) return;
  source = new EventSource(url);
  source.addEventListener("open", () => {
    say("Live");
    refreshWithin(SOON_MS); // what happened between the page and the stream
  });
  source.addEventListener("error", () => say("Reconnecting…"));
  source.addEventListener("reset", () => refreshWithin(SOON_MS));
  source.addEventListener("update", (event) => take(JSON.parse(event.data)));
}

function disconnect() {
  source?.close();
  source = null;
}

function take(update) {
  const place = isJobPage ? main : main.querySelector(`[data-job="${CSS.escape(update.job_id)}"]`);
  if (update.shards_changed || (place && update.status !== place.dataset.status)) {
    refreshWithin(SOON_MS);
  } else if (isJobPage) {
    refreshWithin(PROGRESS_MS);
  }
  if (!place || place.dataset.job !== update.job_id) return;
  if (update.status_seq < Number(place.dataset.seq)) return;
  place.dataset.seq = update.status_seq;
  moveOn(place, update.progress);
  for (const [shard, version] of Object.entries(update.previews)) showPreview(place, shard, version);
}

function moveOn(place, { done, total }) {
  const bar = place.querySelector("[data-bar]");
  if (!bar || !total) return;
  const percent = Math.floor((100 * done) / total);
  const before = Math.floor((100 * bar.value) / bar.max);
  bar.max = total;
  bar.value = done;
  write(place, "[data-percent]", percent);
  write(place, "[data-done]", whole.format(done));
  if (isJobPage) {
    document.title = document.title.replace(/^\d+ %/, `${percent} %`);
    const passed = MILESTONES.findLast((each) => before < each && each <= percent);
    if (passed) announce("", `${passed} percent`);
  }
}

function write(place, selector, text) {
  const element = place.querySelector(selector);
  if (element) element.textContent = text;
}

function showPreview(place, shard, version) {
  const picture = place.querySelector(`img[data-preview="${CSS.escape(shard)}"]`);
  if (!picture) {
    if (isJobPage || !place.querySelector("img")) refreshWithin(SOON_MS);
    return;
  }
  const url = new URL(picture.src);
  if (Number(url.searchParams.get("version")) === version) return;
  url.searchParams.set("version", version);
  picture.setAttribute("src", url.pathname + url.search); // as the server writes it
}

function announce(job, what) {
  const heading = isJobPage ? main.querySelector("h1") : document.querySelector(`#job-${job} h2`);
  document.querySelector("#milestones").textContent = `${heading.textContent.trim()}: ${what}`;
}

function say(text) {
  connection.textContent = text;
  connection.hidden = !text;
}

function wake() {
  if (document.hidden) {
    disconnect(); // a browser opens few connections to one server, and other tabs need them
  } else {
    connect();
    refreshWithin(SOON_MS);
  }
}

document.addEventListener("visibilitychange", wake);
addEventListener("pagehide", disconnect);
addEventListener("pageshow", (event) => event.persisted && wake());
// A preview can expire between the page and its picture: errors do not bubble, hence the capture.
main.addEventListener("error", ({ target }) => target.classList.add("missing"), true);
main.addEventListener("load", ({ target }) => target.classList.remove("missing"), true);

connect();
refreshWithin(REFRESH_MS);
