// faye, unmodified, with the usual extension for replay.
import { createRequire } from "node:module";
import { Checks, setting } from "./checks.mjs";
import { Inbox, channel, kind, life, position, rest } from "./streams.mjs";

const require = createRequire(process.env.TOMBOLO_MORE_MODULES + "/");
const faye = require("faye");

const checks = new Checks("faye");

const open = (position, scheme = "OAuth") => {
  const client = new faye.Client(`${setting("TOMBOLO_INSTANCE_URL")}/cometd/60.0`, {});
  client.setHeader("Authorization", `${scheme} ${setting("TOMBOLO_ACCESS_TOKEN")}`);
  client.disable("websocket");
  client.addExtension({
    outgoing(message, next) {
      if (message.channel === "/meta/subscribe") message.ext = { ...message.ext, replay: { [channel]: position } };
      next(message);
    },
  });
  return client;
};

// faye hands out the data of a message only; an extension sees the whole.
const listen = async (client, inbox) => {
  client.addExtension({
    incoming(message, next) {
      if (message.channel === channel) inbox.put(message);
      next(message);
    },
  });
  await client.subscribe(channel, () => {});
};

const live = open(-1);
const inbox = new Inbox();
await listen(live, inbox);
await life("faye");
const heard = await inbox.until(3);
checks.equal("events in order", heard.map(kind), ["CREATE", "UPDATE", "DELETE"]);
await life("faye again");
checks.equal("the next poll goes on", (await inbox.until(6)).length, 6);
await checks.refused("an unknown channel", /Nonsense|denied|exist/, () => live.subscribe("/data/NonsenseChangeEvent", () => {}));
await live.disconnect();

for (const from of [-2, position(heard[0])]) {
  const client = open(from, "Bearer");
  const again = new Inbox();
  await listen(client, again);
  const wanted = heard.slice(from === -2 ? 0 : 1).map(position);
  await again.until(wanted.length);
  const found = (await again.until(wanted.length)).map(position).filter((id) => wanted.includes(id));
  checks.equal(`replay from ${from === -2 ? "the beginning" : "an id"}`, found, wanted);
  await client.disconnect();
}
await checks.refused("an expired replay id", /replayId|replay/i, async () => {
  const client = open(1e12);
  await client.subscribe(channel, () => {});
});
await rest("GET", "limits");
checks.end();
