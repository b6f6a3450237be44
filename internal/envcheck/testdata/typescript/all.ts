// Generated from .env.schema by `opsctl env types`. Edit the schema, not this file.
/* eslint-disable */

/**
 * The environment, as .env.schema describes it.
 *
 *   import { publicEnv } from "./env"; // in code for the browser
 *   import { env } from "./env"; // on the server: all variables
 *
 * In the browser only NEXT_PUBLIC_ variables are in the bundle. Code that gets there
 * imports publicEnv only: a production build then leaves out env, and with it the
 * names, defaults and patterns of all other variables. What depends on one of them
 * is checked by env on the server, and not by publicEnv.
 *
 * A variable is read and checked when it is used, so that a build needs only what
 * it uses; with SKIP_ENV_VALIDATION=1 one that is missing is undefined and no error.
 */

export interface PublicEnv {
  readonly NEXT_PUBLIC_SITE: string;
}

export interface Env extends PublicEnv {
  readonly APP_ENV: "dev" | "prod";
  /**
   * Ends the comment *\/ and goes on.
   * @see https://example.com/docs
   * @deprecated use NAME
   */
  readonly OLD: string | undefined;
  readonly NAME: string;
  readonly TEXT: string;
  readonly COUNT: number;
  readonly DEFAULTED: number;
  readonly FLAG: boolean;
  readonly SITE: string;
  readonly MIXED: 1 | "two" | true;
  readonly MAIL: string;
  readonly PORT: number;
  readonly ADDRESS: string;
  readonly RELEASE: string;
  readonly SINCE: string;
  readonly ID: string;
  readonly SUM: string;
  /**
   * In seconds.
   */
  readonly WAIT: number;
  readonly LETTERS: readonly ("a" | "b")[];
  readonly NUMBERS: readonly number[];
  readonly MATRIX: readonly (readonly number[])[];
  readonly LIMITS: Readonly<Record<string, number>>;
  readonly LOOSE: Readonly<Record<string, unknown>>;
  readonly ANY: Readonly<Record<string, unknown>>;
  readonly HOST: string;
  readonly BLANK: string | undefined;
  /**
   * Required in prod.
   */
  readonly ONLY_PROD: string | undefined;
  /**
   * Required in some environments.
   */
  readonly IF_X: string | undefined;
  /**
   * Required in some environments.
   */
  readonly UNLESS: string | undefined;
  readonly FROM: string;
  readonly CHOSEN: string;
  readonly PICKED: string;
  readonly "A.DOTTED-NAME": string;
}

declare const process: {
  readonly env: {
    readonly APP_ENV?: string | undefined;
    readonly OLD?: string | undefined;
    readonly NAME?: string | undefined;
    readonly TEXT?: string | undefined;
    readonly COUNT?: string | undefined;
    readonly DEFAULTED?: string | undefined;
    readonly FLAG?: string | undefined;
    readonly SITE?: string | undefined;
    readonly NEXT_PUBLIC_SITE?: string | undefined;
    readonly MIXED?: string | undefined;
    readonly MAIL?: string | undefined;
    readonly PORT?: string | undefined;
    readonly ADDRESS?: string | undefined;
    readonly RELEASE?: string | undefined;
    readonly SINCE?: string | undefined;
    readonly ID?: string | undefined;
    readonly SUM?: string | undefined;
    readonly WAIT?: string | undefined;
    readonly LETTERS?: string | undefined;
    readonly NUMBERS?: string | undefined;
    readonly MATRIX?: string | undefined;
    readonly LIMITS?: string | undefined;
    readonly LOOSE?: string | undefined;
    readonly ANY?: string | undefined;
    readonly HOST?: string | undefined;
    readonly BLANK?: string | undefined;
    readonly ONLY_PROD?: string | undefined;
    readonly IF_X?: string | undefined;
    readonly UNLESS?: string | undefined;
    readonly FROM?: string | undefined;
    readonly CHOSEN?: string | undefined;
    readonly PICKED?: string | undefined;
    readonly "A.DOTTED-NAME"?: string | undefined;
    readonly [key: string]: string | undefined;
  };
};

export const publicEnv: PublicEnv = /* @__PURE__ */ Object.freeze({
  get NEXT_PUBLIC_SITE() {
    return required("NEXT_PUBLIC_SITE", process.env.NEXT_PUBLIC_SITE, kind_NEXT_PUBLIC_SITE());
  },
} satisfies PublicEnv);

