// What is live in the console. Every page works without it.

document.documentElement.classList.add("scripted");

const parsed = (text) => new DOMParser().parseFromString(text, "text/html");

const fetched = async (address, options) => {
  const answer = await fetch(address, { credentials: "same-origin", headers: { Accept: "text/html" }, ...options });
  return { answer, page: parsed(await answer.text()) };
};

// A new secret is shown in a dialog and nowhere else: no address and no history has it.

const shownOnce = (secret) => {
  const dialog = document.createElement("dialog");
  dialog.setAttribute("aria-labelledby", "secret-title");
  dialog.append(document.adoptNode(secret));
  const asks = document.createElement("div");
  asks.className = "asks";
  asks.hidden = true;
  asks.setAttribute("role", "alert");
  asks.innerHTML =
    "<p><strong>Have you kept it?</strong> It is not shown again.</p>" +
    '<p class="actions"><button type="button" data-close>Close it</button>' +
    '<button type="button" class="quiet" data-stay>Go back to it</button></p>';
  dialog.append(asks);
  const ask = () => {
    asks.hidden = false;
    asks.querySelector("[data-close]").focus();
  };
  const leave = () => {
    const back = secret.dataset.back;
    dialog.remove();
    location.assign(back);
  };
  dialog.addEventListener("cancel", (event) => {
    event.preventDefault();
    ask();
  });
  dialog.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      event.preventDefault();
      ask();
    }
  });
  dialog.addEventListener("click", (event) => {
    if (event.target.closest("[data-close]")) leave();
    else if (event.target.closest("[data-stay]")) {
      asks.hidden = true;
      secret.querySelector("pre").focus();
    } else if (event.target.closest(".secret .actions a")) {
      event.preventDefault();
      ask();
    }
  });
  document.body.append(dialog);
  dialog.showModal();
};

const sendSecret = async (form) => {
  const button = form.querySelector("[type=submit]");
  button.disabled = true;
  const { answer, page } = await fetched(form.action, { method: "POST", body: new URLSearchParams(new FormData(form)) });
  const secret = page.querySelector("section.secret");
  if (secret) {
    shownOnce(secret);
  } else if (answer.redirected) {
    location.assign(answer.url);
  } else {
    document.querySelector("main").replaceWith(document.adoptNode(page.querySelector("main")));
    document.querySelector("main").focus();
  }
};

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.matches("form[data-secret]")) {
    event.preventDefault();
    sendSecret(form).catch(() => form.querySelector("[type=submit]").removeAttribute("disabled"));
  }
});

// A page that is left keeps no secret for those who come back to it.
addEventListener("pagehide", () => {
  for (const secret of document.querySelectorAll("section.secret, dialog")) secret.remove();
});
addEventListener("pageshow", (event) => {
  if (event.persisted) location.reload();
});

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  const source = document.getElementById(button.dataset.copy);
  try {
    await navigator.clipboard.writeText(source.textContent);
    button.textContent = "Copied";
  } catch {
    getSelection().selectAllChildren(source);
    button.textContent = "Selected";
  }
});

document.addEventListener("change", (event) => {
  const all = event.target.closest("[data-all]");
  if (!all) return;
  const boxes = all.closest("form").querySelectorAll(`input[name="${all.dataset.all}"]`);
  for (const box of boxes) box.checked = all.checked;
});

// What is live is looked at anew when something happens, at most a few times a second, and not
// while nobody sees it.

const PAUSE = 250;
/** After so long a stream is asked for again that was refused. */
const REFUSED = 5000;

/** Makes a part of the page what it is by now. What stays the same stays where it is: its focus, its
 * ticks, what is selected of it, and a click on it that has begun. */
const become = (there, fresh) => {
  if (there.isEqualNode(fresh)) return;
  if (there.nodeName !== fresh.nodeName) there.replaceWith(fresh);
  else if (there.nodeType === Node.TEXT_NODE) there.data = fresh.data;
  else {
    for (const { name, value } of fresh.attributes) if (there.getAttribute(name) !== value) there.setAttribute(name, value);
    for (const { name } of [...there.attributes]) if (!fresh.hasAttribute(name)) there.removeAttribute(name);
    becomeWithin(there, fresh);
  }
};

const becomeWithin = (there, fresh) => {
  const keys = new Map([...there.children].filter((it) => it.dataset.key).map((it) => [it.dataset.key, it]));
  const stay = new Set([...fresh.children].map((it) => it.dataset.key));
  for (const [key, it] of keys) if (!stay.has(key)) it.remove();
  let place = there.firstChild;
  for (const child of [...fresh.childNodes]) {
    const key = child.dataset?.key;
    const same = key ? keys.get(key) : place;
    if (!same || same.dataset?.key !== key) {
      there.insertBefore(child, place);
    } else {
      if (same !== place) there.insertBefore(same, place);
      place = same.nextSibling;
      become(same, child);
    }
  }
  while (place) {
    const gone = place;
    place = gone.nextSibling;
    gone.remove();
  }
};

const follow = (part) => {
  const pulse = document.querySelector("[data-pulse]");
  const say = (isOn, words) => {
    if (!pulse) return;
    pulse.classList.toggle("on", isOn);
    if (pulse.textContent !== words) pulse.textContent = words;
  };
  let isBusy = false;
  let isStale = false;
  const look = async () => {
    if (isBusy || document.hidden) {
      isStale = true;
      return;
    }
    isBusy = true;
    isStale = false;
    try {
      const { answer, page } = await fetched(location.href);
      if (answer.redirected) {
        location.reload();
        return;
      }
      const fresh = page.getElementById(part.id);
      const isUsed = part.contains(document.activeElement);
      if (fresh) becomeWithin(part, document.adoptNode(fresh));
      // Where the row is gone that one was at, one goes on from the table, not from the page's beginning.
      if (isUsed && !part.contains(document.activeElement)) part.querySelector("[tabindex]")?.focus({ preventScroll: true });
    } catch {
      say(false, "The service does not answer");
    }
    setTimeout(() => {
      isBusy = false;
      if (isStale) look();
    }, PAUSE);
  };
  let events;
  const listen = () => {
    events = new EventSource(part.dataset.events);
    events.addEventListener("open", () => {
      say(true, "Live");
      look();
    });
    events.addEventListener("error", () => {
      say(false, "Not live: trying again");
      if (events.readyState !== EventSource.CLOSED) return;
      // The browser gives up where it is refused: there are too many streams, or nobody is signed in
      // any more, and then what is shown goes, too.
      look();
      setTimeout(listen, REFUSED);
    });
    for (const kind of part.dataset.kinds.split(" ")) events.addEventListener(kind, look);
    events.addEventListener("missed", look);
  };
  listen();
  document.addEventListener("visibilitychange", () => isStale && look());
  addEventListener("pagehide", () => events.close());
};

for (const part of document.querySelectorAll("[data-events]")) follow(part);
