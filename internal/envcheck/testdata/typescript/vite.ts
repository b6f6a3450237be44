// Generated from .env.schema by `opsctl env types`. Edit the schema, not this file.
/* eslint-disable */

/**
 * The environment, as .env.schema describes it.
 *
 *   import { publicEnv } from "./env"; // in code for the browser
 *   import { env } from "./env"; // on the server: all variables
 *
 * In the browser only VITE_ variables are in the bundle. Code that gets there
 * imports publicEnv only: a production build then leaves out env, and with it the
 * names, defaults and patterns of all other variables. What depends on one of them
 * is checked by env on the server, and not by publicEnv.
 *
 * A variable is read and checked when it is used, so that a build needs only what
 * it uses; with SKIP_ENV_VALIDATION=1 one that is missing is undefined and no error.
 */

export interface PublicEnv {
  /**
   * Where the API is.
   */
  readonly VITE_API_URL: string;
  readonly VITE_PAGE_SIZE: number;
  readonly VITE_FEATURES: readonly string[] | undefined;
  readonly NODE_ENV: string;
}

export interface Env extends PublicEnv {
  readonly APP_ENV: "dev" | "prod";
  readonly DATABASE_URL: string;
  /**
   * Not Vite's, so that the browser does not have it.
   */
  readonly NEXT_PUBLIC_OTHER: string;
}

declare const process: {
  readonly env: {
    readonly NODE_ENV?: string | undefined;
    readonly [key: string]: string | undefined;
  };
};

interface BundleMeta {
  readonly env: {
    readonly VITE_API_URL?: string | undefined;
    readonly VITE_PAGE_SIZE?: string | undefined;
    readonly VITE_FEATURES?: string | undefined;
  };
}

export const publicEnv: PublicEnv = /* @__PURE__ */ Object.freeze({
  get VITE_API_URL() {
    return required("VITE_API_URL", bundled("VITE_API_URL", () => (import.meta as unknown as BundleMeta).env.VITE_API_URL), kind_VITE_API_URL());
  },
  get VITE_PAGE_SIZE() {
    return required("VITE_PAGE_SIZE", bundled("VITE_PAGE_SIZE", () => (import.meta as unknown as BundleMeta).env.VITE_PAGE_SIZE) ?? 20, kind_VITE_PAGE_SIZE());
  },
  get VITE_FEATURES() {
    return optional("VITE_FEATURES", bundled("VITE_FEATURES", () => (import.meta as unknown as BundleMeta).env.VITE_FEATURES), kind_VITE_FEATURES());
  },
  get NODE_ENV() {
    return required("NODE_ENV", process.env.NODE_ENV ?? "development", plainKind);
  },
} satisfies PublicEnv);

export const env: Env = /* @__PURE__ */ Object.freeze({
  get APP_ENV() {
    server("APP_ENV");
    return required("APP_ENV", fromProcess("APP_ENV") ?? "dev", kind_APP_ENV());
  },
  get VITE_API_URL() {
    if (inBrowser()) return publicEnv.VITE_API_URL;
    return required("VITE_API_URL", bundled("VITE_API_URL", () => (import.meta as unknown as BundleMeta).env.VITE_API_URL), kind_VITE_API_URL_());
  },
  get VITE_PAGE_SIZE() {
    return publicEnv.VITE_PAGE_SIZE;
  },
  get VITE_FEATURES() {
    return publicEnv.VITE_FEATURES;
  },
  get DATABASE_URL() {
    server("DATABASE_URL");
    return required("DATABASE_URL", fromProcess("DATABASE_URL"), kind_DATABASE_URL());
  },
  get NODE_ENV() {
    return publicEnv.NODE_ENV;
  },
  get NEXT_PUBLIC_OTHER() {
    server("NEXT_PUBLIC_OTHER");
    return required("NEXT_PUBLIC_OTHER", fromProcess("NEXT_PUBLIC_OTHER"), plainKind);
  },
} satisfies Env);

function ref_APP_ENV(): unknown {
  return coerced(fromProcess("APP_ENV") ?? "dev", kind_APP_ENV());
}

const kind_APP_ENV = /* @__PURE__ */ lazy(() => enumKind(["dev", "prod"] as const));

const kind_VITE_API_URL = /* @__PURE__ */ lazy(() => urlKind({}));

const kind_VITE_API_URL_ = /* @__PURE__ */ lazy(() => urlKind({ get matches() { return (forEnv(ref_APP_ENV(), "prod") ? regex("^https://", "") : regex("^https?://", "")); } }));

const kind_VITE_PAGE_SIZE = /* @__PURE__ */ lazy(() => numberKind({}));

const kind_VITE_FEATURES = /* @__PURE__ */ lazy(() => arrayKind(plainKind, {}, false));

const kind_DATABASE_URL = /* @__PURE__ */ lazy(() => urlKind({ matches: regex("^postgres(ql)?://", "") }));

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
  if (inBrowser()) fail(key, "is not in the browser: read it on the server; only VITE_ variables are in the bundle");
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

function forEnv(current: unknown, ...names: readonly unknown[]): boolean {
  return names.some((name) => text(name) === text(current));
}

function isEmpty(value: unknown): boolean {
  return value === undefined || value === "";
}

function text(value: unknown): string {
  return value === undefined || value === null ? "" : String(value);
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

const plainKind: Kind<string> = { takesNull: true, coerce: text, check: () => {} };

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

function enumKind<T extends string | number | boolean>(members: readonly T[]): Kind<T> {
  return {
    coerce: (value) => members.find((member) => member === value) ?? members.find((member) => typeof value === "string" && String(member) === value) ?? bad("is not one of its values"),
    check: () => {},
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