export const env: Env = /* @__PURE__ */ Object.freeze({
  get APP_ENV() {
    server("APP_ENV");
    return required("APP_ENV", process.env.APP_ENV ?? "dev", kind_APP_ENV());
  },
  get OLD() {
    server("OLD");
    return optional("OLD", process.env.OLD, plainKind);
  },
  get NAME() {
    server("NAME");
    return required("NAME", process.env.NAME, plainKind);
  },
  get TEXT() {
    server("TEXT");
    return required("TEXT", process.env.TEXT, kind_TEXT());
  },
  get COUNT() {
    server("COUNT");
    return required("COUNT", process.env.COUNT, kind_COUNT());
  },
  get DEFAULTED() {
    server("DEFAULTED");
    return required("DEFAULTED", process.env.DEFAULTED || 3000, kind_DEFAULTED());
  },
  get FLAG() {
    server("FLAG");
    return required("FLAG", process.env.FLAG, booleanKind);
  },
  get SITE() {
    server("SITE");
    return required("SITE", process.env.SITE, kind_SITE());
  },
  get NEXT_PUBLIC_SITE() {
    if (inBrowser()) return publicEnv.NEXT_PUBLIC_SITE;
    return required("NEXT_PUBLIC_SITE", process.env.NEXT_PUBLIC_SITE, kind_NEXT_PUBLIC_SITE_());
  },
  get MIXED() {
    server("MIXED");
    return required("MIXED", process.env.MIXED, kind_MIXED());
  },
  get MAIL() {
    server("MAIL");
    return required("MAIL", process.env.MAIL, kind_MAIL());
  },
  get PORT() {
    server("PORT");
    return required("PORT", process.env.PORT, kind_PORT());
  },
  get ADDRESS() {
    server("ADDRESS");
    return required("ADDRESS", process.env.ADDRESS, kind_ADDRESS());
  },
  get RELEASE() {
    server("RELEASE");
    return required("RELEASE", process.env.RELEASE, semverKind);
  },
  get SINCE() {
    server("SINCE");
    return required("SINCE", process.env.SINCE, isoDateKind);
  },
  get ID() {
    server("ID");
    return required("ID", process.env.ID, uuidKind);
  },
  get SUM() {
    server("SUM");
    return required("SUM", process.env.SUM, md5Kind);
  },
  get WAIT() {
    server("WAIT");
    return required("WAIT", process.env.WAIT, kind_WAIT());
  },
  get LETTERS() {
    server("LETTERS");
    return required("LETTERS", process.env.LETTERS, kind_LETTERS());
  },
  get NUMBERS() {
    server("NUMBERS");
    return required("NUMBERS", process.env.NUMBERS, kind_NUMBERS());
  },
  get MATRIX() {
    server("MATRIX");
    return required("MATRIX", process.env.MATRIX, kind_MATRIX());
  },
  get LIMITS() {
    server("LIMITS");
    return required("LIMITS", process.env.LIMITS, kind_LIMITS());
  },
  get LOOSE() {
    server("LOOSE");
    return required("LOOSE", process.env.LOOSE, kind_LOOSE());
  },
  get ANY() {
    server("ANY");
    return required("ANY", process.env.ANY, objectKind);
  },
  get HOST() {
    server("HOST");
    return required("HOST", process.env.HOST, kind_HOST());
  },
  get BLANK() {
    server("BLANK");
    return optional("BLANK", process.env.BLANK, plainKind) ?? blank(process.env.BLANK, true);
  },
  get ONLY_PROD() {
    server("ONLY_PROD");
    return when(holds(forEnv(ref_APP_ENV(), "prod"), true), "ONLY_PROD", process.env.ONLY_PROD, plainKind);
  },
  get IF_X() {
    server("IF_X");
    return when(holds(same(ref_NAME(), "x"), true), "IF_X", process.env.IF_X, plainKind);
  },
  get UNLESS() {
    server("UNLESS");
    return when(holds(isEmpty(ref_NAME()), true, true), "UNLESS", process.env.UNLESS, plainKind);
  },
  get FROM() {
    server("FROM");
    return required("FROM", process.env.FROM ?? concat(fallback(ref_NAME(), "none"), "-", ref_COUNT()), plainKind);
  },
  get CHOSEN() {
    server("CHOSEN");
    return required("CHOSEN", process.env.CHOSEN ?? remap(ref_NAME(), [[regex("^a", ""), "first"], ["b", "second"]], "third"), plainKind);
  },
  get PICKED() {
    server("PICKED");
    return required("PICKED", process.env.PICKED ?? (same(ref_NAME(), "a") ? 1 : (!(ref_FLAG()) ? 2 : 3)), plainKind);
  },
  get "A.DOTTED-NAME"() {
    server("A.DOTTED-NAME");
    return required("A.DOTTED-NAME", process.env["A.DOTTED-NAME"], plainKind);
  },
} satisfies Env);

