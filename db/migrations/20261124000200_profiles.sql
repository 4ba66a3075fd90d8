-- What we know of a person beyond Supabase's auth.users.
create table public.profiles (
  user_id uuid primary key references auth.users (id) on delete cascade,
  tier text not null default 'free',
  settings jsonb not null default '{}',
  created_at timestamptz not null default now()
);

alter table public.profiles enable row level security;
alter table public.profiles force row level security;
revoke all on public.profiles from public, anon, authenticated, service_role;
grant select, update (settings) on public.profiles to authenticated;
grant select on public.profiles to agentic_worker;
create policy profiles_select on public.profiles for select to authenticated
  using (user_id = (select auth.uid()));
create policy profiles_update on public.profiles for update to authenticated
  using (user_id = (select auth.uid())) with check (user_id = (select auth.uid()));
create policy profiles_worker_select on public.profiles for select to agentic_worker using (true);
