// What the scripts here share: a check has a name, prints one line when it fails, and the script ends with a count.
import { isDeepStrictEqual } from "node:util";

export const setting = (name) => {
  const value = process.env[name];
  if (value === undefined) throw new Error(`${name} is not set`);
  return value;
};

export class Checks {
  #passed = 0;
  #failed = 0;

  constructor(client) {
    this.client = client;
  }

  that(name, condition, shown) {
    if (condition) {
      this.#passed += 1;
    } else {
      this.#failed += 1;
      console.log(`  ${this.client}: ${name}: FAILED ${shown === undefined ? "" : JSON.stringify(shown)?.slice(0, 600)}`);
    }
  }

  equal(name, found, wanted) {
    this.that(name, isDeepStrictEqual(found, wanted), { found, wanted });
  }

  // The work has to be refused with an error whose code or text matches.
  async refused(name, pattern, work) {
    try {
      this.that(name, false, { accepted: await work() });
    } catch (error) {
      this.that(name, pattern.test(`${error.errorCode} ${error.name} ${error.message}`), String(error));
    }
  }

  end() {
    console.log(`  ${this.client}: ${this.#passed} passed, ${this.#failed} failed`);
    process.exit(this.#failed ? 1 : 0);
  }
}
