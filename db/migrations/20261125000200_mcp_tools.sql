-- The tools of MCP servers that a person approved, as they were when they were approved. People write their own.
-- `origin` is '' for what this person approved, else the sha256 of the file with which a definition was imported: it
-- serves replays of that file alone, in which nothing is called. The worker writes such rows and no other.
create table public.mcp_tools (
  user_id uuid not null references auth.users (id) on delete cascade,
  origin text not null default '' check (origin = '' or origin ~ '^[0-9a-f]{64}$'),
  server text not null check (length(server) between 1 and 64),
  tool text not null check (length(tool) between 1 and 64),
  digest text not null check (digest ~ '^[0-9a-f]{64}$'),
  definition json not null check (octet_length(definition::text) <= 131072),
  approved_at timestamptz not null default now(),
  primary key (user_id, origin, server, tool)
);

alter table public.mcp_tools enable row level security;
alter table public.mcp_tools force row level security;
revoke all on public.mcp_tools from public, anon, authenticated, service_role;
grant select, insert, update, delete on public.mcp_tools to authenticated;
grant select, insert on public.mcp_tools to agentic_worker;
create policy mcp_tools_select on public.mcp_tools for select to authenticated
  using (user_id = (select auth.uid()));
create policy mcp_tools_insert on public.mcp_tools for insert to authenticated
  with check (user_id = (select auth.uid()) and origin = '');
create policy mcp_tools_update on public.mcp_tools for update to authenticated
  using (user_id = (select auth.uid()) and origin = '')
  with check (user_id = (select auth.uid()) and origin = '');
create policy mcp_tools_delete on public.mcp_tools for delete to authenticated
  using (user_id = (select auth.uid()) and origin = '');
create policy mcp_tools_worker_select on public.mcp_tools for select to agentic_worker using (true);
create policy mcp_tools_worker_insert on public.mcp_tools for insert to agentic_worker with check (origin <> '');

-- A server that was out of reach may give way to an answer; an answer stays as it is.
grant update (body, recorded_at) on public.tool_results to agentic_worker;
create policy tool_results_worker_update on public.tool_results for update to agentic_worker
  using (body ->> 'problem' <> '') with check (true);
