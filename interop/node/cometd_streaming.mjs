// CometD's own JavaScript client, unmodified, with a replay extension as Salesforce's documentation has it.
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
import { Checks, setting } from "./checks.mjs";
import { Inbox, channel, kind, life, position } from "./streams.mjs";

const require = createRequire(process.env.TOMBOLO_MORE_MODULES + "/");
const load = (name) => import(pathToFileURL(require.resolve(name)));
const { adapt } = await load("cometd-nodejs-client");
adapt();
const { CometD } = await load("cometd");

const checks = new Checks("cometd");

class Replay {
  constructor(position) {
    this.positions = { [channel]: position };
  }
  registered() {}
  unregistered() {}
  incoming(message) {
    if (message.channel === "/meta/handshake") this.offered = message.ext?.replay === true;
    return message;
  }
  outgoing(message) {
    if (message.channel === "/meta/subscribe" && this.offered) message.ext = { ...message.ext, replay: this.positions };
    return message;
  }
}

const open = async (position, token = setting("TOMBOLO_ACCESS_TOKEN")) => {
  const client = new CometD();
  client.configure({
    url: `${setting("TOMBOLO_INSTANCE_URL")}/cometd/60.0/`,
    requestHeaders: { Authorization: `Bearer ${token}` },
    // It does so by itself where the URL ends in a version, but not without a word each time.
    appendMessageTypeToURL: false,
  });
  client.websocketEnabled = false;
  client.unregisterTransport("websocket");
  client.registerExtension("replay", new Replay(position));
  const shaken = await new Promise((resolve) => client.handshake(resolve));
  return { client, shaken };
};

const subscribe = async (client, name, inbox) =>
  new Promise((resolve) => client.subscribe(name, inbox.put, resolve));

const live = await open(-1);
checks.that("handshake", live.shaken.successful, live.shaken);
const inbox = new Inbox();
const subscribed = await subscribe(live.client, channel, inbox);
checks.that("subscribe", subscribed.successful, subscribed);
await life("cometd");
const heard = await inbox.until(3);
checks.equal("events in order", heard.map(kind), ["CREATE", "UPDATE", "DELETE"]);
const missing = await subscribe(live.client, "/data/NonsenseChangeEvent", new Inbox());
checks.that("an unknown channel is refused", !missing.successful && /^40/.test(missing.error), missing);
const unsubscribed = await new Promise((resolve) => live.client.unsubscribe({ channel, id: 0 }, resolve));
checks.that("unsubscribe", unsubscribed !== undefined);
const left = await new Promise((resolve) => live.client.disconnect(resolve));
checks.that("disconnect", left.successful, left);

const resumed = await open(position(heard[0]));
const again = new Inbox();
await subscribe(resumed.client, channel, again);
checks.equal("a replay id resumes after itself", (await again.until(2)).slice(0, 2).map(position), heard.slice(1).map(position));
await new Promise((resolve) => resumed.client.disconnect(resolve));

const denied = await open(-1, "00D000000000000!nonsense");
checks.equal("an unknown session", [denied.shaken.successful, denied.shaken.error], [false, "403::Handshake denied"]);
checks.equal("and why", denied.shaken.ext?.sfdc?.failureReason, "401::Authentication invalid");
checks.end();
