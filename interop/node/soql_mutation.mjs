// Queries made from other queries. The same seed gives the same queries.

const CLAUSES = ["SELECT", "FROM", "USING", "WHERE", "WITH", "GROUP", "HAVING", "ORDER", "LIMIT", "OFFSET", "FOR", "UPDATE"];
const KEYWORDS = [
  ...CLAUSES, "AND", "AS", "ASC", "BIND", "BY", "CUBE", "DESC", "ELSE", "EXCLUDES", "FALSE", "FIRST", "IN", "INCLUDES", "LAST", "LIKE",
  "LOOKUP", "NOT", "NULL", "NULLS", "OR", "ROLLUP", "TRUE", "TYPEOF", "WHEN", "THEN", "END", "SCOPE", "CATEGORY", "DATA", "DISTANCE",
];
const PATTERN = new RegExp(
  [
    /\s+/,
    /\/\/[^\n]*/,
    /\/\*[^]*?\*\//,
    /'(?:\\[^]|[^'\\])*'?/,
    /\d{4}-\d\d-\d\d(?:[Tt][\d:.]+(?:[Zz]|[+-][\d:]+)?)?/,
    /\d\d:\d\d:\d\d(?:\.\d+)?[Zz]?/,
    /(?:[A-Za-z]{3})?\d*\.?\d+(?![A-Za-z_])/,
    /[A-Za-z]\w*(?:\.[A-Za-z]\w*)*/,
    /[!<>]=|<>/,
    /[^]/,
  ].map((part) => part.source).join("|"),
  "gu",
);
const LITERALS = [
  "'x'", "''", "'it\\'s'", "'a\\nb'", "'\\u00e9'", "'é%_'", "'tail\\\\'", "0", "5", "-5", "+5", "- 5", ".5", "2.5", "-2.5", "007", "USD5",
  "usd5000.25", "TRUE", "false", "NULL", "null", "2020-01-01", "2020-02-30", "2020-01-01T00:00:00Z", "2020-01-01t10:20:30.123z",
  "2020-01-01T00:00:00+01:00", "2020-01-01T00:00:00-0130", "10:20:30Z", "10:20:30.5z", "TODAY", "yesterday", "LAST_90_DAYS",
  "THIS_FISCAL_QUARTER", "LAST_N_DAYS:5", "NEXT_N_WEEKS : 2", "N_MONTHS_AGO:3", "LAST_N_DAYS",
];
const ODD_LITERALS = [
  "'a\\qb'", "'50\\%'", "'a\\_b'", "'\\u00'", "'\\f'", "5.", "1e5", "99999999999999999999", "US5", "USD-5", "2020-1-1",
  "2020-01-01T00:00:00", "2020-01-01T00:00Z", "2020-01-01 00:00:00Z", "10:20:30", "LAST_N_DAYS:-1", "TODAY:5", "LAST_N_HOURS:3", ":x",
  "\"x\"",
];
const NAMES = [
  "Id", "Name", "A__c", "Group", "Order", "Case", "Count", "Scope", "Data", "Category", "View", "Reference",
  "End", "Fields", "Distance", "Geolocation", "Offset", "Typeof", "When", "Then", "At", "Above", "Below", "Flat", "Today", "Usd5", "All",
  "Rows", "Tracking", "Viewstat", "Formula", "a__", "Distinct",
];
const ODD_NAMES = [
  "From", "First", "Last", "Nulls", "By", "Like", "In", "As", "Asc", "Bind", "Lookup", "Else", "Cube", "Rollup", "Update", "For", "Using",
  "With", "Having", "Limit", "Null", "True", "Not", "And", "Or", "Includes", "Excludes", "_a", "1a", "Account.Name",
];
const PATHS = ["Name", "Account.Name", "B__r.C__c", "A.Limit", "For.B.And", "a.Group.Name"];
const ODD_PATHS = ["a..b", "a .b", "a. b", "a.b.", ".b", "a.1", "a._b", "Limit. a", "a. Limit"];
const OPERATORS = ["=", "!=", "<>", "<", "<=", ">", ">=", " LIKE "];
const ODD_OPERATORS = ["==", " IN ", " NOT IN ", " INCLUDES ", " EXCLUDES ", " NOT LIKE ", "=>"];
const PIECES = [
  ",", "(", ")", ".", ":", "-", "+", "=", "()", "COUNT()", "COUNT(Id) n", "MAX(Name)", "CALENDAR_YEAR(CreatedDate)",
  "convertTimezone(CreatedDate)", "toLabel(Name)", "FIELDS(ALL)", "GROUPING(Name)", "(SELECT Id FROM Contacts)",
  "TYPEOF What WHEN Account THEN Phone ELSE Name END", "DISTANCE(L__c, GEOLOCATION(1.5, -2), 'mi')", "AND", "OR", "NOT", "AND (NOT A = 1)",
  "WHERE", "SELECT", "FROM", "LIMIT 5", "OFFSET 2", "ORDER BY Name", "GROUP BY Name", "GROUP BY ROLLUP(A, B)", "GROUP BY CUBE(A)",
  "HAVING COUNT(Id) > 1", "NULLS FIRST", "NULLS LAST", "ASC", "DESC", "FOR VIEW", "FOR REFERENCE", "FOR UPDATE", "ALL ROWS",
  "UPDATE TRACKING", "UPDATE VIEWSTAT", "USING SCOPE mine", "WITH SECURITY_ENFORCED", "WITH DATA CATEGORY G__c AT u__c",
  "WITH A = 'b'", "WITH RecordVisibilityContext (a = 1)", "USING LOOKUP A.B", "AS",
];
const ODD_PIECES = [";", "'", "*", "\u00a0", "// c\n", "FORMULA('a - b')", "AND A + B = 1"];

