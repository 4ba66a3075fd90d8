-- Whether a tool's answer came is a column of its own: its body may hold \u0000, and then nothing can look inside.
alter table public.tool_results add column came boolean not null default true;
grant update (came) on public.tool_results to agentic_worker;
drop policy tool_results_worker_update on public.tool_results;
create policy tool_results_worker_update on public.tool_results for update to agentic_worker
  using (not came) with check (true);
