// The run time of the modules that `opsctl env types` makes: a module gets the
// declarations that it uses. Declarations have a blank line between them, and none
// within. What is accepted is what typecheck.go and its neighbours accept.
// ---
/** What is wrong with a value, in words that do not hold it. */
class Problem extends Error {}

/** How a type brings a value into its form, and checks that form. */
interface Kind<T> {
  coerce(value: unknown): T | undefined;
  check(value: T): void;
  readonly takesNull?: true;
}

function bad(problem: string): never {
  throw new Problem(problem);
}

function fail(key: string, problem: string): never {
  throw new Error(key + " " + problem + " (see SCHEMA_FILE)");
}

/** Made when it is first asked for, and once. */
function lazy<T>(make: () => T): () => T {
  let made: T | undefined;
  return () => (made ??= make());
}

/** Node.js may have a window too, in tests: jsdom. */
function inBrowser(): boolean {
  const host = globalThis as { readonly window?: unknown; readonly Deno?: unknown; readonly process?: { readonly versions?: { readonly node?: string } } };
  return host.window !== undefined && host.Deno === undefined && host.process?.versions?.node === undefined;
}

function server(key: string): void {
  if (inBrowser()) fail(key, "is not in the browser: read it on the server; BUNDLE_HINT");
}

/** A default that is made of variables which are not in the bundle. */
function setAtBuild(key: string): void {
  if (!skipped()) fail(key, "has a default that only the server can make: set it where the app is built");
}

function fromProcess(key: string): string | undefined {
  return typeof process === "undefined" ? undefined : process.env[key];
}

/** Where no bundler has put the value in (scripts, a server after the build) it is in the environment. */
function bundled(key: string, read: () => string | undefined): string | undefined {
  try {
    return read() ?? fromProcess(key);
  } catch {
    return fromProcess(key);
  }
}

/** Builds run without secrets: SKIP_ENV_VALIDATION=1 lets them. */
function skipped(): boolean {
  const flag = typeof process === "undefined" ? undefined : process.env["SKIP_ENV_VALIDATION"];
  return flag !== undefined && flag !== "" && flag !== "0" && flag !== "false";
}

function optional<T>(key: string, value: unknown, kind: Kind<T>): T | undefined {
  if (isEmpty(value)) return undefined;
  try {
    const out = kind.coerce(value);
    if (out !== undefined) kind.check(out);
    return out;
  } catch (problem) {
    if (problem instanceof Problem) fail(key, problem.message);
    throw problem;
  }
}

function required<T>(key: string, value: unknown, kind: Kind<T>): T {
  const out = optional(key, value, kind);
  if (out === undefined && !skipped()) fail(key, value === undefined ? "is required but not set" : "is required but empty");
  return out as T;
}

function when<T>(condition: boolean, key: string, value: unknown, kind: Kind<T>): T | undefined {
  return condition ? required(key, value, kind) : optional(key, value, kind);
}

function blank(value: unknown, allowed: unknown): "" | undefined {
  return value === "" && allowed ? "" : undefined;
}

/** The condition of @required or, with not, of @optional. */
function holds(condition: unknown, byDefault: boolean, not = false): boolean {
  return condition === undefined ? byDefault : Boolean(condition) !== not;
}

function forEnv(current: unknown, ...names: readonly unknown[]): boolean {
  return names.some((name) => text(name) === text(current));
}

function isEmpty(value: unknown): boolean {
  return value === undefined || value === "";
}

function same(a: unknown, b: unknown): boolean {
  return a === b;
}

function text(value: unknown): string {
  return value === undefined || value === null ? "" : String(value);
}

function concat(...parts: readonly unknown[]): string {
  return parts.map(text).join("");
}

function fallback(...values: readonly unknown[]): unknown {
  return values.find((value) => !isEmpty(value));
}

function remap(value: unknown, pairs: readonly (readonly [unknown, unknown])[], otherwise: unknown): unknown {
  const found = pairs.find(([match]) => {
    const pattern = typeof match === "string" ? regexLiteral(match) : match;
    return pattern instanceof RegExp ? value !== undefined && text(value).search(pattern) >= 0 : value === match;
  });
  return found ? found[1] : otherwise;
}

const regexes = /* @__PURE__ */ new Map<string, RegExp>();