function ref_APP_ENV(): unknown {
  return coerced(process.env.APP_ENV ?? "dev", kind_APP_ENV());
}

function ref_COUNT(): unknown {
  return coerced(process.env.COUNT ?? undefined, kind_COUNT());
}

function ref_FLAG(): unknown {
  return coerced(process.env.FLAG ?? undefined, booleanKind);
}

function ref_NAME(): unknown {
  return unquoted(process.env.NAME) ?? undefined;
}

const kind_APP_ENV = /* @__PURE__ */ lazy(() => enumKind(["dev", "prod"] as const));

const kind_TEXT = /* @__PURE__ */ lazy(() => secretKind(stringKind({ minLength: 2, startsWith: "a", matches: regex("^a.*$", "i") }), () => (true), false));

const kind_COUNT = /* @__PURE__ */ lazy(() => numberKind({ min: 1, max: 10, isInt: true }));

const kind_DEFAULTED = /* @__PURE__ */ lazy(() => numberKind({}));

const kind_SITE = /* @__PURE__ */ lazy(() => urlKind({ allowedDomains: ["example.com"], noTrailingSlash: true }));

const kind_NEXT_PUBLIC_SITE = /* @__PURE__ */ lazy(() => urlKind({}));

const kind_NEXT_PUBLIC_SITE_ = /* @__PURE__ */ lazy(() => urlKind({ get matches() { return (forEnv(ref_APP_ENV(), "prod") ? regex("^https://", "") : regex("^https?://", "")); } }));

const kind_MIXED = /* @__PURE__ */ lazy(() => enumKind([1, "two", true] as const));

const kind_MAIL = /* @__PURE__ */ lazy(() => emailKind({ normalize: true }));

const kind_PORT = /* @__PURE__ */ lazy(() => portKind({ min: 1024 }));

const kind_ADDRESS = /* @__PURE__ */ lazy(() => ipKind({ version: 6 }));

const kind_WAIT = /* @__PURE__ */ lazy(() => durationKind({ output: "seconds", max: "1h" }));

const kind_LETTERS = /* @__PURE__ */ lazy(() => arrayKind(enumKind(["a", "b"] as const), { separator: ";", unique: true }, false));

const kind_NUMBERS = /* @__PURE__ */ lazy(() => arrayKind(numberKind({}), { format: "json" }, false));

const kind_MATRIX = /* @__PURE__ */ lazy(() => arrayKind(arrayKind(numberKind({}), {}, false), { format: "json" }, true));

const kind_LIMITS = /* @__PURE__ */ lazy(() => recordKind(numberKind({}), enumKind(["a", "b"] as const), {}));

const kind_LOOSE = /* @__PURE__ */ lazy(() => recordKind(anyKind, undefined, {}));

const kind_HOST = /* @__PURE__ */ lazy(() => domainKind({}));

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
  throw new Error(key + " " + problem + " (see .env.schema)");
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
  if (inBrowser()) fail(key, "is not in the browser: read it on the server; only NEXT_PUBLIC_ variables are in the bundle");
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
  return patternKind("an e-mail address", /^([^<>()[\]\\.,;:@"\s\v\p{Z}\uFEFF]+(\.[^<>()[\]\\.,;:@"\s\v\p{Z}\uFEFF]+)*|"[^\n\r\u2028\u2029]+")@(\[[0-9]{1,3}(\.[0-9]{1,3}){3}\]|([a-zA-Z0-9-]+\.)+[a-zA-Z]{2,})$/u, Boolean(o.normalize));
}

const semverKind = /* @__PURE__ */ patternKind("a semantic version", /^(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)(-(0|[1-9][0-9]*|[0-9]*[A-Za-z-][0-9A-Za-z-]*)(\.(0|[1-9][0-9]*|[0-9]*[A-Za-z-][0-9A-Za-z-]*))*)?(\+[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?$/u, false);

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
