-- Four tenants with 1,000 to 2,500 invoices each. Needs migration 0001 only.
--
-- The rows are the same on every run (no random, no clock), so that two
-- databases seeded from this file can be compared. A second run adds nothing.
-- It works for a role that row-level security applies to: each tenant's rows
-- are written under that tenant's setting.

do $$
declare
  t record;
begin
  for t in
    select * from (values
      ('org_harbor', 'Harbor Trading',  1000, 'EUR'),
      ('org_mill',   'Mill & Sons',     1500, 'EUR'),
      ('org_orchid', 'Orchid Łódź',     2000, 'PLN'),
      ('org_summit', 'Summit "North"',  2500, 'USD')
    ) as v (id, name, invoices, currency)
  loop
    perform set_config('app.tenant_id', t.id, true);
    continue when exists (select from tenants where id = t.id);

    insert into tenants (id, name, settings, logo, created_at)
    values (
      t.id,
      t.name,
      jsonb_build_object('currency', t.currency, 'locale', 'en', 'modules', jsonb_build_array('invoices', 'stock')),
      decode(repeat(md5(t.id), 8), 'hex'),
      timestamptz '2026-01-01 00:00:00+00'
    );

    insert into invoices (tenant_id, customer, status, currency, amount, lines, document, issued_at)
    select
      t.id,
      'Customer ' || (n % 97),
      (enum_range(null::invoice_status))[1 + n % 4],
      t.currency,
      (n * 37 % 100000) + (n % 100) / 100.0,
      jsonb_build_array(jsonb_build_object('sku', 'P-' || (n % 50), 'quantity', 1 + n % 9)),
      case when n % 10 = 0 then decode(repeat(md5(n::text), 4), 'hex') end,
      timestamptz '2026-01-01 08:00:00+00' + n * interval '7 minutes'
    from generate_series(1, t.invoices) as n;
  end loop;
  perform set_config('app.tenant_id', '', true);
end
$$;
