-- What was asked of models and of tools outside, what came back, and what it cost.
-- People read theirs; the worker writes. Nothing here can be taken back by the program but a run's own total.

-- One row for a request and the way it went: `origin` is '' for what this person asked, else the sha256 of the file
-- with which it was imported. Such rows serve replays of that file alone, so that nobody's file plants an answer.
-- `outcome` is json, not jsonb: it must come back to the byte, and may hold what jsonb refuses (\u0000).
-- `usage` are the tokens of a reply, and null where the outcome is a failure.
create table public.model_calls (
  user_id uuid not null references auth.users (id) on delete cascade,
  origin text not null default '' check (origin = '' or origin ~ '^[0-9a-f]{64}$'),
  route text not null check (length(route) <= 500),
  key text not null check (length(key) between 1 and 200),
  sample int not null default 0 check (sample >= 0),
  model text not null check (length(model) between 1 and 200),
  parts jsonb not null check (jsonb_typeof(parts) = 'object' and octet_length(parts::text) <= 1048576),
  outcome json not null check (octet_length(outcome::text) <= 10485760),
  usage jsonb,
  cost_usd numeric check (cost_usd >= 0 and cost_usd < 'Infinity'),
  latency_ms int not null default 0 check (latency_ms >= 0),
  recorded_at timestamptz not null default clock_timestamp(),
  primary key (user_id, origin, key, route)
);
create index model_calls_newest on public.model_calls (user_id, origin, recorded_at desc);

create table public.tool_results (
  user_id uuid not null references auth.users (id) on delete cascade,
  origin text not null default '' check (origin = '' or origin ~ '^[0-9a-f]{64}$'),
  key text not null check (length(key) between 1 and 200),
  body json not null check (octet_length(body::text) <= 10485760),
  recorded_at timestamptz not null default clock_timestamp(),
  primary key (user_id, origin, key)
);

-- What is spent or set aside, by what it is for: "run:<id>", "deployment:<id>:<day>", and "day:<day>" for a person's
-- day. The day of the whole installation is the sum of everybody's.
create table public.inference_totals (
  user_id uuid not null references auth.users (id) on delete cascade,
  scope text not null check (scope ~ '^(run|deployment|day):' and length(scope) <= 200),
  spent_usd numeric not null check (spent_usd >= 0 and spent_usd < 'Infinity'),
  primary key (user_id, scope)
);
create index inference_totals_of_days on public.inference_totals (scope) where scope like 'day:%';

-- Runs that were asked for together, such as the repetitions of one run and its masked control.
alter table public.sim_runs add column batch uuid;
create index sim_runs_of_batch on public.sim_runs (batch) where batch is not null;
grant insert (batch) on public.sim_runs to authenticated;

alter table public.model_calls enable row level security;
alter table public.model_calls force row level security;
revoke all on public.model_calls from public, anon, authenticated, service_role;
grant select on public.model_calls to authenticated;
grant select, insert, update on public.model_calls to agentic_worker;
create policy model_calls_select on public.model_calls for select to authenticated
  using (user_id = (select auth.uid()));
create policy model_calls_worker_select on public.model_calls for select to agentic_worker using (true);
create policy model_calls_worker_insert on public.model_calls for insert to agentic_worker with check (true);
-- A failure may give way to a reply; a reply stays as it is.
create policy model_calls_worker_update on public.model_calls for update to agentic_worker
  using (usage is null) with check (usage is not null);

alter table public.tool_results enable row level security;
alter table public.tool_results force row level security;
revoke all on public.tool_results from public, anon, authenticated, service_role;
grant select on public.tool_results to authenticated;
grant select, insert on public.tool_results to agentic_worker;
create policy tool_results_select on public.tool_results for select to authenticated
  using (user_id = (select auth.uid()));
create policy tool_results_worker_select on public.tool_results for select to agentic_worker using (true);
create policy tool_results_worker_insert on public.tool_results for insert to agentic_worker with check (true);

alter table public.inference_totals enable row level security;
alter table public.inference_totals force row level security;
revoke all on public.inference_totals from public, anon, authenticated, service_role;
grant select on public.inference_totals to authenticated;
grant select, insert, update, delete on public.inference_totals to agentic_worker;
create policy inference_totals_select on public.inference_totals for select to authenticated
  using (user_id = (select auth.uid()));
create policy inference_totals_worker_select on public.inference_totals for select to agentic_worker using (true);
create policy inference_totals_worker_insert on public.inference_totals for insert to agentic_worker
  with check (true);
create policy inference_totals_worker_update on public.inference_totals for update to agentic_worker
  using (true) with check (true);
-- What a day cost stays, whatever becomes of its runs.
create policy inference_totals_worker_delete on public.inference_totals for delete to agentic_worker
  using (scope like 'run:%');
