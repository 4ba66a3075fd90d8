-- What happened in a trading account. A simulation's account is named by its run: account_id = sim_runs.id.
-- People read these and can't write them; the worker can't delete what does not belong to a simulation.
create table public.journal_entries (
  user_id uuid not null references auth.users (id) on delete cascade,
  account_id uuid not null,
  seq bigint not null,
  ts timestamptz not null,
  kind text not null,
  body jsonb not null,
  primary key (account_id, seq)
);
create index journal_entries_of_user on public.journal_entries (user_id, account_id);

create table public.orders (
  user_id uuid not null references auth.users (id) on delete cascade,
  account_id uuid not null,
  number bigint not null,
  client_id text not null,
  symbol text not null,
  side text not null,
  kind text not null,
  size numeric not null,
  limit_px numeric,
  state text not null,
  reduce_only boolean not null,
  filled numeric not null default 0,
  created_ts timestamptz not null,
  closed_ts timestamptz,
  reason text,
  decision_id text,
  body jsonb not null default '{}',
  primary key (account_id, number),
  unique (account_id, client_id)
);
create index orders_of_user on public.orders (user_id, account_id);

create table public.fills (
  user_id uuid not null references auth.users (id) on delete cascade,
  account_id uuid not null,
  seq bigint not null,
  ts timestamptz not null,
  order_number bigint,
  symbol text not null,
  side text not null,
  size numeric not null,
  px numeric not null,
  fee numeric not null,
  realized numeric not null,
  reference_px numeric,
  kind text not null,
  liquidity text,
  primary key (account_id, seq)
);
create index fills_of_user on public.fills (user_id, account_id);

create table public.decision_snapshots (
  id text not null,
  user_id uuid not null references auth.users (id) on delete cascade,
  account_id uuid not null,
  tick_ts timestamptz not null,
  outcome text not null,
  body jsonb not null,
  primary key (account_id, id)
);
create index decision_snapshots_of_user on public.decision_snapshots (user_id, account_id, tick_ts);

alter table public.journal_entries enable row level security;
alter table public.journal_entries force row level security;
revoke all on public.journal_entries from public, anon, authenticated, service_role;
grant select on public.journal_entries to authenticated;
grant select, insert, delete on public.journal_entries to agentic_worker;
create policy journal_entries_select on public.journal_entries for select to authenticated
  using (user_id = (select auth.uid()));
create policy journal_entries_worker_select on public.journal_entries for select to agentic_worker using (true);
create policy journal_entries_worker_insert on public.journal_entries for insert to agentic_worker with check (true);
create policy journal_entries_worker_delete on public.journal_entries for delete to agentic_worker
  using (exists (select from public.sim_runs where sim_runs.id = account_id));

alter table public.orders enable row level security;
alter table public.orders force row level security;
revoke all on public.orders from public, anon, authenticated, service_role;
grant select on public.orders to authenticated;
grant select, insert, update, delete on public.orders to agentic_worker;
create policy orders_select on public.orders for select to authenticated using (user_id = (select auth.uid()));
create policy orders_worker_select on public.orders for select to agentic_worker using (true);
create policy orders_worker_insert on public.orders for insert to agentic_worker with check (true);
create policy orders_worker_update on public.orders for update to agentic_worker using (true) with check (true);
create policy orders_worker_delete on public.orders for delete to agentic_worker
  using (exists (select from public.sim_runs where sim_runs.id = account_id));

alter table public.fills enable row level security;
alter table public.fills force row level security;
revoke all on public.fills from public, anon, authenticated, service_role;
grant select on public.fills to authenticated;
grant select, insert, delete on public.fills to agentic_worker;
create policy fills_select on public.fills for select to authenticated using (user_id = (select auth.uid()));
create policy fills_worker_select on public.fills for select to agentic_worker using (true);
create policy fills_worker_insert on public.fills for insert to agentic_worker with check (true);
create policy fills_worker_delete on public.fills for delete to agentic_worker
  using (exists (select from public.sim_runs where sim_runs.id = account_id));

alter table public.decision_snapshots enable row level security;
alter table public.decision_snapshots force row level security;
revoke all on public.decision_snapshots from public, anon, authenticated, service_role;
grant select on public.decision_snapshots to authenticated;
grant select, insert, delete on public.decision_snapshots to agentic_worker;
create policy decision_snapshots_select on public.decision_snapshots for select to authenticated
  using (user_id = (select auth.uid()));
create policy decision_snapshots_worker_select on public.decision_snapshots for select to agentic_worker
  using (true);
create policy decision_snapshots_worker_insert on public.decision_snapshots for insert to agentic_worker
  with check (true);
create policy decision_snapshots_worker_delete on public.decision_snapshots for delete to agentic_worker
  using (exists (select from public.sim_runs where sim_runs.id = account_id));