/** A pattern is compiled once. With the flags g and y it has a state, which search() does not heed. */
function regex(pattern: unknown, flags: string): RegExp {
  const key = flags + "/" + text(pattern);
  let found = regexes.get(key);
  if (found === undefined) regexes.set(key, (found = new RegExp(text(pattern), flags)));
  return found;
}

function regexLiteral(pattern: string): RegExp | undefined {
  const literal = /^\/(.+)\/([dgimsuvy]*)$/.exec(pattern);
  try {
    return literal ? regex(literal[1], literal[2] ?? "") : undefined;
  } catch {
    return undefined;
  }
}

/** A text of no declared type, as it would be in a file without quotes. */
function unquoted(value: string | undefined): unknown {
  if (value === "true" || value === "false") return value === "true";
  const number = Number(value);
  const plain = value !== undefined && /^-?[0-9.]+$/.test(value) && Math.abs(number) <= Number.MAX_SAFE_INTEGER;
  return plain && String(number) === value ? number : value;
}

/** A value in the form of its type; one that does not fit stays as it is. */
function coerced(value: unknown, kind: Kind<unknown>): unknown {
  if (isEmpty(value)) return value;
  try {
    return kind.coerce(value);
  } catch (problem) {
    if (problem instanceof Problem) return value;
    throw problem;
  }
}

function checkLength(length: number, unit: string, is: unknown, min: unknown, max: unknown): void {
  if (typeof is === "number" && length !== is) bad("has another number of " + unit + " than it must have");
  if (typeof min === "number" && length < min) bad("has too few " + unit);
  if (typeof max === "number" && length > max) bad("has too many " + unit);
}

function checkRange(value: number, min: unknown, max: unknown): void {
  if (typeof min === "number" && value < min) bad("is too small");
  if (typeof max === "number" && value > max) bad("is too large");
}

function checkMatches(value: string, pattern: unknown): void {
  let match = pattern;
  if (typeof match === "string" && match !== "") {
    try {
      match = regexLiteral(match) ?? regex(match, "");
    } catch {
      bad("is to match a pattern that is none");
    }
  }
  if (match instanceof RegExp && value.search(match) < 0) bad("does not match its pattern");
}

interface StringOptions {
  readonly minLength?: unknown;
  readonly maxLength?: unknown;
  readonly isLength?: unknown;
  readonly startsWith?: unknown;
  readonly endsWith?: unknown;
  readonly matches?: unknown;
  readonly toUpperCase?: unknown;
  readonly toLowerCase?: unknown;
}

function stringKind(o: StringOptions): Kind<string> {
  return {
    takesNull: true,
    coerce: (value) => (o.toLowerCase ? text(value).toLowerCase() : o.toUpperCase ? text(value).toUpperCase() : text(value)),
    check: (value) => {
      checkLength(value.length, "characters", o.isLength, o.minLength, o.maxLength);
      if (!value.startsWith(text(o.startsWith))) bad("does not start as it must");
      if (!value.endsWith(text(o.endsWith))) bad("does not end as it must");
      checkMatches(value, o.matches);
    },
  };
}

const plainKind: Kind<string> = { takesNull: true, coerce: text, check: () => {} };

const anyKind: Kind<unknown> = { coerce: (value) => value, check: () => {} };

/** A text that one pattern decides. */
function patternKind(name: string, pattern: RegExp, lower: boolean): Kind<string> {
  return {
    coerce: (value) => (lower ? text(value).toLowerCase() : text(value)),
    check: (value) => {
      if (!pattern.test(value)) bad("is not " + name);
    },
  };
}

function emailKind(o: { readonly normalize?: unknown }): Kind<string> {
  return patternKind("an e-mail address", /EMAIL/u, Boolean(o.normalize));
}

const semverKind = /* @__PURE__ */ patternKind("a semantic version", /SEMVER/u, false);

const uuidKind = /* @__PURE__ */ patternKind("a UUID", /^[0-9a-f]{8}-[0-9a-f]{4}-[0-5][0-9a-f]{3}-[089ab][0-9a-f]{3}-[0-9a-f]{12}$/i, false);

const md5Kind = /* @__PURE__ */ patternKind("an MD5 sum in hex", /^[0-9a-f]{32}$/, true);

