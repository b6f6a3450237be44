-- Payments, and when an invoice falls due. Adds only: the version of the app
-- that knows nothing of it keeps working while the new one rolls out, and after
-- a rollback.

alter table invoices add column due_on date;

create table payments (
  id          bigint generated always as identity primary key,
  tenant_id   text not null references tenants (id),
  invoice_id  bigint not null references invoices (id),
  amount      numeric(14, 2) not null check (amount > 0),
  reference   uuid not null default gen_random_uuid(),
  received_at timestamptz not null default now()
);

create index payments_tenant_invoice on payments (tenant_id, invoice_id);

alter table payments enable row level security;
alter table payments force row level security;
create policy payments_own on payments
  using (tenant_id = current_setting('app.tenant_id', true))
  with check (tenant_id = current_setting('app.tenant_id', true));
