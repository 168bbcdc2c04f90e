// A form with data-passkey in it asks the browser for one before it is sent: "create" makes a passkey,
// "get" lets one sign. What to ask for comes from the address in data-passkey-options; where
// data-passkey-for stands, only the buttons with these values ask.
"use strict";

(() => {
  const bytes = (text) =>
    Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (each) => each.charCodeAt(0));
  const text = (buffer) =>
    btoa(String.fromCharCode(...new Uint8Array(buffer)))
      .replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
  const named = (list = []) => list.map((each) => ({ ...each, id: bytes(each.id) }));

  const asked = (options) => ({
    ...options,
    challenge: bytes(options.challenge),
    ...(options.user && { user: { ...options.user, id: bytes(options.user.id) } }),
    excludeCredentials: named(options.excludeCredentials),
    allowCredentials: named(options.allowCredentials),
  });

  const answered = ({ id, rawId, type, response }) => {
    const kept = { clientDataJSON: text(response.clientDataJSON) };
    if (response.attestationObject) kept.attestationObject = text(response.attestationObject);
    else {
      kept.authenticatorData = text(response.authenticatorData);
      kept.signature = text(response.signature);
    }
    return JSON.stringify({ id, rawId: text(rawId), type, response: kept, clientExtensionResults: {} });
  };

  const say = (form, sentence) => {
    const place = form.querySelector("[data-passkey-says]");
    place.textContent = sentence;
    place.hidden = !sentence;
  };

  const ask = async (form, submitter, { passkey, passkeyOptions }) => {
    if (!window.PublicKeyCredential) throw new Error("This browser knows no passkeys here.");
    const reply = await fetch(passkeyOptions, {
      method: "POST",
      body: new FormData(form, submitter),
      headers: { Accept: "application/json" },
    });
    const told = await reply.json().catch(() => ({}));
    if (!reply.ok) throw new Error(told.detail ?? "The console did not answer; nothing was signed.");
    const publicKey = asked(told);
    const made = passkey === "create"
      ? await navigator.credentials.create({ publicKey })
      : await navigator.credentials.get({ publicKey });
    return answered(made);
  };

  const wanted = (form, submitter, { passkeyFor }) => {
    const how = form.elements.how?.value ?? "passkey";
    return how === "passkey" && (!passkeyFor || passkeyFor.split(" ").includes(submitter?.value));
  };

  // Before anything else hears of it: HTMX would send the form without the answer.
  document.addEventListener("submit", async (event) => {
    const { target: form, submitter } = event;
    const place = form.querySelector("[data-passkey]");
    if (!place || !wanted(form, submitter, place.dataset)) return;
    if (form.dataset.answered) {
      delete form.dataset.answered;
      return;
    }
    event.preventDefault();
    event.stopImmediatePropagation();
    say(form, "");
    try {
      form.elements.passkey.value = await ask(form, submitter, place.dataset);
      form.dataset.answered = "yes";
      form.requestSubmit(submitter);
    } catch (error) {
      delete form.dataset.answered;
      const stopped = error.name === "NotAllowedError";
      say(form, stopped ? "No passkey was used. Nothing was sent." : error.message);
    }
  }, true);
})();
