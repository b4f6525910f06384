/* Polls while the page is looked at, and keeps ages moving between polls. Everything works without it. */
(() => {
  const asOf = document.getElementById("asof");
  const view = () => document.getElementById("view");
  // What the reader opened or closed stays so.
  htmx.config.morphIgnore.push("open");

  let heardAt = Date.now();
  let ahead = heardAt - Number(view().dataset.now);
  let silent = false;

  // The same rule as span() in text.ts.
  function span(ms) {
    const s = Math.max(0, Math.floor(ms / 1000));
    if (s < 60) return `${s} s`;
    const min = Math.floor(s / 60);
    if (min < 60) return `${min} min`;
    const h = Math.floor(min / 60);
    if (h >= 48) return `${Math.floor(h / 24)} d`;
    return min % 60 === 0 ? `${h} h` : `${h} h ${min % 60} min`;
  }

  // Writes into the text node that is there, so that a selection around it survives.
  function say(element, words) {
    if (element.firstChild && element.firstChild.data !== words) element.firstChild.data = words;
  }

  function tick() {
    const now = Date.now();
    const age = `as of ${span(now - heardAt)} ago`;
    say(asOf, document.hidden ? `paused, ${age}` : silent ? `no answer, ${age}` : age);
    asOf.classList.toggle("warn", silent);
    if (document.hidden) return;
    for (const time of view().querySelectorAll("time[data-at]")) {
      say(time, span(now - ahead - Number(time.dataset.at)) + ("bare" in time.dataset ? "" : " ago"));
    }
  }

  document.addEventListener("htmx:before:request", (event) => {
    if (document.hidden) event.preventDefault();
  });
  document.addEventListener("htmx:config:request", (event) => {
    event.detail.ctx.request.headers["If-None-Match"] = view().dataset.tag;
  });
  document.addEventListener("htmx:before:response", (event) => {
    const { status } = event.detail.ctx.response;
    silent = status !== 200 && status !== 304;
    if (!silent) heardAt = Date.now();
    // An ended session shows the page that says how to sign in; any other refusal leaves what is here.
    if (silent) event.preventDefault();
    if (status === 401) location.reload();
  });
  document.addEventListener("htmx:after:swap", () => {
    ahead = Date.now() - Number(view().dataset.now);
    tick();
  });
  document.addEventListener("htmx:error", () => {
    silent = true;
  });
  document.addEventListener("visibilitychange", () => {
    tick();
    if (!document.hidden) htmx.trigger(view(), "wake");
  });
  setInterval(tick, 1000);
})();
