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
  /**
   * Runtime mode. Next.js sets it itself: development for next dev, production for next build/start.
   */
  readonly NODE_ENV: "development" | "production" | "test";
  /**
   * Public base URL, no trailing slash; inlined into the browser bundle at build time.
   */
  readonly NEXT_PUBLIC_APP_URL: string;
  /**
   * @see https://clerk.com/docs/deployments/clerk-environment-variables
   */
  readonly NEXT_PUBLIC_CLERK_PUBLISHABLE_KEY: string;
}

export interface Env extends PublicEnv {
  /**
   * Primary database. Use the pooled URL at runtime and the direct one for migrations.
   * @see https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING-URIS
   */
  readonly DATABASE_URL: string;
  /**
   * Throw-away database for integration tests; its schema is dropped between runs.
   * Required in test.
   */
  readonly TEST_DATABASE_URL: string | undefined;
  readonly REDIS_URL: string;
  readonly CLERK_SECRET_KEY: string;
  /**
   * Signing secret of the Clerk webhook endpoint (Svix format).
   * Required in production.
   */
  readonly CLERK_WEBHOOK_SECRET: string | undefined;
  /**
   * Required in production.
   */
  readonly SENTRY_DSN: string | undefined;
  /**
   * Build-time only: uploads source maps from CI.
   */
  readonly SENTRY_AUTH_TOKEN: string | undefined;
}

declare const process: {
  readonly env: {
    readonly NODE_ENV?: string | undefined;
    readonly DATABASE_URL?: string | undefined;
    readonly TEST_DATABASE_URL?: string | undefined;
    readonly REDIS_URL?: string | undefined;
    readonly NEXT_PUBLIC_APP_URL?: string | undefined;
    readonly NEXT_PUBLIC_CLERK_PUBLISHABLE_KEY?: string | undefined;
    readonly CLERK_SECRET_KEY?: string | undefined;
    readonly CLERK_WEBHOOK_SECRET?: string | undefined;
    readonly SENTRY_DSN?: string | undefined;
    readonly SENTRY_AUTH_TOKEN?: string | undefined;
    readonly [key: string]: string | undefined;
  };
};

export const publicEnv: PublicEnv = /* @__PURE__ */ Object.freeze({
  get NODE_ENV() {
    return required("NODE_ENV", process.env.NODE_ENV ?? "development", kind_NODE_ENV());
  },
  get NEXT_PUBLIC_APP_URL() {
    return required("NEXT_PUBLIC_APP_URL", process.env.NEXT_PUBLIC_APP_URL, kind_NEXT_PUBLIC_APP_URL());
  },
  get NEXT_PUBLIC_CLERK_PUBLISHABLE_KEY() {
    return required("NEXT_PUBLIC_CLERK_PUBLISHABLE_KEY", process.env.NEXT_PUBLIC_CLERK_PUBLISHABLE_KEY, kind_NEXT_PUBLIC_CLERK_PUBLISHABLE_KEY());
  },
} satisfies PublicEnv);

export const env: Env = /* @__PURE__ */ Object.freeze({
  get NODE_ENV() {
    return publicEnv.NODE_ENV;
  },
  get DATABASE_URL() {
    server("DATABASE_URL");
    return required("DATABASE_URL", process.env.DATABASE_URL, kind_DATABASE_URL());
  },
  get TEST_DATABASE_URL() {
    server("TEST_DATABASE_URL");
    return when(holds(forEnv(ref_NODE_ENV(), "test"), true), "TEST_DATABASE_URL", process.env.TEST_DATABASE_URL, kind_TEST_DATABASE_URL());
  },
  get REDIS_URL() {
    server("REDIS_URL");
    return required("REDIS_URL", process.env.REDIS_URL, kind_REDIS_URL());
  },
  get NEXT_PUBLIC_APP_URL() {
    return publicEnv.NEXT_PUBLIC_APP_URL;
  },
  get NEXT_PUBLIC_CLERK_PUBLISHABLE_KEY() {
    return publicEnv.NEXT_PUBLIC_CLERK_PUBLISHABLE_KEY;
  },
  get CLERK_SECRET_KEY() {
    server("CLERK_SECRET_KEY");
    return required("CLERK_SECRET_KEY", process.env.CLERK_SECRET_KEY, kind_CLERK_SECRET_KEY());
  },
  get CLERK_WEBHOOK_SECRET() {
    server("CLERK_WEBHOOK_SECRET");
    return when(holds(forEnv(ref_NODE_ENV(), "production"), true), "CLERK_WEBHOOK_SECRET", process.env.CLERK_WEBHOOK_SECRET, kind_CLERK_WEBHOOK_SECRET());
  },
  get SENTRY_DSN() {
    server("SENTRY_DSN");
    return when(holds(forEnv(ref_NODE_ENV(), "production"), true), "SENTRY_DSN", process.env.SENTRY_DSN, kind_SENTRY_DSN());
  },
  get SENTRY_AUTH_TOKEN() {
    server("SENTRY_AUTH_TOKEN");
    return optional("SENTRY_AUTH_TOKEN", process.env.SENTRY_AUTH_TOKEN, kind_SENTRY_AUTH_TOKEN());
  },
} satisfies Env);

function ref_NODE_ENV(): unknown {
  return coerced(process.env.NODE_ENV ?? "development", kind_NODE_ENV());
}

const kind_NODE_ENV = /* @__PURE__ */ lazy(() => enumKind(["development", "production", "test"] as const));

const kind_DATABASE_URL = /* @__PURE__ */ lazy(() => urlKind({ matches: regex("^postgres(ql)?://", "") }));

const kind_TEST_DATABASE_URL = /* @__PURE__ */ lazy(() => urlKind({ matches: regex("^postgres(ql)?://", "") }));

const kind_REDIS_URL = /* @__PURE__ */ lazy(() => urlKind({ matches: regex("^rediss?://", "") }));

const kind_NEXT_PUBLIC_APP_URL = /* @__PURE__ */ lazy(() => urlKind({ noTrailingSlash: true, get matches() { return (forEnv(ref_NODE_ENV(), "production") ? regex("^https://", "") : regex("^https?://", "")); } }));

const kind_NEXT_PUBLIC_CLERK_PUBLISHABLE_KEY = /* @__PURE__ */ lazy(() => stringKind({ matches: regex("^pk_(test|live)_[A-Za-z0-9+/_-]+={0,2}$", "") }));

const kind_CLERK_SECRET_KEY = /* @__PURE__ */ lazy(() => secretKind(stringKind({ matches: regex("^sk_(test|live)_[A-Za-z0-9]+$", "") }), () => (true), false));

const kind_CLERK_WEBHOOK_SECRET = /* @__PURE__ */ lazy(() => secretKind(stringKind({ minLength: 20, startsWith: "whsec_" }), () => (true), false));

const kind_SENTRY_DSN = /* @__PURE__ */ lazy(() => urlKind({ matches: regex("^https://[0-9a-f]+@", "") }));

const kind_SENTRY_AUTH_TOKEN = /* @__PURE__ */ lazy(() => secretKind(stringKind({ startsWith: "sntrys_" }), () => (true), false));

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

function enumKind<T extends string | number | boolean>(members: readonly T[]): Kind<T> {
  return {
    coerce: (value) => members.find((member) => member === value) ?? members.find((member) => typeof value === "string" && String(member) === value) ?? bad("is not one of its values"),
    check: () => {},
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
