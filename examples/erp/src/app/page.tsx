import { cached } from "@/lib/cache";
import { withTenant } from "@/lib/db";

export const dynamic = "force-dynamic";

type Totals = { status: string; invoices: string; amount: string };

async function totals(tenantId: string): Promise<Totals[]> {
  const json = await cached(`totals:${tenantId}`, 30, () =>
    withTenant(tenantId, async (client) => {
      const { rows } = await client.query<Totals>(
        "select status, count(*) as invoices, sum(amount) as amount from invoices group by status order by status",
      );
      return JSON.stringify(rows);
    }),
  );
  return JSON.parse(json) as Totals[];
}

export default async function Page() {
  // Stands for the organization of the signed-in user.
  const tenantId = process.env.ERP_DEMO_TENANT;
  if (!tenantId) {
    return <p>Sign in to see your invoices.</p>;
  }
  const rows = await totals(tenantId);
  return (
    <main>
      <h1>Invoices</h1>
      <table>
        <thead>
          <tr>
            <th>Status</th>
            <th>Invoices</th>
            <th>Amount</th>
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={row.status}>
              <td>{row.status}</td>
              <td>{row.invoices}</td>
              <td>{row.amount}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </main>
  );
}
