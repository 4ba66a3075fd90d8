-- What people are told of their deployments while they look elsewhere. Written by the worker as things happen, once for
-- each key; the notifier sends it and says here what came of that. Where it is sent to is a setting, and never in here.
-- deployment_id refers to nothing, so that what was told outlives what it was told of.
create table public.notifications (
  id uuid primary key,
  seq bigint generated always as identity,  -- the order in which they were told
  user_id uuid not null references auth.users (id) on delete cascade,
  deployment_id uuid,
  key text not null check (length(key) between 1 and 200),
  kind text not null check (length(kind) between 1 and 40),
  severity text not null check (severity in ('info', 'warning', 'urgent')),
  deployment text not null check (length(deployment) <= 200),  -- its name
  title text not null check (length(title) between 1 and 200),
  body text not null check (length(body) <= 4000),
  created_at timestamptz not null,
  state text not null default 'queued' check (state in ('queued', 'sent', 'failed', 'suppressed')),
  next_try_at timestamptz not null,        -- while it is queued: not before then
  attempts integer not null default 0,
  message uuid,                            -- the message that carries it, alone or with others; its time is when that was made
  delivered text[] not null default '{}',  -- the receivers that have the message
  sent_at timestamptz,
  error text check (length(error) <= 500),
  unique (user_id, key)
);
create index notifications_of_user on public.notifications (user_id, seq);
create index notifications_that_wait on public.notifications (next_try_at) where state = 'queued';
create index notifications_by_message on public.notifications (message) where message is not null;

alter table public.notifications enable row level security;
alter table public.notifications force row level security;
revoke all on public.notifications from public, anon, authenticated, service_role;
grant select on public.notifications to authenticated;
grant select, insert, update (state, next_try_at, attempts, message, delivered, sent_at, error)
  on public.notifications to agentic_worker;
create policy notifications_select on public.notifications for select to authenticated
  using (user_id = (select auth.uid()));
create policy notifications_worker_select on public.notifications for select to agentic_worker using (true);
create policy notifications_worker_insert on public.notifications for insert to agentic_worker with check (true);
create policy notifications_worker_update on public.notifications for update to agentic_worker
  using (state = 'queued') with check (true);