export const tokens = (query) => query.match(PATTERN) ?? [];
const isBlank = (token) => /^\s/.test(token);
const isWord = (token) => /^[A-Za-z]/.test(token);
const isLiteral = (token) => /^['\d]/.test(token) || /^(true|false|null|today|[a-z]{3}\d+)$/i.test(token);

// mulberry32
export class Random {
  #state;

  constructor(seed) {
    this.#state = seed >>> 0;
  }

  below(count) {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * count);
  }

  of(list) {
    return list[this.below(list.length)];
  }
}

// The clauses of the outermost query, each with its first word.
function clauses(list) {
  const found = [];
  let depth = 0;
  let closed = 0;
  for (const token of list) {
    if (token === "(") depth += 1;
    if (token === ")") depth -= 1;
    const word = token.toUpperCase();
    const rank = depth === 0 ? CLAUSES.indexOf(word) : -1;
    if (rank >= closed) {
      found.push({ rank, text: "" });
      closed = rank + 1;
    }
    if (found.length) found.at(-1).text += token;
  }
  return found;
}

export class Mutation {
  #random;
  #right;
  #wrong;

  constructor(random, right, wrong) {
    this.#random = random;
    this.#right = right;
    this.#wrong = wrong;
  }

  // Changes that mostly keep a query right, and now and then one that mostly does not.
  next() {
    let query = this.#random.below(20) ? this.#seed() : this.#random.of(this.#wrong);
    for (let left = 1 + this.#random.below(3); left > 0; left -= 1) query = this.#gentle(query);
    for (let left = this.#random.of([0, 0, 0, 0, 0, 1, 1, 2]); left > 0; left -= 1) query = this.#rough(query);
    return query;
  }

  #mostly(usual, odd) {
    return this.#random.of(this.#random.below(20) ? usual : odd);
  }

  #seed() {
    return this.#random.of(this.#right);
  }

  #gentle(query) {
    const list = tokens(query);
    switch (this.#random.below(7)) {
      case 0:
        return this.#one(list, isWord, (token) => this.#random.of([token.toLowerCase(), token.toUpperCase(), token]));
      case 1:
        return this.#one(list, isBlank, () => this.#random.of([" ", "  ", "\n", "\t", " \r\n "]));
      case 2:
        return this.#one(list, (token) => /^\W/.test(token) && !isBlank(token) && token !== ".", (token) => this.#random.of([` ${token} `, `${token} `, token]));
      case 3:
        return this.#one(list, isLiteral, () => this.#mostly(LITERALS, ODD_LITERALS));
      case 4:
        return this.#one(list, (token) => /^[!<>=]/.test(token), () => this.#mostly(OPERATORS, ODD_OPERATORS));
      case 5:
        return this.#one(list, (token) => isWord(token) && !KEYWORDS.includes(token.toUpperCase()), (token) => (token.includes(".") ? this.#mostly(PATHS, ODD_PATHS) : this.#mostly(NAMES, ODD_NAMES)));
      default:
        return this.#splice(list);
    }
  }

  // Puts a clause of another query in its place, or takes one away.
  #splice(list) {
    const own = clauses(list);
    const other = clauses(tokens(this.#seed()));
    // What is bound belongs to the lookup of its own query.
    const bound = [...own, ...other].some((clause) => /\bBIND\b/i.test(clause.text));
    if (!own.length || !other.length || bound) return list.join("");
    const taken = this.#random.of(other);
    const rest = own.filter((clause) => clause.rank !== taken.rank);
    const dropped = taken.rank > 1 && this.#random.below(4) === 0;
    const joined = dropped ? rest : [...rest, taken].sort((a, b) => a.rank - b.rank);
    return joined.map((clause) => clause.text.trim()).join(" ");
  }

  #rough(query) {
    const list = tokens(query);
    const solid = list.map((token, at) => (isBlank(token) ? -1 : at)).filter((at) => at >= 0);
    if (!solid.length) return query;
    const at = this.#random.of(solid);
    const other = this.#random.of(solid);
    switch (this.#random.below(7)) {
      case 0:
        list[at] = "";
        break;
      case 1:
        list[at] = `${list[at]} ${list[at]}`;
        break;
      case 2:
        [list[at], list[other]] = [list[other], list[at]];
        break;
      case 3:
        list[at] = this.#random.of(tokens(this.#seed()));
        break;
      case 4:
        list[at] = this.#mostly(PIECES, ODD_PIECES);
        break;
      case 5:
        list.splice(at + 1, 0, " ", this.#mostly(PIECES, ODD_PIECES), " ");
        break;
      default:
        return this.#moved(list);
    }
    return list.join("");
  }

  // Two clauses in each other's place.
  #moved(list) {
    const own = clauses(list);
    if (own.length < 3) return list.slice(0, 1 + this.#random.below(list.length)).join("");
    const at = 1 + this.#random.below(own.length - 1);
    [own[at - 1], own[at]] = [own[at], own[at - 1]];
    return own.map((clause) => clause.text.trim()).join(" ");
  }

  #one(list, fits, change) {
    const places = list.map((token, at) => (fits(token) ? at : -1)).filter((at) => at >= 0);
    if (places.length) {
      const at = this.#random.of(places);
      list[at] = change(list[at]);
    }
    return list.join("");
  }
}
