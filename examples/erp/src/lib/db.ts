import { Pool, type PoolClient } from "pg";

// One pool a process. The global keeps it across hot reloads in development.
const holder = globalThis as typeof globalThis & { erpPool?: Pool };

function pool(): Pool {
  if (!holder.erpPool) {
    holder.erpPool = new Pool({
      connectionString: process.env.DATABASE_URL,
      max: 10,
      connectionTimeoutMillis: 30_000,
      idleTimeoutMillis: 300_000,
    });
    // An idle connection that the server closes is no reason to end the process.
    holder.erpPool.on("error", (error) => console.error("idle database connection lost:", error.message));
  }
  return holder.erpPool;
}

/**
 * Runs work in a transaction in which only the tenant's rows exist: every
 * policy in db/migrations compares with app.tenant_id.
 */
export async function withTenant<T>(tenantId: string, work: (client: PoolClient) => Promise<T>): Promise<T> {
  const client = await pool().connect();
  try {
    await client.query("begin");
    // Transaction-local, so that the setting cannot leak through a pooled connection.
    await client.query("select set_config('app.tenant_id', $1, true)", [tenantId]);
    const result = await work(client);
    await client.query("commit");
    return result;
  } catch (error) {
    await client.query("rollback").catch(() => {});
    throw error;
  } finally {
    client.release();
  }
}