const isoDatePattern = /* @__PURE__ */ ((): RegExp => {
  const hour = "(?:[01][0-9]|2[0-3])";
  const fraction = "(?:[.,][0-9]+)";
  const date = (sep: string): string =>
    sep + "(?:(?:0[1-9]|1[0-2])(?:" + sep + "(?:[12][0-9]|0[1-9]|3[01]))?|W(?:[0-4][0-9]|5[0-2])(?:-?[1-7])?" +
    "|(?:00[1-9]|0[1-9][0-9]|[12][0-9]{2}|3(?:[0-5][0-9]|6[1-6])))";
  const time = (sep: string): string => "(?:" + hour + sep + "[0-5][0-9](?:" + fraction + "|" + sep + "[0-5][0-9]" + fraction + "?)?)";
  const bare = "(?:" + hour + "|24:?00)" + fraction + "?(?:[0-5][0-9]" + fraction + "?)?";
  const clock = "(?:[T\\t\\n\\f\\r ](?:" + time(":") + "|" + time("") + "|" + bare + "|[0-5][0-9]" + fraction + "?)?" +
    "(?:[zZ]|[+-]" + hour + ":?(?:[0-5][0-9])?)?)?";
  return new RegExp("^[+-]?[0-9]{4}(?:(?:" + date("-") + "|" + date("") + ")" + clock + ")?$");
})();

const isoDateKind: Kind<string> = {
  coerce: text,
  check: (value) => {
    if (!isoDatePattern.test(value) || /^[+-]*[0-9]{6}$/.test(value)) bad("is not an ISO date");
  },
};

function isIP(value: string, six: boolean): boolean {
  if (!six) return /^(?:(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])(?:\.(?!$)|$)){4}$/.test(value);
  const bare = value.replace(/%[0-9A-Za-z]+$/, "");
  if (!/^[0-9A-Fa-f:]+(?:\.[0-9]+){0,3}$/.test(bare) || !bare.includes(":")) return false;
  try {
    return new URL("http://[" + bare + "]/").hostname !== "";
  } catch {
    return false;
  }
}

function ipKind(o: { readonly version?: unknown; readonly normalize?: unknown }): Kind<string> {
  return {
    coerce: (value) => (o.normalize ? text(value).toLowerCase() : text(value)),
    check: (value) => {
      if (!isIP(value, o.version === 6)) bad("is not an IP address of its version");
    },
  };
}

interface URLOptions {
  readonly prependHttps?: unknown;
  readonly allowedDomains?: unknown;
  readonly allowedProtocols?: unknown;
  readonly noTrailingSlash?: unknown;
  readonly matches?: unknown;
}

function parseURL(value: string): URL {
  try {
    return new URL(value);
  } catch {
    return bad("is not an absolute URL");
  }
}

