// jsforce streaming, unmodified: a change event is received, and a second client resumes from its replay id.
import { createRequire } from "node:module";
import { Checks, setting } from "./checks.mjs";

const require = createRequire(process.env.TOMBOLO_NODE_MODULES + "/");
const jsforce = require("jsforce");
const { StreamingExtension } = require("jsforce/api/streaming");

const checks = new Checks("jsforce streaming");
const channel = "/data/AccountChangeEvent";
const conn = new jsforce.Connection({ instanceUrl: setting("TOMBOLO_INSTANCE_URL"), accessToken: setting("TOMBOLO_ACCESS_TOKEN"), version: "66.0" });

// Collects events until as many have come as are wanted, or the time is up.
const listen = async (replayId) => {
  const extensions = [new StreamingExtension.AuthFailure(() => checks.that("authentication holds", false)), new StreamingExtension.Replay(channel, replayId)];
  const client = conn.streaming.createClient(extensions);
  const events = [];
  let wake = () => {};
  const subscription = client.subscribe(channel, (event) => {
    events.push(event);
    wake();
  });
  await subscription;
  const until = async (count, milliseconds = 20_000) => {
    const deadline = Date.now() + milliseconds;
    while (events.length < count && Date.now() < deadline) {
      await new Promise((resolve) => {
        wake = resolve;
        setTimeout(resolve, 500);
      });
    }
    return events;
  };
  return { events, until, stop: () => client.disconnect() };
};

const live = await listen(-1);
const one = await conn.sobject("Account").create({ Name: "Heard", Website: "https://example.com" });
await conn.sobject("Account").update({ Id: one.id, Name: "Heard again", Website: null });
await conn.sobject("Account").destroy(one.id);
const heard = await live.until(3);
live.stop();
checks.equal("create, update and delete are heard in order", heard.map((e) => e.payload.ChangeEventHeader.changeType), ["CREATE", "UPDATE", "DELETE"]);
const [created, updated] = heard;
checks.equal("the event names its record", created?.payload.ChangeEventHeader.recordIds, [one.id]);
checks.equal("a create carries its values", created?.payload.Name, "Heard");
checks.equal("an update carries what changed", [updated?.payload.Name, updated?.payload.Website], ["Heard again", null]);
checks.that("and lists it", ["Name", "Website", "LastModifiedDate"].every((f) => updated?.payload.ChangeEventHeader.changedFields.includes(f)), updated);

const resumed = await listen(created.event.replayId);
const again = await resumed.until(2);
checks.equal("a replay id resumes after itself", again.slice(0, 2).map((e) => e.event.replayId), heard.slice(1).map((e) => e.event.replayId));
resumed.stop();
const everything = await listen(-2);
checks.that("-2 replays all that is kept", (await everything.until(3)).some((e) => e.event.replayId === created.event.replayId));
everything.stop();
checks.end();
