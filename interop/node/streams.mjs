// What the scripts on streaming share: records over REST, and waiting for events.
import { setting } from "./checks.mjs";

export const channel = "/data/AccountChangeEvent";

export const rest = async (method, path, body) => {
  const answer = await fetch(`${setting("TOMBOLO_INSTANCE_URL")}/services/data/v60.0/${path}`, {
    method,
    headers: { Authorization: `Bearer ${setting("TOMBOLO_ACCESS_TOKEN")}`, "Content-Type": "application/json" },
    body: body && JSON.stringify(body),
  });
  const text = await answer.text();
  if (!answer.ok) throw new Error(text);
  return text ? JSON.parse(text) : null;
};

// An Account is made, changed and deleted; says its Id.
export const life = async (name) => {
  const { id } = await rest("POST", "sobjects/Account", { Name: name });
  await rest("PATCH", `sobjects/Account/${id}`, { Site: "north" });
  await rest("DELETE", `sobjects/Account/${id}`);
  return id;
};

// Collects events; `until(n)` waits for as many, or for the time to be up.
export class Inbox {
  events = [];
  #wake = () => {};

  put = (event) => {
    this.events.push(event);
    this.#wake();
  };

  async until(count, milliseconds = 20_000) {
    const deadline = Date.now() + milliseconds;
    while (this.events.length < count && Date.now() < deadline) {
      await new Promise((resolve) => {
        this.#wake = resolve;
        setTimeout(resolve, 500);
      });
    }
    return this.events;
  }
}

export const kind = (event) => event.data.payload.ChangeEventHeader.changeType;
export const position = (event) => event.data.event.replayId;
