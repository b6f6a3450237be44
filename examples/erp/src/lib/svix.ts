import { createHmac, timingSafeEqual } from "node:crypto";

/** Calls older or newer than this are refused, against replays. */
const toleranceSeconds = 300;

/**
 * Tells whether a webhook was signed with the secret, by the Svix scheme:
 * HMAC-SHA256 over "id.timestamp.body", keyed with the base64 part of
 * whsec_..., sent as one or more "v1,<base64>" in svix-signature.
 */
export function isSigned(headers: Headers, body: string, secret: string, now = Date.now()): boolean {
  const id = headers.get("svix-id");
  const timestamp = headers.get("svix-timestamp");
  const signatures = headers.get("svix-signature");
  if (!id || !timestamp || !signatures || !/^\d+$/.test(timestamp)) return false;
  if (Math.abs(now / 1000 - Number(timestamp)) > toleranceSeconds) return false;

  const key = Buffer.from(secret.replace(/^whsec_/, ""), "base64");
  if (key.length === 0) return false; // an empty key would verify anybody's signature
  const want = createHmac("sha256", key).update(`${id}.${timestamp}.${body}`).digest();
  return signatures.split(" ").some((entry) => {
    const [version, value] = entry.split(",", 2);
    if (version !== "v1" || !value) return false;
    const got = Buffer.from(value, "base64");
    return got.length === want.length && timingSafeEqual(got, want);
  });
}
