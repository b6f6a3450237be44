import { createClient } from "redis";

function connect() {
  const client = createClient({ url: process.env.REDIS_URL });
  client.on("error", (error: Error) => console.error("redis:", error.message));
  return client;
}

const holder = globalThis as typeof globalThis & { erpCache?: ReturnType<typeof connect> };

/** Returns the cached value, or computes and keeps it. A cache that is down only costs time. */
export async function cached(key: string, seconds: number, compute: () => Promise<string>): Promise<string> {
  const client = (holder.erpCache ??= connect());
  try {
    if (!client.isOpen) await client.connect();
    const hit = await client.get(key);
    if (hit !== null) return hit;
    const value = await compute();
    await client.set(key, value, { EX: seconds });
    return value;
  } catch {
    return compute();
  }
}
