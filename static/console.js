// What the pages cannot say in HTML: theme, keys, local time, the live chip, copying, lost requests.
"use strict";

(() => {
  const root = document.documentElement;
  const find = (selector) => document.querySelector(selector);
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const on = (name, act) => document.addEventListener(name, act);

  // ---- Settings of this browser -------------------------------------------------------------

  const setting = (name, value) => {
    try {
      if (value === undefined) return localStorage.getItem(name) ?? "";
      localStorage.setItem(name, value);
    } catch {
      // Storage is forbidden here: the page still works, it only forgets.
    }
    return value ?? "";
  };

  const paint = (theme) => {
    if (theme) root.dataset.theme = theme;
    else delete root.dataset.theme;
    for (const button of all("[data-theme-choice]")) {
      button.setAttribute("aria-pressed", button.dataset.themeChoice === theme);
    }
  };
  paint(setting("theme"));

  // ---- Time ---------------------------------------------------------------------------------

  const format = (options) => new Intl.DateTimeFormat("en-GB", options);
  const clock = format({ hour: "2-digit", minute: "2-digit" });
  const day = format({ day: "numeric", month: "short", year: "numeric" });
  const seconds = format({ hour: "2-digit", minute: "2-digit", second: "2-digit", timeZoneName: "short" });

  const span = (ms) => {
    const s = Math.round(Math.abs(ms) / 1000);
    if (s < 60) return `${s} s`;
    if (s < 3600) return `${Math.floor(s / 60)} min`;
    const minutes = Math.floor((s % 3600) / 60);
    if (s < 21600 && minutes) return `${Math.floor(s / 3600)} h ${minutes} min`;
    return s < 172800 ? `${Math.floor(s / 3600)} h` : `${Math.floor(s / 86400)} days`;
  };
  const moment = (at) => `${day.format(at)}, ${clock.format(at)}`;
  const WAYS = {
    clock: (at) => clock.format(at),
    date: (at) => day.format(at),
    since: (at, ms) => span(ms),
    left: (at, ms) => (ms > 0 ? `${span(ms)} left` : `${span(ms)} over`),
    relative: (at, ms) => {
      if (Math.abs(ms) > 6048e5) return moment(at);
      if (ms > 0) return `in ${span(ms)}`;
      return ms > -5000 ? "just now" : `${span(ms)} ago`;
    },
  };

  const tell = (time) => {
    const at = new Date(time.dateTime);
    if (Number.isNaN(+at)) return;
    const { how } = time.dataset;
    const ms = at - Date.now();
    const text = (WAYS[how] ?? moment)(at, ms);
    if (time.textContent !== text) time.textContent = text;
    time.title = `${day.format(at)}, ${seconds.format(at)} · ${at.toISOString().replace(/\.\d+/, "")}`;
    if (how === "left") time.dataset.due = ms < 0 ? "over" : ms < 9e5 ? "soon" : "later";
  };
  const tellAll = (within) => all("time[datetime]", within).forEach(tell);
  setInterval(() => all("time[data-how]:not([data-how=''])").forEach(tell), 5000);

  // ---- Keys: the page declares them, this table adds its own, the help shows both -----------

  const rows = () => all("[data-row]").filter((row) => row.checkVisibility());
  const rowAround = (target) => target?.closest?.(".row,tr");
  const step = (by) => () => {
    const list = rows();
    const active = document.activeElement;
    const here = list.indexOf(active.matches("[data-row]") ? active : rowAround(active)?.querySelector("[data-row]"));
    list[here < 0 ? 0 : Math.min(Math.max(here + by, 0), list.length - 1)]?.focus();
  };
  const TABLE = [
    ["?", "This help", () => help()],
    ["/", "Search", () => find("[type=search]")?.focus(), "[type=search]"],
    ["j", "Next row", step(1), "[data-row]"],
    ["k", "Previous row", step(-1), "[data-row]"],
    ["Escape", "Close what is open", () => dismiss()],
  ];

  // Only what a person could open by looking is pressed; whatever writes is given the cursor.
  const ACTING = "[hx-post],[hx-put],[hx-patch],[hx-delete],[type=submit]";
  const use = (target) => {
    const opens = target.matches("a[href],summary,button[type=button]");
    if (opens && !target.matches(ACTING)) target.click();
    else target.focus();
  };
  // What a row offers is asked of the row that has the focus, else of the first that offers it.
  const inRow = (key) => {
    const offered = `[data-row-key="${key}"]`;
    const row = rowAround(document.activeElement);
    const target = row?.matches(".row") ? row.querySelector(offered) : find(offered);
    if (!target) return;
    target.focus();
    if (target.matches("[type=checkbox]")) target.click();
  };
  const rowKeys = () => [
    ...new Map(
      all("[data-row-key]").map(({ dataset: { rowKey, keyLabel } }) => [rowKey, [rowKey, keyLabel, () => inRow(rowKey)]]),
    ).values(),
  ];
  const keys = () => [
    ...TABLE.filter(([, , , needs]) => !needs || find(needs)),
    ...rowKeys(),
    ...all("[data-key]")
      .filter((target) => target.checkVisibility())
      .map((target) => [
        target.dataset.key,
        target.dataset.keyLabel ?? target.textContent.trim(),
        () => use(target),
      ]),
  ];

  const named = ({ key, shiftKey }) => (shiftKey && /^\p{L}$/u.test(key) ? `Shift+${key.toUpperCase()}` : key);
  const typing = (target) =>
    target.closest?.("input:not([type=checkbox],[type=radio]),textarea,select,dialog,[contenteditable]");
  let begun = "";
  let forget;

  on("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || event.isComposing || event.defaultPrevented) return;
    if (event.key === "Shift" || typing(event.target) || setting("keys") === "off") return;
    const pressed = begun ? `${begun} ${named(event)}` : named(event);
    const known = keys();
    const match = known.find(([key]) => key === pressed);
    clearTimeout(forget);
    begun = !match && known.some(([key]) => key.startsWith(`${pressed} `)) ? pressed : "";
    forget = setTimeout(() => { begun = ""; }, 1200);
    if (!match) return;
    event.preventDefault();
    match[2]();
  });

  const keycap = (key) => Object.assign(document.createElement("kbd"), { textContent: key });
  const help = () => {
    const dialog = find("#help");
    dialog.querySelector("tbody").replaceChildren(
      ...keys().map(([key, words]) => {
        const row = document.createElement("tr");
        row.insertCell().append(...key.split(" ").flatMap((part) => [keycap(part), " "]));
        row.insertCell().textContent = words;
        return row;
      }),
    );
    dialog.querySelector("[data-setting]").checked = setting("keys") !== "off";
    if (!dialog.open) dialog.showModal();
  };

  // ---- Notices ------------------------------------------------------------------------------

  const dismiss = () => find("#notice")?.replaceChildren();
  const notice = (what, then, code = "") => {
    const card = find("#notice-lost").content.cloneNode(true);
    for (const [slot, text] of Object.entries({ what, then, code })) {
      card.querySelector(`[data-slot=${slot}]`).textContent = text;
    }
    find("#notice").replaceChildren(card);
    return find("#notice div");
  };

  on("htmx:error", ({ detail }) => {
    if (!detail.ctx || detail.ctx.response) return;
    notice(
      "The server did not answer.",
      "It is not known whether this arrived. Look at the record before you repeat it.",
    );
  });
  on("htmx:response:error", ({ detail }) => {
    const { text = "", response } = detail.ctx;
    // A card of the server's own says it better.
    if ([409, 410, 412, 422].includes(response.status) || text.includes('id="notice"')) return;
    notice(
      response.status < 500 ? "The server refused this." : "The server failed while answering.",
      response.status < 500
        ? "Nothing was changed and nothing was sent."
        : "Look at the record before you repeat it.",
      `${response.status} ${response.headers.get("X-Request-ID") ?? ""}`,
    );
  });

  // ---- The live chip ------------------------------------------------------------------------

  let lost = 0;
  let heard = Date.now();
  const chip = (state, text) => {
    const place = find("#live");
    if (!place || place.textContent === text) return;
    place.dataset.live = state;
    place.textContent = text;
  };
  const losing = () => {
    if (!lost || document.hidden) return;
    if (Date.now() - lost < 30000) chip("reconnecting", `Reconnecting since ${clock.format(lost)}`);
    else chip("offline", `Offline, data as of ${clock.format(heard)}`);
  };
  setInterval(losing, 2000);

  on("htmx:ws:after:connection", () => {
    lost = 0;
    heard = Date.now();
    chip("live", "Live");
  });
  on("htmx:ws:after:message:incoming", () => { heard = Date.now(); });
  on("htmx:ws:close", ({ detail: { code, reason } }) => {
    if (reason === "removed" || document.hidden) return;
    if (code === 4401) return signedOut();
    lost ||= Date.now();
    if (code === 1000 || code >= 4000) lost = 1;
    losing();
  });
  on("visibilitychange", () => {
    if (!document.hidden && find("#live")?.dataset.live === "live") {
      // The extension closed the socket when the tab was hidden and opens it again now.
      lost = Date.now();
      setTimeout(losing, 1000);
    }
  });
  const signedOut = () => {
    lost = 0;
    chip("signed-out", "Signed out");
    const link = Object.assign(document.createElement("a"), {
      className: "button",
      href: `/sign-in/?next=${encodeURIComponent(location.pathname + location.search)}`,
      textContent: "Sign in again",
    });
    notice("You are signed out.", "This page no longer changes, and nothing can be decided from it.").append(link);
  };
  // A page taken from the back-forward cache has no socket and old content.
  addEventListener("pageshow", (event) => event.persisted && find("#socket") && location.reload());

  // ---- Clicks -------------------------------------------------------------------------------

  const copy = async (button) => {
    const source = button.dataset.copyFrom;
    const label = button.querySelector("span") ?? button;
    const before = label.dataset.before ??= label.textContent;
    try {
      await navigator.clipboard.writeText(source ? find(source).textContent : button.dataset.copy);
      label.textContent = "Copied";
    } catch {
      // Without https a page may not copy; the reader can, once the text is selected.
      if (source) getSelection().selectAllChildren(find(source));
      label.textContent = source ? "Selected" : "Not allowed here";
    }
    setTimeout(() => { label.textContent = before; }, 1500);
  };

  on("click", ({ target }) => {
    const button = target.closest("[data-copy],[data-copy-from],[data-dismiss],[data-theme-choice],[data-open]");
    if (!button) return;
    const { themeChoice, open, dismiss: dismisses } = button.dataset;
    if (themeChoice !== undefined) paint(setting("theme", themeChoice));
    else if (open === "help") help();
    else if (dismisses !== undefined) dismiss();
    else copy(button);
  });
  on("change", ({ target }) => {
    if (target.dataset.setting) setting(target.dataset.setting, target.checked ? "on" : "off");
  });

  // ---- The queue: how many are selected --------------------------------------------------------

  const countPicked = () => {
    for (const place of all("[data-counts]")) {
      const picked = all(`[name=${place.dataset.counts}]:checked`).length;
      const most = Number(place.dataset.most);
      const text = picked > most ? `${picked} selected; at most ${most} together` : `${picked} selected`;
      if (picked && place.textContent !== text) place.textContent = text;
    }
  };
  on("change", ({ target }) => target.name === "item" && countPicked());
  on("htmx:after:settle", countPicked);

  on("htmx:before:settle", ({ detail }) => {
    for (const node of detail.newContent) {
      if (node.nodeType !== 1) continue;
      if (node.matches("time")) tell(node);
      tellAll(node);
    }
  });
  on("DOMContentLoaded", () => {
    paint(setting("theme"));
    tellAll(document);
    for (const target of all("[data-key]")) target.title ||= `Key: ${target.dataset.key}`;
  });
})();