function urlKind(o: URLOptions): Kind<string> {
  const list = (value: unknown): readonly string[] => (Array.isArray(value) ? value : [value]).map((item) => text(item).toLowerCase());
  return {
    coerce: (value) => (o.prependHttps && !/^[A-Za-z][A-Za-z0-9+.-]*:/.test(text(value)) ? "https://" : "") + text(value),
    check: (value) => {
      const url = parseURL(value);
      const protocols = list(o.allowedProtocols).map((name) => name.replace(/:$/, ""));
      if (Array.isArray(o.allowedProtocols) && !protocols.includes(url.protocol.slice(0, -1))) bad("has a scheme that is not allowed");
      if (!isEmpty(o.allowedDomains) && !list(o.allowedDomains).some((name) => allowsHost(url, name.trim()))) bad("is a URL of a host that is not allowed");
      if (o.noTrailingSlash && /^[^?#]*\/(?:[?#]|$)/.test(value)) bad("ends with a slash");
      checkMatches(value, o.matches);
    },
  };
}

function allowsHost(url: URL, name: string): boolean {
  try {
    const allowed = new URL(url.protocol + "//" + name);
    return allowed.hostname === url.hostname && (allowed.port === url.port || !/.:[0-9]+$/.test(name));
  } catch {
    return false;
  }
}

interface DomainOptions {
  readonly allowWildcard?: unknown;
  readonly allowSingleLabel?: unknown;
  readonly allowIp?: unknown;
  readonly allowIpV6?: unknown;
  readonly normalize?: unknown;
  readonly matches?: unknown;
}

function domainKind(o: DomainOptions): Kind<string> {
  return {
    coerce: (value) => (o.normalize ? text(value).toLowerCase() : text(value).trim()),
    check: (value) => {
      const address = (o.allowIpV6 && isIP(value.replace(/^\[(.*)\]$/, "$1"), true)) || (o.allowIp && isIP(value, false));
      const labels = (o.allowWildcard ? value.replace(/^\*\./, "") : value).split(".");
      const known = labels.every((label) => /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/i.test(label)) && !/^[0-9]*$/.test(labels[labels.length - 1] ?? "");
      if (!address && (!known || value.length > 253 || (labels.length < 2 && !o.allowSingleLabel))) bad("is not a domain");
      checkMatches(value, o.matches);
    },
  };
}

function parseNumber(value: unknown): number | undefined {
  if (typeof value === "number") return value;
  const trimmed = typeof value === "string" ? value.trim() : "";
  const number = Number(trimmed);
  return /^[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?$/.test(trimmed) && Number.isFinite(number) ? number : undefined;
}

interface NumberOptions {
  readonly min?: unknown;
  readonly max?: unknown;
  readonly isInt?: unknown;
  readonly precision?: unknown;
  readonly isDivisibleBy?: unknown;
  readonly coerceToMinMaxRange?: unknown;
}

function numberKind(o: NumberOptions): Kind<number> {
  return {
    coerce: (value) => {
      let out = parseNumber(value) ?? bad("is not a number");
      if (o.coerceToMinMaxRange && typeof o.min === "number") out = Math.max(o.min, out);
      if (o.coerceToMinMaxRange && typeof o.max === "number") out = Math.min(o.max, out);
      const scale = o.isInt ? 1 : typeof o.precision === "number" ? 10 ** o.precision : undefined;
      return scale === undefined ? out : Math.floor(out * scale + 0.5) / scale;
    },
    check: (value) => {
      checkRange(value, o.min, o.max);
      if (typeof o.isDivisibleBy === "number" && value % o.isDivisibleBy !== 0) bad("is not divisible as it must be");
    },
  };
}

function portKind(o: { readonly min?: unknown; readonly max?: unknown }): Kind<number> {
  return {
    coerce: (value) => {
      const port = typeof value === "string" && /[.e]/.test(value) ? undefined : parseNumber(value);
      return port !== undefined && Number.isInteger(port) ? port : bad("is not a port number");
    },
    check: (value) => {
      checkRange(value, o.min, o.max);
      if (value < 0 || value > 65535) bad("is not a port number (0 to 65535)");
    },
  };
}

const booleanKind: Kind<boolean> = {
  coerce: (value) => {
    const word = typeof value === "object" ? "" : text(value).trim().toLowerCase();
    if (["t", "true", "yes", "on", "1"].includes(word)) return true;
    return ["f", "false", "no", "off", "0"].includes(word) ? false : bad("is not true or false");
  },
  check: () => {},
};

function enumKind<T extends string | number | boolean>(members: readonly T[]): Kind<T> {
  return {
    coerce: (value) => members.find((member) => member === value) ?? members.find((member) => typeof value === "string" && String(member) === value) ?? bad("is not one of its values"),
    check: () => {},
  };
}

const durationUnits: Readonly<Record<string, number>> = {
  ms: 1, millis: 1, millisecond: 1, milliseconds: 1,
  s: 1e3, sec: 1e3, secs: 1e3, second: 1e3, seconds: 1e3,
  m: 6e4, min: 6e4, mins: 6e4, minute: 6e4, minutes: 6e4,
  h: 3.6e6, hr: 3.6e6, hrs: 3.6e6, hour: 3.6e6, hours: 3.6e6,
  d: 8.64e7, day: 8.64e7, days: 8.64e7,
  w: 6.048e8, wk: 6.048e8, wks: 6.048e8, week: 6.048e8, weeks: 6.048e8,
};

function parseDuration(value: unknown): number | undefined {
  const parts = /^([0-9]+(?:\.[0-9]+)?)\s*([a-z]*)$/.exec(text(value).trim().toLowerCase());
  const unit = durationUnits[parts?.[2] || "ms"];
  if (!parts || unit === undefined || typeof value === "boolean") return undefined;
  const ms = Math.floor(Number(parts[1]) * unit + 0.5);
  return !Number.isFinite(ms) || (ms === 0 && Number(parts[1]) > 0) ? undefined : ms;
}

function durationKind(o: { readonly output?: unknown; readonly min?: unknown; readonly max?: unknown }): Kind<number> {
  const unit = (): number => durationUnits[text(o.output)] ?? 1;
  const bound = (value: unknown): number | undefined => {
    const ms = parseDuration(value);
    return ms === undefined ? undefined : ms / unit();
  };
  return {
    coerce: (value) => (parseDuration(value) ?? bad("is not a duration")) / unit(),
    check: (value) => {
      checkRange(value, bound(o.min), bound(o.max));
    },
  };
}

interface ArrayOptions {
  readonly separator?: unknown;
  readonly format?: unknown;
  readonly minLength?: unknown;
  readonly maxLength?: unknown;
  readonly isLength?: unknown;
  readonly unique?: unknown;
}

function parseJSON(value: string): unknown {
  try {
    return JSON.parse(value) as unknown;
  } catch {
    return bad("is not JSON");
  }
}

function convertAll<T>(list: readonly unknown[], kind: Kind<T>): readonly T[] {
  return list.map((item) => kind.coerce(kind.takesNull ? text(item) : (item ?? bad("holds null"))) ?? bad("holds an empty element"));
}

function arrayKind<T>(kind: Kind<T>, o: ArrayOptions, nested: boolean): Kind<readonly T[]> {
  const separator = (): string => text(o.separator) || ",";
  return {
    coerce: (value) => {
      if (Array.isArray(value)) return convertAll(value as readonly unknown[], kind);
      const list = typeof value === "string" ? value.trim() : bad("is not a list");
      if (list === "") return undefined;
      if (!list.startsWith("[")) return convertAll(list.split(separator()).map((item) => item.trim()).filter((item) => item !== ""), kind);
      const parsed = parseJSON(list);
      return Array.isArray(parsed) ? convertAll(parsed as readonly unknown[], kind) : bad("is not a JSON array");
    },
    check: (value) => {
      if (o.minLength === undefined && o.isLength === undefined && value.length === 0) bad("is an empty list");
      checkLength(value.length, "elements", o.isLength, o.minLength, o.maxLength);
      if (o.unique && new Set(value.map((item) => JSON.stringify(item))).size < value.length) bad("has an element twice");
      for (const item of value) {
        if (!nested && o.format !== "json" && text(item).includes(separator())) bad("has the separator within an element");
        kind.check(item);
      }
    },
  };
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

const objectKind: Kind<Readonly<Record<string, unknown>>> = {
  coerce: (value) => {
    const parsed = typeof value === "string" ? parseJSON(value.trim()) : value;
    return isObject(parsed) ? parsed : bad("is not a JSON object");
  },
  check: () => {},
};

interface RecordOptions {
  readonly entriesMinLength?: unknown;
  readonly entriesMaxLength?: unknown;
  readonly entriesIsLength?: unknown;
}

function recordKind<T>(kind: Kind<T>, key: Kind<unknown> | undefined, o: RecordOptions): Kind<Readonly<Record<string, T>>> {
  return {
    coerce: (value) => {
      if (typeof value === "string" && value.trim() === "") return undefined;
      const entries = Object.entries(objectKind.coerce(value) ?? {});
      const values = kind.coerce === anyKind.coerce ? entries.map(([, item]) => item as T) : convertAll(entries.map(([, item]) => item), kind);
      return Object.fromEntries(entries.map(([name], i) => [name, values[i] as T]));
    },
    check: (value) => {
      const names = Object.keys(value);
      if (o.entriesMinLength === undefined && o.entriesIsLength === undefined && names.length === 0) bad("is an empty object");
      checkLength(names.length, "entries", o.entriesIsLength, o.entriesMinLength, o.entriesMaxLength);
      for (const name of names) {
        const coercedKey = key?.coerce(name);
        if (coercedKey !== undefined) key?.check(coercedKey);
        kind.check(value[name] as T);
      }
    },
  };
}

/** A secret is masked in logs only when it is a text of three characters or more. */
function secretKind<T>(kind: Kind<T>, condition: () => unknown, whole: boolean): Kind<T> {
  const visit = (value: unknown): void => {
    if (typeof value === "object" && value !== null) Object.values(value).forEach(visit);
    else if (typeof value === "string" && value !== "" && value.length < 3) bad("is too short for a secret");
    else if (whole && (typeof value === "number" || typeof value === "boolean")) bad("holds elements that are no text, which are never masked in logs");
  };
  return {
    coerce: kind.coerce,
    check: (value) => {
      kind.check(value);
      if (condition() && (whole || typeof value === "string")) visit(value);
    },
  };
}
