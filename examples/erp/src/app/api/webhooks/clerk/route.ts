import { withTenant } from "@/lib/db";
import { isSigned } from "@/lib/svix";

export const dynamic = "force-dynamic";

type ClerkEvent = { type?: string; data?: { id?: string; name?: string } };

/** Clerk calls this when an organization is created: the organization becomes a tenant. */
export async function POST(request: Request) {
  const secret = process.env.CLERK_WEBHOOK_SECRET;
  if (!secret) {
    console.error("CLERK_WEBHOOK_SECRET is not set: every webhook is refused");
    return new Response(null, { status: 503 });
  }
  const body = await request.text();
  if (!isSigned(request.headers, body, secret)) {
    return new Response(null, { status: 401 });
  }

  let event: ClerkEvent;
  try {
    event = JSON.parse(body) as ClerkEvent;
  } catch {
    return new Response(null, { status: 400 });
  }
  const { id, name } = event.data ?? {};
  if (event.type !== "organization.created") {
    return new Response(null, { status: 204 });
  }
  if (!id || !/^org_[A-Za-z0-9]+$/.test(id)) {
    return new Response(null, { status: 400 });
  }
  // Svix delivers at least once: the same event twice makes one tenant.
  await withTenant(id, (client) =>
    client.query("insert into tenants (id, name) values ($1, $2) on conflict (id) do nothing", [id, name ?? id]),
  );
  return new Response(null, { status: 201 });
}
