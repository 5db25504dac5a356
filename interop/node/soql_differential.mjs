// Mutated queries, judged by `tombolo soql check` and by the parser that Salesforce has published.
//
// Where the two differ, the query has to fall into a class of soql_differences.tsv: rewritten as the class says, it is
// judged alike by both. Any other difference fails the run, and so does agreement on fewer than 99.5 of a hundred.
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

import { setting } from "./checks.mjs";
import { Mutation, Random } from "./soql_mutation.mjs";

const WANTED = 20_000;
const AGREEMENT = 0.995;
const require = createRequire(join(setting("TOMBOLO_NODE_MODULES"), "differential.js"));
const { SOQLParser } = require("@salesforce/soql-common/lib/soql-parser");
const productions = require("@salesforce/soql-common/lib/soql-parser/generated/SoqlParser");

const lines = (path) => readFileSync(path, "utf8").split("\n").filter((line) => line && !line.startsWith("#"));
const here = (name) => new URL(name, import.meta.url);
const tests = (name) => here(`../../crates/soql/tests/data/${name}`);

const classes = lines(here("soql_differences.tsv")).map((line) => {
  const [name, verdict, pattern, replacement, reason] = line.split("\t");
  if (!reason) throw new Error(`a class needs five columns: ${line}`);
  const marks = new RegExp(`(?<text>'(?:\\\\.|[^'\\\\])*')|${pattern}`, "gisu");
  // Strings stay as they are, except for a class that is about what stands in them.
  const marked = pattern.startsWith("'") ? new RegExp(pattern, "gisu") : marks;
  const rewrite = (query) => query.replace(marked, (...found) => (marked === marks && found.at(-1).text) || replacement);
  return { name, accepts: verdict === "accept", rewrite, found: 0 };
});

// Without what the published parser is too old for: else the figures would show little but the seeds that have it.
function seeds() {
  const own = [
    ...lines(tests("accepted.soql")).map((line) => line.split(" ==> ")[0]),
    ...lines(tests("refused.tsv")).map((line) => line.split("\t")[0].replace("^", "")),
  ];
  const shared = ["soql_valid", "soql_invalid", "soql_disputed", "soql_apex_only"]
    .map((name) => join(setting("TOMBOLO_SHARED"), "cases", `${name}.json`))
    .filter(existsSync)
    .flatMap((path) => JSON.parse(readFileSync(path, "utf8")).map((one) => one.query));
  const newer = classes.filter((one) => one.accepts);
  return [...own, ...shared].filter((query) => query.length < 1_000).map((query) => newer.reduce((text, one) => one.rewrite(text), query));
}

function mutants(published) {
  const all = seeds();
  const verdicts = ours(all);
  const [right, wrong] = [[], []];
  all.forEach((query, at) => {
    // A seed that is judged differently is the business of the tests that it comes from.
    if (verdicts[at] === published.accepts(query)) (verdicts[at] ? right : wrong).push(query);
  });
  const mutation = new Mutation(new Random(20_260_101), right, wrong);
  const found = new Set();
  while (found.size < WANTED) found.add(mutation.next());
  return [...found];
}

class Published {
  #parser = SOQLParser({ isApex: false, isMultiCurrencyEnabled: true, apiVersion: 67 });
  reached = new Set();

  accepts(query) {
    const result = this.#parser.parseQuery(query);
    if (result.getSuccess()) this.#note(result.getParseTree());
    return result.getSuccess();
  }

  #note(root) {
    const open = [root];
    while (open.length) {
      const node = open.pop();
      this.reached.add(node.constructor.name);
      open.push(...(node.children ?? []));
    }
  }

  // Productions that stand for others, or that only Apex has, cannot be reached.
  coverage() {
    const names = Object.keys(productions).filter((name) => name.endsWith("Context"));
    const bases = new Set(names.map((name) => Object.getPrototypeOf(productions[name].prototype).constructor.name));
    const reachable = names.filter((name) => !bases.has(name) && !/Colon|Pre192/.test(name));
    const never = reachable.filter((name) => !this.reached.has(name));
    return { all: reachable.length, reached: reachable.length - never.length, never };
  }
}

function ours(queries) {
  const input = queries.map((query) => `${JSON.stringify(query)}\n`).join("");
  const output = execFileSync(setting("TOMBOLO_BINARY"), ["soql", "check"], { input, maxBuffer: 1 << 28, encoding: "utf8" });
  const verdicts = output.trimEnd().split("\n").map((line) => JSON.parse(line).ok);
  if (verdicts.length !== queries.length) throw new Error(`${verdicts.length} answers to ${queries.length} queries`);
  return verdicts;
}

// Differences that no class explains.
function unexplained(differences, published) {
  const matched = differences.map(({ query, accepted }) => {
    const own = classes.filter((one) => one.accepts === accepted && one.rewrite(query) !== query);
    return { query, accepted, own, rewritten: own.reduce((text, one) => one.rewrite(text), query) };
  });
  const verdicts = ours(matched.map((one) => one.rewritten));
  return matched.filter((one, at) => {
    const alike = one.own.length > 0 && published.accepts(one.rewritten) === verdicts[at];
    if (alike) for (const known of one.own) known.found += 1;
    return !alike;
  });
}

// The lexer of the published parser reports there what it skips.
console.error = () => {};
const published = new Published();
const queries = mutants(published);
published.reached.clear();
const theirs = queries.map((query) => published.accepts(query));
const { all, reached, never } = published.coverage();
const verdicts = ours(queries);
const differences = queries.flatMap((query, at) => (theirs[at] === verdicts[at] ? [] : [{ query, accepted: verdicts[at] }]));
const left = unexplained(differences, published);

const share = (count) => `${((100 * count) / queries.length).toFixed(2)} %`;
const refused = theirs.filter((accepted) => !accepted).length;
const known = classes.filter((one) => one.found).map((one) => `${one.name} ${one.found}`).join(", ");
console.log(`  soql-common: ${queries.length} queries, ${share(refused)} refused; judged alike ${share(queries.length - differences.length)} (${known || "no differences"})`);
console.log(`  soql-common: ${reached} of ${all} productions in what it accepts${never.length ? `; never ${never.join(", ")}` : ""}`);
for (const one of left.slice(0, Number(process.env.TOMBOLO_SHOWN ?? 20))) {
  console.log(`  soql-common: UNLISTED, we ${one.accepted ? "accept" : "refuse"}: ${JSON.stringify(one.query)}`);
}
const failures = [
  left.length > 0 && `${left.length} differences of no listed class`,
  differences.length > queries.length * (1 - AGREEMENT) && "too few judged alike",
  (refused < queries.length * 0.4 || refused > queries.length * 0.6) && "the mutations are too rough or too gentle",
].filter(Boolean);
if (failures.length) console.log(`  soql-common: FAILED: ${failures.join("; ")}`);
process.exit(failures.length ? 1 : 0);