// How long a proposal was seen before somebody decided on it: durations, never what was typed.
(() => {
  const seen = { visible: 0, hidden: 0, end: false, evidence: 0 };
  let since = performance.now();
  let was = document.hidden ? "hidden" : "visible";
  const count = () => {
    const now = performance.now();
    // Called when the page has just changed sides, or is about to be sent.
    seen[was] += now - since;
    since = now;
    was = document.hidden ? "hidden" : "visible";
  };

  const fill = (form) => {
    count();
    const put = (name, value) => { if (form.elements[name]) form.elements[name].value = value; };
    put("visible_seconds", Math.round(seen.visible / 1000));
    put("hidden_seconds", Math.round(seen.hidden / 1000));
    put("reached_end", seen.end);
    put("evidence_opened", seen.evidence);
  };

  document.addEventListener("visibilitychange", count);
  document.addEventListener("submit", ({ target }) => {
    if (target.matches("[data-attention-form]")) fill(target);
  }, true);
  document.addEventListener("click", ({ target }) => {
    if (target.closest?.("a[href^='#evidence-'], .evidence summary")) seen.evidence += 1;
  });
  document.addEventListener("DOMContentLoaded", () => {
    const form = document.querySelector("[data-attention-form]");
    if (!form) return;
    new IntersectionObserver((met) => { seen.end ||= met.some((each) => each.isIntersecting); })
      .observe(form);
  });
})();
