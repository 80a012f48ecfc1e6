// Makes a passkey or uses one, when its button is pressed. The server asks and judges; this only translates between
// its JSON and the browser's buffers (WebAuthn Level 3, section 5.1). Where a browser has no passkeys there is no button.
import { createElement, Fragment, useEffect, useRef, useState } from "react";

const SENTENCES = {
  NotAllowedError: "Nothing was done: your device was not asked to the end, or took too long. You can try again.",
  InvalidStateError: "This device has a passkey for your account already.",
  SecurityError: "Passkeys work only under the clinic's own address. Open this page there.",
};

export function MakePasskey({ options, onMade, children, ...rest }) {
  const { able, button, said } = useAttempt(async () => onMade(await make(JSON.parse(options))), children, rest);
  return able && createElement(Fragment, null, button, said);
}

// Posts the answer like a form, so that the server can set the session's cookie.
export function UsePasskey({ options, ask, action, step, next, children, ...rest }) {
  const form = useRef(null);
  const work = async () => {
    const { elements } = form.current;
    elements.credential.value = await use(JSON.parse(options || (await asked(ask))));
    form.current.submit();
  };
  const { able, button, said } = useAttempt(work, children, rest);
  const hidden = (name, value) => createElement("input", { type: "hidden", name, defaultValue: value });
  const fields = [hidden("credential"), hidden("step", step), hidden("next", next)];
  return able && createElement("form", { ref: form, action, method: "post" }, ...fields, button, said);
}

function useAttempt(work, children, rest) {
  const [able, setAble] = useState(false);
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState("");
  useEffect(() => setAble("PublicKeyCredential" in window), []);
  const attempt = async () => {
    setBusy(true);
    setProblem("");
    await work().catch((error) => setProblem(SENTENCES[error.name] ?? error.message));
    setBusy(false);
  };
  const button = createElement("button", { ...rest, type: "button", disabled: busy, onClick: attempt }, children);
  const said = createElement("p", { className: "error", role: "status" }, problem);
  return { able, button, said };
}

async function asked(address) {
  const answer = await fetch(address, { method: "POST" }).catch(() => null);
  if (answer?.ok) return answer.text();
  throw new Error(answer?.status === 429 ? await answer.text() : "The clinic cannot be reached. Please try again.");
}

async function make(options) {
  options.challenge = toBytes(options.challenge);
  options.user.id = toBytes(options.user.id);
  options.excludeCredentials = withBytes(options.excludeCredentials);
  const made = await navigator.credentials.create({ publicKey: options });
  return toJson(made, "clientDataJSON", "attestationObject");
}

async function use(options) {
  options.challenge = toBytes(options.challenge);
  options.allowCredentials = withBytes(options.allowCredentials);
  const used = await navigator.credentials.get({ publicKey: options });
  return toJson(used, "clientDataJSON", "authenticatorData", "signature", "userHandle");
}

function withBytes(credentials = []) {
  return credentials.map((one) => ({ ...one, id: toBytes(one.id) }));
}

function toJson({ id, rawId, type, response }, ...names) {
  const texts = names.map((name) => [name, response[name] && toText(response[name])]);
  return JSON.stringify({ id, rawId: toText(rawId), type, response: Object.fromEntries(texts) });
}

function toBytes(text) {
  return Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
}

function toText(buffer) {
  const text = btoa(String.fromCharCode(...new Uint8Array(buffer)));
  return text.replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
}
