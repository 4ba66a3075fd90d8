-- Trading accounts, who owns each at this moment, and the paper venue's own memory of its accounts.
--
-- An account belongs to one process at a time, by a lease. Each owner gets a higher fence than the one before it, and
-- everything that is written for an account is tied to the fence: whoever was paused for too long writes nothing more.
create table public.trading_accounts (
  id uuid primary key,
  user_id uuid not null references auth.users (id) on delete cascade,
  mode text not null check (mode in ('paper', 'testnet', 'mainnet')),
  start_usd numeric not null check (start_usd >= 0),
  created_at timestamptz not null default now(),
  engine bytea,                            -- what the engine remembers: the fold of the journal up to last_seq
  last_seq bigint not null default 0,      -- the journal's last entry
  heard bigint not null default 0,         -- how many of the venue's events are in the journal
  holds boolean not null default false,    -- whether it has a position or an order: then it is watched
  fence bigint not null default 0,
  unique (user_id, id)
);
create index trading_accounts_of_user on public.trading_accounts (user_id);
create index trading_accounts_that_hold on public.trading_accounts (id) where holds;

create table public.account_leases (
  account_id uuid primary key,
  user_id uuid not null references auth.users (id) on delete cascade,
  owner text not null,
  fence bigint not null,
  expires_at timestamptz not null,
  foreign key (user_id, account_id) references public.trading_accounts (user_id, id) on delete cascade
);
create index account_leases_of_owner on public.account_leases (owner);
create index account_leases_of_user on public.account_leases (user_id);

-- The paper venue's state, as an exchange would have it: saved by the venue, and asked after a crash.
create table public.paper_venues (
  account_id uuid primary key,
  user_id uuid not null references auth.users (id) on delete cascade,
  state bytea,
  fence bigint not null default 0,
  saved_at timestamptz,
  foreign key (user_id, account_id) references public.trading_accounts (user_id, id) on delete cascade
);
create index paper_venues_of_user on public.paper_venues (user_id);

alter table public.trading_accounts enable row level security;
alter table public.trading_accounts force row level security;
revoke all on public.trading_accounts from public, anon, authenticated, service_role;
grant select, insert (id, user_id, mode, start_usd) on public.trading_accounts to authenticated;
grant select, update (engine, last_seq, heard, holds, fence) on public.trading_accounts to agentic_worker;
create policy trading_accounts_select on public.trading_accounts for select to authenticated
  using (user_id = (select auth.uid()));
create policy trading_accounts_insert on public.trading_accounts for insert to authenticated
  with check (user_id = (select auth.uid()));
create policy trading_accounts_worker_select on public.trading_accounts for select to agentic_worker using (true);
create policy trading_accounts_worker_update on public.trading_accounts for update to agentic_worker
  using (true) with check (true);

alter table public.account_leases enable row level security;
alter table public.account_leases force row level security;
revoke all on public.account_leases from public, anon, authenticated, service_role;
grant select on public.account_leases to authenticated;
grant select, insert, update (owner, fence, expires_at), delete on public.account_leases to agentic_worker;
create policy account_leases_select on public.account_leases for select to authenticated
  using (user_id = (select auth.uid()));
create policy account_leases_worker_select on public.account_leases for select to agentic_worker using (true);
create policy account_leases_worker_insert on public.account_leases for insert to agentic_worker with check (true);
create policy account_leases_worker_update on public.account_leases for update to agentic_worker
  using (true) with check (true);
create policy account_leases_worker_delete on public.account_leases for delete to agentic_worker using (true);

alter table public.paper_venues enable row level security;
alter table public.paper_venues force row level security;
revoke all on public.paper_venues from public, anon, authenticated, service_role;
grant select, insert (account_id, user_id) on public.paper_venues to authenticated;
grant select, update (state, fence, saved_at) on public.paper_venues to agentic_worker;
create policy paper_venues_select on public.paper_venues for select to authenticated
  using (user_id = (select auth.uid()));
create policy paper_venues_insert on public.paper_venues for insert to authenticated
  with check (user_id = (select auth.uid()));
create policy paper_venues_worker_select on public.paper_venues for select to agentic_worker using (true);
create policy paper_venues_worker_update on public.paper_venues for update to agentic_worker
  using (true) with check (true);
