-- Tenants and their invoices.
--
-- Every table carries its tenant, and row-level security compares it with the
-- setting app.tenant_id of the transaction. FORCE makes the policies hold for
-- the table owner too, which is the role that the app signs in with. Without
-- the setting, current_setting(..., true) is null and no row is visible.

create table tenants (
  id         text primary key check (id ~ '^org_[A-Za-z0-9]+$'),
  name       text not null,
  settings   jsonb not null default '{}',
  logo       bytea,
  created_at timestamptz not null default now()
);

create type invoice_status as enum ('draft', 'sent', 'paid', 'void');

create sequence invoice_number_seq start with 1000;

create table invoices (
  id        bigint generated always as identity primary key,
  tenant_id text not null references tenants (id),
  number    text not null default 'INV-' || nextval('invoice_number_seq'),
  customer  text not null,
  status    invoice_status not null default 'draft',
  currency  char(3) not null default 'EUR',
  amount    numeric(14, 2) not null check (amount >= 0),
  lines     jsonb not null default '[]',
  document  bytea,
  issued_at timestamptz not null default now(),
  unique (tenant_id, number)
);

create index invoices_tenant_issued on invoices (tenant_id, issued_at desc);

alter table tenants enable row level security;
alter table tenants force row level security;
create policy tenants_own on tenants
  using (id = current_setting('app.tenant_id', true))
  with check (id = current_setting('app.tenant_id', true));

alter table invoices enable row level security;
alter table invoices force row level security;
create policy invoices_own on invoices
  using (tenant_id = current_setting('app.tenant_id', true))
  with check (tenant_id = current_setting('app.tenant_id', true));
