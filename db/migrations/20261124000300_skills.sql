-- Skills and their versions. A version is the SKILL.md's text as it was saved and never changes.
-- A row that points to another carries its user too, so nobody can hang a row on somebody else's.
create table public.skills (
  id uuid primary key,
  user_id uuid not null references auth.users (id) on delete cascade,
  name text not null check (name <> ''),
  created_at timestamptz not null default now(),
  archived_at timestamptz,
  unique (user_id, name),
  unique (user_id, id)
);

create table public.skill_versions (
  id uuid primary key,
  user_id uuid not null references auth.users (id) on delete cascade,
  skill_id uuid not null,
  number int not null check (number > 0),
  digest text not null,
  body text not null,
  spec jsonb not null,
  created_at timestamptz not null default now(),
  unique (skill_id, number),
  unique (skill_id, digest),
  unique (user_id, id),
  foreign key (user_id, skill_id) references public.skills (user_id, id) on delete cascade
);

create function public.refuse_update() returns trigger language plpgsql set search_path = '' as $$
begin
  raise exception 'a row of % never changes; save a new one', tg_table_name using errcode = 'restrict_violation';
end $$;

create trigger skill_versions_immutable before update on public.skill_versions
  for each row execute function public.refuse_update();

alter table public.skills enable row level security;
alter table public.skills force row level security;
revoke all on public.skills from public, anon, authenticated, service_role;
grant select, insert, update (name, archived_at) on public.skills to authenticated;
grant select on public.skills to agentic_worker;
create policy skills_select on public.skills for select to authenticated using (user_id = (select auth.uid()));
create policy skills_insert on public.skills for insert to authenticated with check (user_id = (select auth.uid()));
create policy skills_update on public.skills for update to authenticated
  using (user_id = (select auth.uid())) with check (user_id = (select auth.uid()));
create policy skills_worker_select on public.skills for select to agentic_worker using (true);

alter table public.skill_versions enable row level security;
alter table public.skill_versions force row level security;
revoke all on public.skill_versions from public, anon, authenticated, service_role;
grant select, insert on public.skill_versions to authenticated;
grant select on public.skill_versions to agentic_worker;
create policy skill_versions_select on public.skill_versions for select to authenticated
  using (user_id = (select auth.uid()));
create policy skill_versions_insert on public.skill_versions for insert to authenticated
  with check (user_id = (select auth.uid()));
create policy skill_versions_worker_select on public.skill_versions for select to agentic_worker using (true);
